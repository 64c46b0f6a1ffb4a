"""Asks the witness to cosign how far the ledger has come, and keeps what it signed; without one it says so."""

import os
import select
import subprocess
import time
from collections.abc import Callable

from logchain.format.add_checkpoint import MAX_ANSWER, Answer, format_add_checkpoint, parse_answer, parse_size
from logchain.format.checkpoint import Checkpoint
from logchain.format.cosignature import cosigned_at
from logchain.format.errors import FormatError, SignatureError, StoreError
from logchain.format.limits import MAX_CHECKPOINT
from logchain.format.settings import Settings
from logchain.format.signed_note import Vkey, format_signature, parse_note
from logchain.store.clock import Clock
from logchain.store.layout import Directory
from logchain.store.witnessed import Growth, put_witnessed, read_checkpoint, witnessed_size

__all__ = ["AskWitness"]

_GROWN = 60_000_000  # µs between two questions where entries came: those that come together are one question
_HEARTBEAT = 300_000_000  # µs, where none came, or the last had no good answer
_PATIENCE = 30  # s for an answer
_PIPE = 60 << 10  # bytes that a pipe takes from us before anybody reads
_CANNOT = {
    126: "the policy in dom0 refuses the call, or the witness's qube does not run",
    127: "its qube has no such service: the package logchain-witness is not there",
}
_REFUSED = {
    403: "it has this log pinned for another qube, or another key for it",
    404: "it does not know this log: there, 'logchain-witness pin' with the log key that 'logchain status' shows here",
    422: "it remembers another ledger: this one was changed behind what it signed, or is a copy that went its own way",
    500: "it cannot keep what it is shown; 'logchain-witness status' there tells more",
}


class _NoAnswer(Exception):
    """Why there is none, in words."""


class AskWitness:
    """Asks when it is time, from round to round. `complaint` is what is amiss, empty where all is well."""

    def __init__(self, store: Directory, clock: Clock, log: Callable[[int, str], None]) -> None:
        self._store, self._clock, self._log = store, clock, log
        self._growth = Growth(store)
        self._asked, self._shown = -_HEARTBEAT, 0  # when, µs of the boot clock; how many entries it signed since
        self.complaint = ""

    def tend(self, settings: Settings) -> None:
        """Ask, if it is time and there is a witness."""
        if not settings.witness:
            self.complaint = ""
            return
        now, was = self._clock.running(), self.complaint
        try:
            note, new = read_checkpoint(self._store)
            grown = new.size != self._shown and not was
            if now - self._asked < (_GROWN if grown else _HEARTBEAT):
                return
            self._asked = now
            self.complaint = self._ask(settings.witness, settings.witness_command, note, new)
        except _NoAnswer as error:
            self.complaint = f"no witness: {error}"
        except (FormatError, SignatureError, OSError, StoreError) as error:
            self.complaint = f"the witness could not be asked, or did not answer as it should: {error}"
        if not self.complaint:
            self._shown = new.size
            if was:
                self._log(5, f"the witness signs again: {new.size} entries")

    def _ask(self, key: Vkey, command: tuple[str, ...], note: bytes, new: Checkpoint) -> str:
        """Show the checkpoint, and keep the cosignature; return what is amiss."""
        known = old = min(witnessed_size(self._store, key), new.size)
        answer = self._call(command, format_add_checkpoint(old, self._growth.proof(old, new), note))
        if answer.status == 409:
            old = parse_size(answer.body)
            if old > new.size:
                return (
                    f"the witness signed {old} entries of this ledger, and here are {new.size}: this is an older copy, "
                    "or the newest were removed. If you brought it back yourself, docs/guides/witness.md tells more"
                )
            if old != known:
                answer = self._call(command, format_add_checkpoint(old, self._growth.proof(old, new), note))
        if answer.status == 409:
            return f"the witness signed another ledger of {old} entries: this one was changed"
        if answer.status != 200:
            return f"the witness refuses ({answer.status}): {_REFUSED.get(answer.status, answer.words)}"
        self._keep(key, note, answer.body)
        if old < known:
            return (
                f"the witness remembered {old} entries, and had signed {known}: it was taken back to an older state, "
                "or was told to begin anew"
            )
        return ""

    def _keep(self, key: Vkey, note: bytes, untrusted_lines: bytes) -> None:
        """Keep the checkpoint with the lines of this witness, once they hold."""
        found = parse_note(note + untrusted_lines, MAX_CHECKPOINT)
        kept = note + b"".join(map(format_signature, found.by(key)))  # no line of another's, and no blank one
        if cosigned_at(parse_note(kept, MAX_CHECKPOINT), key) is None:
            raise FormatError("what it signed is not signed by the key in the settings")
        put_witnessed(self._store, kept)

    def _call(self, command: tuple[str, ...], question: bytes) -> Answer:
        """Ask once, with the command as a thin edge; _NoAnswer, FormatError."""
        if len(question) > _PIPE:
            raise FormatError("the ledger's checkpoint is too long")
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except OSError as error:
            raise _NoAnswer(f"{command[0]}: {error.strerror}") from error
        with process:
            try:
                return parse_answer(self._heard(process, question))
            finally:
                process.kill()  # what is still there has nothing more to say

    def _heard(self, process: "subprocess.Popen[bytes]", question: bytes) -> bytes:
        """Say the question, and return all that comes, or more than any answer has."""
        assert process.stdin
        assert process.stdout
        try:
            process.stdin.write(question)
            process.stdin.close()
        except BrokenPipeError:
            pass  # its exit code tells why
        data, end = b"", time.monotonic() + _PATIENCE
        while len(data) <= MAX_ANSWER:
            if not select.select([process.stdout], [], [], max(0.0, end - time.monotonic()))[0]:
                raise _NoAnswer(f"it said nothing for {_PATIENCE} s")
            piece = os.read(process.stdout.fileno(), MAX_ANSWER)
            if not piece:
                break
            data += piece
        if not data:
            try:
                code = process.wait(_PATIENCE)
            except subprocess.TimeoutExpired as error:
                raise _NoAnswer("the command that asks it said nothing, and does not end") from error
            raise _NoAnswer(_CANNOT.get(code, f"the command that asks it ended with exit code {code}"))
        return data

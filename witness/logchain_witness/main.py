"""logchain-witness: `answer` is the qrexec service; all else is for the person whose witness it is."""

import argparse
import os
import select
import socket
import sys
import syslog
import time
from collections.abc import Callable, Sequence

from logchain_witness import __version__, people
from logchain_witness.answer import answer
from logchain_witness.checkpoint import MAX_QUESTION
from logchain_witness.errors import StateError, WitnessError
from logchain_witness.state import DEFAULT, State
from logchain_witness.terminal import printable, say

_PATIENCE = 20.0  # s for a question to arrive


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    given = _command_line().parse_args(arguments)
    if not sys.stdin or not sys.stdout:
        say("standard input or output is closed")
        return 3
    state = State(given.state)
    try:
        _become_owner(given.state)
        code: int = given.run(state, given)
    except WitnessError as error:
        say(str(error))
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still in the buffer goes there
        return 0
    except OSError as error:
        say(f"{printable(str(error.filename or 'the system'))}: {error.strerror}")
        return 3
    except KeyboardInterrupt:
        return 130
    return code


def _become_owner(path: str) -> None:
    """Run as whose directory it is, where root was asked: files of root's own would be closed to the service."""
    if os.geteuid() == 0 and os.path.isdir(path) and os.stat(path).st_uid:
        import nacl.exceptions
        import nacl.signing  # noqa: F401  (what another user may not be able to load)

        owner = os.stat(path)
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


def _command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="logchain-witness",
        description="Remembers how far the ledger of a logchain store has come, and signs only what goes on from "
        "there. Exit code 0: good. 1: somebody tried to go back. 2: wrong usage. 3: cannot tell.",
    )
    default = os.environ.get("LOGCHAIN_WITNESS_STATE", DEFAULT)
    parser.add_argument("--state", metavar="DIR", default=default, help=f"what it remembers (default: {DEFAULT})")
    parser.add_argument("--version", action="version", version=f"logchain-witness {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, run: Callable[[State, argparse.Namespace], int], help_text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help_text, description=help_text)
        command.set_defaults(run=run)
        return command

    keygen = add("keygen", people.keygen, "Make the witness's key, once, and show its public key.")
    host = socket.gethostname().split(".")[0]  # not in the help, of which the manual page is made elsewhere
    keygen.add_argument(
        "--name", default=f"{host}/logchain-witness", help="of the key (default: the qube's name/logchain-witness)"
    )
    pin = add("pin", people.pin, "Let a qube ask for a log; again, to give the log to another qube.")
    pin.add_argument(
        "key",
        metavar="VKEY",
        help="the log's key; 'logchain status' in the LogVM shows the whole command",
    )
    pin.add_argument("--qube", required=True, metavar="NAME", help="the LogVM")
    retire = add("retire", people.retire, "Answer no more for a log; what is remembered of it stays.")
    restored = add(
        "restored", people.restored, "Say that a log came back from a backup: the next checkpoint begins anew."
    )
    restored.add_argument("--yes", action="store_true", help="do not ask")
    check = add(
        "check", people.check, "Compare a checkpoint, for example ledger/witnessed of a store, with what is remembered."
    )
    check.add_argument("file", metavar="FILE", help="the checkpoint; - for standard input")
    listing = add("list", people.list_logs, "List the logs.")
    status = add("status", people.status, "Tell whether all is well, and the witness's public key.")
    for command in (check, listing, status):
        command.add_argument("--json", action="store_true", help="for a program")
    for command in (retire, restored):
        command.add_argument("origin", metavar="ORIGIN", help="the log, as 'logchain-witness list' shows it")
    add("answer", _answer, "Answer one question on standard input: the qrexec service logchain.Witness.")
    return parser


def _answer(state: State, _: argparse.Namespace) -> int:
    qube = os.environ.get("QREXEC_REMOTE_DOMAIN", "")
    found, trouble = answer(state, _question(), qube)
    view = memoryview(found)
    while view:
        view = view[os.write(1, view) :]
    if trouble:
        syslog.syslog(syslog.LOG_ERR, f"logchain-witness: {trouble}")  # standard error would reach the qube that asks
        return StateError.exit_code
    return 0


def _question() -> bytes:
    """Read standard input to its end, or to more than any question has; what comes too slowly is cut."""
    data, end = b"", time.monotonic() + _PATIENCE
    while len(data) <= MAX_QUESTION:
        if not select.select([0], [], [], max(0.0, end - time.monotonic()))[0]:
            return b""
        piece = os.read(0, 1 << 16)
        if not piece:
            break
        data += piece
    return data


if __name__ == "__main__":
    sys.exit(main())

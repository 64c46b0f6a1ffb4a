"""A witness for the stores that are attacked, and the way to it."""

import shutil
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path

from logchain.compress.witness import AskWitness
from logchain.format.add_checkpoint import Answer, parse_answer
from logchain.format.errors import LogchainError
from logchain.format.ledger import log_key_name
from logchain.format.ledger_keys import parse_log_key
from logchain.format.settings import Settings, parse_settings
from logchain.format.signed_note import COSIGNATURE, parse_vkey, public_key
from logchain.format.tlog_policy import Policy, policy_of
from logchain.read.verify import Verdict, verify_store
from logchain.store.layout import Directory, open_store
from logchain_witness.answer import answer
from logchain_witness.main import main
from logchain_witness.note import LOG, Key
from logchain_witness.state import Log, State
from tests.attacks.pinned import Pinned, copy

__all__ = ["Vault", "Watched", "copy_watched", "log_key", "watch"]


class Vault:
    """A witness, and the way to it."""

    def __init__(self, place: Path) -> None:
        self.state = State(str(place))

    def begin(self, log: Key, name: str = "vault/w") -> None:
        """Make its key, and pin a log."""
        self.state.create(name)
        self.state.keep(Log(log, "sys-log"))

    @property
    def origin(self) -> str:
        """The log that it has."""
        (log,) = self.state.logs()
        return log.key.name

    @property
    def settings(self) -> Settings:
        """The settings of a LogVM that has this witness."""
        program = f"{sysconfig.get_path('scripts')}/logchain-witness"
        words = ["env", "QREXEC_REMOTE_DOMAIN=sys-log", program, "--state", self.state.path, "answer"]
        listed = ", ".join(f'"{word}"' for word in words)
        return parse_settings(f'[witness]\nkey = "{self.state.key()[0]}"\ncommand = [{listed}]\n')

    @property
    def policy(self) -> Policy:
        """Who asks for this witness alone."""
        return policy_of(parse_vkey(str(self.state.key()[0]), COSIGNATURE))

    def size(self) -> int:
        """Return how many entries it remembers."""
        log = self.state.find(self.origin)
        assert log
        return log.checkpoint.size if log.checkpoint else 0

    def told(self, question: bytes) -> int:
        """Ask it anything; return the status."""
        return int(answer(self.state, question, "sys-log")[0][:3])

    def checks(self, store: Pinned) -> int:
        """Return the exit code of `check` on the checkpoint that stands in the store."""
        return main(["--state", self.state.path, "check", str(store.path / "ledger" / "checkpoint")])


def log_key(store: Pinned) -> Key:
    """Return the key of a store's log, as a person pins it."""
    name = log_key_name(store.audit.store_id)
    seed = parse_log_key((store.path / "keys" / "log").read_bytes()).seed
    return Key(name, public_key(name, seed).key, LOG)


class _Asking(AskWitness):
    """Asks as the compressor does, but for the process in between."""

    def __init__(self, store: Directory, watched: "Watched") -> None:
        super().__init__(store, watched.clock, lambda *_: None)
        self._vault = watched.vault

    def _call(self, command: tuple[str, ...], question: bytes) -> Answer:  # noqa: ARG002 (the real one runs it)
        return parse_answer(answer(self._vault.state, question, "sys-log")[0])


@dataclass
class Watched(Pinned):
    """A store that a witness has signed."""

    vault: Vault = field(kw_only=True)

    def ask(self) -> str:
        """Let the compressor show the ledger; return what it complains of."""
        with open_store(self.path) as directory:
            asking = _Asking(directory, self)
            asking.tend(self.vault.settings)
        return asking.complaint

    def witnessed(self) -> str:
        """Return the verdict with fingerprint and witness; and whether it refuses to sign what is not found damaged."""
        try:
            with open_store(self.path) as directory:
                verdict = verify_store(directory, fingerprint=self.fingerprint, policy=self.vault.policy).verdict
        except LogchainError:
            return "CANNOT TELL"
        refused = ", refused" if verdict != Verdict.DAMAGED and self.ask() else ""
        return verdict.name.replace("_", " ") + refused


def watch(store: Pinned, place: Path) -> Watched:
    """Have a new witness sign the ledger of a store."""
    vault = Vault(place)
    vault.begin(log_key(store))
    watched = Watched(store.path, store.audit, store.clock, store.fingerprint, vault=vault)
    assert watched.ask() == ""
    return watched


def copy_watched(template: Watched, path: Path) -> Watched:
    """Return a copy of a store, with a clock and a witness of its own."""
    store, vault = copy(template, path), path.with_name(f"{path.name}-witness")
    shutil.copytree(template.vault.state.path, vault)
    return Watched(path, store.audit, store.clock, store.fingerprint, vault=Vault(vault))

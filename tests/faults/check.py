"""What has to be so after a fault, and after what follows it: nothing lost, nothing doubled, no fork, no key left."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from logchain.format.errors import FormatError
from logchain.format.keystate import BIRTHS_MAGIC, NO_KEY, RATCHET_MAGIC, parse_births, parse_keystate
from logchain.format.ledger_keys import LEDGER_MAGIC, parse_ledger_keys
from logchain.format.slots import SLOT_SIZE, parse_slot
from logchain.read.verify import Report, Verdict, verify_store
from logchain.store.layout import open_store
from logchain.store.segments import closed_segments
from tests.faults.place import Done, Place
from tests.store.sealing import check, lines

__all__ = ["Watch", "check_done"]

_KEYS: list[tuple[str, bytes, Callable[[bytes], tuple[bytes, ...]]]] = [
    ("births", BIRTHS_MAGIC, lambda body: (parse_births(body).secret,)),
    ("keys/ledger", LEDGER_MAGIC, lambda body: (parse_ledger_keys(body).seed,)),
    ("live/*/*/ratchet", RATCHET_MAGIC, lambda body: (parse_keystate(body).key, parse_keystate(body).next)),
]


def check_done(done: Done, *codes: int) -> None:
    """A program that was not killed says in a line why it could not go on; its exit code is 0, 3, or one of `codes`."""
    assert "Traceback" not in done.errors, done
    assert done.code in (0, 3, *codes), done
    if done.program == "log-collector":
        assert not done.errors, done
        assert (done.code == 3) == done.out.startswith(("full", "error ")), done
    elif done.code and " stays: " not in done.out:  # `logchain seal` tells it segment by segment
        begin = {"logchain": "logchain: ", "log-compressor": "<3>log-compressor: "}[done.program]
        assert done.errors.rpartition("\n")[0].rpartition("\n")[2].startswith(begin), done


class Watch:
    """Looks at a place from time to time; what it has seen tells what may not be there any more in the end."""

    def __init__(self, place: Place) -> None:
        self._place, self._path = place, place.store.path
        self._secrets: set[bytes] = set()
        self._entries = b""
        self.look()

    def look(self) -> None:
        """Look at it as it stands: the ledger has only grown, by a torn entry perhaps; nothing looks like tampering."""
        entries = (self._path / "ledger/entries").read_bytes()
        assert entries.startswith(self._entries), "the ledger was forked"
        self._entries = entries
        self._secrets |= set(_secrets(self._path))
        report = self._verify()
        assert report.verdict != Verdict.DAMAGED, _findings(report)

    def conclude(self, gone: Mapping[str, int]) -> None:
        """Look at it when all is done: every line is there once but those that are gone, and all of it is proved."""
        self.look()
        store, expected = self._place.store, self._place.expected(gone)
        check(store)
        assert {path.name for path in (self._path / "live").iterdir()} == set(expected)
        for vm in expected:
            assert lines(store, vm) == expected[vm], vm
            with open_store(self._path) as directory:
                assert closed_segments(directory, vm, "main") == [], vm
        report = self._verify()
        assert report.verdict == Verdict.INTACT, _findings(report)
        assert report.ledger.pinned
        files = {path: path.read_bytes() for path in self._path.rglob("*") if path.is_file()}
        forgotten = [vm.encode() for vm in self._place.old if vm not in expected]
        for old in [*self._secrets.difference(_secrets(self._path)), *forgotten]:
            assert [str(path) for path in files if old in files[path] or old in bytes(path)] == [], "it is left"
        assert not [path for path in files if path.name.endswith("-journal")]

    def _verify(self) -> Report:
        with open_store(self._path) as directory:
            place = self._place
            return verify_store(directory, place.store.audit, fingerprint=place.fingerprint, restored=1)


def _findings(report: Report) -> list[str]:
    found = [*report.findings, *(finding for stream in report.streams for finding in stream.findings)]
    return [finding.text for finding in found]


def _secrets(store: Path) -> Iterator[bytes]:
    """Yield the secrets that stand in a store's key files, whichever slot counts."""
    for name, magic, parse in _KEYS:
        for path in store.glob(name):
            data = path.read_bytes()
            for place in (0, 1):
                with suppress(FormatError):
                    slot = parse_slot(magic, place, data[place * SLOT_SIZE : (place + 1) * SLOT_SIZE])
                    yield from (secret for secret in parse(slot.body) if secret != NO_KEY)

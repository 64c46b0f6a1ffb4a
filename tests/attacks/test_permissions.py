"""A user who may not read all of a store cannot tell: that is no tampering, and it is never called intact."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from logchain.format.errors import LogchainError
from logchain.read.verify import Verdict
from tests.attacks.pinned import Pinned, copy, make_template
from tests.examples.minimal_vectors import minimal

NOBODY = 65_534
# what a check has no need of: writers' locks; and the key of the ledger's next entry, of which it says that it may not
# read it
UNASKED = {"keys", "keys/ledger", "keys/log", "ledger/lock"}
MODES = {"file": (0o000,), "directory": (0o000, 0o100, 0o400)}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Pinned]:
    """A store that is its user's: root may read anything, so all looks are nobody's."""
    made = make_template(tmp_path / "made")
    (made.directory() / "quarantine").mkdir(exist_ok=True)
    (made.directory() / "quarantine" / "1795437914976476-00000001.log").write_bytes(b"torn")
    with tempfile.TemporaryDirectory() as place:  # a parent that others may look into
        Path(place).chmod(0o755)
        found = copy(made, Path(place) / "store")
        if not os.geteuid():
            for path in [found.path, *found.path.rglob("*")]:
                os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
        yield found
        shutil.rmtree(found.path, ignore_errors=True)


def as_nobody(look: Callable[[], object]) -> object:
    """Return what a process of nobody's finds; of ours, where we are not root."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            if not os.geteuid():
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            os.write(write, json.dumps(look()).encode())
        finally:
            os._exit(0)
    os.close(write)
    with open(read, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    return json.loads(data)


def verdict(store: Pinned, *, audited: bool) -> int:
    """Return the exit code of `logchain verify`."""
    try:
        return store.report(audited=audited).verdict.value
    except LogchainError as error:
        return error.exit_code


def second(store: Pinned) -> int:
    """Return the exit code of the second verifier."""
    root = os.open(store.path, os.O_DIRECTORY)
    check = minimal.Check(root, minimal.fingerprint_digits(store.fingerprint), None, 0)
    try:
        check.run()
    except PermissionError:
        return 3
    finally:
        os.close(root)
    return 1 if check.damage else 3 if check.unknown else 0


def test_whatever_may_not_be_read_cannot_be_told(store: Pinned) -> None:
    """Each file and directory, with the fingerprint and with the audit secret: 3, or it was not asked for."""
    assert store.report().verdict == store.report(audited=True).verdict == Verdict.INTACT  # and all is imported by now
    names = [path.relative_to(store.path).as_posix() for path in sorted(store.path.rglob("*"))]

    def look() -> object:
        found = {}
        for name in names:
            path = store.path / name
            kind = "directory" if path.is_dir() else "file"
            before = path.stat().st_mode
            for mode in MODES[kind]:
                path.chmod(mode)
                found[f"{name} {mode:03o}"] = [verdict(store, audited=audited) for audited in (False, True)]
                path.chmod(before)
        return found

    found = as_nobody(look)
    assert isinstance(found, dict)
    assert len(found) > len(names)
    for what, codes in found.items():
        name = what.split()[0]
        unasked = name in UNASKED or name.endswith("/lock") or "quarantine" in name
        assert codes == ([0, 0] if unasked else [3, 3]), what


def test_the_second_verifier_cannot_tell_either(store: Pinned) -> None:
    """The same of it, one of each kind of file."""
    assert second(store) == 0
    names = [
        *("live/work/main/ratchet", "live/work/main/00000004.log", "sealed/work/main/00000001.manifest"),
        *("sealed/work/main/00000002.log.lz4", "ledger/entries", "ledger/checkpoint", "births", "live/vault", "sealed"),
    ]

    def look() -> object:
        found = []
        for name in names:
            path = store.path / name
            before = path.stat().st_mode
            path.chmod(0)
            found.append(second(store))
            path.chmod(before)
        return found

    assert as_nobody(look) == [3] * len(names)

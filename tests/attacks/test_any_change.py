"""Whatever becomes of any file, those who look at a store say what they find, and nobody falls over."""

import os
import random
import shutil
import time
from pathlib import Path

import pytest

from logchain.format.errors import LogchainError
from logchain.read.entries import Kind
from logchain.read.formats import FORMATS
from logchain.read.listing import list_streams
from logchain.read.selection import Selection
from logchain.read.sessions import list_sessions
from logchain.read.show import select
from logchain.read.verify import Verdict
from logchain.store.layout import open_store
from tests.attacks.pinned import Pinned, copy, make_template
from tests.read.shown import shown

ROUNDS = int(os.environ.get("ROUNDS", "120"))
SECONDS = 20  # that a look may take at most, on a machine that does other things too


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Pinned:
    """The store that is changed."""
    return make_template(tmp_path_factory.mktemp("template") / "store")


def change(store: Pinned, chance: random.Random) -> str:
    """Change one file, or two, in one of many ways; say how."""
    files = sorted(path for path in store.path.rglob("*") if path.is_file() and not path.is_symlink())
    path, other = chance.sample(files, 2)
    path.chmod(0o600)
    data, more = path.read_bytes(), other.read_bytes()
    place = chance.randrange(len(data) + 1)
    ways = {
        "flip": bytes(
            [*data[:place], *(byte ^ 1 << chance.randrange(8) for byte in data[place : place + 1]), *data[place + 1 :]]
        ),
        "cut": data[:place],
        "cut the head": data[place:],
        "cut out": data[:place] + data[place + chance.randrange(1, 99) :],
        "put in": data[:place] + chance.randbytes(chance.randrange(1, 99)) + data[place:],
        "repeat": data[:place] + data,
        "digits": data.replace(b"1", b"999999999999999999"),
        "lines": b"\n".join(chance.sample(data.split(b"\n"), data.count(b"\n") + 1)),
        "another": more,
        "both": data + more,
        "random": chance.randbytes(chance.randrange(5_000)),
        "empty": b"",
    }
    way = chance.choice([*ways, "remove", "remove the directory", "link", "fifo", "swap", "move"])
    if way in ways:
        path.write_bytes(ways[way])
    elif way == "swap":
        path.write_bytes(more)
        other.chmod(0o600)
        other.write_bytes(data)
    elif way == "move":
        path.rename(other.with_name(path.name))
    elif way == "remove the directory":
        shutil.rmtree(path.parent)
    else:
        path.unlink()
        if way == "link":
            path.symlink_to(other)
        elif way == "fifo":
            os.mkfifo(path)
    return f"{way}: {path.relative_to(store.path)}"


@pytest.mark.parametrize("seed", range(ROUNDS // 20))
def test_whatever_becomes_of_a_file(template: Pinned, tmp_path: Path, seed: int) -> None:
    """Verify, list, show and sessions come to an end, soon, and without another error than ours."""
    chance = random.Random(seed)
    for number in range(20):
        store = copy(template, tmp_path / str(number))
        done = [
            change(store, chance) for _ in range(chance.choice([1, 1, 1, 2, 5])) if (store.path / "format").exists()
        ]
        began = time.monotonic()
        try:
            for audited in (False, True):
                assert store.report(audited=audited).verdict in Verdict, done
            with open_store(store.path) as directory:
                rows = list(list_streams(directory))
                assert all(row.state for row in rows), done
                assert list_sessions(directory, Selection(), store.clock.wall()) is not None
                entries = list(select(directory, Selection(notes=True)))
                assert all(entry.kind in Kind for entry in entries), done
                for form in FORMATS:
                    assert shown(directory, form, Selection(notes=True)) is not None
        except LogchainError:
            pass
        except Exception as error:
            raise AssertionError(done) from error
        assert time.monotonic() - began < SECONDS, done
        shutil.rmtree(store.path, ignore_errors=True)  # it may be what was removed

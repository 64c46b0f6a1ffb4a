"""What somebody puts where a crash might have left something: it passes for nothing."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from logchain.format.errors import FormatError
from logchain.format.tags import format_tags
from logchain.read import verify_store
from logchain.read.verify_jobs import run_tasks
from logchain.store.archive import evict
from logchain.store.layout import RESTORING
from tests.attacks.pinned import Pinned, copy, make_template
from tests.cli.conftest import run_in


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Pinned:
    """The store that is attacked."""
    return make_template(tmp_path_factory.mktemp("leftovers") / "store")


@pytest.fixture
def store(template: Pinned, tmp_path: Path) -> Pinned:
    """A copy of it."""
    return copy(template, tmp_path / "store")


def put_live(store: Pinned, number: int, text: bytes, vm: str = "work") -> Path:
    """Put a text with tags of its own into live/; return where."""
    path = store.directory(vm) / f"{number:08}.log"
    path.write_bytes(text)
    lines = text.split(b"\n")[:-1]
    ends = [sum(len(line) + 1 for line in lines[: place + 1]) for place in range(len(lines))]
    path.with_suffix(".tags").write_bytes(format_tags(ends, [os.urandom(32) for _ in ends]))
    return path


def test_a_copy_that_is_none(store: Pinned) -> None:
    """In live/ there may be, of a segment that is sealed, its text, as a crash leaves it: no other."""
    text = store.text(1).read_bytes()
    put_live(store, 1, text)
    assert store.damage() == []
    assert any("it is still in live/ too" in notice for notice in store.notices())
    for other in (text.replace(b"line", b"lime", 1), text[:-1], text + b"x\n", b""):
        put_live(store, 1, other)
        assert any("it is in live/ too, with another text" in bad for bad in store.damage()), other


def test_a_copy_that_is_none_is_not_shown(store: Pinned, tmp_path: Path) -> None:
    """What the ledger says was sealed is what a person sees; a copy that nobody sealed hides nothing that is open."""
    show = ("logchain", "show", "--vm", "work", "-o", "raw")
    before = run_in(tmp_path)(*show).stdout
    text = store.text(1).read_bytes()
    put_live(store, 1, text.replace(b"line", b"lime"))
    assert run_in(tmp_path)(*show).stdout == before
    forged = store.sealed() / "00000004"
    forged.with_suffix(".log").write_bytes(text.replace(b"line", b"lime"))
    forged.with_suffix(".manifest").write_bytes((store.sealed() / "00000001.manifest").read_bytes())
    assert run_in(tmp_path)(*show).stdout == before


def test_a_copy_that_is_none_stays_as_evidence(store: Pinned) -> None:
    """Neither the compressor nor an eviction removes it; the text that was sealed stays as well."""
    text = store.text(1).read_bytes()
    path = put_live(store, 1, text.replace(b"line", b"lime", 1))
    with pytest.raises(FormatError, match="it was put there, and stays"):
        store.seal()
    with store.ledger() as (directory, ledger), pytest.raises(FormatError, match="it was put there"):
        evict(directory, ledger, "work", "main", 1, "quota")
    assert path.exists()
    assert store.text(1).read_bytes() == text
    path.write_bytes(text)
    store.evict(1)
    assert not path.exists()
    assert not path.with_suffix(".tags").exists()
    assert store.damage() == []


def test_a_text_of_a_segment_that_went(store: Pinned) -> None:
    """Nothing of it is left by any crash: what is there was put there."""
    text = store.text(1).read_bytes()
    store.evict(1)
    path = put_live(store, 1, text)
    assert any("it went on purpose, and a text of it is in live/" in bad for bad in store.damage())
    with store.ledger():
        pass
    assert path.exists()  # for a person to look at


def test_a_stream_that_is_said_to_be_forgotten(store: Pinned) -> None:
    """The mark is in live/, where anybody who collects can put it."""
    made_up = store.path / "live/alice/main"
    shutil.copytree(store.directory("vault"), made_up)
    (made_up / "id").unlink()
    (made_up / "forgetting").touch()
    assert any("id is lost" in bad for bad in store.damage())
    for path in made_up.iterdir():
        if path.is_dir():
            path.rmdir()
        elif path.name not in ("forgetting", "lock"):
            path.unlink()
    assert store.damage() == []  # so a crash leaves it
    (made_up / "id").write_bytes(bytes(100))
    assert store.damage() == []  # and so, a moment earlier


def test_a_stream_that_goes_while_this_looks(store: Pinned, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its id was overwritten when the check was planned, and nothing of it was there when it was made."""
    going = store.path / "live/alice/main"
    going.mkdir(parents=True)
    (going / "id").write_bytes(bytes(100))
    (going / "forgetting").touch()

    def run_later(*given: Any) -> Any:
        shutil.rmtree(going.parent)
        return run_tasks(*given)

    monkeypatch.setattr(verify_store, "run_tasks", run_later)
    assert store.damage() == []


def test_a_qube_that_is_not_asked_about(store: Pinned) -> None:
    """`--vm` looks into one, and sees that all of the others is there: their listed segments, too."""
    store.list_heads()
    (store.directory("vault") / "00000004.log").unlink()
    assert any("it was listed, and is gone" in bad for bad in store.damage(vm="work"))


def test_a_store_that_is_half_restored_is_told(store: Pinned) -> None:
    """Nobody can log until it is finished, and so somebody has to know."""
    (store.path / RESTORING).write_text("x")
    assert any("'logchain restored' was not finished" in notice for notice in store.notices())
    assert store.damage() == []


@pytest.mark.usefixtures("store")
def test_a_process_that_is_killed(tmp_path: Path) -> None:
    """The check ends with an error of one line, and says what to try."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os\nimport logchain.read.verify_jobs as jobs\njobs._begin = lambda: os.kill(os.getpid(), 9)\n"
    )
    done = run_in(tmp_path)("logchain", "verify", "--jobs", "2", PYTHONPATH=f"{tmp_path}:{Path(__file__).parents[2]}")
    assert (done.returncode, done.stderr.count(b"\n")) == (3, 1)
    assert b"try --jobs 1" in done.stderr

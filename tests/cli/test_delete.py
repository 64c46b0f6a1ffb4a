"""`logchain delete`: shows what goes, asks, removes whole sealed segments only, and leaves an entry for each."""

import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Run, run_in, stock
from tests.cli.terminal import on_a_terminal
from tests.cli.test_seal import events

DELETE = ("logchain", "delete", "--vm", "work", "--until", "now")


@pytest.fixture(scope="module")
def sealed_room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store to be copied: two streams of `work` with two sealed segments each, and one that is open."""
    directory = tmp_path_factory.mktemp("sealed")
    run = run_in(directory)
    stock(run)
    for line in (b"one\n", b"two\n"):
        for stream in ("journal", "web"):
            run("log-collector", "--stdio", stream, vm="work", stdin=line)
        run("logchain", "seal")
    run("log-collector", "--stdio", "journal", vm="work", stdin=b"three\n")
    return directory


@pytest.fixture
def sealed(run: Run, sealed_room: Path, tmp_path: Path) -> Run:
    """Such a store."""
    shutil.copytree(sealed_room, tmp_path, dirs_exist_ok=True)
    return run


def manifests() -> list[str]:
    """Return the manifests that are there."""
    return sorted(f"{path.parts[2]}/{path.parts[3]} {path.stem}" for path in Path("store/sealed").rglob("*.manifest"))


ALL = [
    "dom0/journal 00000001",
    "vault/journal 00000001",
    *(f"work/{stream} 0000000{number}" for stream in ("journal", "web") for number in (1, 2)),
]


def test_it_asks_on_a_terminal(sealed: Run) -> None:
    """What goes and what stays is shown; `y` does it."""
    assert manifests() == ALL
    printed = on_a_terminal(*DELETE, question=b"[y/N]", answer=b"y\n")
    rows = [line.split()[:3] for line in printed.decode().splitlines() if line.startswith("work/")]
    assert rows == [["work/journal", "2", "14"], ["work/web", "2", "10"]]
    assert b"stays: work/journal, segment 3: it is not sealed yet\r\n" in printed
    assert b"Delete these 4 segments of work for good? [y/N]" in printed
    assert b"Deleted 4 segments; each has its entry in the ledger." in printed
    assert printed.endswith(b"exit 0")
    assert manifests() == ALL[:2]
    assert events()[-4:] == ["delete"] * 4
    done = sealed("logchain", "verify", "--audit-secret", "audit")
    assert b"DAMAGED" not in done.stdout
    assert sealed("logchain", "show", "--vm", "work", "-o", "raw").stdout.endswith(b"three\n")


@pytest.mark.usefixtures("sealed")
@pytest.mark.parametrize("answer", [b"n\n", b"\n", b"\x03"])
def test_anything_but_yes_is_no(answer: bytes) -> None:
    """Nothing is done, and the exit code is not 0."""
    printed = on_a_terminal(*DELETE, question=b"[y/N]", answer=answer)
    assert printed.endswith((b"exit 2", b"exit 130"))
    assert manifests() == ALL
    assert "delete" not in events()


def test_without_a_terminal_it_needs_yes(sealed: Run) -> None:
    """A script says so, or nothing is done."""
    done = sealed(*DELETE, stdin=b"y\n")
    assert done.returncode == 2
    assert b"where nobody is there to answer, give --yes. Nothing was done\n" in done.stderr
    assert manifests() == ALL
    assert sealed(*DELETE, "--yes").returncode == 0
    assert manifests() == ALL[:2]


def test_until_a_time(sealed: Run) -> None:
    """Only whole segments go that ended at that time or before; one that goes on behind it stays, and is named."""
    lines = Path("store/sealed/work/journal/00000002.log").read_text().splitlines()
    sealed(*DELETE[:-1], f"{lines[0][:19]}Z", "--yes")  # the second in which segment 2 began
    first = Path("store/sealed/work/journal/00000001.log")
    done = sealed(*DELETE[:-1], lines[0][:27], "--utc", "--stream", "journal", "--yes")
    assert b"stays: work/journal, segment 2: it goes on behind that time\n" in done.stdout
    assert not first.exists()
    assert manifests() == [*ALL[:2], *(name for name in ALL[3:] if name in manifests())]
    assert "work/journal 00000002" in manifests()
    assert sealed(*DELETE[:-1], "2020-01-01", "--yes").stdout == b"There is nothing to delete.\n"


def test_one_stream(sealed: Run) -> None:
    """The other keeps all it has."""
    assert sealed(*DELETE, "--stream", "web", "--yes").returncode == 0
    assert manifests() == ALL[:4]


def test_several_streams(sealed: Run) -> None:
    """Each that is named, and no other."""
    sealed("log-collector", "--stdio", "syslog", vm="work", stdin=b"line\n")
    sealed("logchain", "seal")
    done = sealed(*DELETE, "--stream", "web", "--stream", "syslog", "--yes")
    assert b"Deleted 3 segments" in done.stdout
    assert manifests() == sorted([*ALL[:4], "work/journal 00000003"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--vm", "nobody", "--until", "now"], b"there are no logs of nobody"),
        (["--vm", "work", "--stream", "x", "--until", "now"], b"there are no logs of x"),
        (["--vm", "work", "--until", "soon"], b"'soon': not a time"),
        (["--vm", "../work", "--until", "now"], b"not a VM name"),
    ],
)
def test_what_is_not_there(sealed: Run, words: list[str], told: bytes) -> None:
    """One line, exit code 2."""
    done = sealed("logchain", "delete", *words, "--yes")
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert told in done.stderr
    assert manifests() == ALL


def test_a_qube_and_a_time_are_required(sealed: Run) -> None:
    """All of a store is never deleted by leaving something out."""
    assert sealed("logchain", "delete", "--yes").returncode == 2
    assert sealed("logchain", "delete", "--vm", "work", "--yes").returncode == 2
    assert sealed("logchain", "delete", "--until", "now", "--yes").returncode == 2
    assert manifests() == ALL


def test_a_manifest_that_cannot_be_read_stays(sealed: Run) -> None:
    """Nobody knows when such a segment ended."""
    path = Path("store/sealed/work/web/00000001.manifest")
    path.chmod(0o600)
    path.write_bytes(b"\x1b[2Jnonsense")
    done = sealed(*DELETE, "--yes")
    assert b"stays: work/web, segment 1: not a manifest\n" in done.stdout
    assert manifests() == [*ALL[:2], "work/web 00000001"]


def test_what_the_ledger_does_not_know(sealed: Run) -> None:
    """A segment that somebody put there is not deleted: its entry would be a lie."""
    for name in ("log", "manifest"):
        source = Path(f"store/sealed/work/web/00000002.{name}")
        source.with_name(f"00000007.{name}").write_bytes(source.read_bytes().replace(b" 2\n", b" 7\n"))
    done = sealed(*DELETE, "--yes")
    assert done.returncode == 3
    assert b"Deleted 4 segments;" in done.stdout
    assert b"stays: work/web, segment 7: store: the ledger knows no sealed segment 7 of work/web\n" in done.stderr


def test_what_a_crash_left_of_a_delete(sealed: Run) -> None:
    """It is in the ledger, and its files are not gone: they go, and that is no failure."""
    shutil.copytree("store/sealed/work/web", "left")
    sealed(*DELETE, "--stream", "web", "--yes")
    before = events()
    shutil.copytree("left", "store/sealed/work/web", dirs_exist_ok=True)
    done = sealed(*DELETE, "--stream", "web", "--yes")
    assert (done.returncode, done.stderr) == (0, b"")
    assert manifests() == ALL[:4]
    assert events() == before

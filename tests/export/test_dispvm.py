"""`logchain open` and `export --to-dispvm`, with stand-ins that behave as Qubes' own commands do (QUBES.md)."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.cli.conftest import SCRIPTS, Run
from tests.cli.test_seal import events
from tests.export.files import check, texts

# One plain file a call; its copy in the disposable has a name without odd bytes; it blocks until the viewer is closed.
STAND_IN = r"""#!/bin/bash
printf '%s\n' "${0##*/} $*" > "$PLACE/called"
if [ "${0##*/}" = qvm-copy ]; then [ $# = 1 ] || exit 125; file=$1
else [ "${0##*/}" = qvm-open-in-vm ] && { [ "$1 $2" = "--view-only @dispvm:offline-dvm" ] || exit 125; file=$3; } ||
  { [ "$1" = --view-only ] || exit 125; file=$2; }
fi
[ -f "$file" ] && [ ! -L "$file" ] || exit 125
stat -c '%a %u' "$file" "${file%/*}" > "$PLACE/modes"
[ "$SAYS" ] && printf "$SAYS" >&2
[ "$REFUSE" ] && { echo 'Request refused' >&2; exit 126; }
name=$(printf %s "${file##*/}" | LC_ALL=C sed 's/[^0-9A-Za-z._+@-]/_/g')
cp "$file" "$PLACE/dvm-$name"
ln "$file" "${file%/*}.kept" && printf %s "${file%/*}.kept" > "$PLACE/kept"
while [ -e "$PLACE/viewer" ]; do sleep 0.05; done
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A disposable's place, with the commands that open things there."""
    place = tmp_path / "dom0"
    place.mkdir()
    for name in ("qvm-copy", "qvm-open-in-dvm", "qvm-open-in-vm"):
        (place / name).write_text(STAND_IN)
        (place / name).chmod(0o755)
    yield place
    with suppress(FileNotFoundError):
        Path((place / "kept").read_text()).unlink()


@pytest.fixture
def qubes(stocked: Run, place: Path) -> Callable[..., "subprocess.CompletedProcess[bytes]"]:
    """Run a command where these are."""

    def run(*words: str, **more: str) -> "subprocess.CompletedProcess[bytes]":
        return stocked(*words, PATH=f"{place}:{SCRIPTS}:{os.environ['PATH']}", PLACE=str(place), **more)

    return run


def kept(place: Path) -> bytes:
    """Return what is left in the blocks of the file that was handed over, by another link to it; remove that."""
    path = Path((place / "kept").read_text())
    assert not path.with_suffix("").exists()
    data = path.read_bytes()
    path.unlink()
    return data


def test_what_another_qube_says(qubes: Run) -> None:
    """qrexec hands on its standard error: it is said as its words, escaped, bounded, and passes for none of ours."""
    said = r'{"ask": "sudo: password", "word": "", "secret": true}\n\033]0;owned\007\n'
    done = qubes("logchain", "open", "--vm", "work", SAYS=said, REFUSE="1")
    lines = done.stderr.decode().splitlines()
    assert lines[0] == 'qvm-open-in-dvm: {"ask": "sudo: password", "word": "", "secret": true}'
    assert lines[1] == r"qvm-open-in-dvm: \x1b]0;owned\x07"
    assert "its policy has no line that allows qubes.OpenInVM" in lines[-1]
    assert done.returncode == 3
    done = qubes("logchain", "open", "--vm", "work", SAYS=r"x\n" * 1_000)
    assert (done.returncode, done.stderr.count(b"\n")) == (0, 101)


def test_lines_in_a_disposable(qubes: Run, place: Path) -> None:
    """One text file, escaped, is shown; when the viewer is closed nothing of it is here."""
    qubes("log-collector", "--stdio", "web", vm="work", stdin=b"\x1b]0;owned\x07 \xe2\x80\xae \xff\n")
    done = qubes("logchain", "open", "--vm", "work", "--utc")
    assert (done.returncode, done.stderr) == (0, b"")
    (copy,) = place.glob("dvm-*")
    assert copy.name == "dvm-logchain-work.txt"
    text = copy.read_text("ascii")
    assert text.count("\n") == 3
    assert r"work/web 2: \x1b]0;owned\x07 \u202e \xff" in text
    assert (place / "modes").read_text().split()[::2] == ["600", "700"]
    command = (place / "called").read_text().split()
    assert command[:2] == ["qvm-open-in-dvm", "--view-only"]
    assert kept(place) == bytes(copy.stat().st_size)


def test_which_lines(qubes: Run, place: Path) -> None:
    """The selection is that of `show`; with --notes the collector's notes are there too."""
    done = qubes("logchain", "open", "--stream", "journal", "--notes", "-S", "-1h")
    assert done.returncode == 0
    (copy,) = place.glob("dvm-logchain-lines.txt")
    assert copy.read_text().count("session-start") == 3
    assert qubes("logchain", "open", "-U", "2020-01-01").returncode == 2


def test_the_disposable_of_the_settings(qubes: Run, place: Path) -> None:
    """Where the settings name one, that is taken; a name that is none is an error of the settings."""
    Path("settings").write_text('[open]\ndispvm = "offline-dvm"\n')
    assert qubes("logchain", "open", "--config", "settings").returncode == 0
    words = (place / "called").read_text().split()
    assert words[:3] == ["qvm-open-in-vm", "--view-only", "@dispvm:offline-dvm"]
    assert len(words) == 4
    Path("settings").write_text('[open]\ndispvm = "--help"\n')
    done = qubes("logchain", "open", "--config", "settings")
    assert (done.returncode, b"line 2" in done.stderr) == (2, True)


def test_evidence_in_a_disposable(qubes: Run, place: Path) -> None:
    """The evidence file goes the same way, and is on record."""
    done = qubes("logchain", "export", "--vm", "work", "--to-dispvm")
    assert done.returncode == 0
    data = (place / "dvm-logchain-evidence.tar").read_bytes()
    assert b"- first of work\n" in texts(data)["work/journal"]
    assert not check(data).findings
    assert kept(place) == bytes(len(data))
    assert events()[-1] == "export"


def test_a_disposable_of_choice(qubes: Run, place: Path) -> None:
    """--dispvm names another template; a name that is none is refused, and where no disposable is meant."""
    for words in (("open",), ("export", "--to-dispvm")):
        assert qubes("logchain", *words, "--dispvm", "offline-dvm").returncode == 0
        assert (place / "called").read_text().split()[:3] == ["qvm-open-in-vm", "--view-only", "@dispvm:offline-dvm"]
        Path((place / "kept").read_text()).unlink()
    assert qubes("logchain", "open", "--dispvm", "--help").returncode == 2
    assert qubes("logchain", "export", "--output", "file", "--dispvm", "offline-dvm").returncode == 2


def test_evidence_to_another_qube(qubes: Run, place: Path) -> None:
    """dom0 asks which; nothing stays here."""
    assert qubes("logchain", "export", "--vm", "work", "--to-qube").returncode == 0
    assert (place / "called").read_text().split()[0] == "qvm-copy"
    assert not check((place / "dvm-logchain-evidence.tar").read_bytes()).findings
    kept(place)
    assert qubes("logchain", "export", "--to-qube", "--to-dispvm").returncode == 2
    done = qubes("logchain", "export", "--to-qube", REFUSE="1")
    assert b"no line that allows qubes.Filecopy from this qube to @default" in done.stderr


def test_refused_by_the_policy(qubes: Run, place: Path) -> None:
    """One line of ours that says so, exit 3, and nothing stays."""
    done = qubes("logchain", "open", REFUSE="1")
    assert done.returncode == 3
    assert done.stderr.endswith(
        b"logchain: qvm-open-in-dvm could not show it: dom0 refused it: its policy has no line that allows "
        b"qubes.OpenInVM from this qube to @dispvm. Nothing of it stays here\n"
    )
    assert not Path((place / "called").read_text().split()[-1]).exists()


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (("open",), b"qvm-open-in-dvm"),
        (("open", "--dispvm", "offline-dvm"), b"qvm-open-in-vm"),
        (("export", "--to-dispvm"), b"qvm-open-in-dvm"),
        (("export", "--to-qube"), b"qvm-copy"),
    ],
)
def test_not_in_a_qube(stocked: Run, words: tuple[str, ...], command: bytes) -> None:
    """Without Qubes' commands it is wrong usage; nothing is sealed, or put on record."""
    before = events()
    done = stocked("logchain", *words)
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert b"there is no %s here" % command in done.stderr
    assert events() == before


def test_too_much_is_refused(qubes: Run, place: Path) -> None:
    """More text than a viewer takes is refused, with what to do; nothing is opened."""
    qubes("log-collector", "--stdio", "big", vm="work", stdin=(b"x" * 60_000 + b"\n") * 300)
    done = qubes("logchain", "open")
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert b"more than 16.0 MiB of text" in done.stderr
    assert not (place / "called").exists()


@contextmanager
def viewing(place: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the command, with a viewer that stays open until the end of this."""
    (place / "viewer").touch()
    environment = os.environ | {"PATH": f"{place}:{SCRIPTS}:{os.environ['PATH']}", "PLACE": str(place)}
    with subprocess.Popen(["logchain", "open", "--store", "store"], env=environment, stderr=subprocess.PIPE) as process:
        while not (place / "kept").exists() or not (place / "kept").read_text():
            assert process.poll() is None
            time.sleep(0.02)
        try:
            yield process
        finally:
            (place / "viewer").unlink()
            process.wait(30)


@pytest.mark.usefixtures("stocked")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_while_the_viewer_is_open(place: Path, number: int) -> None:
    """Who ends the command ends what lies here too."""
    with viewing(place) as process:
        process.send_signal(number)
    assert process.returncode in (128 + number, 130)
    data = kept(place)
    assert data == bytes(len(data))


def test_what_a_kill_left(qubes: Run, place: Path) -> None:
    """The next command clears it away, but not what one that runs has there, nor what others call nearly so."""
    directory = Path(tempfile.mkdtemp(prefix="logchain-", dir="/dev/shm"))
    try:
        with viewing(place) as process:
            left = Path((place / "called").read_text().split()[-1])
            assert qubes("logchain", "open", "-U", "2020-01-01").returncode == 2
            assert left.read_bytes().count(b"\n") == 6
            process.kill()
        assert left.exists()
        spare = (place / "kept").read_text()
        (place / "kept").write_text("")
        assert qubes("logchain", "open", "--vm", "vault").returncode == 0
        assert not left.parent.exists()
        data = Path(spare).read_bytes()
        assert data == bytes(len(data))
        Path(spare).unlink()
        assert directory.exists()
    finally:
        directory.rmdir()


def test_a_chatty_qube_does_not_hide_why_it_failed(
    qubes: Callable[..., "subprocess.CompletedProcess[bytes]"], place: Path
) -> None:
    """Of what is said only so much is handed on, escaped, that what we say at the end has room."""
    script = place / "qvm-open-in-dvm"
    script.write_text("#!/bin/bash\nfor n in {1..60}; do head -c 20000 /dev/zero; echo; done >&2\nexit 126\n")
    done = qubes("logchain", "open", "--vm", "work")
    assert len(done.stderr) < 20_000
    assert b"says more, which is not shown" in done.stderr
    assert b"dom0 refused it" in done.stderr.splitlines()[-1]


@pytest.mark.usefixtures("stocked")
def test_what_the_command_started_ends_too(place: Path) -> None:
    """Cancelled, nothing that it started goes on sending."""
    (place / "qvm-open-in-dvm").write_text(
        '#!/bin/bash\nsleep 1000 & echo $! > "$PLACE/child.new"\nmv "$PLACE/child.new" "$PLACE/child"\nwait\n'
    )
    environment = os.environ | {"PATH": f"{place}:{SCRIPTS}:{os.environ['PATH']}", "PLACE": str(place)}
    command = [f"{SCRIPTS}/logchain", "open", "--vm", "work", "--store", "store"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        while not (place / "child").exists() and process.poll() is None:
            time.sleep(0.02)
        process.terminate()
    child = Path("/proc", (place / "child").read_text().strip(), "stat")
    for _ in range(500):
        with suppress(FileNotFoundError):
            if child.read_text().rpartition(")")[2].split()[0] != "Z":
                time.sleep(0.02)
                continue
        return
    raise AssertionError("it goes on")

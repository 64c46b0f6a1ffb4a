"""dom0 sends its journal, the consoles' and Qubes' own logs with the configuration of examples/dom0."""

import os
import signal
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from logchain.format.record import NOTE
from tests.collect.door import Door, until
from tests.conftest import Store
from tests.examples.conftest import EXAMPLES, Qube

CONSOLE, LOGS = "var/log/xen/console", "var/log/qubes"
ENTRY = """\
__REALTIME_TIMESTAMP=1795405501123456
__MONOTONIC_TIMESTAMP=86400000000
_BOOT_ID=0123456789abcdef0123456789abcdef
_MACHINE_ID=fedcba9876543210fedcba9876543210
_HOSTNAME=dom0
PRIORITY=6
SYSLOG_IDENTIFIER=libvirtd
_SYSTEMD_UNIT=libvirtd.service
MESSAGE=Domain work started, entry {number}

"""


REMOTE = Path("/lib/systemd/systemd-journal-remote")


@pytest.fixture
def dom0(store: Store, new_door: Callable[..., Door], tmp_path: Path) -> Qube:
    """dom0, with logs of Xen and of Qubes, and a journal."""
    qube = Qube(tmp_path, store, new_door(), "dom0")
    for directory in (CONSOLE, LOGS, "journal"):
        (tmp_path / directory).mkdir(parents=True)
    return qube


def configuration(dom0: Qube) -> str:
    """Return the example, its journal where the test has one."""
    text = dom0.example("dom0/log-exporter.toml")
    return text.replace('source = "journald"', f'source = "journald"\ndirectory = "{dom0.here / "journal"}"')


def write(path: Path, text: str) -> None:
    """Append to a log."""
    with path.open("a") as file:
        file.write(text)


def messages(dom0: Qube, stream: str) -> list[bytes]:
    """Return the messages of a stream's lines."""
    return [line.partition(b'"] ')[2] for line in dom0.store.lines("dom0", stream)]


def test_the_example_is_for_dom0() -> None:
    """It names three streams, and the command that dom0 has, with the stream's name in it."""
    config = tomllib.loads((EXAMPLES / "dom0/log-exporter.toml").read_text())
    assert config["transport"] == "qrexec-client -d sys-log 'DEFAULT:QUBESRPC logchain.Append+STREAM dom0'"
    assert set(config["streams"]) == {"journal", "xen-console", "qubes"}


@pytest.mark.skipif(not REMOTE.exists(), reason="it is missing: apt install systemd-journal-remote")
def test_all_that_dom0_logs(dom0: Qube) -> None:
    """Journal, consoles and Qubes' logs come to the store as dom0's; a log that Qubes renames is read to its end."""
    subprocess.run(
        [REMOTE, f"--output={dom0.here}/journal/system.journal", "-"],
        input="".join(ENTRY.format(number=number) for number in range(20)),
        text=True,
        check=True,
        capture_output=True,
    )
    crash = "[   12.3] Kernel panic - not syncing: \x1b[31mboom\n"
    write(dom0.here / CONSOLE / "guest-work.log", crash)
    write(dom0.here / CONSOLE / "hypervisor.log", "(XEN) Command line: ucode=scan\n")
    log = dom0.here / LOGS / "guid.work.log"
    write(log, "first\n")
    with dom0.exporter(configuration(dom0)):
        until(lambda: len(messages(dom0, "qubes")) == 1)
        write(log, "last words\n")
        log.rename(log.with_name("guid.work.log.old"))
        write(log, "born again\n")
        until(lambda: len(messages(dom0, "qubes")) == 3)
        until(lambda: len(messages(dom0, "xen-console")) == 2)
        until(lambda: len(messages(dom0, "journal")) == 20)
    assert messages(dom0, "qubes") == [b"first", b"last words", b"born again"]
    assert set(messages(dom0, "xen-console")) == {
        rb"[   12.3] Kernel panic - not syncing: \x1b[31mboom",
        b"(XEN) Command line: ucode=scan",
    }
    assert messages(dom0, "journal") == [b"Domain work started, entry %d" % number for number in range(20)]
    [console] = [line for line in dom0.store.lines("dom0", "xen-console") if b"panic" in line]
    assert b'path="%b/guest-work.log"' % os.fsencode(dom0.here / CONSOLE) in console
    assert not dom0.store.found()


def test_a_collector_that_dies_costs_dom0_nothing(dom0: Qube) -> None:
    """qrexec-client tells nobody that the service died: the acknowledgements do, and each line is stored once."""
    log = dom0.here / LOGS / "qrexec.work.log"
    write(log, "".join(f"line {number}\n" for number in range(1000)))
    with dom0.exporter(configuration(dom0)):
        until(lambda: messages(dom0, "qubes"))
        for instance in dom0.door.instances():
            os.kill(instance, signal.SIGKILL)
        write(log, "".join(f"line {number}\n" for number in range(1000, 1100)))
        until(lambda: len(messages(dom0, "qubes")) >= 1100)
    assert messages(dom0, "qubes") == [b"line %d" % number for number in range(1100)]


def test_the_name_comes_from_qrexec(dom0: Qube) -> None:
    """dom0's lines are those of `dom0`, whatever it says of itself, in the streams that it names."""
    write(dom0.here / LOGS / "x.log", "one\n")
    with dom0.exporter(configuration(dom0)):
        until(lambda: messages(dom0, "qubes"))
    assert [path.name for path in (dom0.store.path / "live").iterdir()] == ["dom0"]
    notes = [record for record in dom0.store.records("dom0", "qubes") if record.kind == NOTE]
    assert b"session-start" in b" ".join(note.payload for note in notes)

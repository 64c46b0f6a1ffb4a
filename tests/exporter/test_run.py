"""The daemon: several streams in one process, what it tells systemd and people, and what it costs."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from log_exporter import notify, status
from log_exporter.errors import NotRunning
from log_exporter.main import main
from tests.exporter.bench import COLLECTOR, ROOT, children
from tests.exporter.daemon import THREE, Daemon
from tests.exporter.journal import Journald


def test_several_streams_in_one_process(daemon: Daemon) -> None:
    """Each has its call, and its lines arrive; a stop ends all, and leaves no child."""
    daemon.configure(THREE.replace("{}", str(daemon.directory)))
    (daemon.directory / "logs" / "a.log").write_bytes(b"line\n")
    daemon.start()
    daemon.until_stored("files", b"line")
    daemon.until_stored("tick", b"one", b"two")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.sendto(b"<13>me: hello", str(daemon.directory / "log"))
    daemon.until_stored("syslog", b"hello")
    assert daemon.process
    ours = children(daemon.process.pid)
    assert len(ours) == 4
    assert daemon.stop() == ""
    daemon.process = None
    daemon.until(lambda: not any(os.path.exists(f"/proc/{child}") for child in ours))


def test_a_command_that_ends_is_started_again(daemon: Daemon) -> None:
    """What it said is sent once; that it ended is told."""
    daemon.configure('[streams.tick]\nsource = "exec"\ncommand = ["sh", "-c", "printf \'a\\nb\'; exit 3"]\n')
    daemon.start()
    daemon.until_stored("tick", b"a", b"b")
    assert daemon.stop() == "log-exporter: tick: sh ended with 3; it is started again, every 10 s\n"


def test_a_journal_that_is_not_there_is_told_of(daemon: Daemon) -> None:
    """By `check`, in the status, and once on standard error; the other streams go on."""
    daemon.configure(
        f'[streams.j]\nsource = "journald"\ndirectory = "{daemon.directory}/none"\n'
        f'[streams.f]\nsource = "files"\npaths = ["{daemon.directory}/logs/*.log"]\n'
    )
    found = daemon.command("check")
    assert found.returncode == 3
    assert f"WRONG  j: there is no directory {daemon.directory}/none" in found.stdout
    (daemon.directory / "logs" / "a.log").write_bytes(b"1\n")
    daemon.start(WATCHDOG_USEC="100000")
    daemon.until_stored("f", b"1")
    words = f"{daemon.directory}/none: No such file or directory"
    daemon.until(lambda: words in (daemon.directory / "run" / "status").read_text())
    assert daemon.stop() == f"log-exporter: j: {words}; trying again\n"


def test_a_status_that_cannot_be_written_is_told_of(daemon: Daemon) -> None:
    """Once; and all else goes on."""
    (daemon.directory / "run").touch()
    daemon.configure(f'[streams.f]\nsource = "files"\npaths = ["{daemon.directory}/logs/*.log"]\n')
    (daemon.directory / "logs" / "a.log").write_bytes(b"1\n")
    daemon.start(WATCHDOG_USEC="100000")
    daemon.until_stored("f", b"1")
    (daemon.directory / "logs" / "b.log").write_bytes(b"2\n")
    daemon.until_stored("f", b"1", b"2")
    words = f"`log-exporter status` will know nothing: {daemon.directory}/run/status: File exists"
    assert daemon.stop() == f"log-exporter: {words}\n"


def test_a_second_exporter_starts_nothing(daemon: Daemon) -> None:
    """It ends because the first holds the cursor, before it starts a command of its own."""
    started = daemon.directory / "started"
    daemon.configure(f'[streams.tick]\nsource = "exec"\ncommand = ["sh", "-c", "echo $$ >>{started}; exec sleep 60"]\n')
    daemon.start()
    daemon.until(lambda: started.exists() and started.read_text())
    second = daemon.command("run")
    assert second.returncode == 2
    assert "another log-exporter uses" in second.stderr
    assert len(started.read_text().split()) == 1
    daemon.stop()


def test_a_spool_that_cannot_be_starts_nothing(daemon: Daemon) -> None:
    """A command is started when all else is there, so that none is left behind."""
    started = daemon.directory / "started"
    daemon.configure(f'[streams.tick]\nsource = "exec"\ncommand = ["sh", "-c", "echo $$ >>{started}; exec sleep 60"]\n')
    (daemon.directory / "spool").touch()
    run = daemon.command("run")
    assert (run.returncode, run.stderr.count("\n")) == (2, 1)
    assert not started.exists()


def test_a_long_line_of_a_command_is_not_cut_in_a_secret(daemon: Daemon) -> None:
    """It comes as two lines, and what is to be hidden is in one of them as a whole."""
    text = "'x' * 262130 + ' password=hunter2 ' + 'y' * 300000"
    program = daemon.directory / "program"
    program.write_text(f"#!{sys.executable}\nimport time\nprint({text}, flush=True)\ntime.sleep(60)\n")
    program.chmod(0o755)
    daemon.configure(
        f'[streams.e]\nsource = "exec"\ncommand = ["{program}"]\nredact = ["password=[^ ]+"]\nplain = true\n'
    )
    daemon.start()
    whole = b"x" * 262130 + b" [redacted] " + b"y" * 300000
    daemon.until(lambda: len(b"".join(daemon.stored("e"))) >= len(whole))
    assert len(daemon.stored("e")) > 1
    assert b"".join(daemon.stored("e")) == whole
    daemon.stop()


def test_one_stream_that_is_refused_keeps_nobody_waiting(daemon: Daemon) -> None:
    """The calls of one stream fail again and again, and those of the other go on."""
    daemon.configure(THREE.replace("{}", str(daemon.directory)))
    script = daemon.directory / "carry"
    script.write_text(
        f"#!/bin/sh\n[ $1 = tick ] && exit 126\n[ $1 = syslog ] && exec sleep 600\n"
        f"exec {sys.executable} {COLLECTOR} {daemon.directory}/store-$1\n"
    )
    script.chmod(0o755)
    text = daemon.config.read_text().splitlines()
    daemon.config.write_text("\n".join([f'transport = "{script} STREAM"', *text[1:]]))
    daemon.start(WATCHDOG_USEC="100000")
    log = daemon.directory / "logs" / "a.log"
    for number in range(30):
        with log.open("ab") as file:
            file.write(b"%d\n" % number)
        time.sleep(0.05)
    daemon.until_stored("files", *[b"%d" % number for number in range(30)])
    daemon.until(lambda: "no greeting came" in (daemon.directory / "run" / "status").read_text())
    assert daemon.stop() == "log-exporter: syslog: no greeting came; trying again\n"


def test_the_spool_keeps_what_comes_while_nobody_answers(daemon: Daemon) -> None:
    """The LogVM is off, the exporter is killed and started: each message is stored once, in order."""
    daemon.bad = "--bad busy"
    streams = f'[streams.syslog]\nsource = "syslog"\nlisten = ["unix:{daemon.directory}/log"]\n'
    daemon.configure(streams)
    for sent in (100, 200, 300):
        daemon.start()
        daemon.until(lambda: (daemon.directory / "run" / "status").exists() and is_listening(daemon))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            for number in range(sent - 100, sent):
                log.sendto(b"<13>me: %d" % number, str(daemon.directory / "log"))
        until_spooled(daemon, sent)
        daemon.kill()
    daemon.bad = ""
    daemon.configure(streams)
    daemon.start()
    daemon.until_stored("syslog", *[b"%d" % number for number in range(sent)])
    daemon.stop()


def is_listening(daemon: Daemon) -> bool:
    """Whether its socket takes messages: a path that is left over from a kill does not."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        try:
            log.connect(str(daemon.directory / "log"))
        except OSError:
            return False
    return True


def until_spooled(daemon: Daemon, lines: int) -> None:
    """Wait until so many lines are in the spool."""
    directory = daemon.directory / "spool" / "syslog"
    daemon.until(lambda: sum(path.read_bytes().count(b"\n") for path in directory.glob("*.lines")) >= lines)


def test_systemd_is_told(daemon: Daemon, tmp_path: Path) -> None:
    """READY once the sources are open, WATCHDOG in half of the time that it has, STOPPING."""
    daemon.configure(THREE.replace("{}", str(daemon.directory)))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20)
        daemon.start(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="200000")
        assert systemd.recv(1000) == b"READY=1"
        told = [systemd.recv(1000).decode() for _ in range(8)]
        assert all(words.startswith("WATCHDOG=1\nSTATUS=") for words in told)
        daemon.until(lambda: b"STATUS=3 of 3 streams connected, 2 lines stored" in systemd.recv(1000))
        daemon.stop()
        systemd.setblocking(False)
        rest = []
        with suppress(BlockingIOError):
            while True:
                rest.append(systemd.recv(1000))
        assert rest[-1] == b"STOPPING=1"


def test_nobody_is_told_where_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without systemd, or when its socket is gone, nothing happens; a watchdog may be meant for another process."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify.tell("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "@/no/such")
    notify.tell("READY=1")
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    assert notify.watchdog() == 3.0
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert notify.watchdog() is None


def test_status_shows_each_stream(daemon: Daemon) -> None:
    """Lines, bytes, lag, spool and the last acknowledgement; as a table and as JSON."""
    daemon.configure(THREE.replace("{}", str(daemon.directory)))
    gone = daemon.command("status")
    assert (gone.returncode, gone.stdout) == (3, "")
    assert gone.stderr.endswith("run/status: No such file or directory: log-exporter run does not run here\n")
    daemon.start(WATCHDOG_USEC="100000")
    daemon.until_stored("tick", b"one", b"two")

    def lines() -> dict[str, int]:
        found = daemon.command("status", "--json")
        return {
            stream["stream"]: stream["lines"] for stream in json.loads(found.stdout or '{"streams": []}')["streams"]
        }

    daemon.until(lambda: lines().get("tick") == 2)
    head, *rows = daemon.command("status").stdout.splitlines()
    assert head.split() == ["STREAM", "SOURCE", "STATE", "LINES", "BYTES", "LAG", "SPOOL", "DROPPED", "LAST", "OK"]
    assert [row.split()[:4] for row in rows] == [
        ["files", "files", "connected", "0"],
        ["tick", "exec", "connected", "2"],
        ["syslog", "syslog", "connected", "0"],
    ]
    assert " of 65,536 KiB  0" in rows[1]
    assert rows[0].endswith("never")
    assert rows[1].endswith(" s ago")
    daemon.stop()
    ended = daemon.command("status")
    assert ended.returncode == 3
    assert "log-exporter run has ended or hangs" in ended.stderr


def test_a_status_that_is_none(tmp_path: Path) -> None:
    """Another file, or one that somebody made up, is no status and no traceback."""
    path = tmp_path / "status"
    one: dict[str, object] = {"stream": "a", "source": "x", "state": "s", "lines": 1, "bytes": 1, "lag": 0}
    one |= {"last_ok": None, "spool": 1, "spool_limit": 1, "dropped": 0}
    path.write_text(json.dumps({"at": time.monotonic(), "pid": 1, "streams": [one | {"stream": "\x1b"}]}))
    assert "\n\\x1b" in status.table(status.load(str(path)))
    wrong: list[dict[str, object]] = [
        {"stream": 3},
        {"state": None},
        {"lines": "1"},
        {"bytes": []},
        {"lag": "x"},
        {"spool": "z"},
    ]
    made_up = [json.dumps({"at": 0, "pid": 1, "streams": [one | part]}) for part in wrong]
    made_up += ["[" * 100_000, '{"at": 0, "pid": 1e999, "streams": []}']
    none = ("", "[]", "{}", '{"at": 0, "pid": "x", "streams": []}', '{"at": 0, "pid": 1, "streams": [{}]}')
    for data in (*none, *made_up):
        path.write_text(data)
        with pytest.raises(NotRunning, match="is no status of log-exporter"):
            status.load(str(path))


@pytest.mark.parametrize("command", ["run", "check", "status"])
def test_a_bad_configuration_is_exit_code_2(daemon: Daemon, command: str) -> None:
    """One line, from every command, with the line's number."""
    daemon.configure("[streams.a]\nsource = 'x'\n")
    found = daemon.command(command)
    assert found.returncode == 2
    assert found.stderr.startswith(f"log-exporter: {daemon.config}: line 6: streams.a.source: must be one of ")
    assert found.stderr.count("\n") == 1


def test_a_source_that_cannot_be_opened_is_exit_code_2(daemon: Daemon) -> None:
    """It says which stream, and why."""
    daemon.configure('[streams.k]\nsource = "kmsg"\ndevice = "/none"\n')
    found = daemon.command("run")
    assert (found.returncode, found.stderr) == (2, "log-exporter: k: /none: No such file or directory\n")


@pytest.mark.parametrize("device", ["/dev/null", "/etc/passwd", "/etc"])
def test_a_device_that_is_not_the_kernels_log_is_exit_code_2(daemon: Daemon, device: str) -> None:
    """It is not read, and what to do is said."""
    daemon.configure(f'[streams.k]\nsource = "kmsg"\ndevice = "{device}"\n')
    found = daemon.command("run")
    words = f"log-exporter: k: {device} is not the kernel's log: leave `device` out\n"
    assert (found.returncode, found.stderr) == (2, words)


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("a{99999999999}", "the repetition number is too large"),
        ("[[a]", "set at position 1: a backslash"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_exit_code_2(daemon: Daemon, command: str, pattern: str, words: str) -> None:
    """Both say so in one line that names the place; so it is with one that the next Python may read otherwise."""
    daemon.configure(f"[streams.a]\nsource = 'kmsg'\nredact = ['{pattern}']\n")
    found = daemon.command(command)
    assert found.returncode == 2
    assert found.stderr.startswith(f"log-exporter: {daemon.config}: line 7: streams.a.redact: must be a regular expr")
    assert words in found.stderr
    assert found.stderr.count("\n") == 1


def test_the_command_line_of_run_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    """The short way to the daemon does not swallow what is wrong."""
    assert main(["run", "--confi"]) == 2
    assert "--config" in capsys.readouterr().err
    assert main(["run", "x"]) == 2


def resident(process: int) -> int:
    """Return the KiB that a process has in memory."""
    status_of = Path(f"/proc/{process}/status").read_text()
    return int(status_of.split("VmRSS:")[1].split()[0])


def test_three_sources_need_less_than_20_mib(daemon: Daemon, tmp_path: Path) -> None:
    """Resident, with the journal, files and syslog, after ten thousand lines; started as a service is."""
    directory = tmp_path / "journal"
    directory.mkdir()
    journal = Journald(directory)
    python = [sys.executable, "-I", "-S", "-c"]
    try:
        sources = THREE.replace("{}", str(daemon.directory)).split("[streams.")
        sources[2] = f'journal]\nsource = "journald"\ndirectory = "{journal.directory}"\n'
        daemon.configure("[streams.".join(sources))
        for number in range(10_000):
            journal.log(b"message %d" % number, SYSLOG_IDENTIFIER="test")
        (daemon.directory / "logs" / "a.log").write_bytes(b"x" * 100 + b"\n")
        program = f"import sys; sys.path.insert(0, {str(ROOT / 'exporter')!r}); "
        program += "from log_exporter.main import main; main()"
        daemon.process = subprocess.Popen([*python, program, "run", "--config", str(daemon.config)])
        daemon.until(lambda: len(daemon.stored("journal")) >= 10_000 and daemon.stored("files"), 60)
        ours = resident(daemon.process.pid)
        print_own = "print(open('/proc/self/status').read().split('VmRSS:')[1].split()[0])"
        bare = subprocess.run([*python, print_own], capture_output=True, check=True)
        # Debian's interpreter alone takes 8 MiB, one that was built otherwise up to 12.
        assert ours - int(bare.stdout) < 12 << 10, (ours, bare.stdout)
    finally:
        journal.stop()


def test_sigterm_during_a_refused_call_ends_at_once(daemon: Daemon) -> None:
    """A stop does not wait for the next try."""
    daemon.configure(THREE.replace("{}", str(daemon.directory)))
    _, *others = daemon.config.read_text().splitlines()
    daemon.config.write_text("\n".join(["transport = \"sh -c 'exit 126'\"", *others]))
    daemon.start()
    daemon.until(lambda: (daemon.directory / "run" / "status").exists())
    assert daemon.process
    daemon.process.send_signal(signal.SIGINT)
    assert daemon.process.wait(20) == 0
    daemon.process.communicate()

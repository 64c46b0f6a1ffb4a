"""Syslog: messages out of streams and datagrams, into lines from which every part comes back."""

import os
import re
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from log_exporter.choice import LONGEST, Choice
from log_exporter.errors import UsageError
from log_exporter.line import unescape
from log_exporter.sources.framing import Frames, Messages
from log_exporter.sources.syslog import Address, Syslog

NOW = "2026-11-23T03:45:01.000000Z"


def line(message: bytes, priority: int = 7, choice: Choice | None = None) -> bytes:
    """Return the line of a message that came over UDP."""
    return Messages("work", choice or Choice(), priority).line(message, NOW, {"transport": b"udp"})


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            b"<38>Nov 23 03:45:00 sshd[411]: Fine",
            f'<38>1 {NOW} work sshd 411 - [rfc3164@32473 time="Nov 23 03:45:00"][syslog@32473 transport="udp"] Fine',
        ),
        (
            b"<38>Nov  3 03:45:00 web sshd: a: b",
            f'<38>1 {NOW} web sshd - - [rfc3164@32473 time="Nov  3 03:45:00"][syslog@32473 transport="udp"] a: b',
        ),
        (b"me[7]: no head", f'<13>1 {NOW} work me 7 - [syslog@32473 transport="udp"] no head'),
        (b"<6>no tag at all", f'<6>1 {NOW} work - - - [syslog@32473 transport="udp"] no tag at all'),
        (b"<191>", f'<191>1 {NOW} work - - - [syslog@32473 transport="udp"] '),
        (b"<192>x", f'<13>1 {NOW} work - - - [syslog@32473 transport="udp"] <192>x'),
        (b"<007>x", f'<13>1 {NOW} work - - - [syslog@32473 transport="udp"] <007>x'),
        (
            b"<165>1 2003-10-11T22:14:15.003Z web app 7 ID47 - hello\0\n",
            '<165>1 2003-10-11T22:14:15.003Z web app 7 ID47 [syslog@32473 transport="udp"] hello',
        ),
        (
            b'<165>1 - - - - - [a@1 b="c\\"\\\\\\]d" e=""][f g="\xc3\xbc"] two\nlines',
            '<165>1 - - - - - [a@1 b="c\\"\\\\\\]d" e=""][f g="ü"][syslog@32473 transport="udp"] two\\nlines',
        ),
        (b"<165>1 - - - - - -", '<165>1 - - - - - [syslog@32473 transport="udp"] '),
        # What is not RFC 5424, or says what only we may say, is a message as a whole.
        (
            b'<165>1 - - - - - [syslog@32473 uid="0"] x',
            f'<165>1 {NOW} work - - - [syslog@32473 transport="udp"] 1 - - - - - [syslog@32473 uid="0"] x',
        ),
        (
            b'<165>1 - - - - - [a b="\x1b"] x',
            f'<165>1 {NOW} work - - - [syslog@32473 transport="udp"] 1 - - - - - [a b="\\x1b"] x',
        ),
    ],
)
def test_a_message_becomes_a_line(message: bytes, expected: str) -> None:
    """RFC 3164 with and without host, RFC 5424, and what is neither."""
    assert line(message).decode() == expected + "\n"


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(lambda rest: b"<13>1 - h a p i " + rest)))
@example(b"<13>1 - - - - - [a\n")
@settings(deadline=None, max_examples=300)
def test_any_message_is_one_harmless_line(message: bytes) -> None:
    """Any bytes give one line of text without control characters, and the words of our own are ours."""
    text = line(message)
    assert text.endswith(b"\n")
    assert text.count(b"\n") == 1
    assert text[:-1].decode().isprintable() or not re.search(r"[\x00-\x1f\x7f-\x9f]", text[:-1].decode())
    head = text.split(b'[syslog@32473 transport="udp"] ')[0]
    assert b"syslog@32473" not in head


@given(st.binary(max_size=60), st.integers(0, 191), st.integers(0, 2**31))
@settings(deadline=None)
def test_every_part_comes_back(message: bytes, code: int, pid: int) -> None:
    """Priority, program, process and message of what a program logs."""
    message = message.rstrip(b"\n\0")
    text = line(b"<%d>Nov 23 03:45:00 prog[%d]: %b" % (code, pid, message))
    match = re.fullmatch(rb"<(\d+)>1 \S+ work prog (\d+) - \[.*?\]\[syslog@32473 transport=\"udp\"\] (.*)\n", text)
    assert match
    assert (int(match[1]), int(match[2]), unescape(match[3])) == (code, pid, message)


def test_priority_and_patterns_choose() -> None:
    """What is less urgent, or does not match, is left out; what is secret is hidden."""
    assert line(b"<14>x", priority=5) == b""
    assert line(b"<13>x", priority=5)
    assert line(b"<13>me: pass=x", choice=Choice([], [], ["pass=.*"])).endswith(b" [redacted]\n")
    assert line(b"<13>me: x", choice=Choice(["y"])) == b""


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"password: hunter2", f'{NOW} work - - - [syslog@32473 transport="udp"] [redacted]'),
        (
            b"Nov 23 03:45:00 password: hunter2",
            f'{NOW} work - - - [rfc3164@32473 time="Nov 23 03:45:00"][syslog@32473 transport="udp"] [redacted]',
        ),
        (
            b"sshd[1]: new password: hunter2 ok",
            f'{NOW} work sshd 1 - [syslog@32473 transport="udp"] new [redacted] ok',
        ),
        (
            b'1 - h app 1 - [login@1 note="the password: hunt\\"er2 here"] body',
            f'{NOW} work - - - [syslog@32473 transport="udp"] 1 - h app 1 - [login@1 note="the [redacted] here"] body',
        ),
        (
            b"1 - h password:hunter2 1 - - password: hunter2",
            f'{NOW} work - - - [syslog@32473 transport="udp"] 1 - h [redacted] 1 - - [redacted]',
        ),
        (
            b'1 - h app 1 - [login@1 note="x"] password: hunter2',
            '- h app 1 - [login@1 note="x"][syslog@32473 transport="udp"] [redacted]',
        ),
    ],
)
def test_what_is_secret_is_hidden_wherever_it_stands(message: bytes, expected: str) -> None:
    """As the message, as the name of a program, or in structured data; the rest of the message is kept."""
    choice = Choice(redact=["password: *[^ ]+"])
    assert line(b"<13>" + message, choice=choice).decode() == f"<13>1 {expected}\n"


STREAMS = [
    (b"5 hello3 a\nb", [b"hello", b"a\nb"]),
    (b"<13>one\n<13>two\n", [b"<13>one", b"<13>two"]),
    (b"<13>one\0<13>two\0\n", [b"<13>one", b"<13>two"]),
    (b"<13>one\n6 <13>ab<13>three\n", [b"<13>one", b"<13>ab", b"<13>three"]),
    (b"0 x\n12345 \n", [b"0 x"]),
    (b"999999999 x\ny\n", [b"999999999 x", b"y"]),
    (b"12", [b"12"]),
    (b"\n\0\n<13>one\n\n\0\n<13>two\0\n", [b"<13>one", b"<13>two"]),
]


@pytest.mark.parametrize(("data", "messages"), STREAMS)
def test_messages_of_a_stream(data: bytes, messages: list[bytes]) -> None:
    """Counted, ended by newline or NUL, and mixed; the same whole and byte by byte."""
    for size in (1, 2, len(data)):
        frames = Frames(Choice())
        got = [message for at in range(0, len(data), size) for message in frames.feed(data[at : at + size])]
        rest = frames.end()
        assert got == messages or got + rest == messages or rest == [b"12345 \n"]


def test_a_message_without_end_comes_in_parts() -> None:
    """Nobody can fill our memory."""
    frames = Frames(Choice())
    got: list[bytes] = []
    for _ in range(10):
        got += frames.feed(b"x" * 100_000)
    assert len(got) == 3
    assert b"".join(got + frames.end()).replace(b"x", b"") == b""
    assert max(len(message) for message in got) <= LONGEST + 100_000


@pytest.mark.parametrize("pattern", ["password=[^ ]+", "(?<=password=)[^ ]+", "hunter2(?= ok)"])
def test_what_is_secret_is_not_torn_by_a_cut(pattern: str) -> None:
    """Wherever it lies in a message that is too long."""
    choice = Choice(redact=[pattern])
    whole, seen = 450_000, set()
    for before in (*range(180 << 10, 275 << 10, 7 << 10), *range((192 << 10) - 30, (192 << 10) + 5)):
        frames = Frames(choice)
        data = b"x" * before + b" password=hunter2 ok "
        data += b"y" * (whole - len(data)) + b"\n"
        parts = [message for at in range(0, len(data), 65536) for message in frames.feed(data[at : at + 65536])]
        assert len(parts) > 1
        assert b"".join(parts) == data[:-1]
        seen.add(len(parts[0]))
        sent = b"".join(line(part, choice=choice).partition(b'"udp"] ')[2][:-1] for part in parts)
        assert b"hunter2" not in sent
        assert sent.count(b"[redacted]") == 1
    assert len(seen) > 10  # cuts that had to give way


def test_secrets_that_lie_close_are_not_torn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no good place for a cut it lies between two of them; of one that is too long behind it."""
    monkeypatch.setattr("log_exporter.choice._AROUND", 10)
    choice = Choice(redact=["key=[0-9]+;"])
    data = b"key=1234567;" * 30_000
    assert choice.cut(data, len(data)) % 12 == 0
    assert 0 < choice.cut(data, len(data)) < len(data)
    long = b"key=" + b"1" * 300_000 + b";rest"
    assert choice.cut(long, len(long)) == len(long) - 4


# Sockets


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[tuple[Syslog, str, int]]:
    """A source with one socket of each kind."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = str(tmp_path / "log")
    addresses = [Address(f"unix:{path}"), Address(f"udp:127.0.0.1:{port}"), Address(f"tcp:127.0.0.1:{port}")]
    source = Syslog(addresses, Messages("work", Choice(), 7), "work", "test")
    yield source, path, port
    source.close()


def taken(source: Syslog, count: int) -> list[bytes]:
    """Return so many lines."""
    got: list[bytes] = []
    while len(got) < count:
        assert select.select([source.fileno()], [], [], 10)[0]
        got += source.take().splitlines()
    return got


def test_each_socket_gives_lines(listening: tuple[Syslog, str, int]) -> None:
    """Datagrams with who sent them, and a stream with two messages, the last one unfinished."""
    source, path, port = listening
    if (child := os.fork()) == 0:  # what we ourselves say is not sent
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unix:
            unix.sendto(b"<13>me: unix", path)
        os._exit(0)
    (unix_line,) = taken(source, 1)
    os.waitpid(child, 0)
    ids = f'pid="{child}" uid="{os.getuid()}" gid="{os.getgid()}"'.encode()
    assert unix_line.endswith(b'[syslog@32473 transport="unix" %b] unix' % ids)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.sendto(b"<13>me: udp", ("127.0.0.1", port))
    assert taken(source, 1)[0].endswith(b'[syslog@32473 transport="udp"] udp')
    with socket.create_connection(("127.0.0.1", port)) as tcp:
        tcp.sendall(b"7 me: oneme: two")
    assert [got.rpartition(b"] ")[2] for got in taken(source, 2)] == [b"one", b"two"]


def test_descriptors_that_come_with_a_message_are_not_kept(listening: tuple[Syslog, str, int]) -> None:
    """Anybody may send descriptors to a socket: they do not fill our table."""
    source, path, _ = listening
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unix, open(os.devnull) as null:
        unix.connect(path)
        before = len(os.listdir("/proc/self/fd"))
        for count in (1, 2, 10):
            socket.send_fds(unix, [b"<13>me: unix"], [null.fileno()] * count)
        source.take()
        assert len(os.listdir("/proc/self/fd")) == before


def test_what_the_exporter_says_is_not_sent(listening: tuple[Syslog, str, int]) -> None:
    """A message of this very process is left out."""
    source, path, _ = listening
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unix:
        unix.sendto(b"<13>me: unix", path)
    assert select.select([source.fileno()], [], [], 10)[0]
    assert source.take() == b""


def test_what_the_kernel_drops_is_counted(listening: tuple[Syslog, str, int]) -> None:
    """A flood that nobody reads in time: what arrived and what was dropped make up what was sent."""
    source, _, port = listening
    sent = 20_000
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        for number in range(sent):
            udp.sendto(b"<13>me: %06d %b" % (number, b"x" * 1000), ("127.0.0.1", port))
        got: list[bytes] = []
        while select.select([source.fileno()], [], [], 0.3)[0]:
            got += source.take().splitlines()
        udp.sendto(b"<13>me: last", ("127.0.0.1", port))
        got += taken(source, 1)
        while select.select([source.fileno()], [], [], 0.3)[0]:
            got += source.take().splitlines()
    told = [match for text in got if (match := re.search(rb" dropped - (\d+) messages to udp:127", text))]
    arrived = sum(b" me - - " in text for text in got)
    assert told
    assert arrived + sum(int(match[1]) for match in told) == sent + 1


def test_a_path_that_is_left_is_taken_and_one_that_is_used_is_not(tmp_path: Path) -> None:
    """A crash leaves the path behind; where somebody listens nothing is taken away."""
    path = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as left:
        left.bind(path)
    first = Syslog([Address(f"unix:{path}")], Messages("work", Choice(), 7), "work", "test")
    with pytest.raises(UsageError, match=r"test: unix:.*: somebody listens there"):
        Syslog([Address(f"unix:{path}")], Messages("work", Choice(), 7), "work", "test")
    assert os.path.exists(path)
    first.close()
    assert not os.path.exists(path)


def test_a_path_that_is_no_longer_ours_is_left(tmp_path: Path) -> None:
    """Somebody else has made a socket of that name since: it is not ours to delete."""
    path = tmp_path / "log"
    source = Syslog([Address(f"unix:{path}")], Messages("work", Choice(), 7), "work", "test")
    path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        source.close()
        assert path.is_socket()


def test_a_file_is_not_taken_away(tmp_path: Path) -> None:
    """Where to listen was mistyped: what is there stays as it is."""
    path = tmp_path / "audit.log"
    path.write_text("evidence")
    with pytest.raises(UsageError, match=r"test: unix:.*: a file is there that is not a socket: move it"):
        Syslog([Address(f"unix:{path}")], Messages("work", Choice(), 7), "work", "test")
    assert path.read_text() == "evidence"


@pytest.mark.parametrize(
    "text",
    [
        "unix:relative",
        "udp:0.0.0.0:514",
        "tcp:192.168.0.1:601",
        "udp:127.0.0.1:0",
        "udp:127.0.0.1:65536",
        "tcp:[::1]",
        "x",
    ],
)
def test_only_this_machine_may_send(text: str) -> None:
    """An address that others could reach, or none, is refused."""
    with pytest.raises(ValueError, match=r"unix:/path|loopback"):
        Address(text)


def test_too_many_connections_are_closed(listening: tuple[Syslog, str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """One program cannot use up all descriptors."""
    monkeypatch.setattr("log_exporter.sources.syslog._CONNECTIONS", 1)
    source, _, port = listening
    with (
        socket.create_connection(("127.0.0.1", port)) as first,
        socket.create_connection(("127.0.0.1", port)) as second,
    ):
        (told,) = taken(source, 1)
        assert re.search(rb" connections - 1 connections to tcp:127\S+ are open: a new one takes the place of ", told)
        assert second.recv(1) == b""
        with socket.create_connection(("127.0.0.1", port)) as third:  # and it is said once
            assert select.select([source.fileno()], [], [], 10)[0]
            assert source.take() == b""
            assert third.recv(1) == b""
        first.sendall(b"me: here\n")
        assert taken(source, 1)[0].endswith(b"] here")


def test_a_silent_connection_makes_way(listening: tuple[Syslog, str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever said nothing for a while does not keep others out; what it had begun to say is sent."""
    monkeypatch.setattr("log_exporter.sources.syslog._CONNECTIONS", 2)
    monkeypatch.setattr("log_exporter.sources.syslog._SILENT", 0.0)
    source, _, port = listening
    with (
        socket.create_connection(("127.0.0.1", port)) as first,
        socket.create_connection(("127.0.0.1", port)) as second,
    ):
        first.sendall(b"me: first\n")
        assert taken(source, 1)[0].endswith(b"] first")
        second.sendall(b"me: second\nme: beg")
        assert taken(source, 1)[0].endswith(b"] second")
        first.sendall(b"me: again\n")
        assert taken(source, 1)[0].endswith(b"] again")
        with socket.create_connection(("127.0.0.1", port)) as third:
            third.sendall(b"me: third\n")
            told, begun, last = taken(source, 3)
            assert b" connections - 2 connections to " in told
            assert (begun.rpartition(b"] ")[2], last.rpartition(b"] ")[2]) == (b"beg", b"third")
            assert second.recv(1) == b""
            first.sendall(b"me: here\n")
            assert taken(source, 1)[0].endswith(b"] here")

"""Each source's lines, byte for byte what docs/spec/line.md says: its vectors through the sources themselves."""

import os
import re
import select
import time
from pathlib import Path

import pytest

from log_exporter.choice import Choice, Names
from log_exporter.line import Rfc5424, own_line
from log_exporter.sources import Gap, libsystemd
from log_exporter.sources.entry import Entries
from log_exporter.sources.exec import Exec
from log_exporter.sources.framing import Messages
from log_exporter.sources.journalctl import Journalctl
from log_exporter.sources.journald import Journald
from log_exporter.sources.kmsg import Kmsg
from tests.exporter.journal import write
from tests.exporter.mono import lines_of, needs_mono
from tests.exporter.vectors import Vector, by_name, raw, vectors


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The moment that the vectors were made for: the clock is all that is not real here."""
    monkeypatch.setattr(time, "time_ns", lambda: vectors("line", "good", "own")[0]["given_now"] * 1000)


def lines_from(reader: Journald | Journalctl, count: int) -> list[bytes]:
    """Return so many lines of a journal."""
    reader.go(None)
    lines: list[bytes] = []
    while len(lines) < count:
        piece = reader.read()
        assert not isinstance(piece, Gap)
        if piece:
            lines += piece.data.splitlines(keepends=True)
        elif (descriptor := reader.fileno()) is not None:
            assert select.select([descriptor], [], [], 20)[0]
    reader.close()
    return lines


@pytest.mark.parametrize("host", ["work", "dom0"])
def test_the_journal(tmp_path: Path, host: str) -> None:
    """Entries of a journal file, through libsystemd and through journalctl."""
    found = [vector for vector in vectors("line", "good", "journal") if vector["given_host"] == host]
    write(tmp_path / "system.journal", [_entry(vector) for vector in found])
    entries = Entries(host, Choice(), Names(), 7)
    expected = [raw(vector, "line") + b"\n" for vector in found]
    through_libsystemd = Journald(libsystemd.load(), entries, str(tmp_path), current_boot=False)
    assert lines_from(through_libsystemd, len(found)) == expected
    assert lines_from(Journalctl(entries, str(tmp_path), current_boot=False), len(found)) == expected


def _entry(vector: Vector) -> list[tuple[bytes, bytes]]:
    times = {"__REALTIME_TIMESTAMP": vector["given_realtime"], "__MONOTONIC_TIMESTAMP": vector["given_monotonic"]}
    named = times | {"_BOOT_ID": vector["given_boot"]}
    fields = [field.partition("=") for field in vector["given_fields"]]
    return [
        *[(name.encode(), str(value).encode()) for name, value in named.items()],
        *[(name.encode(), bytes.fromhex(value)) for name, _, value in fields],
    ]


@pytest.mark.parametrize("vector", vectors("line", "good", "kernel"), ids=by_name)
def test_the_kernel(vector: Vector) -> None:
    """A record as /dev/kmsg gives it."""
    record = raw(vector, "given_record")
    records = [record]
    host, boot = vector["given_host"], vector["given_boot"]

    def opened() -> int:
        return os.open(os.devnull, os.O_RDONLY)

    def read(_descriptor: int, _size: int) -> bytes:
        if not records:
            raise BlockingIOError
        return records.pop()

    source = Kmsg(opened, read, host, boot, Choice(), 7)
    piece = source.read()
    source.close()
    assert piece
    assert not isinstance(piece, Gap)
    assert piece.data == raw(vector, "line") + b"\n"


@pytest.mark.parametrize("vector", vectors("line", "good", "syslog"), ids=by_name)
def test_syslog(vector: Vector) -> None:
    """A message, and what the socket says of it."""
    origin = {name: value.encode() for name, _, value in (given.partition("=") for given in vector["given_origin"])}
    messages = Messages(vector["given_host"], Choice(), 7)
    line = messages.line(raw(vector, "given_message"), vector["given_now"], origin)
    assert line == raw(vector, "line") + b"\n"


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("vector", vectors("line", "good", "command"), ids=by_name)
def test_a_command(vector: Vector, tmp_path: Path) -> None:
    """What a real command prints."""
    (tmp_path / "said").write_bytes(raw(vector, "message") + b"\n")
    command = {"command": ["cat", str(tmp_path / "said")]}
    source = Exec(command, Rfc5424(vector["given_host"], vector["given_app"]), "test")
    assert select.select([source.fileno()], [], [], 20)[0]
    assert source.take() == raw(vector, "line") + b"\n"
    source.close()


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("vector", vectors("line", "good", "own"), ids=by_name)
def test_a_line_of_our_own(vector: Vector) -> None:
    """What the exporter itself has to say."""
    line = own_line(vector["given_host"], vector["given_event"], vector["given_words"])
    assert line == raw(vector, "line") + b"\n"


def test_nobody_else_makes_a_line_of_our_own() -> None:
    """What stands in the stream for the exporter's word is told from a program's, whatever that claims."""
    kinds = ("line", "journal", "kernel", "syslog", "command", "event", "own")
    looks_own = {
        (kind, vector["name"])
        for kind in kinds
        for vector in vectors("line", "good", kind)
        if re.match(rb"<44>1 \S+ \S+ log-exporter - \S+ - ", raw(vector, "line"))
    }
    assert looks_own == {("own", vector["name"]) for vector in vectors("line", "good", "own")}


@needs_mono
def test_windows() -> None:
    """Events, as the C# that Windows compiles makes lines of them."""
    found = vectors("line", "good", "event")
    given = [
        (raw(vector, "given_xml").decode(), raw(vector, "given_words").decode(), *_place(vector)) for vector in found
    ]
    for vector, line in zip(found, lines_of(given), strict=True):
        assert line == raw(vector, "line") + b"\n", vector["name"]


def _place(vector: Vector) -> tuple[int, str]:
    return vector["given_number"], vector["given_channel"]

"""What is printed: for people, as it came, and for programs that read it back."""

import json
import os
import re
import subprocess
from datetime import UTC
from pathlib import Path

import pytest

from logchain.format.record import LINE, PART
from logchain.read.entries import Kind
from logchain.read.formats import FORMATS, Short
from logchain.read.selection import Selection
from logchain.read.show import Show
from logchain.read.view import View
from logchain.store.layout import open_store
from tests.conftest import Store
from tests.read.shown import select, shown

REMOTE = "/lib/systemd/systemd-journal-remote"
EVERY_BYTE = bytes(byte for byte in range(256) if byte != 0x0A)
LINES = [
    b"plain",
    b"",
    b" ",
    "Grö\u00dfe".encode(),
    EVERY_BYTE,
    b"<11>1 - - - - - trouble",
    b"<999>1 - no",
    b"MESSAGE=x",
    b"x\ty",
]


@pytest.fixture
def filled(store: Store) -> Store:
    """A store with lines of all kinds."""
    store.log(*LINES)
    writer = store.open("vault")
    writer.start_session(os.urandom(8), "logchain.Append")
    store.clock.go(1)
    writer.append(PART, [b"y" * 65_536], store.clock.wall())
    writer.append(LINE, [b"end"], store.clock.wall())
    writer.end_session("eof", b"half", 4)
    writer.close()
    return store


def printed(store: Store, form: str, selection: Selection = Selection(notes=True)) -> bytes:  # noqa: B008 (immutable)
    """Return what is printed."""
    with open_store(store.path) as directory:
        return shown(directory, form, selection)


def test_runs_and_entries_look_alike(filled: Store) -> None:
    """A line is printed the same whether it came in a run or alone, in every format."""
    with open_store(filled.path) as directory:
        entries = list(select(directory, Selection()))
        for form in FORMATS:
            made = FORMATS[form](None, False)
            alone = made.join([item for item in map(made.entry, entries) if item is not None])
            assert alone == shown(directory, form), form


def test_short_full_has_all_of_the_time(filled: Store) -> None:
    """With microseconds, zone, and the number of the record."""
    with open_store(filled.path) as directory:
        made = FORMATS["short-full"](UTC, False)
        first = next(select(directory, Selection(vms=("work",))))
        assert made.entry(first) == b"2026-11-23T03:45:01.123456+00:00 work/main 2: plain"


def test_colours_are_of_severities(filled: Store) -> None:
    """Only where a line is RFC 5424, from 0 to 191."""
    with open_store(filled.path) as directory:
        show: Show[bytes] = Show(View(directory), Selection(vms=("work",)), Short(UTC, True))
        text = b"".join(item for items in show.all() for item in items if item)
    assert re.findall(rb"\x1b[^m]*m[^\x1b]*\x1b\[0m", text) == [b"\x1b[1;31m<11>1 - - - - - trouble\x1b[0m"]


def test_json_lines_follow_their_page(filled: Store) -> None:
    """Each has the fields that docs/spec/output.md names, of the types that it names, and gives the bytes back."""
    rows = [json.loads(line) for line in printed(filled, "jsonl").splitlines()]
    for row in rows:
        assert list(row)[:7] == ["v", "time", "vm", "stream", "number", "kind", "verified"]
        assert list(row)[7:] in (["message"], ["message_base64"])
        assert row["v"] == 1
        assert row["kind"] in {kind.value for kind in Kind}
    assert [row.get("message") for row in rows if row["vm"] == "work" and row["kind"] == "line"][:4] == [
        line.decode() for line in LINES[:4]
    ]


def test_systemd_journal_remote_reads_the_export(filled: Store, tmp_path: Path) -> None:
    """The real one: every line is in its journal, byte for byte, with time, qube, stream and severity."""
    exported = printed(filled, "export")
    journal = tmp_path / "x.journal"
    done = subprocess.run([REMOTE, f"--output={journal}", "-"], input=exported, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    read = ["journalctl", "--file", str(journal), "-o", "json", "--all", "-q"]
    rows = [json.loads(line) for line in subprocess.run(read, capture_output=True, check=True).stdout.splitlines()]

    def bytes_of(message: str | list[int]) -> bytes:
        return bytes(message) if isinstance(message, list) else message.encode()

    with open_store(filled.path) as directory:
        entries = list(select(directory, Selection(notes=True)))
    assert len(rows) == len(entries)
    for row, entry in zip(rows, entries, strict=True):
        assert bytes_of(row.get("MESSAGE", "")) == entry.untrusted_payload
        assert (row["LOGCHAIN_VM"], row["LOGCHAIN_STREAM"]) == (entry.vm, entry.stream)
        assert int(row["LOGCHAIN_NUMBER"]) == entry.number
        assert int(row["__REALTIME_TIMESTAMP"]) == entry.time
    (trouble,) = [row for row in rows if row.get("MESSAGE") == "<11>1 - - - - - trouble"]
    assert (trouble["PRIORITY"], trouble["SYSLOG_FACILITY"]) == ("3", "1")

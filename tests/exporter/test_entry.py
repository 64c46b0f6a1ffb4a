"""An entry of the journal as a line, and the Journal Export Format taken apart: no journal is needed."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from log_exporter.choice import Choice, Names
from log_exporter.sources.entry import MESSAGE_ID, USER_UNIT, Entries
from log_exporter.sources.export import Export
from tests.exporter.entries import BOOT, VALUES, is_line_of, line, parsed


def test_a_sender_cannot_fill_our_memory() -> None:
    """Heads are remembered, but not those of fields that are as long as a sender likes."""
    entries = Entries("work", Choice(), Names(), 7)
    for number in range(3):
        line({b"MESSAGE": b"x", b"SYSLOG_IDENTIFIER": b"%d" % number + b"x" * 2000}, entries)
    assert not entries._heads
    line({b"MESSAGE": b"x", b"SYSLOG_IDENTIFIER": b"app"}, entries)
    assert len(entries._heads) == 1


@given(VALUES)
@settings(deadline=None)
def test_every_field_comes_back(values: dict[bytes, bytes]) -> None:
    """Whatever bytes a field has; both times to the microsecond; one line, and no control."""
    text = line(values)
    is_line_of(text, values)
    found = parsed(text)
    assert (found["time"], found["monotonic"]) == (b"2026-11-18T11:06:40.123456Z", b"12.000345")
    assert found["boot"] == BOOT.hex().encode()


ENTRY = st.dictionaries(st.sampled_from([b"MESSAGE", b"_PID", b"OTHER"]), st.binary(max_size=40), max_size=3)


@given(st.lists(ENTRY, max_size=4), st.booleans(), st.data())
def test_the_export_format_in_any_split(entries: list[dict[bytes, bytes]], sizes: bool, data: st.DataObject) -> None:
    """Entries come as they were, their values cut at what is kept, however the bytes arrive."""
    text = b"".join(b"".join(exported(*item, sized=sizes) for item in one.items()) + b"\n" for one in entries)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    export = Export(16)
    parts = [text[start:end] for start, end in pairwise([0, *cuts, len(text)])]
    found = [fields for part in parts for fields in export.feed(part)]
    assert found == [{name: value[:16] for name, value in one.items()} for one in entries]


def exported(name: bytes, value: bytes, *, sized: bool) -> bytes:
    """Return a field as journalctl writes it."""
    if sized or b"\n" in value:
        return name + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"
    return name + b"=" + value + b"\n"


def test_an_entry_of_a_user_s_unit_names_both() -> None:
    """The unit of the user's manager, and the one in it."""
    values = {b"_SYSTEMD_UNIT": b"user@1000.service", USER_UNIT: b"app.service", b"_TRANSPORT": b"journal"}
    found = parsed(line(values | {MESSAGE_ID: b"f" * 32, b"_PID": b"7", b"SYSLOG_IDENTIFIER": b"me"}))
    assert (found["unit"], found["user_unit"]) == (b"user@1000.service", b"app.service")
    assert (found["id"], found["pid"], found["app"]) == (b"f" * 32, b"7", b"me")


@pytest.mark.parametrize(
    ("values", "pri"),
    [
        ({}, b"14"),
        ({b"PRIORITY": b"9", b"SYSLOG_FACILITY": b"24"}, b"14"),
        ({b"PRIORITY": b"\xb2", b"SYSLOG_FACILITY": b"-1"}, b"14"),
        ({b"_TRANSPORT": b"kernel", b"PRIORITY": b"4"}, b"4"),
    ],
)
def test_a_priority_that_is_none(values: dict[bytes, bytes], pri: bytes) -> None:
    """A program may write anything into these fields."""
    assert parsed(line(values))["pri"] == pri


def test_what_is_not_wanted_is_left_out() -> None:
    """By priority, by unit, by pattern, and what the exporter itself logs."""
    choice = Choice(["wanted"], ["secret"], ["pass=[^ ]+"])
    entries = Entries("work", choice, Names(["s*", "kernel"], ["sudo*"]), 4, b"self.service")
    kept = {b"MESSAGE": b"wanted pass=x y", b"PRIORITY": b"4", b"_SYSTEMD_UNIT": b"ssh.service"}
    assert parsed(line(kept, entries))["message"] == b"wanted [redacted] y"
    for change in (
        {b"PRIORITY": b"5"},
        {b"_SYSTEMD_UNIT": b"sudo.service"},
        {b"_SYSTEMD_UNIT": b"cron.service"},
        {b"_SYSTEMD_UNIT": b""},
        {b"_SYSTEMD_UNIT": b"self.service"},
        {b"MESSAGE": b"other"},
        {b"MESSAGE": b"wanted secret"},
    ):
        assert line(kept | change, entries) == b""
    assert line(kept | {b"_SYSTEMD_UNIT": b"", b"_TRANSPORT": b"kernel"}, entries)

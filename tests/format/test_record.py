"""Records and notes: docs/spec/record.md."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logchain.format.errors import FormatError
from logchain.format.limits import MAX_NUMBER, MAX_PART, MAX_TIME
from logchain.format.record import (
    LINE,
    NOTE,
    PART,
    Note,
    Record,
    format_note,
    format_time,
    parse_note,
    parse_record,
    parse_time,
)
from tests.format.vectors import Vector, raw, vectors

TIMES = st.integers(0, MAX_TIME)
PAYLOADS = st.binary(max_size=200).filter(lambda payload: b"\n" not in payload)
WORDS = st.from_regex(r"\A[a-z][a-z-]{0,9}\Z")
VALUES = st.from_regex(r"\A[A-Za-z0-9_.,:+/@-]{1,20}\Z")
NOTES = st.builds(Note, WORDS, st.dictionaries(WORDS, VALUES, max_size=5))


def format_record(time: int, kind: bytes, payload: bytes) -> bytes:
    """Write a record as the writer does."""
    return format_time(time) + b" " + kind + b" " + payload


@vectors("record.json", "good", "record", "note")
def test_good_records(vector: Vector) -> None:
    """Each record has the stated fields and is written the same way again."""
    record = parse_record(raw(vector, "line"))
    assert record == Record(vector["time_us"], vector["kind"].encode(), raw(vector, "payload"))
    assert format_record(*record) == raw(vector, "line")
    if record.kind == NOTE:
        note = parse_note(record.payload)
        assert (note.event, list(map(list, note.fields.items()))) == (vector["event"], vector["fields"])
        assert format_note(note.event, **note.fields) == record.payload


@vectors("record.json", "bad", "record")
def test_bad_records(vector: Vector) -> None:
    """Each is refused, and never in another way."""
    with pytest.raises(FormatError):
        parse_record(raw(vector, "line"))


@vectors("record.json", "bad", "note")
def test_notes_whose_fields_do_not_fit_their_event_are_well_formed(vector: Vector) -> None:
    """The table of events is not the parser's: it takes the form, whoever asks for a field checks that."""
    line = raw(vector, "line")
    assert format_record(*parse_record(line)) == line


@given(TIMES, st.sampled_from([LINE, PART]), PAYLOADS)
def test_records_come_back(time: int, kind: bytes, payload: bytes) -> None:
    """What is written is read; only a part must not be empty."""
    line = format_record(time, kind, payload)
    if kind == PART and not payload:
        with pytest.raises(FormatError):
            parse_record(line)
    else:
        assert parse_record(line) == (time, kind, payload)


@given(NOTES)
def test_notes_come_back(note: Note) -> None:
    """What is written is read."""
    assert parse_note(format_note(note.event, **note.fields)) == note


@given(st.one_of(st.binary(), NOTES.map(lambda note: format_note(note.event, **note.fields) + b"\n")))
def test_notes_are_canonical_or_refused(payload: bytes) -> None:
    """Whatever is read as a note is written the same way again."""
    try:
        note = parse_note(payload)
    except FormatError:
        return
    assert format_note(note.event, **note.fields) == payload


@given(st.binary(), st.sampled_from([b"", b"1970-01-01T00:00:00.000000Z - ", b"1970-01-01T00:00:00.000000Z # "]))
def test_records_are_canonical_or_refused(data: bytes, start: bytes) -> None:
    """Whatever is read as a record is written the same way again."""
    try:
        record = parse_record(start + data)
    except FormatError:
        return
    assert format_record(*record) == start + data


@given(TIMES)
def test_times_come_back_and_say_what_datetime_says(time: int) -> None:
    """Every microsecond from 1970 to 9999 has one form."""
    text = format_time(time)
    assert parse_time(text) == time
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)
    assert text.decode() == f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"


@given(TIMES, TIMES)
def test_times_sort_as_text(one: int, other: int) -> None:
    """The verifier compares them as bytes."""
    assert (format_time(one) < format_time(other)) == (one < other)


@given(
    st.one_of(
        st.binary(min_size=27, max_size=27),
        st.from_regex(rb"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\Z"),
    )
)
def test_times_are_canonical_or_refused(text: bytes) -> None:
    """27 bytes are a moment, and are written the same way again, or are refused."""
    with suppress(FormatError):
        assert format_time(parse_time(text)) == text


@pytest.mark.parametrize("end", [b"-23T24:00:00", b"-23T23:60:00", b"-23T23:59:60", b"-31T00:00:00", b"-00T00:00:00"])
def test_a_moment_that_has_another_form_or_none_is_refused(end: bytes) -> None:
    """Midnight is hour 0 of a day, though Python 3.14 reads hour 24; no leap second, no 31st of November."""
    with pytest.raises(FormatError):
        parse_time(b"2026-11" + end + b".000000Z")


@pytest.mark.parametrize("time", [-1, MAX_TIME + 1, MAX_NUMBER])
def test_a_time_outside_the_years_is_not_written(time: int) -> None:
    """A clock that is far off makes no record that nobody can read."""
    with pytest.raises(FormatError):
        format_time(time)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("0", 0),
        (str(MAX_NUMBER), MAX_NUMBER),
        (str(MAX_NUMBER + 1), None),
        ("9" * 19, None),
        ("1" * 500, None),
        ("01", None),
        ("+1", None),
        ("-1", None),
        ("1_0", None),
        ("x", None),
    ],
)
def test_numbers_in_notes(value: str, number: int | None) -> None:
    """A number is canonical, and at most 2^63 - 1; one that is missing is refused too."""
    note = Note("end", {"records": value})
    if number is None:
        with pytest.raises(FormatError):
            note.number("records")
    else:
        assert note.number("records") == number
    with pytest.raises(FormatError):
        note.number("lines")


def test_what_no_reader_would_take_is_not_written() -> None:
    """format_note refuses what parse_note refuses: a service name, say, that is no value."""
    with pytest.raises(FormatError):
        format_note("session-start", service="a b")
    with pytest.raises(FormatError):
        format_note("clock", last="x" * 1_024)


def test_the_longest_record() -> None:
    """65,536 bytes of payload are a record, one more is none."""
    assert parse_record(format_record(0, LINE, b"a" * MAX_PART)).payload == b"a" * MAX_PART
    with pytest.raises(FormatError):
        parse_record(format_record(0, LINE, b"a" * (MAX_PART + 1)))

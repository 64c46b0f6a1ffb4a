"""Slots and what is in them: docs/spec/keystate.md."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logchain.format.errors import FormatError
from logchain.format.keystate import (
    BIRTHS_MAGIC,
    NO_KEY,
    RATCHET_MAGIC,
    BirthState,
    KeyState,
    Status,
    format_births,
    format_keystate,
    parse_births,
    parse_keystate,
)
from logchain.format.limits import MAX_BIRTHS, MAX_NUMBER, MAX_SEGMENT, MAX_SEGMENT_RECORDS, MAX_TIME
from logchain.format.slots import FILE_SIZE, SLOT_SIZE, WIPED, Slot, format_slot, newest, parse_slot
from tests.format.vectors import Vector, raw, vectors

MAGICS = st.sampled_from([RATCHET_MAGIC, BIRTHS_MAGIC])
GENERATIONS = st.integers(1, 2**64 - 1)
NUMBERS = st.integers(0, MAX_NUMBER)
BODIES = st.binary(max_size=400)
KEYS = st.binary(min_size=32, max_size=32).filter(lambda key: key != NO_KEY)
SESSIONS = st.binary(min_size=8, max_size=8).filter(any)


@st.composite
def keystates(draw: st.DrawFn) -> KeyState:
    """Any key state that the page allows."""
    status = draw(st.sampled_from(Status))
    proves = status == Status.RESTORED and draw(st.booleans())
    least = 1 if status in (Status.OPEN, Status.GIVEN_UP) or proves else 0
    sessions = draw(st.lists(SESSIONS, max_size=8, unique=True))
    return KeyState(
        birth=draw(st.integers(1, MAX_BIRTHS)),
        segment=draw(st.integers(1 if status == Status.RESTORED else least, MAX_SEGMENT)),
        status=status,
        opened=draw(NUMBERS),
        first=draw(NUMBERS),
        records=draw(st.integers(least, MAX_SEGMENT_RECORDS)),
        end=draw(st.integers(least, MAX_NUMBER)),
        time=draw(st.integers(0, MAX_TIME)),
        boot=draw(st.binary(min_size=16, max_size=16)),
        tag=draw(st.binary(min_size=32, max_size=32)),
        key=draw(KEYS) if least else NO_KEY,
        next=draw(KEYS),
        session=draw(st.one_of(SESSIONS, st.just(bytes(8)))),
        resume=tuple((session, draw(NUMBERS)) for session in sessions),
    )


VM_NAMES = st.from_regex(r"\A[A-Za-z][A-Za-z0-9_.-]{0,30}\Z")
STREAM_NAMES = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,47}\Z")
BIRTHS = st.builds(
    BirthState,
    st.integers(1, MAX_BIRTHS),
    KEYS,
    st.one_of(st.none(), st.tuples(VM_NAMES, STREAM_NAMES)),
)


@vectors("keystate.json", "good", "slot")
def test_good_slots(vector: Vector) -> None:
    """Each slot says what it should, and is written the same way again."""
    magic = vector["magic"].encode()
    slot = parse_slot(magic, 1, raw(vector, "slot"))
    assert slot == Slot(1, vector["generation"], raw(vector, "body"))
    assert format_slot(magic, slot.generation, slot.body) == raw(vector, "slot")


@vectors("keystate.json", "bad", "slot")
def test_bad_slots(vector: Vector) -> None:
    """A slot that is wiped, torn, or of another kind is refused."""
    with pytest.raises(FormatError):
        parse_slot(vector["magic"].encode(), 0, raw(vector, "slot"))


@vectors("keystate.json", "good", "file")
def test_good_files(vector: Vector) -> None:
    """The valid slot with the higher generation counts."""
    found = newest(vector["magic"].encode(), raw(vector, "file"))
    assert found == (vector["slot"], vector["generation"], raw(vector, "body"))


@vectors("keystate.json", "bad", "file")
def test_bad_files(vector: Vector) -> None:
    """A file without a valid slot, or whose body is none, is refused."""
    magic = vector["magic"].encode()
    parse = parse_keystate if magic == RATCHET_MAGIC else parse_births
    with pytest.raises(FormatError):
        parse(newest(magic, raw(vector, "file")).body)


@vectors("keystate.json", "good", "ratchet")
def test_good_key_states(vector: Vector) -> None:
    """Each body has the stated fields, and is written the same way again."""
    state = parse_keystate(raw(vector, "body"))
    expected = {
        name: getattr(state, name)
        for name in ("birth", "segment", "status", "opened", "first", "records", "end", "time")
    }
    assert expected == {name: vector[name] for name in expected}
    secrets = {f"{name}_hex": getattr(state, name).hex() for name in ("boot", "tag", "key", "next", "session")}
    assert secrets == {name: vector[name] for name in secrets}
    assert [[session.hex(), lines] for session, lines in state.resume] == vector["resume"]
    assert format_keystate(state) == raw(vector, "body")
    assert state.next_number == state.first + state.records


@vectors("keystate.json", "bad", "ratchet")
def test_bad_key_states(vector: Vector) -> None:
    """Each body is refused."""
    with pytest.raises(FormatError):
        parse_keystate(raw(vector, "body"))


@pytest.mark.parametrize("field", ["opened", "first", "end", "resume"])
@given(state=keystates())
def test_numbers_beyond_their_limit(field: str, state: KeyState) -> None:
    """Each number fits 63 bits, though the file has 64 for it."""
    beyond = MAX_NUMBER + 1
    value: Any = ((b"session1", beyond),) if field == "resume" else beyond
    with pytest.raises(FormatError, match="out of range"):
        parse_keystate(format_keystate(state._replace(**{field: value})))


@vectors("keystate.json", "good", "births")
def test_good_births(vector: Vector) -> None:
    """Each body has the stated fields, and is written the same way again."""
    state = parse_births(raw(vector, "body"))
    pending = (vector["vm"], vector["stream"]) if vector["vm"] else None
    assert state == BirthState(vector["number"], raw(vector, "secret"), pending)
    assert format_births(state) == raw(vector, "body")


@vectors("keystate.json", "bad", "births")
def test_bad_births(vector: Vector) -> None:
    """Each body is refused."""
    with pytest.raises(FormatError):
        parse_births(raw(vector, "body"))


@pytest.mark.parametrize("names", [("work", ""), ("", "main")])
def test_a_birth_under_way_has_both_names(names: tuple[str, str]) -> None:
    """A VM without a stream, or a stream without a VM, is refused."""
    with pytest.raises(FormatError, match="bad names"):
        parse_births(format_births(BirthState(1, bytes(32), names)))


@given(keystates())
def test_key_states_come_back(state: KeyState) -> None:
    """What is written is read."""
    found = parse_keystate(format_keystate(state))
    assert found == state
    assert isinstance(found.status, Status)


@given(BIRTHS)
def test_births_come_back(state: BirthState) -> None:
    """What is written is read."""
    assert parse_births(format_births(state)) == state


@given(MAGICS, GENERATIONS, BODIES)
def test_slots_come_back(magic: bytes, generation: int, body: bytes) -> None:
    """What is written is read, and only under its own magic."""
    data = format_slot(magic, generation, body)
    assert len(data) == SLOT_SIZE
    assert parse_slot(magic, 0, data) == (0, generation, body)
    with pytest.raises(FormatError):
        parse_slot(b"lcother1", 0, data)


@given(st.one_of(st.binary(min_size=312, max_size=312), keystates().map(format_keystate)), st.data())
def test_key_states_are_canonical_or_refused(body: bytes, data: st.DataObject) -> None:
    """Whatever is read as a key state, changed somewhere or not, is written the same way again."""
    at = data.draw(st.integers(0, len(body) - 1))
    body = body[:at] + bytes([data.draw(st.integers(0, 255))]) + body[at + 1 :]
    with suppress(FormatError):
        assert format_keystate(parse_keystate(body)) == body


@given(st.one_of(st.binary(max_size=130), st.builds(lambda s, b: format_births(s) + b, BIRTHS, st.binary(max_size=2))))
def test_births_are_canonical_or_refused(body: bytes) -> None:
    """Whatever is read as a birth state is written the same way again."""
    with suppress(FormatError):
        assert format_births(parse_births(body)) == body


@given(MAGICS, BODIES, st.integers(0, SLOT_SIZE - 1), st.integers(1, 255))
def test_a_changed_slot_is_refused(magic: bytes, body: bytes, at: int, change: int) -> None:
    """No byte of a slot can be changed alone."""
    data = bytearray(format_slot(magic, 7, body))
    data[at] ^= change
    with pytest.raises(FormatError):
        parse_slot(magic, 0, bytes(data))


@given(BODIES, BODIES, st.integers(0, SLOT_SIZE), st.booleans())
def test_a_torn_write_leaves_the_state_before_it(old: bytes, new: bytes, torn: int, first: bool) -> None:
    """Wherever a write into the other slot is cut, the file says the old or the new state."""
    before, after = format_slot(RATCHET_MAGIC, 1, old), format_slot(RATCHET_MAGIC, 2, new)
    cut = after[:torn] + WIPED[torn:]
    found = newest(RATCHET_MAGIC, cut + before if first else before + cut)
    assert (found.generation, found.body) in ((1, old), (2, new))


@given(st.binary(max_size=50), MAGICS)
def test_a_file_of_another_size_is_refused(data: bytes, magic: bytes) -> None:
    """A file is two slots, not less and not more."""
    good = format_slot(magic, 1, b"") + WIPED
    assert len(good) == FILE_SIZE
    for other in (data, good[:-1], good + b"\0"):
        with pytest.raises(FormatError):
            newest(magic, other)


def test_what_does_not_fit_a_slot_is_not_written() -> None:
    """A body has at most 4,044 bytes, and generations count from 1."""
    assert parse_slot(RATCHET_MAGIC, 0, format_slot(RATCHET_MAGIC, 1, b"x" * 4_044)).body == b"x" * 4_044
    with pytest.raises(FormatError):
        format_slot(RATCHET_MAGIC, 1, b"x" * 4_045)
    with pytest.raises(FormatError):
        format_slot(RATCHET_MAGIC, 0, b"")

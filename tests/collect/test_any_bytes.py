"""Any bytes in any reads at the real socket, and peers that take their time: the next honest call is served."""

import os
import select
import time
from collections.abc import Iterator
from itertools import count, pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from logchain.collect.descriptor import MAX_DESCRIPTOR, STOCK, parse_descriptor
from logchain.format.errors import UsageError
from logchain.format.limits import MAX_PART
from logchain.format.record import LINE, NOTE, PART, parse_note
from logchain.read.verify import Verdict
from tests.collect.conftest import Doors
from tests.collect.door import Door, until
from tests.collect.sender import Sender
from tests.collect.stored import read_segments, sessions
from tests.conftest import Store

LONG = bool(os.environ.get("LOGCHAIN_LONG"))
MIB = 1 << 20

HEADERS = st.one_of(
    st.binary(max_size=600),
    st.builds(
        lambda *parts: b"".join(parts),
        st.sampled_from([b"logchain.Append", b"logchain.Append", b"qubes.Log", b"logchain.append", b""]),
        st.sampled_from([b"+main", b"+main", b"+a.b-c_9", b"+", b"", b"+..", b"+a/b", b"++", b"+" + b"s" * 500]),
        st.sampled_from([b" VM", b" VM", b" VM", b"", b" ..", b" VM ", b" VM" + b"v" * 32]),
        st.sampled_from([b"\0", b"\0", b"\0", b"", b"\n\0"]),
    ),
)
PIECES = st.one_of(
    st.binary(max_size=300),
    st.sampled_from([b"\n", b"\n\n", b"\0", b"# end reason=size records=2\n", b"\xff" * 100, b"x\n" * 3_000]),
    st.sampled_from([65_535, 65_536, 65_537, 140_000]).map(lambda size: b"y" * size),
)
NAMES = (f"vm{number}" for number in count())


@pytest.fixture(scope="module")
def open_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """An acceptor for all that is thrown at it."""
    place = tmp_path_factory.mktemp("door")
    door = Door(Store.make(place / "store"), place, calls_per_minute=1_000_000)
    yield door
    door.close()
    assert door.store.verdict() == Verdict.INTACT


def the_call(data: bytes) -> tuple[str, str, bytes] | None:
    """Return the stream that is called, and what is sent to it; None if this is no call."""
    header, nul, rest = data.partition(b"\0")
    try:
        call = parse_descriptor(header)
    except UsageError:
        return None
    return (call.vm, call.stream, rest) if nul and len(header) < MAX_DESCRIPTOR else None


@settings(max_examples=1_000 if LONG else 60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(b"logchain.Append+main VM\0", [b"one\n", b"\n\0", b"cut"], [], False)
@example(b"qubes.Log+ VM\0", [b"one\n\ntwo\n"], [20], False)
@example(b"\0", [b"logchain.Append+main VM\0x\n"], [1], False)
@given(HEADERS, st.lists(PIECES, max_size=5), st.lists(st.integers(0, 700), max_size=4), st.booleans())
def test_any_bytes_in_any_reads(
    open_door: Door, header: bytes, pieces: list[bytes], cuts: list[int], hang_up: bool
) -> None:
    """What is a call is stored as it was sent, what is none leaves nothing behind, and the next call is served."""
    vm, door = next(NAMES), open_door
    data = header.replace(b"VM", vm.encode()) + b"".join(pieces)
    call = the_call(data)
    sender = Sender(Path(door.path), 0, lambda _: None, stock=bool(call and call[1] == STOCK))
    sender.excused = True  # it may be told that it makes no sense
    sender.sent = call[2] if call else b""
    ends = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    sender.introduce(*(data[start:end] for start, end in pairwise(ends)))
    if hang_up:
        sender.hang_up()
    else:
        sender.finish()
        sender.listen_to_the_end()
        assert sender.acknowledged == sender.owed
        assert sender.greeted == bool(call)
    until(lambda: not door.instances())
    if call:
        (stored,) = sessions(read_segments(door.store.directory(call[0], call[1]))[0])
        assert stored.data == call[2] if not hang_up else call[2].startswith(stored.data)
    else:
        assert not (door.store.path / "live" / vm).exists()
    assert "Traceback" not in door.errors(), door.errors()
    door.store_line(vm="honest")
    until(lambda: not door.instances())


def test_a_descriptor_that_comes_byte_by_byte(new_door: Doors) -> None:
    """Who sends a byte now and then has no more time than who sends nothing; others are served meanwhile."""
    seconds = 5.0 if LONG else 0.5
    door = new_door(f"acceptor._HEADER_TIME = {seconds}")
    began = time.monotonic()
    slow = door.connect(b"logchain.Append+")
    while not select.select([slow.socket], [], [], seconds / 5)[0]:
        slow.send(b"s")
    assert seconds <= time.monotonic() - began < 2 * seconds + 1.0
    assert slow.last_words() == [b"error no service descriptor came"]
    door.store_line()


def test_a_line_of_more_than_a_segment(store: Store, new_door: Doors) -> None:
    """It goes on from segment to segment, is one line in the end, and memory does not grow with it."""
    door = new_door(rate=1_000 * MIB)
    size = 130 * MIB
    call = door.call(vm="flood")
    call.greeting()
    (pid,) = door.instances()
    before = most = 0
    for number in range(size // MIB):
        call.send(b"x" * MIB)
        most = max(most, int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE"))
        before = before or most
        if number % 20 == 0:
            door.store_line(stream=f"s{number}")
    call.send(b"\n")
    call.until_ok(1)
    assert most - before < 24 * MIB
    records = store.records("flood")
    starts = [parse_note(record.payload).fields for record in records if record.payload.startswith(b"segment ")]
    assert [fields.get("continues") for fields in starts] == [None, "yes", "yes"]
    pieces = [record for record in records if record.kind != NOTE]
    assert [piece.kind for piece in pieces] == [PART] * (size // MAX_PART - 1) + [LINE]
    assert {piece.payload for piece in pieces} == {b"x" * MAX_PART}

"""What is stored in a stream, by session, and the rules that its segments keep (docs/spec/record.md)."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from logchain.format.errors import StoreError
from logchain.format.record import LINE, NOTE, Record, format_time, parse_note, parse_record
from logchain.read.live import read_keystate
from logchain.store.layout import open_directory
from tests.collect.sender import Sender, told

EVENTS = {"segment", "clock", "recovered", "session-start", "throttled", "session-end", "end"}  # all but `broken`
STEP = 1_000_000  # µs: a clock set back by more begins a new segment

Segments = dict[int, list[Record]]


@dataclass(repr=False)
class Stored:
    """A session as the store has it: its name, and the bytes of its lines and of what was left of one."""

    name: bytes
    data: bytes = b""

    def __repr__(self) -> str:
        return f"<{self.name.decode()} {told(self.data)}>"

    def may_be(self, sender: Sender) -> bool:
        """Tell whether it is a beginning of what was sent, with all that was acknowledged."""
        return (
            sender.name in (b"", self.name)
            and sender.sent.startswith(self.data)
            and sender.counted(self.data) >= sender.acknowledged
            and sender.final in (None, self.data)
        )


def read_segments(directory: Path) -> tuple[Segments, Segments]:
    """Return the whole records of a stream: those that the key state says are durable, and all."""
    try:
        with open_directory(directory) as opened:
            state = read_keystate(opened)  # first: what it says is there by then
    except (StoreError, FileNotFoundError):  # it was not born yet
        return {}, {}
    found = {}
    for path in sorted(directory.glob("*.log")):
        with suppress(FileNotFoundError):  # recovery puts away what was never committed
            found[int(path.stem)] = [parse_record(line) for line in path.read_bytes().split(b"\n")[:-1]]
    durable = {number: records for number, records in found.items() if number <= state.segment}
    if state.records:
        assert len(durable[state.segment]) >= state.records
        durable[state.segment] = durable[state.segment][: state.records]
    return durable, found


def sessions(segments: Segments) -> list[Stored]:
    """Return the sessions in a stream, in order; a line outside of any is an error, and so is a wrong count."""
    found: list[Stored] = []
    connected = False
    for record in (record for records in segments.values() for record in records):
        if record.kind != NOTE:
            assert connected, record
            found[-1].data += record.payload + b"\n" * (record.kind == LINE)
            continue
        note = parse_note(record.payload)
        assert note.event in EVENTS, note
        if note.event == "session-start":
            found.append(Stored(note.fields["session"].encode()))
            connected = True
        elif note.event == "session-end":
            lines, _, cut = found[-1].data.rpartition(b"\n")
            counted = int(note.fields["lines"]), int(note.fields.get("partial", 0))
            assert counted == (found[-1].data.count(b"\n"), len(cut)), (note, lines)
            connected = False
    return found


def explain(stored: Sequence[Stored], senders: Sequence[Sender]) -> list[Stored] | None:
    """Return what is stored of each sender, in order; None where this cannot be what they sent and were told."""
    if not senders:
        return None if stored else []
    if stored and stored[0].may_be(senders[0]) and (rest := explain(stored[1:], senders[1:])) is not None:
        return [stored[0], *rest]
    if senders[0].acknowledged or senders[0].final:
        return None
    rest = explain(stored, senders[1:])
    return None if rest is None else [Stored(b""), *rest]


def check_segments(segments: Segments, vm: str, stream: str) -> None:
    """See that numbers, names and times are as they must be, and that a step of the clock is noted."""
    count, last = 0, 0
    assert list(segments) == list(range(1, len(segments) + 1))
    for number, records in segments.items():
        if not records:  # it is just being opened
            assert number == len(segments)
            continue
        event, fields = parse_note(records[0].payload)
        assert event == "segment"
        assert (fields["vm"], fields["stream"], int(fields["first"])) == (vm, stream, count)
        times = [record.time for record in records]
        assert times == sorted(times), "a time goes back within a segment"
        notes = [parse_note(record.payload) for record in records if record.kind == NOTE]
        stepped = [note.fields for note in notes if note.event == "clock"]
        if times[0] < last - STEP:
            assert notes[1].event == "clock"
            told = {"last": format_time(last).decode(), "now": format_time(times[0]).decode()}
            assert [{key: fields[key] for key in told} for fields in stepped] == [told]
        else:
            assert not stepped
            assert times[0] >= last
        ends = [note.fields for note in notes if note.event == "end"]
        if ends or number < len(segments):
            assert [int(fields["records"]) for fields in ends] == [len(records)], "a segment goes on behind its end"
        count, last = count + len(records), times[-1]

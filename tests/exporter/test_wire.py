"""What the collector says is taken apart strictly, however it arrives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_exporter.errors import WireError
from log_exporter.wire import Event, Greeting, Incoming, Ok, Refusal
from tests.exporter.vectors import Vector, by_name, raw, vectors

HELLO = b"logchain/1 session=9f81ca46d2e0b7a1 resume="
SESSIONS = st.text("0123456789abcdef", min_size=16, max_size=16)


def heard(*parts: bytes) -> tuple[list[Event], str]:
    """Return all events of the parts, and the error that ended them."""
    events: list[Event] = []
    incoming = Incoming()
    try:
        for part in parts:
            for event in incoming.feed(part):
                events.append(event)  # noqa: PERF402  (those before an error count)
    except WireError as error:
        return events, str(error)
    return events, ""


def meaning(event: Event) -> Vector:
    """Return an event in the words of the vectors."""
    match event:
        case Greeting():
            resume = [list(pair) for pair in event.resume]
            return {"kind": "greeting", "session": event.session, "resume": resume}
        case Ok():
            return {"kind": "ok", "number": event.lines}
    kind, _, words = event.words.partition(" ")
    return {"kind": kind} | ({"words": words} if words else {})


@pytest.mark.parametrize("vector", vectors("wire", "good", "line"), ids=by_name)
def test_a_good_line_means_what_the_page_says(vector: Vector) -> None:
    """Every line that the page allows is understood."""
    before = b"" if vector["kind"] == "greeting" else HELLO + b"\n"
    events, error = heard(before + raw(vector, "line") + b"\n")
    assert not error
    assert vector == vector | meaning(events[-1])


BAD_LINES = [vector for vector in vectors("wire", "bad", "line") if b"\n" not in raw(vector, "line")]


@pytest.mark.parametrize("vector", BAD_LINES, ids=by_name)
@pytest.mark.parametrize("before", [b"", HELLO + b"\n"])
def test_a_bad_line_ends_the_call(vector: Vector, before: bytes) -> None:
    """Whatever the page refuses is refused, first or later, and only what came before it counts."""
    events, error = heard(before + raw(vector, "line") + b"\n")
    assert len(events) == before.count(b"\n")
    assert error


@pytest.mark.parametrize("vector", vectors("wire", "good", "down"), ids=by_name)
def test_a_good_stream_means_what_the_page_says(vector: Vector) -> None:
    """What is acknowledged at the end is what the page says."""
    events, error = heard(raw(vector, "down"))
    assert not error
    assert any(isinstance(event, Greeting) for event in events) == vector["greeted"]
    assert max((event.lines for event in events if isinstance(event, Ok)), default=0) == vector["acknowledged"]
    assert (meaning(events[-1])["kind"] if events else "") == vector["last"]


@pytest.mark.parametrize("vector", vectors("wire", "bad", "down"), ids=by_name)
def test_a_bad_stream_ends_the_call(vector: Vector) -> None:
    """Lines that are good alone are refused where they must not stand."""
    assert heard(raw(vector, "down"))[1]


@pytest.mark.parametrize("parts", [(b"busy\n", b"x"), (b"busy\nx",)])
def test_nothing_follows_the_last_word(parts: tuple[bytes, ...]) -> None:
    """Not even the beginning of a line."""
    assert heard(*parts) == ([Refusal("busy")], "the collector went on after its last word")


def test_a_line_without_end_is_not_kept() -> None:
    """A collector cannot fill our memory."""
    assert heard(b"x" * 1024)[1] == ""
    assert heard(b"x" * 1000, b"x" * 25)[1] == "the collector's line is too long"


@given(
    st.lists(st.sampled_from([b"ok 1\n", b"ok 2\n", b"busy\n", b"error why\n", HELLO + b"\n", b"\n", b"o", b"k"])),
    st.data(),
)
def test_the_split_does_not_matter(pieces: list[bytes], data: st.DataObject) -> None:
    """Whole or in any pieces, the same events come, and the same error."""
    stream = data.draw(st.sampled_from([b"", HELLO + b"\n"])) + b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    parts = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert heard(*parts) == heard(stream) == heard(*(bytes((byte,)) for byte in stream))


@given(st.lists(st.binary()))
def test_no_bytes_raise_another_error(parts: list[bytes]) -> None:
    """Anything is understood or refused; `heard` lets any other exception through."""
    events, error = heard(*parts)
    assert error or not any(isinstance(event, Refusal) for event in events[:-1])


@given(st.lists(SESSIONS, unique=True, min_size=1, max_size=20), st.integers(0, 20), st.data())
def test_what_a_session_stored_is_known_or_unknown_but_never_wrong(
    history: list[str], greeted_after: int, data: st.DataObject
) -> None:
    """For any history of sessions, `stored` tells the truth about ours, or that it cannot tell."""
    position = min(greeted_after, len(history))
    counts = {session: data.draw(st.integers(1, 9)) for session in history}
    ours = data.draw(st.sampled_from([*history, "ffffffffffffffffffff"]))
    if ours in history:
        position = history.index(ours)
    newest_before = history[position - 1] if position else ""
    greeting = Greeting("0" * 17, tuple((session, counts[session]) for session in reversed(history[-8:])))
    stored = greeting.stored(ours, newest_before)
    since = len(history) - position
    assert stored == (counts.get(ours, 0) if since <= 7 or ours in dict(greeting.resume) else stored)
    assert stored in (None, counts.get(ours, 0))
    if since > 8:
        assert stored is None

"""The short pages: docs/spec/tags.md, and names and answers of docs/spec/wire.md."""

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logchain.format.errors import FormatError, UsageError
from logchain.format.names import DEFAULT_STREAM, check_stream, check_vm
from logchain.format.ratchet import chain
from logchain.format.tags import format_tags, parse_tags
from logchain.format.wire import BUSY, FULL, format_error, format_greeting, format_ok
from tests.format.vectors import Vector, raw, vectors

ENTRIES = st.lists(st.tuples(st.integers(0, 2**64 - 1), st.binary(min_size=32, max_size=32)), max_size=10)


@vectors("tags.json", "good", "tags")
def test_good_tags(vector: Vector) -> None:
    """Each entry has the stated end and tag, and is written the same way again."""
    entries = list(parse_tags(raw(vector, "tags")))
    assert [end for end, _ in entries] == vector["ends"]
    assert [tag.hex() for _, tag in entries] == vector["record_tags_hex"]
    assert format_tags(vector["ends"], (tag for _, tag in entries)) == raw(vector, "tags")


@vectors("tags.json", "bad", "tags")
def test_bad_tags(vector: Vector) -> None:
    """A torn file is refused; that ends rise is looked at with the text, where it means something."""
    if vector["reason"] == "size":
        with pytest.raises(FormatError):
            parse_tags(raw(vector, "tags"))
    else:
        ends = [end for end, _ in parse_tags(raw(vector, "tags"))]
        assert vector["reason"] == "ends-not-rising"
        assert any(end <= before for before, end in zip([0, *ends], ends, strict=False))


@vectors("tags.json", "good", "segment")
def test_a_segments_tags_follow_from_text_and_key(vector: Vector) -> None:
    """Text, first key and the two functions give the tags file."""
    records = raw(vector, "text").split(b"\n")[:-1]
    key, tags = chain(raw(vector, "key"), records)
    assert format_tags(vector["ends"], tags) == raw(vector, "tags")
    assert key.hex() == vector["key_after_hex"]


@given(ENTRIES)
def test_tags_come_back(entries: list[tuple[int, bytes]]) -> None:
    """What is written is read."""
    data = format_tags([end for end, _ in entries], [tag for _, tag in entries])
    assert list(parse_tags(data)) == entries


@given(st.binary(max_size=200))
def test_tags_are_canonical_or_refused(data: bytes) -> None:
    """Any bytes are a whole number of entries, or refused."""
    try:
        entries = list(parse_tags(data))
    except FormatError:
        assert len(data) % 40
    else:
        assert format_tags([end for end, _ in entries], [tag for _, tag in entries]) == data


@vectors("wire.json", "good", "vm")
def test_good_vm_names(vector: Vector) -> None:
    """What qrexec calls a VM is taken as it is."""
    assert check_vm(vector["vm"]) == vector["vm"]


@vectors("wire.json", "good", "argument")
def test_good_arguments(vector: Vector) -> None:
    """An argument is the stream's name; without one it is `main`."""
    assert check_stream(vector["argument"] or DEFAULT_STREAM) == vector["stream"]


@vectors("wire.json", "bad", "vm")
def test_bad_vm_names(vector: Vector) -> None:
    """Nothing else becomes part of a path."""
    with pytest.raises(UsageError):
        check_vm(raw(vector, "vm").decode())


@vectors("wire.json", "bad", "argument")
def test_bad_arguments(vector: Vector) -> None:
    """Nothing else becomes part of a path; the name that is reserved is the collector's to refuse."""
    name = raw(vector, "argument").decode()
    if vector["reason"] == "stream-reserved":
        assert check_stream(name) == name
    else:
        with pytest.raises(UsageError):
            check_stream(name)


@given(st.text(max_size=60))
def test_a_name_is_taken_as_it_is_or_refused(name: str) -> None:
    """What is taken is harmless in a path, whatever a caller makes up."""
    for check, longest in ((check_vm, 31), (check_stream, 48)):
        with suppress(UsageError):
            assert check(name) == name
            assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name, re.ASCII)
            assert len(name) <= longest


@vectors("wire.json", "good", "line")
def test_answers_are_those_of_the_page(vector: Vector) -> None:
    """What the collector says of each kind is what the page shows."""
    said = {
        "greeting": lambda: format_greeting(
            bytes.fromhex(vector["session"]), [(bytes.fromhex(name), lines) for name, lines in vector["resume"]]
        ),
        "ok": lambda: format_ok(vector["number"]),
        "busy": lambda: BUSY,
        "full": lambda: FULL,
        "error": lambda: format_error(vector["words"]),
    }[vector["kind"]]()
    assert said == raw(vector, "line") + b"\n"
    assert vector["kind"] == "error" or len(said) <= 512


def test_which_characters_an_error_shows() -> None:
    """All printable ASCII, as it is; their neighbours on both sides are not shown."""
    printable = bytes(range(32, 127))
    assert format_error(printable.decode()) == b"error " + printable + b"\n"
    assert format_error("\x1f\x7f\xa0") == b"error ???\n"


@given(st.text(min_size=1, max_size=300))
def test_an_error_is_printable_whatever_it_says(words: str) -> None:
    """At most 200 printable ASCII characters go down, one for one."""
    said = format_error(words)
    assert re.fullmatch(rb"error [ -~]{1,200}\n", said)
    assert len(said) == len("error \n") + min(len(words), 200)

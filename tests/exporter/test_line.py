"""The lines that are sent: docs/spec/line.md and its vectors."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_exporter.line import (
    Plain,
    Rfc5424,
    after_lines,
    dress,
    escape,
    escape_lines,
    name,
    own_line,
    sd_value,
    unescape,
    whole_characters,
)
from tests.exporter.vectors import VECTORS, Vector, by_name, raw, vectors
from tests.vectors import reading_line
from tests.vectors.generate import vectors_of

ANY_BYTES = st.one_of(st.binary(), st.text().map(str.encode), st.text("\\nx0afé\x85\n\t\x7f").map(str.encode))


def test_the_vectors_are_what_their_reading_writes() -> None:
    """line.json is, byte for byte, what reading_line.py makes of the page."""
    assert (VECTORS / "line.json").read_text() == vectors_of(reading_line)


@pytest.mark.parametrize("vector", vectors("line", "good", "message"), ids=by_name)
def test_a_message_has_one_escaped_form(vector: Vector) -> None:
    """Each message is escaped as the page says, and comes back from it."""
    message, escaped = bytes.fromhex(vector["message_hex"]), raw(vector, "escaped")
    assert escape(message) == escaped
    assert unescape(escaped) == message


@pytest.mark.parametrize("vector", vectors("line", "bad", "message"), ids=by_name)
def test_what_is_not_escaped_is_refused(vector: Vector) -> None:
    """Only what escape() writes is read."""
    with pytest.raises(ValueError, match="not an escaped message"):
        unescape(raw(vector, "escaped"))


@pytest.mark.parametrize("vector", vectors("line", "good", "line"), ids=by_name)
def test_a_whole_line(vector: Vector) -> None:
    """Host, program, path and message make the line that the page says."""
    form = Rfc5424(raw(vector, "given_host").decode(), raw(vector, "given_app").decode())
    head = form.head_of_file(bytes.fromhex(vector["path_hex"]))
    message = bytes.fromhex(vector["message_hex"]).replace(b"\n", b"")
    assert dress(head, form.body(message + b"\n")) == raw(vector, "line") + b"\n"


@given(ANY_BYTES)
def test_escaping_is_reversible(message: bytes) -> None:
    """Every message comes back byte for byte."""
    assert unescape(escape(message)) == message


@given(ANY_BYTES)
def test_an_escaped_message_is_harmless_text(message: bytes) -> None:
    """It is UTF-8 without any control character, C1 included."""
    text = escape(message).decode()
    assert not re.search("[\x00-\x1f\x7f-\x9f]", text)


@given(ANY_BYTES)
def test_only_what_escape_makes_is_unescaped(untrusted: bytes) -> None:
    """Any bytes are refused, or are exactly the escaped form of what comes out."""
    try:
        message = unescape(untrusted)
    except ValueError:
        assert b"\\" in untrusted or escape(untrusted) != untrusted
    else:
        assert escape(message) == untrusted


@given(st.lists(ANY_BYTES.map(lambda line: line.replace(b"\n", b"")), min_size=1), st.sampled_from([b"", b"head "]))
def test_a_block_of_lines_is_dressed_like_each_of_them(lines: list[bytes], head: bytes) -> None:
    """Work per block gives what work per line would give."""
    block = b"".join(line + b"\n" for line in lines)
    assert dress(head, escape_lines(block)) == b"".join(head + escape(line) + b"\n" for line in lines)


@given(ANY_BYTES, st.integers(4, 40))
def test_a_line_that_is_cut_is_escaped_like_the_whole(line: bytes, size: int) -> None:
    """The parts of a long line, cut where whole_characters says, escape to the same bytes."""
    line = line.replace(b"\n", b"")
    escaped, rest = b"", line
    while len(rest) > size:
        cut = whole_characters(rest[:size])
        assert 0 < cut <= size
        escaped, rest = escaped + escape(rest[:cut]), rest[cut:]
    if line.decode("utf-8", "replace").encode() == line:
        assert escaped + escape(rest) == escape(line)
    assert unescape(escaped) + unescape(escape(rest)) == line


@given(st.lists(st.binary().map(lambda line: line.replace(b"\n", b"")), min_size=1), st.data())
def test_lines_are_counted_by_their_ends(lines: list[bytes], data: st.DataObject) -> None:
    """after_lines finds the place behind the n-th newline."""
    count = data.draw(st.integers(0, len(lines)))
    block = b"".join(line + b"\n" for line in lines)
    assert after_lines(block, count) == sum(len(line) + 1 for line in lines[:count])


def test_a_header_field_is_what_rfc_5424_allows() -> None:
    """Printable ASCII without spaces, cut at the limit, and never empty."""
    assert name("web server\x1b\u00e9", 48) == "web_server__"
    assert name("x" * 60, 48) == "x" * 48
    assert name("", 48) == "-"


@given(st.binary())
def test_structured_data_cannot_be_left_early(path: bytes) -> None:
    """Whatever a file is called, its name ends where RFC 5424 says, and comes back."""
    value = sd_value(path)
    assert not re.search(r'(?<!\\)(?:\\\\)*["\]]', value)
    assert unescape(re.sub(r'\\(["\\\]])', r"\1", value).encode()) == path


def test_lines_of_the_moment_have_a_time() -> None:
    """What is read from standard input says when it was read."""
    head = Rfc5424("work", "").head_now()
    assert re.fullmatch(rb"<13>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z work stdin - - - ", head)


def test_plain_adds_nothing() -> None:
    """Plain lines are the bytes as they are."""
    plain = Plain()
    assert plain.head_now() + plain.head_of_file(b"/x") + plain.body(b"\0\n") == b"\0\n"


def test_an_own_line_is_one_line() -> None:
    """What the exporter itself says cannot break out of its line either."""
    line = own_line("work", "lost", "3 lines of a\nb")
    assert re.fullmatch(rb"<44>1 \S+ work log-exporter - lost - 3 lines of a\\nb\n", line)

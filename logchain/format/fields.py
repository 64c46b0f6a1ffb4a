"""The words that signed texts are made of: each prints one way, and is parsed only so."""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from logchain.format.errors import FormatError
from logchain.format.limits import MAX_BIRTHS, MAX_NUMBER, MAX_SEGMENT
from logchain.format.record import format_time, parse_time
from logchain.format.small_files import unhex

__all__ = [
    "BIRTH",
    "DIGEST",
    "SEGMENT",
    "STORE_ID",
    "STREAM_ID",
    "TIME",
    "Field",
    "base64",
    "format_line",
    "format_words",
    "hexed",
    "number",
    "one_of",
    "parse_line",
    "parse_words",
    "unbase64",
]

_NUMBER = re.compile(r"\A(0|[1-9][0-9]{0,18})\Z")


class Field(NamedTuple):
    """One word: how a value prints, and how it is parsed; both raise FormatError on what the other would not take."""

    format: Callable[[Any], str]
    parse: Callable[[str], Any]


def number(least: int = 0, most: int = MAX_NUMBER) -> Field:
    """Return the field of a decimal number in these bounds."""

    def check(value: int) -> int:
        if not least <= value <= most:
            raise FormatError("a number out of range")
        return value

    def parse(text: str) -> int:
        if not _NUMBER.match(text):
            raise FormatError("not a number")
        return check(int(text))

    return Field(lambda value: str(check(value)), parse)


def hexed(size: int, prefix: str = "") -> Field:
    """Return the field of so many bytes as lowercase hex."""

    def format_(value: bytes) -> str:
        if len(value) != size:
            raise FormatError("bytes of the wrong length")
        return prefix + value.hex()

    def parse(text: str) -> bytes:
        if not text.startswith(prefix):
            raise FormatError(f"a digest without its {prefix}")
        return unhex(text.removeprefix(prefix), size)

    return Field(format_, parse)


def one_of(*words: str) -> Field:
    """Return the field that is one of these words."""

    def check(text: str) -> str:
        if text not in words:
            raise FormatError("none of " + ", ".join(words))
        return text

    return Field(check, check)


BIRTH, SEGMENT = number(1, MAX_BIRTHS), number(1, MAX_SEGMENT)
STORE_ID, STREAM_ID = hexed(16), hexed(32)
DIGEST = hexed(32, "sha256:")
TIME = Field(lambda time: format_time(time).decode(), lambda text: parse_time(text.encode()))


def format_words(fields: Sequence[Field], values: Iterable[object]) -> str:
    """Return the values, one space between."""
    return " ".join(field.format(value) for field, value in zip(fields, values, strict=True))


def parse_words(fields: Sequence[Field], text: str) -> list[Any]:
    """Return the values of exactly these fields, or raise FormatError."""
    words = text.split(" ")
    if len(words) != len(fields):
        raise FormatError("a line with too few or too many words")
    return [field.parse(word) for field, word in zip(fields, words, strict=True)]


def format_line(table: Mapping[str, Sequence[Field]], word: str, values: Iterable[object]) -> str:
    """Return the line that begins with this word of the table, with its newline."""
    return f"{word} {format_words(table[word], values)}\n"


def parse_line(table: Mapping[str, Sequence[Field]], word: str, line: str) -> list[Any]:
    """Return the values of the line that has to begin with this word, or raise FormatError."""
    found, _, rest = line.partition(" ")
    if found != word:
        raise FormatError(f"not the line '{word}'")
    return parse_words(table[word], rest)


def base64(data: bytes) -> str:
    """Return RFC 4648's base64, with padding."""
    return b64encode(data).decode()


def unbase64(text: str) -> bytes:
    """Return the bytes of base64 that prints the same way again, or raise FormatError."""
    try:
        data = b64decode(text, validate=True)
    except ValueError as error:
        raise FormatError("not base64") from error
    if base64(data) != text:  # bits behind the end, which b64decode drops
        raise FormatError("base64 that is not canonical")
    return data

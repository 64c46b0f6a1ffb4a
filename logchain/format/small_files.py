"""Small text files: a line that names the format, then `word value` lines; canonical or refused (docs/spec)."""

from logchain.format.errors import FormatError
from logchain.format.limits import MAX_SMALL_FILE

__all__ = ["format_lines", "parse_lines", "unhex"]


def format_lines(first: str, **values: str) -> bytes:
    """Return a small file: its first line, then a line `word value` for each."""
    return "".join(f"{line}\n" for line in [first, *(f"{word} {value}" for word, value in values.items())]).encode()


def parse_lines(data: bytes, first: str, *words: str) -> list[str]:
    """Return the values of a small file that has exactly these words in this order, or raise FormatError."""
    if len(data) > MAX_SMALL_FILE or not data.isascii():
        raise FormatError(f"not a '{first}' file")
    lines = data.decode().split("\n")
    if len(lines) != len(words) + 2 or lines[0] != first or lines[-1]:
        raise FormatError(f"not a '{first}' file")
    values = []
    for word, line in zip(words, lines[1:], strict=False):
        found, _, value = line.partition(" ")
        if found != word or not value:
            raise FormatError(f"a '{first}' file without its line '{word}'")
        values.append(value)
    return values


def unhex(text: str, size: int) -> bytes:
    """Return `size` bytes from lowercase hex, or raise FormatError."""
    try:
        data = bytes.fromhex(text)
    except ValueError as error:
        raise FormatError("not hex") from error
    if len(data) != size or data.hex() != text:
        raise FormatError("hex of the wrong length or form")
    return data

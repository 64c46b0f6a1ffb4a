r"""Searches whole blocks of records for lines whose payload matches a pattern.

A pattern is for the payload of one line, as if nothing stood before or behind it: `^` and `$` are its ends. A block is
searched as it is, times and newlines included, only with patterns that find, wherever a payload matches, a match that
begins in that line: `_is_local` says which. What is found so is then asked again, line by line. All other patterns are
asked of every line.
"""

import re
from collections.abc import Iterator, Sequence

from logchain.format.limits import PREFIX

__all__ = ["Pattern"]

# What matches the same in a line and in a block: no newline, nothing outside of itself but the ends of words.
_LOCAL = re.compile(
    rb"""(?:
        [^\\^$.|?*+()\[\]{}\n\r\x00-\x1f]         # a character, as it is
      | \\[.^$|?*+(){}\[\]\\/"'<>=!,:;@#%&~`\ _-]   # one that would mean something else
      | \\[dwb] | \.                                # of a kind that no newline is of; the end of a word
      | \[ [^\\^\]\[\x00-\x1f] [^\\\]\[\x00-\x1f]* \]     # one of these
      | \(\?: | \( (?!\?) | \) | \|
      | [?*+] (?!\+) \?? | \{ [0-9]+ (?:,[0-9]*)? \} (?!\+)
    )+""",
    re.VERBOSE,
)

# A part of such a pattern that has no choices: characters that stand in whatever matches, and what else there may be.
_PIECE = re.compile(
    rb"""(?: (?P<needed> [^\\^$.|?*+()\[\]{}] | \\[^dwb] ) (?! [?*{] )
      | (?: \[ .[^\]]* \] | \\?. ) (?: [?*+] | \{ [0-9,]+ \} )? \?? )""",
    re.VERBOSE | re.DOTALL,
)

_LITERAL = re.compile(rb"(?:[^\\^$.|?*+()\[\]{}\n]|\\[^a-zA-Z0-9\n])+")


class Pattern:
    """A regular expression of Python's `re`, on bytes. re.error where it is none."""

    def __init__(self, expression: bytes, ignore_case: bool = False, invert: bool = False) -> None:
        self._regex = re.compile(expression, re.IGNORECASE if ignore_case else 0)
        self._invert = invert
        literal = re.sub(rb"\\(.)", rb"\1", expression) if _LITERAL.fullmatch(expression) else None
        self._literal = None if ignore_case else literal
        self._folded = literal.lower() if literal and ignore_case else None  # ASCII alone has cases, in bytes
        self._local = bool(_LOCAL.fullmatch(expression)) and not self._regex.search(b"")
        self._needed = _needed(expression) if self._local and not ignore_case else ()

    def matches(self, untrusted_payload: bytes) -> bool:
        """Tell whether a line is wanted."""
        return bool(self._regex.search(untrusted_payload)) != self._invert

    def flags(self, lines: Sequence[bytes]) -> list[bool]:
        """Tell of each of these records whether it is wanted."""
        return [self.matches(line[PREFIX:]) for line in lines]

    def find(self, untrusted_text: bytes) -> Iterator[tuple[int, int]]:
        """Yield begin and end, its newline included, of each record that is wanted, out of lines of one part."""
        if self._literal is not None:
            found = self._lines(untrusted_text, untrusted_text, self._literal)
        elif self._folded is not None:
            found = self._lines(untrusted_text, untrusted_text.lower(), self._folded)
        elif self._local:
            found = self._candidates(untrusted_text)
        else:
            found = self._all(untrusted_text)
        return _others(untrusted_text, found) if self._invert else found

    def _lines(self, text: bytes, searched: bytes, literal: bytes) -> Iterator[tuple[int, int]]:
        at = searched.find(literal)
        while at >= 0:
            begin, end = text.rfind(b"\n", 0, at) + 1, text.find(b"\n", at) + 1
            if at >= begin + PREFIX or searched.find(literal, begin + PREFIX, end) >= 0:
                yield begin, end
            at = searched.find(literal, end)

    def _candidates(self, text: bytes) -> Iterator[tuple[int, int]]:
        if not all(needed in text for needed in self._needed):
            return
        match = self._regex.search(text)
        while match:
            begin, end = text.rfind(b"\n", 0, match.start()) + 1, text.find(b"\n", match.start()) + 1
            if match.start() >= begin + PREFIX or self._regex.search(text[begin + PREFIX : end - 1]):
                yield begin, end
            match = self._regex.search(text, end)

    def _all(self, text: bytes) -> Iterator[tuple[int, int]]:
        begin, search = 0, self._regex.search
        for line in text.split(b"\n")[:-1]:
            end = begin + len(line) + 1
            if search(line[PREFIX:]):
                yield begin, end
            begin = end


def _needed(expression: bytes) -> tuple[bytes, ...]:
    """Return what stands in whatever matches a local pattern, as far as that is easily told."""
    if re.search(rb"[|(]", expression):
        return ()
    found, run = [], b""
    for piece in _PIECE.finditer(expression):
        if piece["needed"]:
            run += piece["needed"][-1:]
            continue
        found.append(run)
        run = b""
    return tuple(sorted({*found, run} - {b""}, key=len, reverse=True))


def _others(text: bytes, found: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the records that were not found."""
    place = 0
    for begin, end in [*found, (len(text), len(text))]:
        while place < begin:
            after = text.find(b"\n", place) + 1
            yield place, after
            place = after
        place = end

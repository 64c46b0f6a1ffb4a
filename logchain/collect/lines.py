"""Cuts what a sender sends into lines and parts, whatever the reads it arrives in."""

from collections.abc import Iterator

from logchain.format.limits import MAX_PART
from logchain.format.record import LINE, PART

__all__ = ["LineSplitter"]


class LineSplitter:
    """Holds what has arrived of a line that is not ended yet: at most MAX_PART bytes, and how much went before."""

    def __init__(self) -> None:
        self.rest = b""
        self._given = 0  # bytes of the unfinished line that were given out as parts

    @property
    def unfinished(self) -> int:
        """Bytes of the unfinished line so far, its parts included."""
        return self._given + len(self.rest)

    def feed(self, untrusted_data: bytes) -> Iterator[tuple[bytes, list[bytes]]]:
        """Yield (kind, payloads): LINE with whole lines or the last part of one, PART with one part of MAX_PART."""
        *lines, rest = (self.rest + untrusted_data).split(b"\n")
        # lines behind the first are no longer than what was read
        if lines and len(lines[0]) <= MAX_PART and len(untrusted_data) <= MAX_PART:
            yield LINE, lines
        else:
            for line in lines:
                *parts, last = _parts(line)
                yield from ((PART, [part]) for part in parts)
                yield LINE, [last]
        *parts, self.rest = _parts(rest)
        yield from ((PART, [part]) for part in parts)
        self._given = len(parts) * MAX_PART + (0 if lines else self._given)


def _parts(line: bytes) -> list[bytes]:
    """Return a line's parts of MAX_PART bytes; the last has the rest, and one part is empty if the line is."""
    return [line[start : start + MAX_PART] for start in range(0, len(line) or 1, MAX_PART)]

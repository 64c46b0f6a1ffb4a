"""What of a source is sent, and what of a message is hidden. No I/O."""

import re
from collections.abc import Sequence
from fnmatch import translate

HIDDEN = b"[redacted]"
LONGEST = 256 * 1024  # bytes of a message; a longer one comes in parts

# What is to be hidden must not be torn by a cut:
_AHEAD = 64 * 1024  # bytes behind the cut that are looked at,
_AROUND = 1024  # and beside a match, as a pattern may look there too


class Choice:
    """Patterns for messages: what must match, what must not, what is replaced.

    They are regular expressions over the bytes of a message before it is escaped, and match anywhere in it. Each is
    one by itself: its groups have numbers and names of their own, and its flags are for it alone.
    """

    def __init__(self, include: Sequence[str] = (), exclude: Sequence[str] = (), redact: Sequence[str] = ()) -> None:
        self._include = _compiled(include)
        self._exclude = _compiled(exclude)
        self._redact = _compiled(redact)
        self.everything = not (include or exclude or redact)
        self.digest = repr((sorted(include), sorted(exclude), list(redact)))  # the same for the same choice

    def message(self, untrusted_message: bytes) -> bytes | None:
        """Return the message as it is sent, None if it is not."""
        if self._include and not any(pattern.search(untrusted_message) for pattern in self._include):
            return None
        if any(pattern.search(untrusted_message) for pattern in self._exclude):
            return None
        return self.redacted(untrusted_message)

    def redacted(self, untrusted_text: bytes) -> bytes:
        """Return the text with what is to be hidden replaced, one pattern after the other."""
        for pattern in self._redact:
            untrusted_text = pattern.sub(HIDDEN, untrusted_text)
        return untrusted_text

    def cut(self, untrusted_data: bytes, most: int) -> int:
        """Return where a part of a message that is too long ends: at `most`, or before what is to be hidden."""
        if not self._redact:
            return most
        matches = [match.span() for pattern in self._redact for match in pattern.finditer(untrusted_data) if match[0]]
        matches.sort(key=lambda span: span[1], reverse=True)
        for around in (_AROUND, 0):
            end = min(most, len(untrusted_data) - _AHEAD)
            for start, behind in matches:
                if start - around < end < behind + around:
                    end = start - around
            if end > 0:
                return end
        return max(behind for start, behind in matches if not start)

    def lines(self, data: bytes) -> bytes:
        """Return of whole lines those that are sent, as they are sent."""
        if self.everything:
            return data
        kept = [self.message(line) for line in data.split(b"\n")[:-1]]
        return b"".join(line + b"\n" for line in kept if line is not None)


class Names:
    """Patterns for names, of units and the like, as a shell has them: ssh*.service."""

    def __init__(self, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> None:
        self._include = _globs(include)
        self._exclude = _globs(exclude)
        self._known: dict[bytes, bool] = {}
        self.digest = repr((sorted(include), sorted(exclude)))

    def __contains__(self, untrusted_name: bytes) -> bool:
        known = self._known.get(untrusted_name)
        if known is None:
            if len(self._known) >= 1000:  # a sender may make up names
                self._known.clear()
            text = untrusted_name.decode("latin-1")
            wanted = not self._include or self._include.match(text) is not None
            known = wanted and not (self._exclude and self._exclude.match(text))
            self._known[untrusted_name] = known
        return known


def _compiled(patterns: Sequence[str]) -> list[re.Pattern[bytes]]:
    return [re.compile(pattern.encode()) for pattern in patterns]


def _globs(patterns: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(translate(pattern) for pattern in patterns)) if patterns else None

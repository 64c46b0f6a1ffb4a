"""Where the keys come from that records are checked with: the audit secret, or a key that the vault handed out."""

from typing import Protocol

from logchain.format.audit import AuditSecret
from logchain.format.errors import FormatError
from logchain.format.ratchet import seed, segment_key, stream_secret, successor
from logchain.format.segment_key import SegmentKey

__all__ = ["GivenKey", "KeySource", "Secrets", "StreamKeys"]

_NEW = 101_000  # births that may come while we look: `logchain restored` leaves out up to 100,000 at once
_STEP = 1_000  # births from one secret that is kept to the next


class StreamKeys(Protocol):
    """The keys of one stream's segments."""

    @property
    def audited(self) -> bool:
        """Whether there are any."""

    def secret(self, birth: int, number: int) -> bytes:
        """Return R of a segment under a birth; FormatError where it is not to be had."""

    def key(self, birth: int, number: int) -> bytes:
        """Return K of a segment under a birth; FormatError where it is not to be had."""


class KeySource(Protocol):
    """What has the keys of streams."""

    def of(self, stream_id: bytes) -> StreamKeys:
        """Return a stream's; of an empty id there are none."""


class Secrets:
    """The secrets of births, derived from the audit secret, if there is one."""

    def __init__(self, audit: AuditSecret | None, known: int) -> None:
        self._kept = [seed(audit.secret, audit.store_id)] if audit else []  # of births 1, 1 + _STEP, 1 + 2 * _STEP, ...
        self._last = 1, self._kept[0] if self._kept else b""  # that was asked for, and its secret
        self._most = known + _NEW

    @property
    def audited(self) -> bool:
        """Whether secrets can be derived."""
        return bool(self._kept)

    def secret(self, birth: int) -> bytes:
        """Return B of a birth; FormatError for a number that was never given."""
        if not 1 <= birth <= self._most:
            raise FormatError(f"birth {birth} was never given")
        place = (birth - 1) // _STEP
        while place >= len(self._kept):
            self._kept.append(successor(self._kept[-1], _STEP))
        at, secret = self._last
        if not birth - _STEP < at <= birth:
            at, secret = 1 + place * _STEP, self._kept[place]
        self._last = birth, successor(secret, birth - at)
        return self._last[1]

    def of(self, stream_id: bytes) -> StreamKeys:
        """Return a stream's keys; of an empty id there are none."""
        return _Derived(self, stream_id)


class _Derived:
    """Derives the keys of a stream's segments from the audit secret; asked in their order, no step is made twice."""

    def __init__(self, secrets: Secrets, stream_id: bytes) -> None:
        self._secrets, self._stream_id = secrets, stream_id
        self._roots: dict[int, tuple[int, bytes]] = {}  # by birth: R, and of which segment

    @property
    def audited(self) -> bool:
        """Whether keys can be derived."""
        return self._secrets.audited and bool(self._stream_id)

    def secret(self, birth: int, number: int) -> bytes:
        """Return R of a segment under a birth; FormatError for a birth that was never given."""
        at, secret = self._roots.get(birth, (0, b""))
        if not 1 <= at <= number:
            at, secret = 1, stream_secret(self._secrets.secret(birth), self._stream_id)
        self._roots[birth] = number, successor(secret, number - at)
        return self._roots[birth][1]

    def key(self, birth: int, number: int) -> bytes:
        """Return K of a segment under a birth; FormatError for a birth that was never given."""
        return segment_key(self.secret(birth, number), self._stream_id, number)


class GivenKey:
    """The key of one segment: there is no other."""

    def __init__(self, given: SegmentKey) -> None:
        self._given = given

    def of(self, stream_id: bytes) -> StreamKeys:
        """Return what there is of a stream."""
        return _OnlyKey(self._given, stream_id)


class _OnlyKey:
    """The keys of a stream where one is all there is."""

    def __init__(self, given: SegmentKey, stream_id: bytes) -> None:
        self._given, self.audited = given, stream_id == given.stream_id

    def secret(self, birth: int, number: int) -> bytes:
        raise FormatError(f"there is no secret of birth {birth}, segment {number}")

    def key(self, birth: int, number: int) -> bytes:
        if (birth, number) != (self._given.birth, self._given.segment):
            raise FormatError(
                f"it is segment {number} of birth {birth}, and the key is of segment {self._given.segment} of birth "
                f"{self._given.birth}"
            )
        return self._given.key

"""An attack on a store: what is done, and the verdicts that it leads to."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.attacks.vault import Watched

__all__ = ["CANNOT_TELL", "DAMAGED", "INTACT", "REFUSED", "Attack", "Cases", "found", "good"]

INTACT, DAMAGED, CANNOT_TELL = "INTACT", "DAMAGED", "CANNOT TELL"
REFUSED = "INTACT, refused"  # by the witness: from then on verify says since when it is not witnessed
Cases = dict[str, Callable[[Watched], object]]


@dataclass(frozen=True)
class Attack:
    """What is done, and what `verify` says with the fingerprint, with the audit secret too, and with the witness."""

    who: str
    what: str
    public: str
    audited: str
    do: Callable[[Watched], object]
    witnessed: str = ""  # empty: as with the fingerprint alone

    @property
    def layers(self) -> tuple[str, str, str]:
        """The verdicts with the fingerprint, with the audit secret too, and with the witness in its place."""
        return self.public, self.audited, self.witnessed or self.public


def found(who: str, cases: Cases) -> list[Attack]:
    """Return attacks that the fingerprint finds."""
    return [Attack(who, what, DAMAGED, DAMAGED, do) for what, do in cases.items()]


def good(who: str, cases: Cases, witnessed: str = INTACT) -> list[Attack]:
    """Return what neither fingerprint nor audit secret finds, and what comes of it with the witness."""
    return [Attack(who, what, INTACT, INTACT, do, witnessed) for what, do in cases.items()]

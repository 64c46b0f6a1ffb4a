"""Which witnesses are believed, and how many it takes: C2SP's tlog-policy (docs/spec/policy.md)."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from logchain.format.errors import FormatError
from logchain.format.fields import number
from logchain.format.signed_note import COSIGNATURE, Vkey, parse_vkey

__all__ = ["MAX_POLICY", "Policy", "parse_policy", "policy_of", "witnessed_at"]

MAX_POLICY = 64 << 10  # bytes
_OCTETS = re.compile(rb"\A[\t\n -~\x80-\xff]*\Z")
_SPACES = re.compile(r"[ \t]+")
_NONE = "none"


class Policy(NamedTuple):
    """Logs by their keys, none for any; witnesses by name; groups: how many of which names; and what has to hold."""

    logs: tuple[Vkey, ...]
    witnesses: dict[str, Vkey]
    groups: dict[str, tuple[int, tuple[str, ...]]]  # in an order in which each names only those before it
    quorum: str


def policy_of(witness: Vkey) -> Policy:
    """Return the policy that one witness is enough, and has to be there."""
    return Policy((), {witness.name: witness}, {}, witness.name)


def witnessed_at(policy: Policy, times: Mapping[str, int]) -> int | None:
    """Return when the quorum was complete, given when witnesses cosigned, by their names; None where it is not.

    Of a policy that asks for no witness nothing was witnessed: None.
    """
    found = dict(times)
    for name, (least, members) in policy.groups.items():
        newest = sorted((found[member] for member in members if member in found), reverse=True)
        if len(newest) >= least:
            found[name] = newest[least - 1]
    return found.get(policy.quorum)


def parse_policy(data: bytes) -> Policy:
    """Return what a policy file says, or raise FormatError with the line that is wrong."""
    if len(data) > MAX_POLICY or not _OCTETS.match(data) or not data.endswith(b"\n"):
        raise FormatError("a policy that is too long, has control characters, or does not end with a newline")
    page = _Page()
    for place, line in enumerate(data.decode(errors="surrogateescape").split("\n"), 1):
        words = _SPACES.split(line.strip(" \t"))
        if words == [""] or words[0].startswith("#"):
            continue
        try:
            page.take(words)
        except FormatError as error:
            raise FormatError(f"line {place} of the policy: {error}") from error
    if page.quorum is None:
        raise FormatError("a policy without a quorum")
    return Policy(tuple(page.logs), page.witnesses, page.groups, page.quorum)


class _Page:
    """What was read so far."""

    def __init__(self) -> None:
        self.logs: list[Vkey] = []
        self.witnesses: dict[str, Vkey] = {}
        self.groups: dict[str, tuple[int, tuple[str, ...]]] = {}
        self.quorum: str | None = None
        self._members: set[str] = set()

    def take(self, words: list[str]) -> None:
        """Take a line; FormatError."""
        match words:
            case ["log", vkey] | ["log", vkey, _]:
                self.logs.append(self._new_key(parse_vkey(vkey), self.logs))
            case ["witness", name, vkey] | ["witness", name, vkey, _]:
                key = self._new_key(parse_vkey(vkey, COSIGNATURE), list(self.witnesses.values()))
                self.witnesses[self._new_name(name)] = key
            case ["group", name, least, *members] if members:
                self._group(name, least, members)
            case ["quorum", name] if self.quorum is None:
                if name != _NONE:
                    self._defined(name)
                self.quorum = name
            case _:
                raise FormatError("not a line that a policy has there")

    def _group(self, name: str, least: str, members: list[str]) -> None:
        for member in members:
            self._defined(member)
            if member in self._members:
                raise FormatError("a name that is in a group already")
            self._members.add(member)
        count = {"any": 1, "all": len(members)}.get(least)
        found: int = count or number(1, len(members)).parse(least)
        self.groups[self._new_name(name)] = found, tuple(members)

    def _defined(self, name: str) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise FormatError("a name that no line before it defines")

    def _new_name(self, name: str) -> str:
        if name == _NONE or name in self.witnesses or name in self.groups:
            raise FormatError("a name that is taken")
        return name

    def _new_key(self, key: Vkey, known: list[Vkey]) -> Vkey:
        if any(key.key == other.key for other in known):
            raise FormatError("a key that is there already")
        return key

"""A strict reading of qrexec's policy, after its grammar and evaluation as docs and sources of Qubes tell them.

It accepts less than Qubes does: no includes, no `ask`, and only the tokens that a file of ours may use. It was written
from the parser's source (qubes-core-qrexec, qrexec/policy/parser.py) without taking code from it.
"""

import re
from typing import NamedTuple

__all__ = ["Qube", "Refused", "Rule", "decide", "parse"]

_NAME = re.compile(r"\A[A-Za-z][A-Za-z0-9_.-]{0,30}\Z")
_SERVICE = re.compile(r"\A[A-Za-z0-9._-]+\Z")
_TOKEN = re.compile(r"\A@(anyvm|tag:[A-Za-z0-9_.-]+)\Z")
_OPTIONS = {"allow": {"target", "user", "notify", "autostart"}, "deny": {"notify"}}


class Refused(ValueError):
    """qrexec would refuse the whole policy, and with it every call of the system."""


class Rule(NamedTuple):
    """One line."""

    service: str
    source: str
    target: str
    action: str
    options: dict[str, str]


class Qube(NamedTuple):
    """A qube, as the policy sees it."""

    name: str
    tags: frozenset[str] = frozenset()
    running: bool = True


def parse(text: str) -> list[Rule]:
    """Return the rules of a file."""
    lines = [line.strip() for line in text.splitlines()]
    return [_rule(line) for line in lines if line and not line.startswith("#")]


def _rule(line: str) -> Rule:
    try:
        service, argument, source, target, action, *words = line.split()
    except ValueError as error:
        raise Refused(f"too few fields: {line}") from error
    if not _SERVICE.match(service) or argument != "*" or action not in _OPTIONS:
        raise Refused(line)
    for token in (source, target):
        if not (_NAME.match(token) or _TOKEN.match(token) or (token == "@default" and token is target)):
            raise Refused(f"{token}: {line}")
    options: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in _OPTIONS[action] or name in options:
            raise Refused(f"{word}: {line}")
        if name in ("notify", "autostart") and value not in ("yes", "no"):
            raise Refused(f"{word}: {line}")
        if name == "target" and not (_NAME.match(value) or value == "@adminvm"):
            raise Refused(f"{word}: {line}")
        options[name] = value
    if action == "allow" and target == "@default" and "target" not in options:
        raise Refused(f"no target: {line}")
    return Rule(service, source, target, action, options)


def decide(rules: list[Rule], service: str, source: str, target: str, qubes: list[Qube]) -> tuple[str, bool]:
    """Return where a call goes, empty if nowhere, and whether a person is told; `target` may be @default."""
    known = {qube.name: qube for qube in qubes}

    def matches(token: str, name: str) -> bool:
        if token == "@anyvm":
            return name != "dom0"  # @default too: that is how qrexec has it
        if token.startswith("@tag:"):
            return name in known and token[5:] in known[name].tags
        return token == name

    for rule in rules:
        if rule.service == service and matches(rule.source, source) and matches(rule.target, target):
            if rule.action == "deny":
                return "", rule.options.get("notify", "yes") == "yes"
            to = rule.options.get("target", target).replace("@adminvm", "dom0")
            if to not in known:
                return "", True  # a popup at every try, whatever notify= says
            if rule.options.get("autostart", "yes") == "no" and not known[to].running:
                return "", False
            return to, rule.options.get("notify", "no") == "yes"
    return "", True

"""docs/spec/policy.md as code: which witnesses are believed, and how many it takes."""

import re
from typing import Any

from tests.vectors.reading_checkpoint import VKEY
from tests.vectors.reading_common import Vector, given, need, parse_number, raw, refuse, sample
from tests.vectors.reading_cosignature import KEY, parse_key
from tests.vectors.reading_note import OTHER, print_vkey, vkey_of
from tests.vectors.reading_note import parse_vkey as parse_log

SPEC = "docs/spec/policy.md"


def parse(data: bytes) -> Vector:
    """Items 1 to 6: logs and witnesses by key, groups with how many of whom, the quorum."""
    need(len(data) <= 64 << 10, "too-long")
    need(not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", data), "control")
    need(data.endswith(b"\n"), "no-newline")
    logs: list[str] = []
    witnesses: dict[str, str] = {}
    groups: dict[str, tuple[int, list[str]]] = {}
    grouped: list[str] = []
    quorum: list[str] = []
    keys: dict[str, set[bytes]] = {"log": set(), "witness": set()}

    def key(word: str, vkey: str) -> None:
        _, _, public = parse_log(vkey) if word == "log" else parse_key(vkey)
        need(public not in keys[word], "key-twice")
        keys[word].add(public)

    def new(name: str) -> None:
        need(name != "none" and name not in witnesses and name not in groups, "name-taken")

    for line in data[:-1].decode("utf-8", "surrogateescape").split("\n"):
        words = [word for word in re.split("[ \t]", line) if word]
        if not words or words[0].startswith("#"):
            continue
        word, *rest = words
        if word == "log" and len(rest) in (1, 2):
            key(word, rest[0])
            logs.append(rest[0])
        elif word == "witness" and len(rest) in (2, 3):
            key(word, rest[1])
            new(rest[0])
            witnesses[rest[0]] = rest[1]
        elif word == "group" and len(rest) >= 3:
            name, least, *members = rest
            for member in members:
                need(member in witnesses or member in groups, "name-unknown")
                need(member not in grouped, "in-a-group-twice")
                grouped.append(member)
            new(name)
            count = {"any": 1, "all": len(members)}.get(least) or parse_number(least, 1, len(members))
            groups[name] = (count, members)
        elif word == "quorum" and len(rest) == 1:
            need(not quorum, "quorum-twice")
            need(rest[0] == "none" or rest[0] in witnesses or rest[0] in groups, "name-unknown")
            quorum.append(rest[0])
        else:
            refuse("line-form")
    need(quorum, "quorum-missing")
    return {"logs": logs, "witnesses": witnesses, "groups": groups, "quorum": quorum[0]}


def complete(policy: Vector, name: str, times: dict[str, int]) -> int | None:
    """Item 7: when a witness cosigned, or enough of a group did."""
    if name in policy["groups"]:
        least, members = policy["groups"][name]
        found = [time for member in members if (time := complete(policy, member, times)) is not None]
        return sorted(found, reverse=True)[least - 1] if len(found) >= least else None
    return times.get(name)


def read(vector: Vector) -> Vector:
    """What the page says of a vector's input."""
    policy = parse(raw(vector, "text"))
    if vector["what"] == "quorum":
        return {"time": complete(policy, policy["quorum"], vector["times"])}
    policy["groups"] = {name: [least, *members] for name, (least, members) in policy["groups"].items()}
    return policy


LOG = VKEY
WITNESSES = {name: print_vkey(f"{name}.example", sample(name), 4) for name in ("X1", "X2", "X3", "Y1", "Y2", "Y3")}
LINES = "".join(f"witness {name} {key}\n" for name, key in WITNESSES.items())
TWO_LEVELS = (
    f"log {LOG}\n\n{LINES}group X-witnesses 2 X1 X2 X3\ngroup Y-witnesses any Y1 Y2 Y3\n"
    "group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n"
)
ONE = f"witness vault {KEY}\nquorum vault\n"


def good() -> list[Vector]:
    """The example of C2SP's page, and what may stand between."""
    vectors: list[Vector] = []

    def add(what: str, name: str, text: bytes, **fields: object) -> None:
        vector = {"what": what, "name": name} | given("text", text) | fields
        vectors.append(vector | read(vector))

    texts = {  # names that are no UTF-8 have no place in JSON
        "one witness": ONE,
        "two levels": TWO_LEVELS,
        "no witness": "quorum none\n",
        "comments, spaces, empty lines": f"# a\n\n \t \n\t witness \t vault  {KEY} \n  # b\nquorum\tvault\n",
        "addresses": f"log {LOG} https://example.com/\nwitness vault {KEY} http://[::1]/\nquorum vault\n",
        "two logs": f"log {LOG}\nlog {vkey_of(*OTHER)}\nquorum none\n",
        "a name beyond ASCII": ONE.replace("vault ", "z\u00fcrich ", 1).replace("quorum vault", "quorum z\u00fcrich"),
        "a witness of the name of a log's key": f"log {LOG}\n" + ONE,
        "lines behind the quorum": ONE + f"log {LOG}\n",
    }
    for name, text in texts.items():
        add("policy", name, text.encode())
    times: dict[str, dict[str, Any]] = {
        "nobody": {},
        "one X": {"X1": 5},
        "two X": {"X1": 5, "X3": 3},
        "one X, one Y": {"X1": 5, "Y1": 3},
        "two X, one Y: when the last of them did": {"X1": 5, "X3": 3, "Y2": 9},
        "all": {"X1": 1, "X2": 2, "X3": 3, "Y1": 4, "Y2": 5, "Y3": 6},
        "Y was first": {"X1": 8, "X2": 7, "Y3": 1},
    }
    for name, found in times.items():
        add("quorum", name, TWO_LEVELS.encode(), times=found)
    add("quorum", "one witness, that cosigned", ONE.encode(), times={"vault": 7})
    add("quorum", "no witness is asked for", b"quorum none\n", times={"vault": 7})
    return vectors


def bad() -> list[Vector]:
    """One failure each."""
    other = print_vkey("other", sample("other"), 4)
    texts: dict[str, tuple[str, str]] = {
        "empty": ("no-newline", ""),
        "no quorum": ("quorum-missing", f"witness vault {KEY}\n"),
        "two quorums": ("quorum-twice", ONE + "quorum vault\n"),
        "quorum of nobody": ("name-unknown", "quorum vault\n"),
        "quorum before its witness": ("name-unknown", f"quorum vault\nwitness vault {KEY}\n"),
        "no newline at the end": ("no-newline", ONE[:-1]),
        "carriage returns": ("control", ONE.replace("\n", "\r\n")),
        "a zero byte": ("control", ONE + "\0\n"),
        "a delete": ("control", f"#\x7f\n{ONE}"),
        "too long": ("too-long", ONE + "#" * (64 << 10) + "\n"),
        "an unknown word": ("line-form", f"{ONE}require vault\n"),
        "a witness without a key": ("line-form", "witness vault\nquorum none\n"),
        "a comment behind a line": ("line-form", f"witness vault {KEY} http://a # b\nquorum none\n"),
        "a log's key for a witness": ("vkey-type", f"witness vault {LOG}\nquorum none\n"),
        "a witness's key for a log": ("vkey-type", f"log {KEY}\nquorum none\n"),
        "a log twice": ("key-twice", f"log {LOG}\nlog {LOG}\nquorum none\n"),
        "a witness twice": ("key-twice", f"witness a {KEY}\nwitness b {KEY}\nquorum none\n"),
        "two witnesses of one name": ("name-taken", f"witness a {KEY}\nwitness a {other}\nquorum none\n"),
        "a witness named none": ("name-taken", f"witness none {KEY}\nquorum none\n"),
        "a group named as a witness": ("name-taken", f"{LINES}group Y1 any X1\nquorum none\n"),
        "a group of nobody": ("line-form", "group a any\nquorum none\n"),
        "a group of none": ("name-unknown", f"{LINES}group a any none\nquorum none\n"),
        "a group of itself": ("name-unknown", f"{LINES}group a any X1 a\nquorum none\n"),
        "a witness twice in a group": ("in-a-group-twice", f"{LINES}group a 2 X1 X1\nquorum none\n"),
        "a witness in two groups": ("in-a-group-twice", f"{LINES}group a any X1\ngroup b any X1\nquorum none\n"),
        "0 of a group": ("number-range", f"{LINES}group a 0 X1\nquorum none\n"),
        "3 of 2": ("number-range", f"{LINES}group a 3 X1 X2\nquorum none\n"),
        "how many with a zero in front": ("number-form", f"{LINES}group a 01 X1\nquorum none\n"),
        "how many in words": ("number-form", f"{LINES}group a one X1\nquorum none\n"),
    }
    return [
        {"what": "policy", "name": name, "reason": reason, "class": "malformed"} | given("text", text.encode())
        for name, (reason, text) in texts.items()
    ]

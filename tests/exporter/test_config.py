"""The configuration: what it may say, and which line is wrong."""

from typing import Any

import pytest

from log_exporter.choice import Choice, Names
from log_exporter.config import SOURCES, Config, Stream, load, parse
from log_exporter.errors import UsageError
from log_exporter.qubesdb import narrow, read

WHOLE = """
transport = "qrexec STREAM"
state = "/state"
spool = "/spool"
status = "/status"

[streams.journal]
source = "journald"
boot = "current"
priority = "warning"
units = ["ssh*"]
exclude_units = ["cron*"]
directory = "/var/log/journal"
include = ["a"]
exclude = ["b"]
redact = ["c"]

[streams.kernel]
source = "kmsg"
priority = "err"
device = "/dev/kmsg"

[streams."web.log"]
source = "files"
paths = ["/var/log/*.log"]
plain = true
app = "web"
begins = "^[0-9]"

[streams.syslog]
source = "syslog"
listen = ["unix:/dev/log", "tcp:[::1]:601"]
priority = "info"
spool = 16

[streams.tick]
source = "exec"
command = ["sh", "-c", "date"]
spool = 1
"""


def parsed(text: str) -> Config:
    """Return the configuration."""
    return parse(text.encode(), "test.toml")


def test_everything_that_can_be_said() -> None:
    """All keys of all sources."""
    config = parsed(WHOLE)
    assert [stream.name for stream in config.streams] == ["journal", "kernel", "web.log", "syslog", "tick"]
    assert {stream.source for stream in config.streams} == set(SOURCES)
    assert config.streams[0].settings["priority"] == 4
    assert config.streams[3].settings["spool"] == 16 << 20
    assert config[1:] == ("qrexec STREAM", "/state", "/spool", "/status")


WRONG = [
    ("", "test.toml: no stream: it needs a table such as [streams.journal]"),
    ("x = ", "test.toml: Invalid value (at end of document)"),
    ("\n= 3", "test.toml: Invalid statement (at line 2, column 1)"),
    (
        "[streams.a]\nsource = 'kmsg'\n\npriorty = 'x'",
        "line 4: streams.a.priorty: is not known here; known are ",
    ),
    (
        "typo = 1\n[streams.a]\nsource = 'kmsg'",
        "line 1: typo: is not known here; known are spool state ",
    ),
    ("[streams.a]\n", "line 1: streams.a: needs source = one of exec files journald kmsg syslog"),
    ("[streams.a]\nsource = 'x'", "line 2: streams.a.source: must be one of exec files"),
    ("[streams.a]\nsource = 3", "line 2: streams.a.source: must be one of exec files"),
    ("[streams]\na = 3", "line 2: streams.a: is a table"),
    ("[streams.'a b']\n", "line 1: streams.a b: a stream's name is 1 to 48 of A-Z"),
    ("[streams.'a\\u001b']\n", "streams.a\\u001b: a stream's name"),
    ("[streams.'qubes.Log']\n", "line 1: streams.qubes.Log: a stream's name is"),
    ("[streams.a]\nsource = 'files'", "line 1: streams.a: needs paths, as its source is files"),
    ("[streams.a]\nsource = 'exec'", "line 1: streams.a: needs command, as its source is exec"),
    ("[streams]\na = {source = 'files'}", "test.toml: streams.a: needs paths"),
]
VALUES = [
    ("files", "paths", "'/x'", "a list of texts"),
    ("files", "paths", "['x']", "an absolute path"),
    ("files", "plain", "1", "true or false"),
    ("files", "app", "''", "a text"),
    ("files", "begins", "'('", "a regular expression ("),
    ("files", "redact", "['[']", "a regular expression ("),
    ("files", "redact", "['a{99999999999}']", "a regular expression ("),
    ("files", "redact", f"['{'(' * 3000}']", "a regular expression ("),
    ("files", "include", "[]", "a list of texts"),
    ("kmsg", "priority", "3", "one of emerg alert crit"),
    ("journald", "boot", "'last'", '"all" or "current"'),
    ("syslog", "listen", "['udp:0.0.0.0:514']", "an address on loopback"),
    ("syslog", "spool", "0", "a number of MiB, 1 to 4096"),
    ("syslog", "spool", "true", "a number of MiB, 1 to 4096"),
    ("exec", "command", "'date'", "a list of texts"),
]


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_a_mistake_names_its_line(text: str, words: str) -> None:
    """One line that says where, what, and what would be right."""
    with pytest.raises(UsageError) as wrong:
        parsed(text)
    assert words in str(wrong.value)
    assert str(wrong.value).isprintable()


@pytest.mark.parametrize(("source", "key", "value", "words"), VALUES)
def test_a_value_that_is_not_allowed(source: str, key: str, value: str, words: str) -> None:
    """It says what the value must be."""
    with pytest.raises(UsageError) as wrong:
        parsed(f"[streams.a]\nsource = '{source}'\n{key} = {value}\n")
    assert f"test.toml: line 3: streams.a.{key}: must be {words}" in str(wrong.value)


@pytest.mark.parametrize("data", [b"\xff", b"#" * (1 << 20) + b"#", b"a = " + b"[" * 5000])
def test_what_is_no_configuration(data: bytes) -> None:
    """No text, or too much of it."""
    with pytest.raises(UsageError, match=r"test\.toml: "):
        parse(data, "test.toml")


def test_no_configuration_is_a_mistake() -> None:
    """It says which file is not there."""
    with pytest.raises(UsageError, match=r"^/no/\\x1b: no such file: write it, or name another with --config$"):
        load("/no/\x1b")


# What dom0 says


def narrowed(**features: str) -> Config:
    """Return the configuration with features of the qube."""
    values = {f"/vm-config/log-exporter-{key.replace('_', '-')}": value for key, value in features.items()}
    return narrow(parsed(WHOLE), lambda path: values.get(path, ""))


def settings(config: Config, name: str) -> dict[str, Any]:
    """Return the settings of a stream."""
    (found,) = [stream for stream in config.streams if stream.name == name]
    return found.settings


def test_dom0_can_only_narrow() -> None:
    """Fewer streams; nothing less urgent; more left out and hidden; what a source does not know is not for it."""
    assert narrowed() == parsed(WHOLE)
    assert [stream.name for stream in narrowed(streams="kernel tick").streams] == ["kernel", "tick"]
    strict, lax = narrowed(priority="crit"), narrowed(priority="debug")
    assert [settings(strict, name).get("priority") for name in ("journal", "kernel", "syslog", "tick")] == [
        2,
        2,
        2,
        None,
    ]
    assert settings(lax, "journal")["priority"] == 4
    more = narrowed(exclude="x y", redact="z", exclude_units="a* b*")
    assert settings(more, "journal")["exclude"] == ["b", "x y"]
    assert settings(more, "journal")["exclude_units"] == ["cron*", "a*", "b*"]
    assert settings(more, "tick") == {"command": ["sh", "-c", "date"], "spool": 1 << 20} | {
        "exclude": ["x y"],
        "redact": ["z"],
    }


@pytest.mark.parametrize(
    ("feature", "value", "words"),
    [
        ("streams", "kernel \x1b", r"no stream is named \x1b"),
        ("priority", "loud", "must be one of emerg"),
        ("redact", "(", "must be a regular expression"),
    ],
)
def test_what_dom0_says_is_checked_too(feature: str, value: str, words: str) -> None:
    """The error names the feature."""
    with pytest.raises(UsageError) as wrong:
        narrowed(**{feature: value})
    assert str(wrong.value).startswith(f"feature vm-config.log-exporter-{feature} of this qube, set in dom0: {words}")


def test_qubesdb_is_asked(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through its command; where there is none, or it has nothing, nothing is narrowed."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read("/vm-config/x") == ""
    program = tmp_path / "qubesdb-read"
    program.write_text('#!/bin/sh\n[ "$1" = /vm-config/x ] && echo value\n')
    program.chmod(0o755)
    assert read("/vm-config/x") == "value"
    assert read("/vm-config/y") == ""


# What is chosen


def test_patterns_match_anywhere_in_the_bytes() -> None:
    """Include, then exclude, then redact."""
    choice = Choice(["a", "b"], ["no"], ["[0-9]+"])
    assert choice.message(b"\xff a 12 34") == b"\xff a [redacted] [redacted]"
    assert choice.message(b"c") is None
    assert choice.message(b"a no") is None
    assert choice.lines(b"a1\nc\nb\n") == b"a[redacted]\nb\n"
    assert Choice().lines(b"a\n") == b"a\n"


def test_each_pattern_is_one_by_itself() -> None:
    """A backreference, a group's name, and a flag mean what they mean in that pattern alone."""
    patterns = ["(token)=x", "(['\"]).*?\\1", "(?i)password=[^ ]+", "(?P<q>a1)", "(?P<q>b2)"]
    choice = Choice(redact=patterns)
    assert choice.message(b"token=x 'y' PassWord=z a1 b2 TOKEN=x") == b"[redacted] " * 5 + b"TOKEN=x"
    for both in (Choice(include=patterns), Choice(exclude=patterns)):
        assert (both.message(b"say 'y'") is None) is (both.message(b"nothing") is not None)
    assert Choice(redact=["ab", "bc"]).digest != Choice(redact=["bc", "ab"]).digest  # the first one wins


def test_names_are_matched_as_a_shell_does() -> None:
    """Whole names; any number of made-up names costs no memory."""
    names = Names(["s*"], ["sudo"])
    assert [name in names for name in (b"ssh", b"sudo", b"x", b"sudoedit")] == [True, False, False, True]
    for number in range(5000):
        assert b"s%d" % number in names
    assert len(names._known) <= 1000
    assert b"\xff" in Names()


def test_a_stream_is_what_it_says() -> None:
    """The configuration survives the way from the child that reads it: JSON."""
    assert all(isinstance(stream, Stream) for stream in parsed(WHOLE).streams)

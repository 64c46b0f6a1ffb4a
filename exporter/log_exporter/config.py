"""/etc/log-exporter.toml: which streams there are, and where each one's lines come from.

    [streams.journal]
    source = "journald"
    exclude_units = ["cups*"]

A key that is not known, or has a value that is not allowed, is an error that names its line.
"""

import re
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple, NoReturn, TypeAlias

from log_exporter.errors import UsageError
from log_exporter.messages import printable

DEFAULT = "/etc/log-exporter.toml"
TRANSPORT = "qrexec-client-vm @default logchain.Append+STREAM"
MAX_SIZE = 1 << 20  # bytes of a configuration

SOURCES = {  # name → module, which has SETTINGS, NEEDED and make()
    "exec": "log_exporter.sources.exec",
    "files": "log_exporter.sources.files",
    "journald": "log_exporter.sources.journald",
    "kmsg": "log_exporter.sources.kmsg",
    "syslog": "log_exporter.sources.syslog",
}

_STREAM = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,47}\Z")

Check: TypeAlias = Callable[[Any], Any]  # returns the value, raises ValueError with what it must be


class Stream(NamedTuple):
    """One stream: where its lines come from, and the settings of that source, all checked."""

    name: str
    source: str
    settings: dict[str, Any]


class Config(NamedTuple):
    """The whole configuration."""

    streams: list[Stream]
    transport: str = TRANSPORT
    state: str = "/var/lib/log-exporter"
    spool: str = "/var/spool/log-exporter"
    status: str = "/run/log-exporter/status"


# What a value may be


def stream_name(untrusted_name: str) -> str:
    """The name of a stream (docs/spec/wire.md); qubes.Log is the one that the LogVM gives to Qubes' own service."""
    if not _STREAM.match(untrusted_name) or untrusted_name == "qubes.Log":
        raise ValueError("1 to 48 of A-Z a-z 0-9 _ . -, no sign first, and not qubes.Log")
    return untrusted_name


def text(value: Any) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("a text")
    return value


def texts(value: Any) -> list[str]:
    """A list of texts, not empty."""
    if not isinstance(value, list) or not value:
        raise ValueError("a list of texts")
    return [text(item) for item in value]


def path(value: Any) -> str:
    """An absolute path."""
    if not text(value).startswith("/"):
        raise ValueError("an absolute path")
    return str(value)


def paths(value: Any) -> list[str]:
    """A list of absolute paths."""
    return [path(item) for item in texts(value)]


def flag(value: Any) -> bool:
    """Either true or false."""
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def pattern(value: Any) -> str:
    """One regular expression; not one of which Python itself is not sure that it will mean the same tomorrow."""
    import warnings  # where a configuration is parsed, see daemon.py

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)
            re.compile(text(value).encode())
    except FutureWarning as warning:
        words = "a backslash before it says that the sign is meant"
        raise ValueError(f"a regular expression ({warning}: {words})") from warning
    except (re.error, OverflowError, RuntimeError) as error:  # a repetition too large, or nested too deeply
        raise ValueError(f"a regular expression ({error})") from error
    return str(value)


def patterns(value: Any) -> list[str]:
    """A list of regular expressions."""
    return [pattern(item) for item in texts(value)]


def size(value: Any) -> int:
    """A number of MiB, 1 to 4096; returns bytes."""
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 4096:
        raise ValueError("a number of MiB, 1 to 4096")
    return value << 20


def one_of(*allowed: str) -> Check:
    """Return the check for one of some words."""

    def check(value: Any) -> str:
        if value not in allowed:
            raise ValueError(" or ".join(f'"{word}"' for word in allowed))
        return str(value)

    return check


PRIORITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")


def priority(value: Any) -> int:
    """A priority by its name; returns its number, 0 to 7."""
    if value not in PRIORITIES:
        raise ValueError("one of " + " ".join(PRIORITIES))
    return PRIORITIES.index(value)


CHOICE: dict[str, Check] = {"include": patterns, "exclude": patterns, "redact": patterns}  # of every source
_TOP: dict[str, Check] = {"transport": text, "state": path, "spool": path, "status": path}


def known_settings(module: str) -> dict[str, Check]:
    """Return what can be set for a source."""
    settings: dict[str, Check] = import_module(module).SETTINGS
    return CHOICE | settings


def load(file: str) -> Config:
    """Read and check the whole file; raises UsageError."""
    try:
        with open(file, "rb") as opened:
            data = opened.read(MAX_SIZE + 1)
    except FileNotFoundError as error:
        raise UsageError(f"{printable(file)}: no such file: write it, or name another with --config") from error
    except OSError as error:
        raise UsageError(f"{printable(file)}: {error.strerror}") from error
    return parse(data, file)


def parse(untrusted_data: bytes, name: str) -> Config:
    """Check a configuration; `name` is for messages."""
    if len(untrusted_data) > MAX_SIZE:
        raise UsageError(f"{printable(name)}: is too large for a configuration")
    import tomllib  # where a configuration is parsed, see daemon.py

    try:
        untrusted_text = untrusted_data.decode()
        untrusted = tomllib.loads(untrusted_text)
    except (ValueError, RecursionError) as error:  # of Unicode and of TOML
        raise UsageError(f"{printable(name)}: {printable(str(error))}") from error
    return _Checked(untrusted_text, name).config(untrusted)


class _Checked:
    """A configuration while it is checked, with its text to tell where something stands."""

    def __init__(self, untrusted_text: str, name: str) -> None:
        self._lines = untrusted_text.splitlines()
        self._name = name

    def config(self, untrusted: dict[str, Any]) -> Config:
        """Check all of it."""
        untrusted_streams = untrusted.pop("streams", None)
        if not isinstance(untrusted_streams, dict) or not untrusted_streams:
            raise UsageError(f"{printable(self._name)}: no stream: it needs a table such as [streams.journal]")
        top = self._table((), untrusted, _TOP)
        return Config([self._stream(name, table) for name, table in untrusted_streams.items()], **top)

    def _stream(self, name: str, untrusted: Any) -> Stream:
        place = ("streams", name)
        try:
            stream_name(name)
        except ValueError as error:
            self._refuse(place, "", f"a stream's name is {error}")
        if not isinstance(untrusted, dict):
            self._refuse(("streams",), name, "is a table")
        if "source" not in untrusted:
            self._refuse(place, "", f"needs source = one of {' '.join(SOURCES)}")
        source = untrusted.pop("source")
        if not isinstance(source, str) or source not in SOURCES:
            self._refuse(place, "source", f"must be one of {' '.join(SOURCES)}")
        settings = self._table(place, untrusted, known_settings(SOURCES[source]))
        for key in import_module(SOURCES[source]).NEEDED:
            if key not in settings:
                self._refuse(place, "", f"needs {key}, as its source is {source}")
        return Stream(name, source, settings)

    def _table(self, place: tuple[str, ...], untrusted: dict[str, Any], known: Mapping[str, Check]) -> dict[str, Any]:
        checked = {}
        for key, value in untrusted.items():
            if key not in known:
                self._refuse(place, key, f"is not known here; known are {' '.join(sorted(known))}")
            try:
                checked[key] = known[key](value)
            except ValueError as error:
                self._refuse(place, key, f"must be {error}")
        return checked

    def _refuse(self, place: tuple[str, ...], key: str, words: str) -> NoReturn:
        line = self._line(place, key)
        where = f"line {line}: " if line else ""
        what = ".".join([*place, key] if key else place)
        raise UsageError(f"{printable(self._name)}: {where}{printable(what)}: {words}")

    def _line(self, place: tuple[str, ...], key: str) -> int:
        """Return in which line a key, or the head of its table, stands; 0 where the file is written otherwise."""
        table = ""
        for number, line in enumerate(self._lines, 1):
            if head := re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line):
                table = re.sub(r"\s*\.\s*|[\"']", lambda match: "." if "." in match[0] else "", head[1])
                if not key and table == ".".join(place):
                    return number
            elif key and table == ".".join(place) and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
                return number
        return 0

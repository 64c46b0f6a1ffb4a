"""What dom0 says for this qube with `qvm-features QUBE vm-config.log-exporter-… VALUE`: only ever less is sent."""

import subprocess
from collections.abc import Callable
from typing import Any

from log_exporter.config import SOURCES, Config, Stream, known_settings, pattern, priority
from log_exporter.errors import UsageError
from log_exporter.messages import printable
from log_exporter.transport import which

_PREFIX = "/vm-config/log-exporter-"

Read = Callable[[str], str]  # returns a path's value, empty if it has none


def read(path: str) -> str:
    """Return what QubesDB has there; empty outside of Qubes."""
    if not which("qubesdb-read"):
        return ""
    found = subprocess.run(["qubesdb-read", path], capture_output=True, check=False)
    return found.stdout.decode("utf-8", "replace").strip() if found.returncode == 0 else ""


def narrow(config: Config, read: Read) -> Config:
    """Return the configuration with what dom0 wants left out: streams, priorities, units, patterns."""
    streams = config.streams
    if names := read(f"{_PREFIX}streams").split():
        unknown = set(names) - {stream.name for stream in streams}
        if unknown:
            raise _wrong("streams", f"no stream is named {printable(' '.join(sorted(unknown)))}")
        streams = [stream for stream in streams if stream.name in names]
    less: dict[str, Any] = {}
    if word := read(f"{_PREFIX}priority"):
        less["priority"] = _checked("priority", priority, word)
    if units := read(f"{_PREFIX}exclude-units").split():
        less["exclude_units"] = units
    for key in ("exclude", "redact"):
        if word := read(_PREFIX + key):
            less[key] = [_checked(key, pattern, word)]
    return config._replace(streams=[_narrowed(stream, less) for stream in streams])


def _narrowed(stream: Stream, less: dict[str, Any]) -> Stream:
    settings = dict(stream.settings)
    for key, value in less.items():
        if key not in known_settings(SOURCES[stream.source]):
            continue
        settings[key] = min(settings.get(key, value), value) if key == "priority" else [*settings.get(key, []), *value]
    return stream._replace(settings=settings)


def _checked(key: str, check: Callable[[Any], Any], word: str) -> Any:
    try:
        return check(word)
    except ValueError as error:
        raise _wrong(key, f"must be {error}") from error


def _wrong(key: str, words: str) -> UsageError:
    return UsageError(f"feature vm-config.log-exporter-{key} of this qube, set in dom0: {words}")

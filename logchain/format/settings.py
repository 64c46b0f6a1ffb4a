"""/etc/logchain.toml: what the collector allows; an unknown key or a bad value is an error that names its line.

[collector]
connections = 120               # of all VMs together
reserve = "256 MiB"             # of the disk that collectors leave free

[each-vm]                       # what every VM may have
connections = 16
calls-per-minute = 120
streams = 64
births-per-day = 200
rate = "4 MiB/s"                # of lines, over all its streams
burst = "64 MiB"                # so much at once, before the rate counts

[vm.work]                       # what this VM may have instead
rate = "20 MiB/s"
"""

import re
import tomllib
from collections.abc import Callable
from typing import Any, NamedTuple

from logchain.format.errors import UsageError
from logchain.format.names import check_vm

__all__ = ["DEFAULT_SETTINGS", "Settings", "VmSettings", "parse_settings"]

_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_SIZE = re.compile(r"\A([0-9]{1,6}) ?(B|KiB|MiB|GiB|TiB)\Z")
_MOST = 1_000_000  # of anything that is counted


class VmSettings(NamedTuple):
    """What one VM may have; sizes in bytes, rate in bytes a second."""

    connections: int = 16
    calls_per_minute: int = 120
    streams: int = 64
    births_per_day: int = 200
    rate: int = 4 << 20
    burst: int = 64 << 20


class Settings(NamedTuple):
    """All of it."""

    connections: int = 120  # qrexec lets 128 calls into a VM
    reserve: int = 256 << 20
    each_vm: VmSettings = VmSettings()
    vms: dict[str, VmSettings] = {}  # noqa: RUF012 (never changed)

    def of(self, vm: str) -> VmSettings:
        """Return what a VM may have."""
        return self.vms.get(vm, self.each_vm)


DEFAULT_SETTINGS = Settings()


def parse_settings(text: str) -> Settings:
    """Return the settings; what is not given stays as it is by default. Raises UsageError."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"not TOML: {error}") from error
    page = _Page(text)
    collector = page.table(tables, "collector", {"connections": _count, "reserve": _size})
    each_vm = VmSettings()._replace(**page.table(tables, "each-vm", _OF_VM))
    vms = tables.pop("vm", {})
    if not isinstance(vms, dict):
        raise page.error("", "vm", "has to be tables: [vm.NAME]")
    known = {}
    for name in list(vms):
        try:
            check_vm(name)
        except UsageError as error:
            raise page.error("", f"vm.{name}", str(error)) from error
        known[name] = each_vm._replace(**page.table(vms, name, _OF_VM, f"vm.{name}"))
    if tables:
        raise page.error("", next(iter(tables)), "is no setting")
    return Settings(**collector, each_vm=each_vm, vms=known)


def _count(value: object) -> int:
    if type(value) is not int or not 1 <= value <= _MOST:
        raise ValueError(f"has to be a number from 1 to {_MOST:,}")
    return value


def _size(value: object) -> int:
    match = _SIZE.match(value) if isinstance(value, str) else None
    if not match:
        raise ValueError('has to be a size, like "256 MiB" (B, KiB, MiB, GiB, TiB)')
    return int(match[1]) * _UNITS[match[2]]


def _rate(value: object) -> int:
    if not isinstance(value, str) or not value.endswith("/s"):
        raise ValueError('has to be a rate, like "4 MiB/s"')
    return max(_size(value.removesuffix("/s")), 1)


_OF_VM: dict[str, Callable[[object], int]] = {
    "connections": _count,
    "calls-per-minute": _count,
    "streams": _count,
    "births-per-day": _count,
    "rate": _rate,
    "burst": _size,
}


class _Page:
    """The text, to say on which line something stands."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()

    def table(
        self, tables: dict[str, Any], name: str, known: dict[str, Callable[[object], int]], header: str = ""
    ) -> dict[str, int]:
        """Take a table out of `tables`, and return its values by the names of the fields that they are for."""
        header = header or name
        table = tables.pop(name, {})
        if not isinstance(table, dict):
            raise self.error(header.rpartition(".")[0], name, f"has to be a table: [{header}]")
        values = {}
        for key, value in table.items():
            if key not in known:
                raise self.error(header, key, f"is no setting of [{header}]; there are {', '.join(known)}")
            try:
                values[key.replace("-", "_")] = known[key](value)
            except ValueError as error:
                raise self.error(header, key, str(error)) from error
        return values

    def error(self, header: str, key: str, words: str) -> UsageError:
        """Return the error for a key of a table, or for a table itself where `header` is empty."""
        inside = not header
        for number, line in enumerate(self._lines, 1):
            content = line.split("#")[0].strip().replace('"', "").replace("'", "")
            if content.startswith("["):
                if not header and content.strip("[] ").split(".")[0] == key.split(".")[0]:
                    return UsageError(f"line {number}: {key} {words}")
                inside = content.strip("[] ") == header
            elif inside and content.split("=")[0].strip().split(".")[-1] == key:
                return UsageError(f"line {number}: {key} {words}")
        return UsageError(f"{key} {words}")

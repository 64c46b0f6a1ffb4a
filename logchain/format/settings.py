"""/etc/logchain.toml: what the collector and the compressor go by; an unknown key or a bad value is an error.

[collector]
connections = 120               # of all VMs together
reserve = "256 MiB"             # of the disk that is left free

[store]
cap = "unlimited"               # bytes of all VMs and the ledger together
segment = "64 MiB"              # a segment is closed at this size,
segment-age = "1 day"           # at this age,
idle = "1 hour"                 # or at this one, when nobody is connected
heads = "5 min"                 # how often the ledger fixes what is still open

[tiers]                         # how old sealed text is when it is compressed
lz4-after = "1 hour"
lz4-level = 3
xz-after = "1 day"              # or "never"
xz-level = 3

[each-vm]                       # what every VM may have
connections = 16
calls-per-minute = 120
streams = 64
births-per-day = 200
rate = "4 MiB/s"                # of lines, over all its streams
burst = "64 MiB"                # so much at once, before the rate counts
quota = "2 GiB"                 # on disk; beyond it its oldest sealed segments go
keep-at-least = "7 days"        # but none younger than this
floor = "64 KiB/s"              # how fast it is read while it is over its quota all the same

[verify]                        # what `logchain verify` takes where no --fingerprint is given
restored = 0                    # how often the store was brought back from a backup, as you know
fingerprint = "1e5b870b 6e3449da f5e4c498 c3f41d5a aec16fe1 41a0012a 7c78c01c 71a94b8e"  # none by default

[witness]                       # who remembers how far the ledger has come (docs/guides/witness.md)
key = "vault/logchain-witness+b0ddb259+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X"   # none by default
command = ["qrexec-client-vm", "@default", "logchain.Witness"]

[open]                          # where `logchain open` and `export --to-dispvm` show things
dispvm = "offline-dvm"          # a disposable template without network; by default the one of the LogVM

[disposables]                   # what disp1, disp2, ... may have instead; quota and floor are shared by all of them
quota = "1 GiB"

[vm.work]                       # what this VM may have instead
rate = "20 MiB/s"
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from logchain.format.errors import FormatError, UsageError
from logchain.format.ledger import parse_fingerprint
from logchain.format.limits import MAX_NUMBER
from logchain.format.names import check_vm
from logchain.format.signed_note import COSIGNATURE, Vkey, parse_vkey

__all__ = [
    "DEFAULT_SETTINGS",
    "UNLIMITED",
    "Settings",
    "StoreSettings",
    "TierSettings",
    "VmSettings",
    "parse_settings",
]

_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_SIZE = re.compile(r"\A([0-9]{1,6}) ?(B|KiB|MiB|GiB|TiB)\Z")
_SPANS = {"s": 1, "min": 60, "hour": 3_600, "hours": 3_600, "day": 86_400, "days": 86_400}
_SPAN = re.compile(r"\A([0-9]{1,6}) ?(s|min|hours?|days?)\Z")
_MOST = 1_000_000  # of anything that is counted
_DISPOSABLE = re.compile(r"\Adisp[0-9]+\Z")  # the names that Qubes gives
UNLIMITED = MAX_NUMBER


class VmSettings(NamedTuple):
    """What one VM may have; sizes in bytes, rates in bytes a second, times in s."""

    connections: int = 16
    calls_per_minute: int = 120
    streams: int = 64
    births_per_day: int = 200
    rate: int = 4 << 20
    burst: int = 64 << 20
    quota: int = 2 << 30
    keep_at_least: int = 7 * 86_400
    floor: int = 64 << 10


class StoreSettings(NamedTuple):
    """The store as a whole, and when segments are closed; sizes in bytes, times in s."""

    cap: int = UNLIMITED
    segment: int = 64 << 20
    segment_age: int = 86_400
    idle: int = 3_600
    heads: int = 300


class TierSettings(NamedTuple):
    """When sealed text is compressed, s after its seal, and how hard."""

    lz4_after: int = 3_600
    lz4_level: int = 3
    xz_after: int = 86_400
    xz_level: int = 3


class Settings(NamedTuple):
    """All of it."""

    connections: int = 120  # qrexec lets 128 calls into a VM
    reserve: int = 256 << 20
    store: StoreSettings = StoreSettings()
    tiers: TierSettings = TierSettings()
    each_vm: VmSettings = VmSettings()
    disposables: VmSettings = VmSettings(quota=1 << 30)
    vms: dict[str, VmSettings] = {}  # noqa: RUF012 (never changed)
    fingerprint: str | None = None  # of the store, 64 hex
    restored: int = 0  # how often it was brought back from a backup
    digest: bytes = bytes(32)  # SHA-256 of the file that says all this; zeros where there is none
    witness: Vkey | None = None  # who is asked to cosign the ledger's checkpoint
    witness_command: tuple[str, ...] = ("qrexec-client-vm", "@default", "logchain.Witness")  # how
    dispvm: str | None = None  # the disposable template in which things are looked at; None: that of the LogVM

    @property
    def longest_kept(self) -> int:
        """The longest that segments of any VM are kept at least."""
        return max(vm.keep_at_least for vm in (self.each_vm, self.disposables, *self.vms.values()))

    def of(self, vm: str) -> VmSettings:
        """Return what a VM may have."""
        return self.vms.get(vm) or (self.disposables if _DISPOSABLE.match(vm) else self.each_vm)

    def budget(self, vm: str) -> str:
        """Return the name under which a VM's room is counted: its own, or the one that all disposables share."""
        return "disp*" if _DISPOSABLE.match(vm) and vm not in self.vms else vm


DEFAULT_SETTINGS = Settings()


def parse_settings(text: str) -> Settings:
    """Return the settings; what is not given stays as it is by default. Raises UsageError."""
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, and what it lets through
        raise UsageError(f"not TOML: {error}") from error
    page = _Page(text)
    collector = page.table(tables, "collector", {"connections": _count, "reserve": _size})
    store = StoreSettings()._replace(**page.table(tables, "store", _OF_STORE))
    tiers = TierSettings()._replace(**page.table(tables, "tiers", _OF_TIERS))
    each_vm = VmSettings()._replace(**page.table(tables, "each-vm", _OF_VM))
    disposables = each_vm._replace(quota=DEFAULT_SETTINGS.disposables.quota)
    disposables = disposables._replace(**page.table(tables, "disposables", _OF_VM))
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
    verify = page.table(tables, "verify", {"fingerprint": _fingerprint, "restored": _times})
    witness = page.table(tables, "witness", {"key": _witness, "command": _command})
    witness = {"witness" if name == "key" else f"witness_{name}": value for name, value in witness.items()}
    opened = page.table(tables, "open", {"dispvm": _vm})
    if tables:
        raise page.error("", next(iter(tables)), "is no setting")
    return Settings(
        **collector,
        store=store,
        tiers=tiers,
        each_vm=each_vm,
        disposables=disposables,
        vms=known,
        **verify,
        **witness,
        **opened,
    )


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


def _span(value: object) -> int:
    match = _SPAN.match(value) if isinstance(value, str) else None
    if not match or not int(match[1]):
        raise ValueError('has to be a time, like "5 min" (s, min, hours, days)')
    return int(match[1]) * _SPANS[match[2]]


def _level(value: object) -> int:
    if type(value) is not int or not 0 <= value <= 9:
        raise ValueError("has to be a level from 0 to 9")
    return value


def _segment(value: object) -> int:
    size = _size(value)
    if not 1 << 20 <= size <= 128 << 20:  # MAX_SEGMENT_BYTES is for what a burst adds
        raise ValueError('has to be a size from "1 MiB" to "128 MiB"')
    return size


def _times(value: object) -> int:
    return value if value == 0 and type(value) is int else _count(value)


def _vm(value: object) -> str:
    try:
        return check_vm(value if isinstance(value, str) else "")
    except UsageError as error:
        raise ValueError("has to be the name of a qube") from error


def _witness(value: object) -> Vkey:
    try:
        return parse_vkey(value if isinstance(value, str) else "", COSIGNATURE)
    except FormatError as error:
        raise ValueError('has to be the key of a witness, as "logchain-witness status" shows it') from error


def _command(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(word, str) and word for word in value):
        raise ValueError('has to be a command, word by word, like ["qrexec-client-vm", "@default", "logchain.Witness"]')
    return tuple(value)


def _fingerprint(value: object) -> str:
    try:
        return parse_fingerprint(value if isinstance(value, str) else "")
    except UsageError as error:
        raise ValueError('has to be a fingerprint, as "logchain init" showed it') from error


def _or(word: str, of_value: Callable[[object], int]) -> Callable[[object], int]:
    """Return what takes a word for no limit at all, and values otherwise."""
    return lambda value: UNLIMITED if value == word else of_value(value)


_OF_STORE: dict[str, Callable[[object], int]] = {
    "cap": _or("unlimited", _size),
    "segment": _segment,
    "segment-age": _span,
    "idle": _span,
    "heads": _span,
}
_OF_TIERS: dict[str, Callable[[object], int]] = {
    "lz4-after": _or("never", _span),
    "lz4-level": _level,
    "xz-after": _or("never", _span),
    "xz-level": _level,
}
_OF_VM: dict[str, Callable[[object], int]] = {
    "connections": _count,
    "calls-per-minute": _count,
    "streams": _count,
    "births-per-day": _count,
    "rate": _rate,
    "burst": _size,
    "quota": _size,
    "keep-at-least": _span,
    "floor": _rate,
}


class _Page:
    """The text, to say on which line something stands."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()

    def table(
        self, tables: dict[str, Any], name: str, known: Mapping[str, Callable[[object], Any]], header: str = ""
    ) -> dict[str, Any]:
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
        name = key.rpartition(".")[2]
        for number, line in enumerate(self._lines, 1):  # in a table that stands in a line
            if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", line.split("#")[0]):
                return UsageError(f"line {number}: {key} {words}")
        return UsageError(f"{key.encode('unicode_escape').decode()} {words}")

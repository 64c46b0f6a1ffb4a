"""A store with a week of five qubes, as pictures and tests of the window want it: silences, drops, damage."""

import random
from pathlib import Path

from logchain.compress.catalog import Catalog
from logchain.format.record import LINE
from logchain.store.creation import create_store, new_secrets
from logchain.store.layout import open_store
from logchain.store.stream import StreamWriter
from tests.read.archived import Archive

__all__ = ["make_week"]

_QUBES = (  # name, stream, lines an hour at day, hours of a session, from which hour on
    ("work", "journal", 220, 9, 8),
    ("personal", "journal", 90, 5, 17),
    ("sys-net", "journal", 120, 24, 0),
    ("dom0", "journal", 60, 24, 0),
    ("vault", "journal", 8, 2, 10),
    ("disp4711", "journal", 70, 1, 13),
    ("work", "web", 340, 8, 9),
)
_HOUR = 3_600_000_000
_DAYS = 7
_TEXT = b"<30>1 2026-11-23T10:15:00.123456+00:00 host systemd 1 - - Started session %d of user user (%d)."


def make_week(path: Path, now: int) -> Archive:
    """Make the store; its newest record is of `now`, µs since 1970."""
    audit, seed = new_secrets()
    archive = Archive(path, audit)
    chance = random.Random(7)
    begin = now - _DAYS * 24 * _HOUR
    _set(archive, begin, begin)
    create_store(path, seed, archive.clock)
    for day in range(_DAYS):
        for vm, stream, lines, hours, start in _QUBES:
            if (vm, day) in (("personal", 2), ("disp4711", 1), ("disp4711", 5)):
                continue  # a day without it
            _log(archive, chance, vm, stream, lines, begin + (24 * day + start) * _HOUR, hours)
        _set(archive, begin, begin + (24 * day + 24) * _HOUR)
        for vm, stream in sorted({(vm, stream) for vm, stream, *_ in _QUBES}):
            if (archive.path / "live" / vm / stream).exists():
                if day < _DAYS - 1:
                    archive.roll(vm, stream)
                archive.seal(vm, stream, 32 << 10, tier=".lz4" if day < 4 else "")
    archive.evict(1, 2, vm="work", stream="web")
    archive.list_heads()
    with open_store(path) as store:
        catalog = Catalog(store)
        catalog.refresh()
        for _ in catalog.condense():
            pass
        catalog.tell(round=now)
        catalog.close()
    return archive


def _set(archive: Archive, begin: int, now: int) -> None:
    """Set both clocks."""
    archive.clock.now, archive.clock.up = now, now - begin + _HOUR


def _log(archive: Archive, chance: random.Random, vm: str, stream: str, lines: int, start: int, hours: int) -> None:
    clock = archive.clock
    clock.now = start
    writer: StreamWriter = archive.open(vm, stream)
    writer.start_session(chance.randbytes(8), "logchain.Append")
    for hour in range(hours):
        for part in range(4):
            clock.now = start + hour * _HOUR + part * _HOUR // 4 + chance.randrange(_HOUR // 8)
            wave = lines * (0.4 + chance.random()) / 4
            writer.append(LINE, [_TEXT % (hour, place) for place in range(int(wave) + 1)], clock.now)
            writer.commit()
    writer.end_session("eof", b"", 0)
    writer.close()

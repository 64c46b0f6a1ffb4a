"""What is fuzzed and is only read from a file: each input is written to one first, in a directory of its own."""

import json
import os
import sqlite3
import tempfile
import zlib
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from log_exporter import status
from log_exporter.state import State
from logchain.format.catalog import CATALOG_VERSION, SCHEMA, parse_row
from logchain.format.errors import FormatError
from logchain.format.manifest import Block, Manifest
from logchain.gui.answers import as_time, event_sign, objects
from logchain.gui.checks import Checks
from logchain.gui.states import as_log
from logchain.read.accepted import Accepted, read_accepted, write_accepted
from logchain.read.catalog import open_activity, read_catalog
from logchain.read.sealed import open_tier
from logchain.store.layout import CATALOG, open_directory, sealed_name
from logchain.store.tiers import compress, read_blocks
from logchain_witness.note import LOG, Key
from logchain_witness.state import Log
from logchain_witness.state import State as Witness

__all__ = [
    "accepted",
    "accepted_seeds",
    "answers",
    "catalog",
    "catalog_row",
    "catalog_row_seeds",
    "catalog_seeds",
    "checks",
    "exporter_state",
    "exporter_status",
    "exporter_status_seeds",
    "sealed",
    "sealed_seeds",
    "witness_log",
    "witness_log_seeds",
]

_STORE = bytes(range(16))
_KEY = bytes.fromhex("29acbae141bccaf0b22e1a94d34d0bc7361e526d0bfe12c89794bc9322966dd7")
_TEXTS = (b"2026-11-23T03:45:01.123456Z - a line\n" * 40, b"2026-11-23T03:45:02.000000Z - x\n")
_ROW = ("work", "main", 1, ".lz4", 8192, 41, 1, 1536, 1_795_405_501_123_456, 1_795_405_502_000_000, 86_400, 5)


def accepted(data: bytes) -> None:
    """Read what a `verify` found good: what is accepted is written as the same bytes."""
    with tempfile.TemporaryDirectory() as directory:
        os.environ["XDG_STATE_HOME"] = directory
        path = Path(directory, "logchain", f"{_STORE.hex()}.accepted")
        path.parent.mkdir()
        path.write_bytes(data)
        found = read_accepted(_STORE)
        assert found
        found.manifest(bytes(32), 1)
        write_accepted(_STORE, found)
        assert path.read_bytes() == data, "it is accepted, and is not canonical"


def accepted_seeds() -> list[bytes]:
    """Return one that has two segments."""
    with tempfile.TemporaryDirectory() as directory:
        os.environ["XDG_STATE_HOME"] = directory
        write_accepted(_STORE, Accepted.of(17, bytes(32), [(bytes(32), number, bytes(32)) for number in (1, 2)]))
        return [Path(directory, "logchain", f"{_STORE.hex()}.accepted").read_bytes()]


def catalog(data: bytes) -> None:
    """Read a catalog: whatever the file is, nothing is raised."""
    with tempfile.TemporaryDirectory() as place, open_directory(place) as directory:
        Path(place, CATALOG).write_bytes(data)
        missing = read_catalog(directory).missing
        with open_activity(directory) as activity:
            activity.of("work", "main", 1, directory)
        if missing:
            raise FormatError(missing)


def catalog_seeds() -> list[bytes]:
    """Return a catalog of one segment, in pages as small as can be."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        database.execute("PRAGMA page_size = 512")
        for table in SCHEMA:
            database.execute(table)
        database.execute(f"PRAGMA user_version = {CATALOG_VERSION}")
        database.execute("INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _ROW)
        database.execute("INSERT INTO streams VALUES ('work', 'main', 7)")
        database.execute("INSERT INTO activity VALUES ('work', 'main', 1, '1 segment')")
        database.execute("INSERT INTO state VALUES ('entries', 12)")
        return [database.serialize()]


def catalog_row(data: bytes) -> None:
    """Check a row whose values are of any of SQLite's types."""
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError("not JSON") from error
    parse_row(values if isinstance(values, list) else [values])


def catalog_row_seeds() -> list[bytes]:
    """Return one that is good."""
    return [json.dumps(_ROW).encode()]


def _manifest() -> Manifest:
    offset, blocks = 0, []
    for text in _TEXTS:
        blocks.append(Block(offset, len(text), text.count(b"\n"), 1_795_405_501_123_456, sha256(text).digest()))
        offset += len(text)
    return Manifest(
        _STORE, bytes(32), 1, 1, 41, 1, blocks[0].time, blocks[-1].time, 5, offset, bytes(32), bytes(32), tuple(blocks)
    )


def sealed(tier: str, data: bytes) -> None:
    """Read sealed text as readers do, and as the compressor: what is given out is the text, nothing else."""
    manifest, name = _manifest(), sealed_name(1, tier)
    with tempfile.TemporaryDirectory() as place, open_directory(place) as directory:
        Path(place, name).write_bytes(data)
        with open_tier(directory, manifest, tier) as text:
            if not text.is_unreadable:
                for place_in, expected in enumerate(_TEXTS):
                    try:
                        assert text.block(place_in) == expected
                    except FormatError:
                        continue
        fd = directory.file(name)
        try:
            assert tuple(read_blocks(fd, tier, manifest)) == _TEXTS
        finally:
            os.close(fd)


def sealed_seeds(tier: str) -> list[bytes]:
    """Return the text as the compressor stores it."""
    return [b"".join(compress(text, tier, 6) for text in _TEXTS)]


def answers(data: bytes) -> None:
    """Read what a command of ours printed for the window."""
    for told in objects(data.split(b"\n")):
        for value in told.values():
            as_time(value)
            event_sign(value)


def checks(data: bytes) -> None:
    """Read what the window kept of the last checks: whatever the file is, nothing is raised."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        assert isinstance(Checks(Path(file.name)).of(as_log({"vm": "work", "stream": "main", "id": "00"}, (), 0)), str)


def exporter_state(data: bytes) -> None:
    """Read the exporter's cursor file; the checksums are put before the lines here, for no fuzzer guesses one."""
    with tempfile.TemporaryDirectory() as place:
        lines = [b"%08x %b\n" % (zlib.crc32(line), line) for line in data.split(b"\n")]
        Path(place, "main.cursor").write_bytes(b"".join(lines))
        state = State(place, "main")
        try:
            state.load()
        except ValueError as error:
            raise FormatError(str(error)) from error
        finally:
            state.close()


def exporter_status(data: bytes) -> None:
    """Read the exporter's status file."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        status.load(file.name)


def exporter_status_seeds() -> list[bytes]:
    """Return that of an exporter that runs now: this process."""
    with tempfile.NamedTemporaryFile() as file:
        status.write(file.name, [])
        return [Path(file.name).read_bytes()]


def witness_log(data: bytes) -> None:
    """Read what a witness keeps of a log: what is accepted is written as the same bytes."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "logs", "0" * 64)
        path.parent.mkdir()
        path.write_bytes(data)
        witness = Witness(place)
        (log,) = witness.logs()
        path.unlink()
        witness.keep(log)
        (written,) = path.parent.iterdir()
        assert written.read_bytes() == data, "it is accepted, and is not canonical"


def witness_log_seeds() -> list[bytes]:
    """Return a log that was pinned, and from which nothing came yet."""
    with tempfile.TemporaryDirectory() as place:
        Path(place, "logs").mkdir()
        log = Log(Key("sys-log/log", _KEY, LOG), "sys-log", False, [], b"")
        log.happened("pinned")
        Witness(place).keep(log)
        return [path.read_bytes() for path in Path(place, "logs").iterdir()]

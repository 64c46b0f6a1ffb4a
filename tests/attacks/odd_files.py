"""Files that are none, or more than they seem: sockets, doubles, holes, modes, names, bombs, and the catalog."""

import lzma
import os
import shutil
import socket
import sqlite3
from functools import partial
from pathlib import Path

import lz4.frame

from tests.attacks.attack import found, good
from tests.attacks.vault import Watched

__all__ = ["ODD_FILES"]

HUGE = 1 << 38  # bytes of nothing, that take no room on the disk
PLACES = {
    "a sealed text's": "sealed/work/main/00000001.log",
    "a manifest's": "sealed/work/main/00000001.manifest",
    "an open segment's": "live/work/main/00000004.log",
    "a tags file's": "live/work/main/00000004.tags",
    "a key state's": "live/work/main/ratchet",
    "an id's": "live/work/main/id",
    "`births`'": "births",
    "the ledger's": "ledger/entries",
    "`keys/ledger`'s": "keys/ledger",
}


def odd(store: Watched, name: str, what: str) -> None:
    """Have a socket, a FIFO, a directory, or a link to the very bytes in a file's place."""
    path = store.path / name
    if what == "link":
        path.rename(store.path.parent / "elsewhere")
        path.symlink_to(store.path.parent / "elsewhere")
        return
    path.unlink()
    if what == "FIFO":
        os.mkfifo(path)
    elif what == "directory":
        path.mkdir()
    else:
        here = os.open(path.parent, os.O_DIRECTORY)
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(f"/proc/self/fd/{here}/{path.name}")  # the path itself may be too long
        os.close(here)


def grown(path: Path) -> None:
    """Have a file end far behind its end, in a hole."""
    path.chmod(0o600)
    os.truncate(path, HUGE)


def long(store: Watched, name: str) -> None:
    """Have a file of the store end far behind its end."""
    grown(store.path / name)


def closed_and_grown(store: Watched, ending: str) -> None:
    """Close a segment, and have one of its files end far behind its end."""
    store.roll()
    grown(store.directory() / f"00000004.{ending}")


def a_file(store: Watched, name: str) -> None:
    """Have a file in a directory's place."""
    shutil.rmtree(store.path / name)
    (store.path / name).touch()


def linked(store: Watched, one: str, two: str) -> None:
    """Have a file under a second name, in the place of what was there."""
    (store.path / two).unlink(missing_ok=True)
    os.link(store.path / one, store.path / two)


def linked_out(store: Watched) -> None:
    """Have all files under a second name outside of the store, as a backup by hard links has."""
    for path in [path for path in store.path.rglob("*") if path.is_file()]:
        os.link(path, store.path.parent / f"backup-{path.relative_to(store.path).as_posix().replace('/', '-')}")


def modes(store: Watched) -> None:
    """Have other modes on all files: who may read them still reads the same."""
    for path in store.path.rglob("*"):
        path.chmod(0o1777 if path.is_dir() else 0o6755)


def touched(store: Watched) -> None:
    """Have other times on all files, as an unpacked archive has."""
    for path in store.path.rglob("*"):
        os.utime(path, (0, 1))


def bombed(store: Watched, number: int, data: bytes) -> None:
    """Have compressed text that unpacks to much more than it should."""
    path = store.text(number)
    path.unlink()
    path.write_bytes(data)


def named(store: Watched) -> None:
    """Put files and directories beside ours whose names are none of ours."""
    for place in ("live", "live/work", "live/work/main", "sealed", "sealed/work/main", "ledger", "ledger/heads"):
        for name in (b"\xff\xfe", b"a\nb", b"\x1b[31m", b"-rf", b"00000001.log.gz", b"1.log", b"0000001.log", b"..."):
            (store.path / place / os.fsdecode(name)).write_bytes(b"x")
    (store.path / "live/work/ no name").mkdir()
    (store.path / "live" / ("x" * 40)).mkdir()


def catalog(store: Watched, data: bytes) -> None:
    """Put something in the catalog's place."""
    (store.path / "catalog.sqlite").write_bytes(data)


def forged_catalog(store: Watched) -> None:
    """Have a catalog that says that nothing was ever logged."""
    with sqlite3.connect(store.path / "catalog.sqlite") as database:
        database.execute("CREATE TABLE segments (vm, stream, number)")
    database.close()


ODD_FILES = [
    *found(
        "disk",
        {
            **{
                f"put a socket in {whose} place": partial(odd, name=name, what="socket")
                for whose, name in PLACES.items()
            },
            "put a FIFO in a sealed text's place": partial(odd, name="sealed/work/main/00000001.log", what="FIFO"),
            "put a FIFO in a key state's place": partial(odd, name="live/work/main/ratchet", what="FIFO"),
            "put a link in a key state's place": partial(odd, name="live/work/main/ratchet", what="link"),
            "put a link in `births`' place": partial(odd, name="births", what="link"),
            "put a directory in an open segment's place": partial(
                odd, name="live/work/main/00000004.log", what="directory"
            ),
            "put a directory in the checkpoint's place": partial(odd, name="ledger/checkpoint", what="directory"),
            **{
                f"have a hole of 256 GiB behind {whose} end": partial(long, name=name)
                for whose, name in PLACES.items()
                if not name.startswith("live/work/main/0")
            },
            "have a hole of 256 GiB behind a closed segment's end": partial(closed_and_grown, ending="log"),
            "have a hole of 256 GiB behind a closed segment's tags": partial(closed_and_grown, ending="tags"),
            "have a hole of 256 GiB behind the checkpoint": lambda s: grown(s.path / "ledger/checkpoint"),
            "have a hole of 256 GiB behind a list of heads": lambda s: grown(s.lists()[-1]),
            "have a hole of 256 GiB behind sealed LZ4": lambda s: grown(s.text(2)),
            "have a hole of 256 GiB behind sealed xz": lambda s: grown(s.text(3)),
            "put a bomb in the place of sealed LZ4": lambda s: bombed(
                s, 2, lz4.frame.compress(bytes(16 << 20), block_linked=False, content_checksum=True)
            ),
            "put a bomb in the place of sealed xz": lambda s: bombed(
                s, 3, lzma.compress(bytes(16 << 20), check=lzma.CHECK_CRC64, preset=0)
            ),
            "put many small frames in the place of sealed LZ4": lambda s: bombed(
                s, 2, lz4.frame.compress(b"x" * 99, content_checksum=True) * 9_999
            ),
            "link a sealed text to another number": partial(
                linked, one="sealed/work/main/00000001.log", two="sealed/work/main/00000009.log"
            ),
            "link a sealed text to another stream's": partial(
                linked, one="sealed/work/main/00000001.log", two="sealed/vault/main/00000003.log"
            ),
            "link a key state to another stream's": partial(
                linked, one="live/work/main/ratchet", two="live/vault/main/ratchet"
            ),
            "link an open segment's text to its tags": partial(
                linked, one="live/work/main/00000004.log", two="live/work/main/00000004.tags"
            ),
            "put a file in the place of `sealed/`": partial(a_file, name="sealed"),
            "put a file in a stream's place": partial(a_file, name="live/work/main"),
        },
    ),
    *good(
        "disk",
        {
            "have a hole of 256 GiB behind an open segment's end (told, and not counted)": lambda s: grown(
                s.directory() / "00000004.log"
            ),
            "put junk in the catalog's place": partial(catalog, data=b"\xff" * 9_999),
            "put a catalog that knows of nothing": forged_catalog,
            "put a FIFO in the catalog's place": lambda s: os.mkfifo(s.path / "catalog.sqlite"),
        },
    ),
    *good(
        "luck",
        {
            "a backup by hard links": linked_out,
            "other modes on all files": modes,
            "other times on all files": touched,
            "names that are none of ours": named,
        },
    ),
]

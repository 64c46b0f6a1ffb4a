"""What a disk may hold after the power went: every order in which what was not synced can have reached it.

The rules: a sync makes durable what its file holds, or what its directory names. Of the rest, each sector (512 bytes,
or a page of 4,096) of a file is as it was after any of its writes, or before the first. The size is any that the file
had. What lies below the size and was never written reads as zeros (a file system that shows what was deleted there
before, as ext4 with `data=writeback`, is none to keep evidence on). Names: as many of the calls as came before one of
them, which is what a journal does; or any of them and not the others. A rename within a directory is whole or not. A
sync that failed has made nothing durable, and what it was for can be lost for ever: no later sync of the same file
brings it back. Modes are always kept.
"""

import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.faults.recorded import Cut, File, Folder, Named, Recorder, Step, Sync, Write

__all__ = ["SECTOR", "WAYS", "Disk", "Loss"]

SECTOR, PAGE = 512, 4096


class Loss(NamedTuple):
    """What of that which was not synced is lost: of the data, and of the names."""

    data: str  # "none", "all", "zeros" (only sizes are kept), "sectors", "pages" (of each, any of its states)
    names: str  # "none", "all", "later" (from one on), "some"


WAYS = (
    *(Loss("all", "all"), Loss("none", "none"), Loss("zeros", "none"), Loss("none", "all"), Loss("all", "none")),
    *(Loss(data, names) for data in ("sectors", "pages") for names in ("none", "later", "some")),
)


class _Content:
    """A file's bytes, and what each sector, and the size, may be instead on the disk: (step, value), oldest first."""

    def __init__(self, content: bytes) -> None:
        self.now = bytearray(content)
        self.sectors: dict[int, list[tuple[int, bytes]]] = {}
        self.sizes = [(-1, len(content))]
        self.doubtful: dict[int, list[tuple[int, bytes]]] = {}  # sectors of which a sync failed

    def _touch(self, first: int, last: int) -> None:
        """Remember what sectors hold before something is written to them."""
        for sector in range(first, last + 1):
            if sector not in self.sectors:
                self.sectors[sector] = [(-1, self._sector(sector))]

    def _sector(self, sector: int) -> bytes:
        return bytes(self.now[sector * SECTOR : (sector + 1) * SECTOR]).ljust(SECTOR, b"\0")

    def write(self, step: int, offset: int, data: bytes) -> None:
        if not data:
            return
        first, last = offset // SECTOR, (offset + len(data) - 1) // SECTOR
        self._touch(first, last)
        if len(self.now) < offset + len(data):
            self.now.extend(bytes(offset + len(data) - len(self.now)))
            self.sizes.append((step, len(self.now)))
        self.now[offset : offset + len(data)] = data
        for sector in range(first, last + 1):
            self.sectors[sector].append((step, self._sector(sector)))

    def cut(self, step: int, size: int) -> None:
        first, last = size // SECTOR, max(len(self.now) - 1, 0) // SECTOR
        self._touch(first, last)
        del self.now[size:]
        self.now.extend(bytes(size - len(self.now)))
        self.sizes.append((step, size))
        for sector in range(first, last + 1):
            self.sectors[sector].append((step, self._sector(sector)))

    def sync(self, *, failed: bool) -> None:
        if failed:
            for sector, versions in self.sectors.items():
                self.doubtful.setdefault(sector, []).extend(versions)
        else:
            for sector in self.sectors:
                self.doubtful.pop(sector, None)
            self.sizes = self.sizes[-1:]
        self.sectors = {}

    def drawn(self, how: str, chance: random.Random) -> bytes:
        """Return what the disk has of it."""
        if how == "none" or not (self.sectors or self.doubtful or len(self.sizes) > 1):
            return bytes(self.now)
        unit = PAGE // SECTOR if how == "pages" else 1
        size = {"all": self.sizes[0], "zeros": self.sizes[-1]}.get(how) or chance.choice(self.sizes)
        content = self.now.copy()
        content.extend(bytes(max(0, size[1] - len(content))))
        open_sectors = self.sectors.keys() | self.doubtful.keys()
        for group in sorted({sector // unit for sector in open_sectors}):
            members = [sector for sector in range(group * unit, (group + 1) * unit) if sector in open_sectors]
            versions = {each: [*self.doubtful.get(each, ()), *self.sectors.get(each, ())] for each in members}
            times = sorted({step for found in versions.values() for step, _ in found})
            until = times[0] if how in ("all", "zeros") else chance.choice(times)
            for sector, found in versions.items():
                data = [data for step, data in found if step <= until][-1:] or [found[0][1]]
                content[sector * SECTOR : (sector + 1) * SECTOR] = data[0]
        content.extend(bytes(max(0, size[1] - len(content))))
        return bytes(content[: size[1]])


class Disk:
    """The disk beneath a recording, step by step."""

    def __init__(self, recorder: Recorder) -> None:
        self._root = recorder.root
        self._names: dict[Folder, dict[str, File | Folder]] = {}
        self._contents: dict[File, _Content] = {}
        self._pending: list[list[tuple[Folder, str, File | Folder | None]]] = []
        self._number = 0
        self._known(self._root)

    def _known(self, node: File | Folder) -> None:
        """Begin to know of a file or directory."""
        if isinstance(node, File):
            self._contents.setdefault(node, _Content(node.content))
        elif node not in self._names:
            self._names[node] = dict(node.entries)
            for inner in node.entries.values():
                self._known(inner)

    def apply(self, step: Step) -> None:
        """Take in what happened next."""
        self._number += 1
        match step:
            case Write():
                self._contents[step.file].write(self._number, step.offset, step.data)
            case Cut():
                self._contents[step.file].cut(self._number, step.size)
            case Named():
                for _, _, node in step.changes:
                    if node:
                        self._known(node)
                self._pending.append(list(step.changes))
            case Sync():
                self._sync(step.node, failed=bool(step.error))

    def _sync(self, node: File | Folder, *, failed: bool) -> None:
        if isinstance(node, File):
            self._contents[node].sync(failed=failed)
        elif not failed:
            for changes in self._pending:
                _apply(self._names, [change for change in changes if change[0] is node])
                changes[:] = [change for change in changes if change[0] is not node]
            self._pending = [changes for changes in self._pending if changes]

    def lose_power(self, loss: Loss, chance: random.Random, path: Path) -> None:
        """Make a directory as the disk may be found."""
        names = {folder: dict(entries) for folder, entries in self._names.items()}
        for changes in self._kept(loss.names, chance):
            _apply(names, changes)
        self._make(self._root, path, names, loss.data, chance)

    def _kept(self, how: str, chance: random.Random) -> Iterator[Sequence[tuple[Folder, str, File | Folder | None]]]:
        if how == "none":
            yield from self._pending
        elif how == "later":
            yield from self._pending[: chance.randrange(len(self._pending) + 1)]
        elif how == "some":
            yield from (changes for changes in self._pending if chance.random() < 0.5)

    def _make(
        self,
        folder: Folder,
        path: Path,
        names: dict[Folder, dict[str, File | Folder]],
        how: str,
        chance: random.Random,
    ) -> None:
        path.mkdir()
        for name, node in sorted(names[folder].items()):
            if isinstance(node, Folder):
                self._make(node, path / name, names, how, chance)
                continue
            fd = os.open(path / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, node.mode)
            os.write(fd, self._contents[node].drawn(how, chance))
            os.fchmod(fd, node.mode)
            os.close(fd)
        path.chmod(folder.mode)


def _apply(
    names: dict[Folder, dict[str, File | Folder]], changes: Sequence[tuple[Folder, str, File | Folder | None]]
) -> None:
    for folder, name, node in changes:
        if node:
            names[folder][name] = node
        else:
            names[folder].pop(name, None)

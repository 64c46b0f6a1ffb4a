"""Which names a pattern finds: as in a shell, but a wildcard follows no link."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import translate


def has_wildcard(part: str) -> bool:
    """Whether it is more than a name."""
    return re.search(r"[*?[]", part) is not None


def find(pattern: str) -> Iterator[str]:
    """Yield the paths that an absolute pattern finds, in no order.

    `**` is any number of directories. Names that begin with a dot are found only by a dot. A link to a directory that
    a wildcard finds is not gone into, but yielded itself, so that it can be told of; one that the pattern names is the
    user's own word.
    """
    todo = [("/", [part for part in os.path.abspath(pattern).split("/") if part])]
    while todo:
        directory, parts = todo.pop()
        part, rest = parts[0], parts[1:]
        if not has_wildcard(part):
            path = os.path.join(directory, part)
            if rest:
                todo.append((path, rest))
            elif os.path.lexists(path):
                yield path
            continue
        if part == "**":
            todo.append((directory, rest or ["*"]))  # no directory at all; and any, from each of which it goes on
            part, rest = "*", parts
        matches = re.compile(translate(part)).match
        with suppress(OSError), os.scandir(directory) as entries:
            for entry in entries:
                if not matches(entry.name) or (entry.name.startswith(".") and not part.startswith(".")):
                    continue
                if not rest:
                    yield entry.path
                elif entry.is_dir(follow_symlinks=False):
                    todo.append((entry.path, rest))
                elif entry.is_symlink() and os.path.isdir(entry.path):
                    yield entry.path

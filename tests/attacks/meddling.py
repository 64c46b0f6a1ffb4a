"""Something happens before a chosen system call of whoever looks at a store: a race that repeats."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

__all__ = ["Meddler", "meddling"]

CALLS = ("open", "pread", "stat", "listdir")


def path_of(fd: int) -> str:
    """Return the path of what is open."""
    return os.readlink(f"/proc/self/fd/{fd}")


class Meddler:
    """Counts the system calls of a verify, and does something before some of them."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.plan: dict[int, Callable[[], object]] = {}
        self.names: list[str] = []  # what each call was about
        self.most = 1 << 60
        self._at_work = False
        for call in CALLS:
            patch.setattr(os, call, self._counted(getattr(os, call)))

    def _counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if self._at_work:
                return real(*arguments, **options)
            about = arguments[0]
            if isinstance(about, int):  # a descriptor: of which file?
                about = path_of(about)
            elif "dir_fd" in options:
                about = f"{path_of(options['dir_fd'])}/{about}"
            self.names.append(str(about))
            assert len(self.names) < self.most, "it does not end"
            self._at_work = True
            try:
                self.plan.get(len(self.names) - 1, lambda: None)()
            finally:
                self._at_work = False
            return real(*arguments, **options)

        return call


@contextmanager
def meddling() -> Iterator[Meddler]:
    """Have the calls of this process counted."""
    with pytest.MonkeyPatch.context() as patch:
        yield Meddler(patch)

"""Every call of the compressor may fail: it is told once, nothing is lost, and the next round does the rest."""

import errno
import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from logchain.format.errors import FormatError, Full, StoreError
from tests.conftest import Store
from tests.store.test_compressor_crashes import SHARDS, Round, begun, check_after, copy_of

__all__ = ["begun"]

CALLS = ("pwrite", "fdatasync", "ftruncate", "open", "rename", "mkdir", "unlink", "rmdir", "pread")


class Faults:
    """Lets one call fail, by its number, or all from there on for a while."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int, error: int, count: int) -> None:
        self._at, self._error, self._count = at, error, count
        self.calls = 0
        for name in CALLS:
            monkeypatch.setattr(os, name, self._wrapped(name, getattr(os, name)))

    @property
    def happened(self) -> bool:
        """Whether there were so many calls."""
        return self.calls >= self._at

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        room = name in ("pwrite", "open", "mkdir", "rename")  # what may find none

        def call(*arguments: Any, **options: Any) -> Any:
            creates = name != "open" or arguments[1] & os.O_CREAT
            if creates and (room or self._error != errno.ENOSPC):
                self.calls += 1
                if self._at <= self.calls < self._at + self._count:
                    raise OSError(self._error, os.strerror(self._error))
            return None if name == "fdatasync" else real(*arguments, **options)

        return call


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize(("error", "count"), [(errno.EIO, 1), (errno.ENOSPC, 1), (errno.ENOSPC, 20)])
def test_every_call_may_fail(
    begun: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int, count: int, shard: int
) -> None:
    """With the disk's refusal, or for want of room, once or for a while; every second call is tried."""
    failures = 0
    for at in itertools.count(1 + shard, 2 * SHARDS):
        store = copy_of(begun, tmp_path / f"{at}")
        with monkeypatch.context() as patch:
            faults = Faults(patch, at, error, count)
            try:
                Round(store)(lambda _: None)
            except Full:
                failures += 1
            except (StoreError, FormatError):
                failures += 1
                if error == errno.ENOSPC:
                    raise
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", lambda _: None)
            check_after(store, [], f"call {at}")
        shutil.rmtree(store.path)
        if not faults.happened:
            break
    assert failures > 5

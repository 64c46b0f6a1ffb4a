"""A line on a terminal that tells how far a long piece of work is."""

import sys
from types import TracebackType
from typing import Self

import click

__all__ = ["Progress"]


class Progress:
    """A line on a terminal's standard error that tells how far we are; nothing elsewhere."""

    def __init__(self, doing: str, total: int) -> None:
        self._doing, self._total, self._done, self._shown = doing, total or 1, 0, -1
        self._visible = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._visible:
            click.echo("\r\x1b[K", err=True, nl=False)

    def add(self, count: int) -> None:
        """Note that so many more bytes were read."""
        self._done += count
        percent = min(100, 100 * self._done // self._total)
        if self._visible and percent > self._shown:
            self._shown = percent
            click.echo(f"\r{self._doing}: {percent} %", err=True, nl=False)

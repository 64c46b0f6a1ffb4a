"""Tells how far a long piece of work is: a line on a terminal, or what a front end makes of it."""

import sys
from types import TracebackType
from typing import Self

import click

from logchain.cli.frontend import is_frontend, tell

__all__ = ["Progress"]


class Progress:
    """A line on a terminal's standard error that tells how far we are, a front end is told; nothing elsewhere."""

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
        if percent <= self._shown:
            return
        self._shown = percent
        if is_frontend():
            tell(progress=percent, doing=self._doing)
        elif self._visible:
            click.echo(f"\r{self._doing}: {percent} %", err=True, nl=False)

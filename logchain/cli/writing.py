"""What commands that write to the store share: as its owner, when the compressor lets them, and not without asking."""

import os
import pwd
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import click

from logchain.cli.frontend import ask, is_frontend
from logchain.compress.catalog import Catalog
from logchain.format.errors import Busy, LogchainError, UsageError
from logchain.store.archive import finish_removals
from logchain.store.clock import Clock, SystemClock
from logchain.store.layout import LEDGER, LOCK, Directory, open_store
from logchain.store.ledger import Ledger, open_ledger

__all__ = ["agree", "open_to_write", "refresh_catalog", "take_ledger", "yes_option"]

_PATIENCE = 30.0  # s for the compressor to end a step
_TELL = 2.0  # s until a person is told that we wait

yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


@contextmanager
def open_to_write(path: str) -> Iterator[Directory]:
    """Open a store, as the user that it belongs to where root asks: what root makes, the compressor cannot write.

    Root is root again when the store is let go.
    """
    with open_store(path) as store:
        try:
            owner = os.stat(LEDGER, dir_fd=store.fd, follow_symlinks=False)
        except FileNotFoundError as error:
            raise UsageError(f"{path} has no ledger; make a new store with 'logchain init'") from error
        os.umask(0o007)  # what is made in live/ is for the collectors too
        if os.geteuid() == 0 and owner.st_uid:
            with _as(owner):
                yield store
        else:
            yield store


@contextmanager
def _as(owner: os.stat_result) -> Iterator[None]:
    """Be another user for a while."""
    before = os.getgroups()
    groups = [owner.st_gid]
    with suppress(KeyError):
        user = pwd.getpwuid(owner.st_uid)
        groups = os.getgrouplist(user.pw_name, user.pw_gid)
    os.setgroups(groups)
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)


@contextmanager
def take_ledger(store: Directory, clock: Clock | None = None) -> Iterator[Ledger]:
    """Open the ledger, waiting for a compressor that has it; Busy, with who that is, if it does not let go."""
    with closing(_wait(store, clock or SystemClock())) as ledger:
        finish_removals(store, ledger)  # that a crash cut short
        yield ledger


def _wait(store: Directory, clock: Clock) -> Ledger:
    began, told = time.monotonic(), False
    while True:
        try:
            return open_ledger(store, clock)
        except Busy as error:
            waited = time.monotonic() - began
            if waited >= _PATIENCE:
                raise Busy(f"{store.path}/{LEDGER} is being written by {_holder(store)}; try again") from error
        if not told and waited >= _TELL:
            click.echo(f"waiting for {_holder(store)}, which writes the ledger", err=True)
            told = True
        time.sleep(0.1)


def _holder(store: Directory) -> str:
    """Return who holds the ledger's lock, as far as the kernel tells."""
    with suppress(OSError, LogchainError, ValueError), store.directory(LEDGER) as ledger:
        inode = os.stat(LOCK, dir_fd=ledger.fd).st_ino
        for line in Path("/proc/locks").read_text("ascii").splitlines():
            fields = line.split()  # 1: FLOCK ADVISORY WRITE <pid> <major>:<minor>:<inode> 0 EOF
            if fields[1] == "FLOCK" and fields[5].endswith(f":{inode}"):
                name = Path(f"/proc/{int(fields[4])}/comm").read_text("utf-8", "replace").strip()
                return f"{name} (process {fields[4]})"
    return "somebody else"


def refresh_catalog(store: Directory, forgotten: str = "") -> None:
    """Bring the catalog up to the files; `forgotten` is the name of a VM that is to leave no trace in it."""
    try:
        with closing(Catalog(store)) as catalog:
            if forgotten:
                catalog.forget(forgotten)
            else:
                catalog.refresh()
            if catalog.stored:
                return
            error = "the disk is full, or something else lies in its place"
    except (LogchainError, sqlite3.Error) as raised:
        error = str(raised)
    click.echo(f"warning: {store.path}/catalog.sqlite cannot be written ({error}); remove it", err=True)


def agree(question: str, *, yes: bool, word: str = "") -> None:
    """Ask before something is done; the answer is yes, or `word` where one is given. UsageError where it is not."""
    if yes:
        return
    if is_frontend():
        if ask(question, word or "yes") != (word or "yes"):
            raise UsageError("nothing was done")
        return
    if not sys.stdin.isatty():
        raise UsageError("this asks before it acts; where nobody is there to answer, give --yes. Nothing was done")
    if word:
        agreed = click.prompt(question, default="", show_default=False, err=True) == word
    else:
        agreed = click.confirm(question, err=True)
    if not agreed:
        raise UsageError("nothing was done")

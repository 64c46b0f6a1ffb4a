"""log-compressor: the daemon that seals, compresses and evicts."""

import argparse
import os
import select
import signal
import sys
import time
from contextlib import suppress

from logchain import __version__
from logchain.compress.notify import Notifier
from logchain.compress.place import Place, take_place
from logchain.compress.work import Compressor, Stopped
from logchain.format.errors import Busy, LogchainError, StoreError, UsageError
from logchain.format.settings import Settings
from logchain.store.clock import SystemClock
from logchain.store.configuration import read_settings
from logchain.store.layout import DEFAULT_CONFIG, DEFAULT_STORE, Directory, open_store

__all__ = ["main"]

_ROUND = 60.0  # s between two looks at what there is to do
_BREATH = 0.3  # s between two rounds when there is more to do: commands that wait for the ledger look every 0.1 s
_BUSY = 1.0  # s to wait for a command that has the ledger


def main() -> None:
    """Run log-compressor with the arguments of the command line."""
    parser = argparse.ArgumentParser(
        prog="log-compressor",
        description="Seal, sign and compress what the collectors have closed, and evict what is over its quota. "
        "SIGHUP: read the settings again, and look for work now.",
    )
    store = os.environ.get("LOGCHAIN_STORE", DEFAULT_STORE)
    parser.add_argument("--store", metavar="DIR", default=store, help=f"the store (LOGCHAIN_STORE; now: {store})")
    parser.add_argument("--config", metavar="FILE", help=f"settings (default: {DEFAULT_CONFIG}, if there)")
    parser.add_argument("--once", action="store_true", help="do what there is to do, and end")
    parser.add_argument("--version", action="version", version=f"log-compressor {__version__}")
    arguments = parser.parse_args()
    os.umask(0o007)  # what is made in live/ is for the collectors too; all else is made with a mode of its own
    try:
        with open_store(arguments.store) as directory, take_place(directory) as place:
            _Daemon(directory, place, arguments.config).run(once=arguments.once)
    except (LogchainError, OSError) as error:
        _log(3, _words(error))
        sys.exit(error.exit_code if isinstance(error, LogchainError) else StoreError.exit_code)


def _log(priority: int, message: str) -> None:
    print(f"<{priority}>log-compressor: {message}", file=sys.stderr, flush=True)  # noqa: T201 (its own log)


def _words(error: LogchainError | OSError) -> str:
    """Tell an error; one of the system comes of reading, as all that writes has errors of ours."""
    if isinstance(error, LogchainError):
        return str(error)
    return f"the disk refused to be read: {error.strerror}; look at dmesg in the LogVM"


class _Daemon:
    """Rounds, until a signal ends it."""

    def __init__(self, store: Directory, place: Place, config: str | None) -> None:
        self._place, self._config, self._notifier = place, config, Notifier()
        self._settings = read_settings(config)
        self._signals, wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wakeup)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        self._compressor = Compressor(store, SystemClock(), _log, self._turn)

    def run(self, *, once: bool) -> None:
        """Work in rounds; errors of the store end one round, and are told once. StoreError where it was replaced."""
        self._notifier.ready("starting")
        told = ""
        try:
            while True:
                pause, complaint = _ROUND, ""
                self._place.check()
                try:
                    if self._compressor.round(self._settings):
                        pause = _BREATH
                except Busy as error:
                    pause, complaint = _BUSY, str(error) if once else ""
                    if complaint != told:
                        _log(5, f"{complaint}; waiting")
                except (LogchainError, OSError) as error:
                    if once:
                        raise
                    complaint = _words(error)
                    if complaint != told:
                        _log(3, complaint)
                told = complaint
                if once and pause == _ROUND:
                    return
                self._wait(pause, complaint or "waiting for work")
        except Stopped:
            self._notifier.stopping()
        finally:
            self._compressor.close()

    def _turn(self, status: str) -> None:
        """Give a sign of life before a step, and end the round if a signal says so."""
        self._notifier.alive(status)
        self._hear(0.0)

    def _wait(self, seconds: float, status: str) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._notifier.alive(status)
            if self._hear(min(left, self._notifier.watchdog or left)):
                return

    def _hear(self, seconds: float) -> bool:
        """Wait for a signal; say whether it was the one to work at once. Raises Stopped for one that ends us."""
        heard = b""
        if select.select([self._signals], [], [], seconds)[0]:
            with suppress(BlockingIOError):
                heard = os.read(self._signals, 64)
        if set(heard) - {signal.SIGHUP}:
            raise Stopped
        if heard:
            self._settings = self._reread()
        return bool(heard)

    def _reread(self) -> Settings:
        try:
            return read_settings(self._config)
        except UsageError as error:
            _log(3, f"{error}; the settings stay as they are")
            return self._settings

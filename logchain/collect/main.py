"""log-collector: the command that qrexec starts, or an administrator for a trial."""

import argparse
import os
import signal
import sys
import syslog

from logchain import __version__
from logchain.collect.answers import Answers
from logchain.collect.session import Session
from logchain.format.errors import Busy, Full, LogchainError, UsageError
from logchain.format.names import DEFAULT_STREAM, check_stream, check_vm
from logchain.format.wire import BUSY, FULL, format_error
from logchain.store.clock import SystemClock
from logchain.store.layout import DEFAULT_STORE, open_store
from logchain.store.opening import open_stream

__all__ = ["main"]

_SERVICE = "logchain.Append"
_STOCK_STREAM = "qubes.Log"  # written by that service alone, in its own dialect


def main() -> None:
    """Run log-collector with the arguments of the command line."""
    parser = argparse.ArgumentParser(
        prog="log-collector",
        description="Store the lines of one sender, and acknowledge them when they are durable.",
        epilog="qrexec tells who sends in QREXEC_REMOTE_DOMAIN; for a trial without Qubes, set it by hand: "
        "QREXEC_REMOTE_DOMAIN=work log-collector --stdio journal --store DIR < FILE",
    )
    parser.add_argument(
        "--stdio", action="store_true", required=True, help="serve one qrexec call, on standard input and output"
    )
    parser.add_argument(
        "stream", nargs="?", default="", help="the service's argument (default: as qrexec tells, else main)"
    )
    store = os.environ.get("LOGCHAIN_STORE", DEFAULT_STORE)
    parser.add_argument("--store", metavar="DIR", default=store, help=f"the store (LOGCHAIN_STORE; now: {store})")
    parser.add_argument("--version", action="version", version=f"log-collector {__version__}")
    arguments = parser.parse_args()
    os.umask(0o007)  # the compressor's group reads and writes here too
    sys.exit(_serve(0, 1, arguments.store, arguments.stream or os.environ.get("QREXEC_SERVICE_ARGUMENT", "")))


def _serve(source: int, sink: int, path: str, untrusted_stream: str) -> int:
    """Serve one call; return the exit code. Standard error would reach the sender, so nothing is written there."""
    try:
        answers = Answers(sink)
    except OSError:
        return 2  # there is nobody to tell
    try:
        vm, stream = _check_call(untrusted_stream)
        clock = SystemClock()
        with open_store(path) as store:
            writer = open_stream(store, vm, stream, clock)
        Session(source, answers, writer, clock, _stop_signal()).run(_SERVICE)
    except Busy:
        return _refuse(answers, BUSY, 3)
    except Full as error:
        _log(f"{error}")
        return _refuse(answers, FULL, 3)
    except UsageError as error:
        return _refuse(answers, format_error(str(error)), error.exit_code)
    except LogchainError as error:  # of the LogVM's making, and none of the sender's business
        _log(f"{error}")
        return _refuse(answers, format_error("cannot store; the LogVM's journal tells why"), error.exit_code)
    except Exception:
        import traceback  # late: it costs every start, and this is never

        for line in traceback.format_exc().splitlines():
            _log(line)
        return _refuse(answers, format_error("internal fault; the LogVM's journal tells more"), 3)
    finally:
        answers.restore()
    return 0


def _check_call(untrusted_stream: str) -> tuple[str, str]:
    """Return VM and stream, or raise UsageError."""
    if "QREXEC_REMOTE_DOMAIN" not in os.environ:
        raise UsageError("QREXEC_REMOTE_DOMAIN is not set; qrexec sets it, for a trial set it by hand")
    vm = check_vm(os.environ["QREXEC_REMOTE_DOMAIN"])
    stream = check_stream(untrusted_stream or DEFAULT_STREAM)
    if stream == _STOCK_STREAM:
        raise UsageError(f"stream {_STOCK_STREAM} belongs to the service of that name")
    return vm, stream


def _refuse(answers: Answers, line: bytes, exit_code: int) -> int:
    answers.say(line)
    answers.drain(1.0)
    return exit_code


def _log(message: str) -> None:
    syslog.syslog(syslog.LOG_ERR, f"log-collector: {message}")


def _stop_signal() -> int:
    """Return a descriptor that becomes readable with SIGTERM or SIGINT."""
    readable, writable = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writable)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    return readable

"""log-collector: the command that qrexec starts, or an administrator for a trial."""

import argparse
import os
import signal
import sys
import syslog
import traceback

from logchain.collect.answers import Answers
from logchain.collect.session import Session
from logchain.format.errors import Busy, Full, LogchainError, UsageError
from logchain.format.names import DEFAULT_STREAM, check_stream, check_vm
from logchain.format.wire import BUSY, FULL, format_error
from logchain.store.clock import SystemClock
from logchain.store.layout import DEFAULT_STORE, open_store
from logchain.store.recovery import open_stream

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
    parser.add_argument("--store", metavar="DIR", default=os.environ.get("LOGCHAIN_STORE", DEFAULT_STORE))
    arguments = parser.parse_args()
    os.umask(0o007)  # the compressor's group reads and writes here too
    sys.exit(_serve(0, 1, arguments.store, arguments.stream or os.environ.get("QREXEC_SERVICE_ARGUMENT", "")))


def _serve(source: int, sink: int, path: str, untrusted_stream: str) -> int:
    """Serve one call; return the exit code. Standard error would reach the sender, so nothing is written there."""
    answers = Answers(sink)
    try:
        if "QREXEC_REMOTE_DOMAIN" not in os.environ:
            raise UsageError("QREXEC_REMOTE_DOMAIN is not set; qrexec sets it, for a trial set it by hand")
        vm = check_vm(os.environ["QREXEC_REMOTE_DOMAIN"])
        stream = check_stream(untrusted_stream or DEFAULT_STREAM)
        if stream == _STOCK_STREAM:
            raise UsageError(f"stream {_STOCK_STREAM} belongs to the service of that name")
        clock = SystemClock()
        with open_store(path) as store:
            writer = open_stream(store, vm, stream, clock)
        Session(source, sink, answers, writer, clock, _stop_signal()).run(_SERVICE)
    except Busy:
        return _refuse(answers, BUSY, 3)
    except Full:
        return _refuse(answers, FULL, 3)
    except LogchainError as error:
        syslog.syslog(syslog.LOG_ERR, f"log-collector: {error}")
        return _refuse(answers, format_error(str(error)), error.exit_code)
    except Exception:
        for line in traceback.format_exc().splitlines():
            syslog.syslog(syslog.LOG_ERR, f"log-collector: {line}")
        return _refuse(answers, format_error("internal fault; the LogVM's journal tells more"), 3)
    finally:
        answers.close()
    return 0


def _refuse(answers: Answers, line: bytes, exit_code: int) -> int:
    answers.say(line)
    answers.drain(1.0)
    return exit_code


def _stop_signal() -> int:
    """Return a descriptor that becomes readable with SIGTERM or SIGINT."""
    readable, writable = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writable)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    return readable

"""log-collector: the door of the LogVM, or one call of it."""

import argparse
import os
import signal
import sys
import syslog

from logchain import __version__
from logchain.collect.answers import Answers
from logchain.collect.descriptor import APPEND, check_call
from logchain.collect.serving import serve
from logchain.format.errors import LogchainError, UsageError
from logchain.store.clock import SystemClock
from logchain.store.layout import DEFAULT_STORE, open_store
from logchain.store.opening import open_stream
from logchain.store.stream import StreamWriter

__all__ = ["main"]


def main() -> None:
    """Run log-collector with the arguments of the command line."""
    parser = argparse.ArgumentParser(
        prog="log-collector",
        description="Store the lines of senders, and acknowledge them when they are durable. Without --stdio or "
        "--listen it serves the socket that systemd hands over.",
        epilog="With --stdio, qrexec tells who sends in QREXEC_REMOTE_DOMAIN; for a trial without Qubes, set it by "
        "hand: QREXEC_REMOTE_DOMAIN=work log-collector --stdio journal --store DIR < FILE",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--stdio", action="store_true", help="serve one qrexec call, on standard input and output")
    where.add_argument("--listen", metavar="PATH", help="serve a socket made at this path, which must be free")
    parser.add_argument(
        "stream",
        nargs="?",
        default="",
        help="with --stdio, the service's argument (default: as qrexec tells, else main)",
    )
    store = os.environ.get("LOGCHAIN_STORE", DEFAULT_STORE)
    parser.add_argument("--store", metavar="DIR", default=store, help=f"the store (LOGCHAIN_STORE; now: {store})")
    parser.add_argument(
        "--config", metavar="FILE", help="settings; not for --stdio (default: /etc/logchain.toml, if there)"
    )
    parser.add_argument("--version", action="version", version=f"log-collector {__version__}")
    arguments = parser.parse_args()
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:  # a file of the store would take its number, and get what is meant for it
            sys.exit(2)
    os.umask(0o007)  # the compressor's group reads and writes here too
    if arguments.stdio:
        if arguments.config:
            parser.error("--config goes with the socket: one call on standard input has no limits")
        untrusted_stream = arguments.stream or os.environ.get("QREXEC_SERVICE_ARGUMENT", "")
        sys.exit(_serve_one(0, 1, arguments.store, untrusted_stream))
    if arguments.stream:
        parser.error("a stream is named with --stdio only")
    from logchain.collect.door import serve_socket  # late: one call on standard input and output needs none of it

    try:
        serve_socket(arguments.listen, arguments.store, arguments.config, _stop_signal())
    except LogchainError as error:
        print(f"<3>log-collector: {error}", file=sys.stderr)  # noqa: T201 (its own log: journald reads the priority)
        sys.exit(error.exit_code)


def _serve_one(source: int, sink: int, path: str, untrusted_stream: str) -> int:
    """Serve one call; return the exit code. Standard error would reach the sender, so nothing is written there."""
    try:
        answers = Answers(sink)
    except OSError:
        return 2  # there is nobody to tell
    clock = SystemClock()

    def open_writer() -> StreamWriter:
        if "QREXEC_REMOTE_DOMAIN" not in os.environ:
            raise UsageError("QREXEC_REMOTE_DOMAIN is not set; qrexec sets it, for a trial set it by hand")
        call = check_call(APPEND, os.environ["QREXEC_REMOTE_DOMAIN"], untrusted_stream)
        with open_store(path) as store:
            return open_stream(store, call.vm, call.stream, clock)

    def log(message: str) -> None:
        syslog.syslog(syslog.LOG_ERR, f"log-collector: {message}")

    try:
        return serve(source, answers, open_writer, clock, _stop_signal(), APPEND, log)
    finally:
        answers.restore()


def _stop_signal() -> int:
    """Return a descriptor that becomes readable with SIGTERM or SIGINT."""
    readable, writable = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writable)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    return readable

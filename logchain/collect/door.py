"""The socket that log-collector serves, of its own making or systemd's, and the settings it serves by."""

import errno
import os
import resource
import select
import socket
from contextlib import suppress

from logchain.collect.forkserver import ForkServer
from logchain.format.errors import UsageError
from logchain.store.clock import SystemClock
from logchain.store.layout import open_store

__all__ = ["serve_socket"]

_LISTEN_FD = 3  # sd_listen_fds(3): the first descriptor that systemd hands over


def serve_socket(path: str | None, store_path: str, config: str | None, stop: int) -> None:
    """Serve a socket made at `path`, or the one that systemd hands over, until `stop` becomes readable.

    Raises UsageError on a bad socket or bad settings, StoreError where there is no store or no process to fork.
    """

    standard_error = select.poll()
    standard_error.register(2, select.POLLOUT)

    def log(message: str) -> None:
        with suppress(OSError):  # whoever reads our log, or does not: it holds nobody up, and ends nothing
            if standard_error.poll(0):
                os.write(2, f"<4>log-collector: {message}\n".encode()[:4_096])

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each connection takes two; an instance limits itself
    with open_store(store_path) as store:
        # first of all: every instance shares what is in memory by now, and pays for what it changes of it
        fork_server = ForkServer(store, SystemClock(), log)
        try:
            from logchain.collect.acceptor import Acceptor
            from logchain.store.configuration import read_settings

            settings = read_settings(config)
            with _listener(path) as listener:
                try:
                    Acceptor(listener, store, fork_server, stop, log, settings).run()
                finally:
                    if path is not None:
                        with suppress(FileNotFoundError):
                            os.unlink(path)
        finally:
            fork_server.close()


def _listener(path: str | None) -> socket.socket:
    """Return a socket made at a path, or the one that systemd hands over; raises UsageError."""
    if path is None:
        if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
            raise UsageError("no socket: systemd hands over none; give --listen PATH, or --stdio")
        try:
            listener = socket.socket(fileno=_LISTEN_FD)
            listens = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        except OSError:
            listens = 0
        if not listens:
            raise UsageError("what systemd hands over is no listening socket; its unit needs Accept=no")
        return listener
    if not path:
        raise UsageError("--listen needs a path")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(path)
    except OSError as error:
        listener.close()
        taken = "; remove what is there, if no collector serves it" if error.errno == errno.EADDRINUSE else ""
        raise UsageError(f"cannot make a socket at {path}: {error.strerror or error}{taken}") from error
    listener.listen(128)
    return listener

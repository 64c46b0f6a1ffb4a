"""The socket that log-collector serves, of its own making or systemd's, and the settings it serves by."""

import os
import socket
import sys

from logchain.collect.acceptor import Acceptor
from logchain.format.errors import UsageError
from logchain.format.settings import DEFAULT_SETTINGS, Settings, parse_settings
from logchain.store.clock import SystemClock
from logchain.store.layout import open_store

__all__ = ["serve_socket"]

_LISTEN_FD = 3  # sd_listen_fds(3): the first descriptor that systemd hands over


def serve_socket(path: str | None, store_path: str, config: str | None, default_config: str, stop: int) -> None:
    """Serve a socket made at `path`, or the one that systemd hands over, until `stop` becomes readable."""
    settings = _read_settings(config, default_config)
    if path is None:
        if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
            raise UsageError("no socket: systemd hands over none; give --listen PATH, or --stdio")
        listener = socket.socket(fileno=_LISTEN_FD)
    else:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(path)
        except OSError as error:
            raise UsageError(f"cannot make a socket at {path}: {error.strerror}") from error
        listener.listen(128)

    def log(message: str) -> None:
        print(f"<4>log-collector: {message}", file=sys.stderr, flush=True)  # noqa: T201 (its own log)

    with listener, open_store(store_path) as store:
        try:
            Acceptor(listener, store, SystemClock(), stop, log, settings).run()
        finally:
            if path is not None and os.path.exists(path):
                os.unlink(path)


def _read_settings(config: str | None, default_config: str) -> Settings:
    """Return the settings of a file, or those that are there by default; raises UsageError."""
    path = config or default_config
    try:
        with open(path, encoding="utf-8") as file:
            return parse_settings(file.read())
    except FileNotFoundError as error:
        if config is None:
            return DEFAULT_SETTINGS
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error

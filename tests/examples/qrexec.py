"""A stand-in for qrexec's clients: carries standard input and output to the collector's socket, as the agent would.

    qrexec.py SOCKET work qrexec-client-vm @default logchain.Append+syslog
    qrexec.py SOCKET dom0 qrexec-client -d sys-log 'DEFAULT:QUBESRPC logchain.Append+journal dom0'

What it has of the real ones: the header is the service, a space, the name and a NUL; from dom0 it is what stands on the
command line; our end of file is a half close; whatever becomes of the service, the exit code is 0; no such socket is
126, as if the policy refused.
"""

import os
import re
import select
import socket
import sys
from contextlib import suppress


def main() -> int:
    """Carry one call."""
    path, vm, program, *arguments = sys.argv[1:]
    header = _from_dom0(arguments) if program == "qrexec-client" else _from_vm(arguments, vm)
    if header is None:
        return 125
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(path)
        except OSError:
            return 126
        connection.sendall(header.encode() + b"\0")
        with suppress(OSError):  # the peer is gone: nobody is told
            _carry(connection)
    return 0


def _from_vm(arguments: list[str], vm: str) -> str | None:
    match arguments:
        case ["@default", service] if re.fullmatch(r"[A-Za-z0-9+._-]{1,255}", service):
            return f"{service if '+' in service else service + '+'} {vm}"
    return None


def _from_dom0(arguments: list[str]) -> str | None:
    match arguments:
        case ["-d", "sys-log", command] if command.startswith("DEFAULT:QUBESRPC "):
            return command.removeprefix("DEFAULT:QUBESRPC ")
    return None


def _carry(connection: socket.socket) -> None:
    sources = [0, connection.fileno()]
    while connection.fileno() in sources:
        for ready in select.select(sources, [], [])[0]:
            data = os.read(ready, 65536)
            if ready == 0 and data:
                connection.sendall(data)
            elif ready == 0:
                sources.remove(0)
                connection.shutdown(socket.SHUT_WR)
            elif not data:
                return
            else:
                os.write(1, data)


if __name__ == "__main__":
    sys.exit(main())

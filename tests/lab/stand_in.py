"""qrexec's stand-in inside of the lab: dom0, daemon and agent in one process, for qubes that are not there.

`qrexec-client-vm` in the lab connects here and says which service it calls. What the policy would decide is decided
here: nobody but a qube may call, and only logchain.Append or qubes.Log. Then the service's socket is opened as the user
that /etc/qubes/rpc-config names, its first bytes say who calls, and bytes go both ways with half closes, as QUBES.md
tells of the real agent. Runs as root; standard library only.
"""

import os
import pwd
import re
import select
import socket
import sys
from contextlib import suppress

DOOR = "/run/qrexec-stand-in"  # of this stand-in
SERVICES = ("/usr/local/etc/qubes-rpc", "/etc/qubes-rpc")
CONFIG = "/etc/qubes/rpc-config"
REFUSED, NO_SERVICE = 126, 127
CHUNK = 65_536


def main() -> None:
    """Serve calls until killed, each in a process of its own."""
    with suppress(FileNotFoundError):
        os.unlink(DOOR)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(DOOR)
    os.chmod(DOOR, 0o666)
    listener.listen(64)
    while True:
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not select.select([listener], [], [], 1.0)[0]:
            continue
        caller, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            code = 1
            with suppress(OSError):
                code = _call(caller)
            os._exit(code)
        caller.close()


def _call(caller: socket.socket) -> int:
    """Serve one call: a line `VM SERVICE+ARGUMENT`, then its bytes; the last byte sent back is the exit code."""
    line = b""
    while not line.endswith(b"\n"):
        line += caller.recv(1)
    vm, call = line.decode("ascii").split()
    service = call.partition("+")[0]
    path = next((f"{place}/{service}" for place in SERVICES if os.path.lexists(f"{place}/{service}")), "")
    if service not in ("logchain.Append", "qubes.Log") or os.path.exists("/run/qrexec-stand-in.deny"):
        caller.sendall(b"x%d" % REFUSED)
        return 0
    if not path:
        caller.sendall(b"x%d" % NO_SERVICE)
        return 0
    with open(f"{CONFIG}/{service}", encoding="ascii") as file:
        user = re.fullmatch(r"force-user='([a-z-]+)'\n", file.read())
    entry = pwd.getpwnam(user[1] if user else "nobody")
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        door.connect(path)
    except OSError:
        caller.sendall(b"x%d" % 125)
        return 0
    caller.sendall(b"c")
    door.sendall(f"{call} {vm}\0".encode())
    _pump(caller, door)
    return 0


def _pump(caller: socket.socket, door: socket.socket) -> None:
    """Carry bytes both ways, each way until its end; it is over when the service has ended its answers."""
    reading = {caller: door, door: caller}
    while door in reading:
        for source in select.select(list(reading), [], [])[0]:
            data = source.recv(CHUNK)
            if data:
                with suppress(BrokenPipeError):  # who does not read any more may still have something to say
                    reading[source].sendall(data)
                continue
            with suppress(OSError):
                reading[source].shutdown(socket.SHUT_WR)
            del reading[source]


def client(arguments: list[str]) -> int:
    """Be qrexec-client-vm: `[TARGET] SERVICE+ARGUMENT`, as the qube that QUBE in the environment names, else `work`."""
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        door.connect(DOOR)
        door.sendall(f"{os.environ.get('QUBE', 'work')} {arguments[-1]}\n".encode())
        if door.recv(1) != b"c":
            return int(door.recv(3) or b"125")
    except OSError:
        return 125
    reading = {0, door.fileno()}
    while door.fileno() in reading:
        for source in select.select(list(reading), [], [])[0]:
            try:
                data = os.read(source, CHUNK)
                if source == 0 and data:
                    door.sendall(data)
            except (BrokenPipeError, ConnectionResetError):  # the service has ended; what it said is still to be read
                data = b""
            if not data:
                reading.discard(source)
                if source == 0:
                    with suppress(OSError):
                        door.shutdown(socket.SHUT_WR)
            elif source != 0:
                sys.stdout.buffer.write(data)
                sys.stdout.buffer.flush()
    return 0  # a socket service has no other, whatever became of it


if __name__ == "__main__":
    if os.path.basename(sys.argv[0]) == "qrexec-client-vm":
        sys.exit(client(sys.argv[1:]))
    main()

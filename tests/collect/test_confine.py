"""What an instance gave up: tried in a process of its own that confined itself, and found to be gone."""

import ctypes
import fcntl
import mmap
import os
import resource
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from logchain.collect import confine as confine_module
from logchain.collect.confine import confine
from logchain.format.record import LINE
from logchain.read.verify import Verdict
from logchain.store.layout import open_store
from logchain.store.opening import hold_stream, prepare_stream
from logchain.store.stream import Rolling
from tests.conftest import STREAM, VM, Store

MIB = 1 << 20
OFTEN = Rolling(size=20_000)


def confined(directory: Path, trial: Callable[[], object]) -> str:
    """Fork, confine the child to a directory, and return what a trial came to: its answer, or its error's name."""
    readable, writable = os.pipe()
    parent, pid = os.getpid(), os.fork()
    if pid == 0:
        answer = "nothing"
        try:
            fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
            lacking = confine(fd, parent)
            answer = f"lacking {lacking}" if lacking else str(trial())
        except BaseException as error:
            answer = type(error).__name__
        finally:
            os.write(writable, answer.encode())
            os._exit(0)
    os.close(writable)
    with open(readable, "rb") as file:
        answer = file.read().decode()
    os.waitpid(pid, 0)
    return answer


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory to be confined to, with another beside it."""
    for name in ("home", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"secret")
    (tmp_path / "home" / "link").symlink_to(tmp_path / "other" / "file")
    return tmp_path / "home"


def _write(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"x")


def _file(home: Path) -> int:
    return os.open(home / "file", os.O_RDWR)


def _threads() -> None:
    threading.Thread(target=print).start()


def _memory() -> int:
    # in one piece: what a long test run's heap has to spare would serve small ones
    return len(bytearray(200 * MIB))


def _huge(home: Path) -> None:
    fd = os.open(home / "file", os.O_RDWR)
    os.pwrite(fd, b"x", 257 * MIB)


def _libc(name: str, *arguments: int) -> Callable[[], object]:
    function: Any = getattr(ctypes.CDLL(None, use_errno=True), name)

    def call() -> object:
        result = function(*arguments)
        if result == -1:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result

    return call


DENIED: dict[str, Callable[[Path], object]] = {
    "read a file elsewhere": lambda home: (home.parent / "other" / "file").read_bytes(),
    "read by ..": lambda home: (home / ".." / "other" / "file").read_bytes(),
    "read by a link": lambda home: (home / "link").read_bytes(),
    "read /etc/passwd": lambda _: os.open("/etc/passwd", os.O_RDONLY),
    "read /proc/self/mem": lambda _: os.open("/proc/self/mem", os.O_RDWR),
    "write elsewhere": lambda home: _write(home.parent / "other" / "new"),
    "write /dev/null": lambda _: _write(Path("/dev/null")),
    "list elsewhere": lambda home: os.listdir(home.parent),
    "move out": lambda home: os.rename(home / "file", home.parent / "other" / "moved"),
    "move in": lambda home: os.rename(home.parent / "other" / "file", home / "moved"),
    "remove elsewhere": lambda home: os.unlink(home.parent / "other" / "file"),
    "make a directory elsewhere": lambda home: os.mkdir(home.parent / "new"),
    "make a directory": lambda home: os.mkdir(home / "new"),
    "own a file's signals": lambda home: fcntl.fcntl(_file(home), fcntl.F_SETOWN, os.getppid()),
    "choose a file's signal": lambda home: fcntl.fcntl(_file(home), fcntl.F_SETSIG, signal.SIGKILL),
    "be told by signals": lambda home: fcntl.fcntl(_file(home), fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK),
    "be told by signals, the other way": lambda home: fcntl.ioctl(_file(home), 0x5452, b"\1\0\0\0"),
    "own a file's signals, the other way": lambda home: fcntl.ioctl(_file(home), 0x8901, b"\1\0\0\0"),
    "a lease": lambda home: fcntl.fcntl(_file(home), fcntl.F_SETLEASE, fcntl.F_WRLCK),
    "be told of changes": lambda home: fcntl.fcntl(_file(home), fcntl.F_NOTIFY, fcntl.DN_CREATE),
    "make a link": lambda home: os.symlink("x", home / "new"),
    "make a hard link": lambda home: os.link(home / "file", home / "new"),
    "make a FIFO": lambda home: os.mkfifo(home / "new"),
    "change the mode": lambda home: os.chmod(home / "file", 0o777),
    "change the owner": lambda home: os.chown(home / "file", 1, 1),
    "change directory": lambda _: os.chdir("/"),
    "change root": lambda home: os.chroot(home),
    "a Unix socket": lambda _: socket.socket(socket.AF_UNIX),
    "an Internet socket": lambda _: socket.socket(socket.AF_INET),
    "a pair of sockets": lambda _: socket.socketpair(),
    "a pipe": lambda _: os.pipe(),
    "fork": lambda _: os.fork(),
    "a thread": lambda _: _threads(),
    "execute": lambda _: os.execv("/bin/true", ["true"]),
    "kill the parent": lambda _: os.kill(os.getppid(), 0),
    "kill itself": lambda _: os.kill(os.getpid(), signal.SIGCONT),
    "trace the parent": lambda _: _libc("ptrace", 16, os.getppid(), 0, 0)(),
    "be traced": lambda _: _libc("ptrace", 0, 0, 0, 0)(),
    "a higher limit": lambda _: resource.setrlimit(resource.RLIMIT_NOFILE, (1_024, 1_024)),
    "another user": lambda _: os.setuid(1),
    "a name space": lambda _: _libc("unshare", 0x10000000)(),
    "a mount": lambda _: _libc("mount", 0, 0, 0, 0, 0)(),
    "memory of others": lambda _: _libc("process_vm_readv", os.getppid(), 0, 0, 0, 0, 0)(),
    "BPF": lambda _: _libc("syscall", 321, 0, 0, 0)(),
    "io_uring": lambda _: _libc("syscall", 425, 1, 0)(),
    "x32 calls": lambda _: _libc("syscall", 0x40000000 | 39)(),
    "a file of 257 MiB": _huge,
    "200 MiB of memory": lambda _: _memory(),
    "200 MiB of mapped memory": lambda _: mmap.mmap(-1, 200 * MIB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS),
    "a hundred files": lambda home: [os.open(home / "file", os.O_RDONLY) for _ in range(100)],
}
OTHERWISE = {  # than by a PermissionError
    "a thread": "RuntimeError",
    "a higher limit": "ValueError",
    "200 MiB of memory": "MemoryError",
    "200 MiB of mapped memory": "OSError",
    "a file of 257 MiB": "OSError",
    "a hundred files": "OSError",
}
FOR_ROOT = {"change root", "change the owner", "another user", "a name space", "a mount", "BPF", "io_uring"}


@pytest.mark.parametrize("name", DENIED)
def test_what_is_gone(home: Path, name: str) -> None:
    """Each is refused by the kernel, and leaves no trace."""
    if os.geteuid() and name in FOR_ROOT:
        pytest.skip("this user may not anyway")
    assert confined(home, lambda: DENIED[name](home)) == OTHERWISE.get(name, "PermissionError")
    assert (home.parent / "other" / "file").read_bytes() == b"secret"
    assert sorted(os.listdir(home.parent / "other")) == ["file"]
    assert sorted(os.listdir(home)) == ["file", "link"]


WITHOUT = {  # so that a trial that fails in any case proves nothing
    "a pipe",
    "fork",
    "a thread",
    "a Unix socket",
    "a pair of sockets",
    "read by a link",
    "list elsewhere",
    "kill the parent",
    "200 MiB of memory",
    "a hundred files",
    "make a link",
    "move out",
}


@pytest.mark.parametrize("name", sorted(WITHOUT))
def test_it_is_the_confinement_that_refuses(home: Path, name: str) -> None:
    """The same trial works before."""
    if name == "fork":
        pid = os.fork()
        if not pid:
            os._exit(0)
        os.waitpid(pid, 0)
    else:
        result = DENIED[name](home)
        for fd in result if isinstance(result, list | tuple) else []:
            with suppress(TypeError, OSError):
                os.close(fd.detach() if isinstance(fd, socket.socket) else fd)
        if isinstance(result, socket.socket):
            result.close()


@pytest.mark.parametrize("name", ["a mount", "BPF", "io_uring", "x32 calls"])
def test_without_confinement_something_else_is_wrong(home: Path, name: str) -> None:
    """These trials work nowhere, for their arguments make no sense; but they are not forbidden."""
    if os.geteuid() and name in FOR_ROOT:
        pytest.skip("this user may not anyway")
    with pytest.raises(OSError, match=r"\[Errno") as raised:
        DENIED[name](home)
    assert not isinstance(raised.value, PermissionError)


class _At:
    """Two open directories, for calls that seccomp allows: what refuses these is Landlock."""

    def __init__(self, home: Path) -> None:
        self.home = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
        self.other = os.open(home.parent / "other", os.O_RDONLY | os.O_DIRECTORY)

    def close(self) -> None:
        """Close both."""
        os.close(self.home)
        os.close(self.other)


LANDLOCKED: dict[str, Callable[[_At], object]] = {
    "read": lambda at: os.open("file", os.O_RDONLY, dir_fd=at.other),
    "read by ..": lambda at: os.open("../other/file", os.O_RDONLY, dir_fd=at.home),
    "write": lambda at: os.open("file", os.O_WRONLY, dir_fd=at.other),
    "cut": lambda at: os.open("file", os.O_WRONLY | os.O_TRUNC, dir_fd=at.other),
    "make": lambda at: os.open("new", os.O_WRONLY | os.O_CREAT, dir_fd=at.other),
    "list": lambda at: os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=at.other),
    "make a directory": lambda at: os.mkdir("new", dir_fd=at.other),
    "remove": lambda at: os.unlink("file", dir_fd=at.other),
    "move out": lambda at: os.rename("file", "moved", src_dir_fd=at.home, dst_dir_fd=at.other),
    "move in": lambda at: os.rename("file", "moved", src_dir_fd=at.other, dst_dir_fd=at.home),
    "move there": lambda at: os.rename("file", "moved", src_dir_fd=at.other, dst_dir_fd=at.other),
}


@pytest.mark.parametrize("name", LANDLOCKED)
def test_what_landlock_refuses(home: Path, name: str) -> None:
    """Calls that an instance may make, in a directory that is not its own, though it were open already."""
    at = _At(home)
    assert confined(home, lambda: LANDLOCKED[name](at)) in ("PermissionError", "OSError")
    assert sorted(os.listdir(home.parent / "other")) == ["file"]
    LANDLOCKED[name](at)  # as it works without
    at.close()


def _work(at: _At) -> str:
    fd = os.open("new", os.O_RDWR | os.O_CREAT, dir_fd=at.home)
    os.pwrite(fd, b"x" * MIB, 0)
    sub = os.open("sub", os.O_RDONLY | os.O_DIRECTORY, dir_fd=at.home)
    os.rename("new", "moved", src_dir_fd=at.home, dst_dir_fd=sub)
    os.ftruncate(fd, 5)
    os.fdatasync(fd)
    os.unlink("file", dir_fd=at.home)
    return ",".join(sorted(os.listdir(at.home)))


def test_what_is_left(home: Path) -> None:
    """Files of its own can be made, moved into a directory of its own, cut, synced and removed; memory for that."""
    (home / "sub").mkdir()
    at = _At(home)
    assert confined(home, lambda: _work(at)) == "link,sub"
    at.close()
    assert confined(home, lambda: len(bytearray(64 * MIB))) == str(64 * MIB)


def _served(store: Store, rolling: Rolling = OFTEN) -> str:
    """Store lines as an instance does, confined, over several segments; return how it ended."""
    with open_store(store.path) as directory:
        prepare_stream(directory, VM, STREAM)
        held = hold_stream(directory, VM, STREAM)

    def serve() -> str:
        writer = held.open(store.clock, rolling)
        writer.start_session(b"confined", "logchain.Append")
        for _ in range(5):
            writer.append(LINE, [b"x" * 100] * 100, store.clock.wall())
            writer.commit()
        writer.end_session("eof", b"rest", 4)
        writer.close()
        return "served"

    try:
        return confined(store.directory(), serve)
    finally:
        held.close()


def test_a_stream_is_written_rolled_and_wiped(store: Store) -> None:
    """The whole life of a stream, from its birth on."""
    assert _served(store) == "served"
    assert len(store.lines()) == 500
    assert store.events().count("segment") >= 3
    assert store.verdict() == Verdict.INTACT


def test_a_torn_tail_is_recovered(store: Store) -> None:
    """What a crash left is adopted, and the rest is put away in quarantine."""
    writer = store.open()
    writer.start_session(b"session1", "logchain.Append")
    writer.append(LINE, [b"kept"], store.clock.wall())
    writer.commit()
    writer.append(LINE, [b"written"], store.clock.wall())
    writer._flush()
    writer.abandon()
    with (store.directory() / "00000001.log").open("ab") as file:
        file.write(b"torn" * 1_000)
    (store.directory() / "00000002.log").write_bytes(b"opened, and never committed\n")
    (store.directory() / "00000002.tags").write_bytes(b"")
    assert _served(store) == "served"
    assert store.lines()[:2] == [b"kept", b"written"]
    assert len(list((store.directory() / "quarantine").iterdir())) == 3
    assert store.verdict() == Verdict.INTACT


def test_a_tail_as_large_as_recovery_takes(store: Store) -> None:
    """16 MiB of records that were never acknowledged fit into the memory that is allowed."""
    writer = store.open()
    writer.start_session(b"session1", "logchain.Append")
    writer.commit()
    for _ in range(15):
        writer.append(LINE, [b"y" * 100] * (MIB // 140), store.clock.wall())
    writer._flush()
    writer.abandon()
    assert _served(store, Rolling()) == "served"
    assert len(store.lines()) == 15 * (MIB // 140) + 500
    assert store.verdict() == Verdict.INTACT


@pytest.mark.parametrize("loss", ["ratchet", "id", "00000001.log"])
def test_a_stream_that_begins_anew(store: Store, loss: str) -> None:
    """Its new birth is given outside, and its next segment opened inside."""
    store.log(b"before")
    (store.directory() / loss).unlink()
    assert _served(store) == "served"
    assert "broken" in store.events()
    assert len(store.lines()) >= 500


class _Kernel:
    """The C library of a kernel that lacks what it is told to; it refuses, or does nothing and says so."""

    def __init__(self, *lacking: int, landlock: int = 7) -> None:
        self.lacking, self.landlock, self.asked = lacking, landlock, list[int]()

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take the real one's place."""
        monkeypatch.setattr(confine_module, "_prctl", self.prctl)
        monkeypatch.setattr(confine_module, "_syscall", self.syscall)

    def prctl(self, option: int, *_: object) -> int:
        """Set what is asked for, or refuse."""
        self.asked.append(option)
        return self._answer(option)

    def syscall(self, number: int, *arguments: Any) -> int:
        """Give a descriptor for a new ruleset, and 0 otherwise."""
        self.asked.append(number)
        if number == 444 and number not in self.lacking:
            return self.landlock if arguments[0] is None else os.open("/dev/null", os.O_RDONLY)
        return self._answer(number)

    def _answer(self, number: int) -> int:
        ctypes.set_errno(38)
        return -1 if number in self.lacking else 0


KERNELS = [
    ((), 7, []),
    ((1,), 7, ["parent-death signal"]),
    ((38,), 7, ["no_new_privs"]),
    ((444,), 7, ["Landlock"]),
    ((445,), 7, ["Landlock"]),
    ((446,), 7, ["Landlock"]),
    ((), 1, ["Landlock"]),
    ((), 2, []),
    ((22,), 7, ["seccomp"]),
    ((22, 444), 7, ["Landlock", "seccomp"]),
]


@pytest.mark.parametrize(("calls", "landlock", "lacking"), KERNELS, ids=range(len(KERNELS)))
def test_a_kernel_that_lacks_something(
    monkeypatch: pytest.MonkeyPatch, calls: tuple[int, ...], landlock: int, lacking: list[str]
) -> None:
    """It is told what, and all the rest is done."""
    kernel, limits = _Kernel(*calls, landlock=landlock), dict[int, int]()
    kernel.install(monkeypatch)
    monkeypatch.setattr(resource, "setrlimit", lambda limit, most: limits.update({limit: most[0]}))
    assert confine(0, os.getppid()) == lacking
    assert {1, 38, 444, 22} <= set(kernel.asked)
    assert limits[resource.RLIMIT_CORE] == limits[resource.RLIMIT_NPROC] == 0
    assert 96 * MIB < limits[resource.RLIMIT_DATA] < 1_000 * MIB


def test_a_machine_without_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """No filter is better than one that refuses everything."""
    _Kernel().install(monkeypatch)
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    monkeypatch.setattr(confine_module, "_filter", confine_module._compile("riscv64"))
    assert confine(0, os.getppid()) == ["seccomp"]


def test_a_parent_that_is_gone_already(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal that comes with its end is sent by ourselves."""
    sent: list[tuple[int, int]] = []
    _Kernel().install(monkeypatch)
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    assert confine(0, os.getppid() + 1) == []
    assert sent == [(os.getpid(), signal.SIGTERM)]

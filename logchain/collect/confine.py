"""What an instance gives up before it reads a sender's first byte: all but its stream's directory and its socket.

An instance that a sender takes over can do what it may do anyway, write its own stream, and nothing else. The
filters are the kernel's: no_new_privs, seccomp (prctl(2), seccomp(2)), Landlock (landlock(7)), limits (setrlimit(2)).
"""

import ctypes
import os
import resource
import signal
from collections.abc import Callable
from struct import pack

from logchain.format.limits import MAX_SEGMENT_BYTES

__all__ = ["confine"]

_SET_PDEATHSIG, _SET_SECCOMP, _SECCOMP_FILTER, _SET_NO_NEW_PRIVS = 1, 22, 2, 38
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture

# What Python, the store's writer and a session call, by the machine's name as in os.uname().
_MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # AUDIT_ARCH_… of linux/audit.h, in the columns' order
_CALLS = {
    # files
    "openat": (257, 56),
    "close": (3, 57),
    "read": (0, 63),
    "write": (1, 64),
    "pread64": (17, 67),
    "pwrite64": (18, 68),
    "lseek": (8, 62),
    "ftruncate": (77, 46),
    "fsync": (74, 82),
    "fdatasync": (75, 83),
    "fadvise64": (221, 223),
    "flock": (73, 32),
    "dup": (32, 23),
    # names
    "fstat": (5, 80),
    "newfstatat": (262, 79),
    "fstatfs": (138, 44),
    "getdents64": (217, 61),
    "unlinkat": (263, 35),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    # the sender
    "poll": (7, None),
    "ppoll": (271, 73),
    "sendto": (44, 206),
    "recvfrom": (45, 207),
    # memory
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "brk": (12, 214),
    # signals, time, the end
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115),
    "futex": (202, 98),
    "sched_yield": (24, 124),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "getrandom": (318, 278),
    "rseq": (334, 293),
    "exit": (60, 93),
    "exit_group": (231, 94),
}
# These with some requests only: fcntl(F_SETOWN) and ioctl(FIOASYNC) can have the kernel kill any process of the user,
# fcntl(F_SETLEASE) can hold up whoever opens a file.
_FCNTL, _GETFD, _SETFD, _DUPFD_CLOEXEC, _GETFL, _SETFL, _O_ASYNC = (72, 25), 1, 2, 1030, 3, 4, 0x2000
_IOCTL, _FIONBIO, _FIOCLEX, _FIONCLEX, _TCGETS = (16, 29), 0x5421, 0x5451, 0x5450, 0x5401
_MEMORY_MOST = 96 << 20  # bytes of data beyond what the fork server has

_libc = ctypes.CDLL(None, use_errno=True)
_prctl, _syscall = _libc.prctl, _libc.syscall


def confine(directory: int, parent: int) -> list[str]:
    """Confine this process for good to the files below an open directory; return what the kernel would not do.

    SIGTERM comes when `parent`, the process that forked this one, ends. What the kernel lacks is no reason not to log:
    the caller goes on, and says so.
    """
    lacking = []
    for name, step in (
        ("parent-death signal", lambda: _end_with(parent)),
        ("no_new_privs", lambda: _check(_prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0))),
        ("limits", _limit),
        ("Landlock", lambda: _landlock(directory)),
        ("seccomp", _seccomp),
    ):
        if not _works(step):
            lacking.append(name)
    return lacking


def _works(step: Callable[[], object]) -> bool:
    try:
        step()
    except (OSError, ValueError):
        return False
    return True


def _check(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _end_with(parent: int) -> None:
    _check(_prctl(_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0))
    if os.getppid() != parent:  # it ended before we asked
        os.kill(os.getpid(), signal.SIGTERM)


def _limit() -> None:
    statm = os.open("/proc/self/statm", os.O_RDONLY)
    data = int(os.read(statm, 200).split()[5]) * resource.getpagesize()
    os.close(statm)
    for limit, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_FSIZE, MAX_SEGMENT_BYTES),
        (resource.RLIMIT_DATA, data + _MEMORY_MOST),
        (resource.RLIMIT_NOFILE, 64),
    ):
        _, hard = resource.getrlimit(limit)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (most, most))


def _landlock(directory: int) -> None:
    version = _check(_syscall(_CREATE_RULESET, None, 0, 1))
    if version < 2:  # Linux before 5.19: nothing could be moved to quarantine
        raise ValueError("this Landlock allows no move between directories")
    # read, write, list, make, remove, rename and truncate files: bits 1 to 3, 5, 8, 13, 14. No directories: they could
    # be made such that nobody else can look into them.
    handled = (1 << 14) - 1 | (1 << 14 if version >= 3 else 0)
    allowed = handled & 0b110_0001_0010_1110
    scopes = 0b11 if version >= 6 else 0  # no abstract sockets, no signals to processes outside
    rules = pack("=QQQ", handled, 0, scopes)[: 24 if scopes else 8]
    ruleset = _check(_syscall(_CREATE_RULESET, rules, len(rules), 0))
    try:
        _check(_syscall(_ADD_RULE, ruleset, 1, pack("=Qi", allowed, directory), 0))
        _check(_syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _compile(machine: str) -> tuple[ctypes.Array[ctypes.c_char], bytes] | None:
    """Return a filter that refuses every call that is not listed, with EPERM: its code, and what points to it."""
    if machine not in _MACHINES:
        return None
    column = list(_MACHINES).index(machine)
    calls = sorted(number for numbers in _CALLS.values() if (number := numbers[column]) is not None)
    # (test, value, where to go if it is so, where if not): labels, or the next line
    program: list[tuple[str, int, str, str]] = [("load", 4, "", ""), ("is", _MACHINES[machine], "", "refuse")]
    program += [("load", 0, "", ""), *(("is", call, "allow", "") for call in calls)]
    program += [("is", _FCNTL[column], "fcntl", ""), ("is", _IOCTL[column], "ioctl", "refuse")]
    program += [("fcntl", 0, "", ""), ("load", 24, "", "")]  # the second argument's lower half
    program += [("is", request, "allow", "") for request in (_GETFD, _SETFD, _DUPFD_CLOEXEC, _GETFL)]
    program += [("is", _SETFL, "", "refuse"), ("load", 32, "", ""), ("has", _O_ASYNC, "refuse", "allow")]
    program += [("ioctl", 0, "", ""), ("load", 24, "", "")]
    program += [("is", request, "allow", "") for request in (_FIONBIO, _FIOCLEX, _FIONCLEX, _TCGETS)]
    program += [("refuse", 0, "", ""), ("answer", 0x00050001, "", "")]  # SECCOMP_RET_ERRNO with EPERM
    program += [("allow", 0, "", ""), ("answer", 0x7FFF0000, "", "")]  # SECCOMP_RET_ALLOW
    code = ctypes.create_string_buffer(_assemble(program))
    return code, pack("@HxxxxxxP", len(code) // 8, ctypes.addressof(code))


def _assemble(program: list[tuple[str, int, str, str]]) -> bytes:
    """Return classic BPF (linux/filter.h): lines of 8 bytes. What is no instruction is a label."""
    codes = {"load": 0x20, "is": 0x15, "has": 0x45, "answer": 0x06}  # LD|W|ABS, JMP|JEQ|K, JMP|JSET|K, RET|K
    places: dict[str, int] = {}
    lines = []
    for word, value, yes, no in program:
        if word in codes:
            lines.append((codes[word], yes, no, value))
        else:
            places[word] = len(lines)
    return b"".join(
        pack("=HBBI", code, *(places[label] - place - 1 if label else 0 for label in (yes, no)), value)
        for place, (code, yes, no, value) in enumerate(lines)
    )


_filter = _compile(os.uname().machine)  # here, once: what an instance does costs it memory of its own


def _seccomp() -> None:
    if not _filter:
        raise ValueError("no list of system calls for this machine")
    _check(_prctl(_SET_SECCOMP, _SECCOMP_FILTER, _filter[1], 0, 0))

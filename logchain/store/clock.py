"""The LogVM's clocks: the wall clock that records carry, and the boot clock that no one can set."""

import time
from typing import Protocol

from logchain.format.limits import MAX_TIME

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """What the store asks of time."""

    def wall(self) -> int:
        """Return µs since 1970, within what a record can say."""

    def running(self) -> int:
        """Return CLOCK_BOOTTIME in µs: goes on while suspended, never back."""

    def boot_id(self) -> bytes:
        """Return the 16 bytes that name this boot."""


class SystemClock:
    """The clocks of this machine."""

    def __init__(self) -> None:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            self._boot_id = bytes.fromhex(file.read().strip().replace("-", ""))

    def wall(self) -> int:
        """Return CLOCK_REALTIME."""
        return min(max(time.time_ns() // 1000, 0), MAX_TIME)

    def running(self) -> int:
        """Return CLOCK_BOOTTIME."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000

    def boot_id(self) -> bytes:
        """Return the kernel's boot id."""
        return self._boot_id

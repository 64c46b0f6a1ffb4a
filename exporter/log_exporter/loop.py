"""The one loop that every stream runs in: a task says what it waits for, and is resumed when it is there.

A task is a generator. It yields a Wait and is sent what is ready, so what it does reads like a program of its own,
and there is no thread: two streams never run at once.
"""

import math
import select
import time
from collections.abc import Generator, Iterable
from typing import NamedTuple, TypeAlias


class Wait(NamedTuple):
    """What a task waits for: events of descriptors (as poll has them), or the end of so many seconds."""

    events: dict[int, int]
    seconds: float


_QUIET = 0.005  # s without anything to do: no flood
_GATHER = 0.05  # s
Ready: TypeAlias = dict[int, int]
Task: TypeAlias = Generator[Wait, Ready, None]


def run(tasks: Iterable[Task]) -> None:
    """Run until all have ended; what one raises ends all."""
    waiting: dict[Task, tuple[dict[int, int], float]] = {}
    for task in tasks:
        _resume(task, None, waiting)
    while waiting:
        poll = select.poll()
        wanted: dict[int, int] = {}
        for events, _ in waiting.values():
            for descriptor, mask in events.items():
                wanted[descriptor] = wanted.get(descriptor, 0) | mask
        for descriptor, mask in wanted.items():
            poll.register(descriptor, mask)
        until = min(deadline for _, deadline in waiting.values())
        begun = time.monotonic()
        ready = dict(poll.poll(None if until == math.inf else max(0, math.ceil((until - begun) * 1000))))
        now = time.monotonic()
        if ready and now - begun > _QUIET and not any(mask & select.POLLOUT for mask in wanted.values()):
            time.sleep(_GATHER)  # what comes right behind is taken with it: to wake up is what a quiet qube pays for
            ready = dict(poll.poll(0))
            now = time.monotonic()
        for task, (events, deadline) in list(waiting.items()):
            its_own = {descriptor: ready[descriptor] for descriptor in events if descriptor in ready}
            if its_own or now >= deadline:
                _resume(task, its_own, waiting)


def _resume(task: Task, ready: Ready | None, waiting: dict[Task, tuple[dict[int, int], float]]) -> None:
    try:
        wait = next(task) if ready is None else task.send(ready)
    except StopIteration:
        waiting.pop(task, None)
    else:
        waiting[task] = wait.events, time.monotonic() + wait.seconds

"""The loop: what comes in a quiet moment is taken together; what is urgent waits for nothing."""

import os
import select
import threading
import time

from log_exporter.loop import Task, Wait, run


def reader(fd: int, turns: list[bytes], *, until: bytes, also: dict[int, int] | None = None) -> Task:
    """Read what is there whenever something is, until a byte comes."""
    while True:
        yield Wait({fd: select.POLLIN, **(also or {})}, 60)
        turns.append(os.read(fd, 100))
        if until in turns[-1]:
            return


def slowly(fd: int) -> None:
    """Write a byte every few milliseconds."""
    for place in range(20):
        time.sleep(0.005)
        os.write(fd, b"x" if place < 19 else b"!")


def test_what_comes_in_a_quiet_moment_is_taken_together() -> None:
    """To wake up is what a quiet qube pays for: fewer turns than bytes, and each byte in its order."""
    readable, writable = os.pipe()
    turns: list[bytes] = []
    writer = threading.Thread(target=slowly, args=(writable,))
    writer.start()
    run([reader(readable, turns, until=b"!")])
    writer.join()
    assert b"".join(turns) == b"x" * 19 + b"!"
    assert len(turns) < 20
    os.close(readable)
    os.close(writable)


def test_nothing_is_slept_over() -> None:
    """While it gathers, what is ready stays ready; two tasks that wait for one descriptor both hear of it."""
    readable, writable = os.pipe()
    turns: list[str] = []

    def waits(name: str) -> Task:
        ready = yield Wait({readable: select.POLLIN}, 60)
        turns.append(f"{name} {bool(ready)}")

    threading.Timer(0.02, os.write, (writable, b"x")).start()
    run([waits("one"), waits("two")])
    assert sorted(turns) == ["one True", "two True"]
    os.close(readable)
    os.close(writable)


def test_a_deadline_is_kept_in_silence() -> None:
    """Where nothing comes a task is resumed with nothing."""
    heard: list[dict[int, int]] = []

    def waits() -> Task:
        heard.append((yield Wait({}, 0.01)))

    run([waits()])
    assert heard == [{}]

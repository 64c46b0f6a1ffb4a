"""What is measured, in rounds that take turns, and the rows that say it beside what is ours.

Machines are noisy: whoever is compared is measured in the same round, and a ratio is the median of the rounds'.
"""

import os
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from bench.processes import Failed

ROUNDS = int(os.environ.get("ROUNDS", "3"))
SLOW = 20  # s: who has taken as much is not measured again
BEHIND = 0.95  # a ratio below says that we are
OURS = "logchain"  # how the names of what is ours begin
HEAD = f"{'':50}{'peer':>10}{'ours':>10}{'ratio':>8}{'CPU peer':>12}{'ours':>10}{'ratio':>8}"


class Cost(NamedTuple):
    """Seconds of wall clock, or MB, whatever the table is of; and seconds of CPU time."""

    amount: float
    cpu: float


class Measured(NamedTuple):
    """What each took, round by round; and of those that could not be measured, why."""

    costs: dict[str, list[Cost]]
    missing: dict[str, str]


def measure(runs: Mapping[str, Callable[[], Cost]], rounds: int = ROUNDS) -> Measured:
    """Let each run once a round, one after the other. What is OURS has to work."""
    found = Measured({name: [] for name in runs}, {})
    for _ in range(rounds):
        for name, run in runs.items():
            if name in found.missing or sum(cost.amount for cost in found.costs[name]) > SLOW:
                continue
            os.sync()  # what others wrote is not for this one to wait for
            try:
                found.costs[name].append(run())
            except (Failed, OSError, subprocess.SubprocessError) as error:
                if name.startswith(OURS):
                    raise
                found.missing[name] = f"not measured: {error}"
    return found


def command(
    words: str | Sequence[str], environment: Mapping[str, str] | None = None, fine: Sequence[int] = (0,)
) -> Cost:
    """Run a program, or a line of bash, to its end, its output thrown away; return what it and its children took.

    Raises Failed where its exit code is none of those that are `fine`.
    """
    words = ["bash", "-c", words] if isinstance(words, str) else words
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(
        words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
    )
    taken, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode not in fine:
        raise Failed(f"{words[-1][:60]}: exit {ended.returncode}, {ended.stderr.strip()[-200:]}")
    return Cost(taken, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def median(costs: Sequence[Cost]) -> Cost:
    """Return the middle of each."""
    return Cost(*(statistics.median(values) for values in zip(*costs, strict=True)))


def row(name: str, theirs: Sequence[Cost], ours: Sequence[Cost]) -> str:
    """Return a row of the table: over 1 the peer takes more than we do; `behind` says where it takes less."""
    pairs = list(zip(theirs, ours, strict=False))  # who is slow has fewer rounds
    a, b = median(theirs), median(ours)
    ratio = statistics.median(their.amount / our.amount for their, our in pairs)
    line = f"{name:50}{a.amount:10.3f}{b.amount:10.3f}{ratio:7.2f}x"
    if b.cpu:
        of_cpu = statistics.median(their.cpu / our.cpu for their, our in pairs)
        line += f"{a.cpu:12.3f}{b.cpu:10.3f}" + (f"{of_cpu:7.2f}x" if a.cpu else f"{'':8}")
    return line + ("  behind" if ratio < BEHIND and OURS not in name else "")


def rows(found: Measured, ours: str) -> list[str]:
    """Return a row for each that was measured beside this one, which is ours, and a word about each that was not."""
    others = {name: costs for name, costs in found.costs.items() if name != ours}
    return [
        f"  {name:48}{found.missing[name]}" if name in found.missing else row(f"  {name}", costs, found.costs[ours])
        for name, costs in others.items()
    ]

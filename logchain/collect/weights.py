"""How much room the VMs' logs take, found by a process of its own: a large store or a slow disk holds nobody up."""

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from logchain.collect.allowance import Quota
from logchain.format.limits import QUOTA_BEYOND
from logchain.store.layout import Directory

if TYPE_CHECKING:  # who forks instances has no settings, and they have no room for what reads them
    from logchain.format.settings import Settings

__all__ = ["LEDGER", "compare", "parse_weights", "weigh"]

LEDGER = "-"  # what no VM is called


def weigh(store: Directory, pipe: int) -> None:
    """Write to a pipe, which is closed then, lines `name bytes` for every VM and the ledger, and an empty one."""
    from logchain.store.room import ledger_usage, usage  # late: every instance would pay for it

    weights = Counter({LEDGER: ledger_usage(store)})
    for (vm, _), size in usage(store).items():
        weights[vm] += size
    with suppress(BrokenPipeError), open(pipe, "w", encoding="ascii") as file:  # the acceptor may be gone
        file.writelines(f"{name} {size}\n" for name, size in weights.items())
        file.write("\n")


def parse_weights(data: bytes) -> dict[str, int] | None:
    """Return bytes by name, as `weigh` wrote them; None where it did not come to its end."""
    if not data.endswith(b"\n\n"):
        return None
    return {name: int(size) for name, size in (line.split(" ") for line in data.decode("ascii").splitlines()[:-1])}


def compare(weights: dict[str, int], settings: "Settings") -> dict[str, Quota]:
    """Return how the budgets stand that are not within their quotas; over the store's cap, none is within."""
    used: Counter[str] = Counter()
    quotas = {}
    for vm, size in weights.items():
        if vm != LEDGER:
            budget = settings.budget(vm)
            used[budget] += size
            quotas[budget] = settings.of(vm).quota
    capped = sum(weights.values()) >= settings.store.cap
    return {
        budget: Quota.SPENT if size >= quotas[budget] + quotas[budget] // QUOTA_BEYOND else Quota.OVER
        for budget, size in used.items()
        if capped or size >= quotas[budget]
    }

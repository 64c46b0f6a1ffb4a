"""How a command is told which logs: by their names where these are few, else by what the logs have in common."""

from collections.abc import Callable, Sequence

from logchain.format.errors import UsageError
from logchain.gui.logs import Log

__all__ = ["also_taken", "choose", "names_of"]

_MOST_NAMES = 500  # in a command: the system takes 2 MiB of arguments, and a person none of that
_MOST_SPELLED = 12  # for a person


def choose(logs: Sequence[Log], known: Callable[[], Sequence[Log]]) -> list[str]:
    """Return the options that choose these logs, and those of `also_taken`; `known` returns all that there are.

    Raises UsageError where there are too many, and no few names that take these and no others.
    """
    vms, streams = sorted({log.vm for log in logs}), sorted({log.stream for log in logs})
    by_vm, by_stream = [f"--vm={vm}" for vm in vms], [f"--stream={stream}" for stream in streams]
    if len(vms) + len(streams) <= _MOST_NAMES:
        return [*by_vm, *by_stream]
    every, stream_set, vm_set = known(), set(streams), set(vms)
    if len(logs) == len(every):
        return []
    if len(streams) <= _MOST_NAMES and sum(log.stream in stream_set for log in every) == len(logs):
        return by_stream
    if len(vms) <= _MOST_NAMES and sum(log.vm in vm_set for log in every) == len(logs):
        return by_vm
    raise UsageError(
        f"{len(logs):,} logs are more than a command can name. Choose all logs of the store, all that have one "
        f"stream's name, or fewer: {_MOST_NAMES} names at most"
    )


def also_taken(logs: Sequence[Log], known: Sequence[Log]) -> list[Log]:
    """Return the logs that are taken too where these are: those of the same qubes with the same streams."""
    names = {log[:2] for log in logs}
    vms, streams = {log.vm for log in logs}, {log.stream for log in logs}
    if len(names) == len(vms) * len(streams):
        return []
    return [log for log in known if log.vm in vms and log.stream in streams and log[:2] not in names]


def names_of(logs: Sequence[Log]) -> str:
    """Return the names of logs as a person reads them, the first of them where there are many."""
    names = ", ".join(f"{log.vm}/{log.stream}" for log in logs[:_MOST_SPELLED])
    return names if len(logs) <= _MOST_SPELLED else f"{names} and {len(logs) - _MOST_SPELLED:,} more"

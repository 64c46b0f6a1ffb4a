"""One call from its beginning to its end: whatever happens becomes an answer to the sender and an exit code."""

import os
from collections.abc import Callable

from logchain.collect.allowance import Allowance
from logchain.collect.answers import Answers
from logchain.collect.session import Session
from logchain.format.errors import Busy, Full, LogchainError, UsageError
from logchain.store.clock import Clock
from logchain.store.stream import StreamWriter

__all__ = ["describe_fault", "refuse", "serve"]

_PARTING = 1.0  # s for a sender to read why it is refused


def serve(
    source: int,
    answers: Answers,
    open_writer: Callable[[], StreamWriter],
    clock: Clock,
    control: int,
    service: str,
    log: Callable[[str], None],
    allowance: Allowance | None = None,
) -> int:
    """Serve the call of a service, whose lines come by `source` and whose orders by `control` (see Session).

    Returns the exit code: 0, that of the error, or 3 where the fault is ours. `log` takes what the LogVM has to know,
    and the sender has not.
    """
    try:
        Session(source, answers, open_writer(), clock, control, log, allowance).run(service)
    except LogchainError as error:
        if not isinstance(error, Busy | UsageError):
            log(str(error))
        refuse(answers, error)
        code = error.exit_code
    except Exception as error:
        log(describe_fault(error))
        answers.error("internal fault; the LogVM's journal tells more")
        code = 3
    else:
        return 0
    answers.drain(_PARTING)
    return code


def refuse(answers: Answers, error: Exception) -> None:
    """Tell a sender why it is not served, as far as that is its business."""
    if isinstance(error, Busy):
        answers.busy()
    elif isinstance(error, Full):
        answers.full()
    else:
        answers.error(str(error) if isinstance(error, UsageError) else "cannot store; the LogVM's journal tells why")


def describe_fault(error: BaseException) -> str:
    """Return a fault of ours and the places it came by, in a line.

    The library's `traceback` would have to be imported: all instances would pay for it, and a confined one could not.
    """
    places, at = [], error.__traceback__
    while at:
        places.append(f"{os.path.basename(at.tb_frame.f_code.co_filename)}:{at.tb_lineno}")
        at = at.tb_next
    return f"Traceback: {error!r} at {' '.join(places)}"

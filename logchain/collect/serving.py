"""One call from its beginning to its end: whatever happens becomes an answer to the sender and an exit code."""

from collections.abc import Callable

from logchain.collect.allowance import Allowance
from logchain.collect.answers import Answers
from logchain.collect.session import Session
from logchain.format.errors import Busy, Full, LogchainError, UsageError
from logchain.store.clock import Clock
from logchain.store.stream import StreamWriter

__all__ = ["NOT_STORED", "serve"]

NOT_STORED = "cannot store; the LogVM's journal tells why"
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
    """Serve a call, and return the exit code; `log` takes what the LogVM has to know, and the sender has not."""
    try:
        Session(source, answers, open_writer(), clock, control, log, allowance).run(service)
    except Busy as error:
        answers.busy()
        code = error.exit_code
    except Full as error:
        log(str(error))
        answers.full()
        code = error.exit_code
    except UsageError as error:
        answers.error(str(error))
        code = error.exit_code
    except LogchainError as error:  # of the LogVM's making, and none of the sender's business
        log(str(error))
        answers.error(NOT_STORED)
        code = error.exit_code
    except Exception:
        import traceback  # late: it costs every start, and this is never

        for line in traceback.format_exc().splitlines():
            log(line)
        answers.error("internal fault; the LogVM's journal tells more")
        code = 3
    else:
        return 0
    answers.drain(_PARTING)
    return code

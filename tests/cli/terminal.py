"""A terminal of its own for a command that asks."""

import os
import pty
import select

from tests.cli.conftest import SCRIPTS

__all__ = ["on_a_terminal"]

_INTERRUPT = b"\x03"


def on_a_terminal(*words: str, question: bytes, answer: bytes) -> bytes:
    """Run a command on a terminal, answer its question when it comes, and return all that it prints and its exit."""
    environment = os.environ | {"PATH": f"{SCRIPTS}:{os.environ['PATH']}", "LOGCHAIN_STORE": "store", "TERM": "xterm"}
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(words[0], words, environment)
    printed, asked = b"", False
    try:
        for _ in range(30):
            while select.select([terminal], [], [], 1)[0]:
                printed += os.read(terminal, 65536)
                if not asked and question in printed:
                    os.write(terminal, answer)
                    asked = True
            if asked and answer == _INTERRUPT:  # it came in the moment between the question and the wait for its answer
                os.write(terminal, answer)
    except OSError:
        pass  # the terminal is closed: it has ended
    finally:
        os.close(terminal)
    return printed + b"\nexit %d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

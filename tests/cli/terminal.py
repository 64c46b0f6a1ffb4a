"""A terminal of its own for a command that asks."""

import os
import pty
import select

from tests.cli.conftest import SCRIPTS

__all__ = ["on_a_terminal"]


def on_a_terminal(*words: str, question: bytes, answer: bytes) -> bytes:
    """Run a command on a terminal, answer its question when it comes, and return all that it prints and its exit."""
    environment = os.environ | {"PATH": f"{SCRIPTS}:{os.environ['PATH']}", "LOGCHAIN_STORE": "store", "TERM": "xterm"}
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(words[0], words, environment)
    printed, asked = b"", False
    try:
        while select.select([terminal], [], [], 30)[0]:
            printed += os.read(terminal, 65536)
            if not asked and question in printed:
                os.write(terminal, answer)
                asked = True
    except OSError:
        pass  # the terminal is closed: it has ended
    finally:
        os.close(terminal)
    return printed + b"\nexit %d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

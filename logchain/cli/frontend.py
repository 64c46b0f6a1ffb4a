r"""What stands in for the terminal where a program, such as the window, runs a command for a person (`--frontend`).

Lines on standard error that begin with `{` are for that program, one JSON object each; all others are words for the
person. `{"progress": 12, "doing": "verifying"}` tells percents. `{"ask": "Delete …?", "word": "yes", "secret": false}`
is a question: the next line on standard input is the answer; one that came before the question is none.
`{"done": 1}` is the last word, with the exit code; where it is missing the code is sudo's, or a signal's.

A line on standard input that is one control character is what a terminal makes of it: ^C ends the command, ^\ kills it
at once. Where standard input ends, the command ends as on ^C. So a window can cancel and kill what runs as another
user, to whom it may send no signal, and nothing outlives it.
"""

import json
import os
import select
import signal
import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue

import click

__all__ = ["ask", "begin", "is_frontend", "tell"]

_CANCEL, _KILL = b"\x03", b"\x1c"

_answers: SimpleQueue[str] = SimpleQueue()
_threads: list[threading.Thread] = []
_interrupted = threading.Event()


def begin() -> None:
    """Listen on standard input from now on."""
    _threads.append(threading.Thread(target=_listen, daemon=True))
    _threads[0].start()


def is_frontend() -> bool:
    """Tell whether a program runs us for a person."""
    return bool(_threads)


def tell(**values: object) -> None:
    """Tell the program something."""
    click.echo(json.dumps(values), err=True)


def ask(question: str, word: str, *, secret: bool = False) -> str:
    """Have the person asked; return the answer, which should be `word`."""
    while select.select([0], [], [], 0)[0]:
        time.sleep(0.01)  # what was said before it was asked is for something else, or for nothing
    with suppress(Empty):
        while True:
            _answers.get_nowait()
    tell(ask=question, word=word, secret=secret)
    return _answers.get()


def _listen() -> None:
    rest = b""
    with suppress(OSError):
        # not sys.stdin: the interpreter, when it ends, would abort over the lock of a buffer that we wait in
        while data := os.read(0, 4_096):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if line == _KILL:
                    os.kill(os.getpid(), signal.SIGKILL)
                elif line == _CANCEL:
                    _interrupt()
                else:
                    _answers.put(line.decode("utf-8", "replace"))
    _interrupt()


def _interrupt() -> None:
    """End the command as on Ctrl-C, once: a second one would end what it clears away."""
    if not _interrupted.is_set():
        _interrupted.set()
        # in the main thread, so that it is woken from whatever it waits for
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

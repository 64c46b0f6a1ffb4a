"""What stands in for the terminal where a program, such as the window, runs a command for a person (`--frontend`).

Lines on standard error that begin with `{` are for that program, one JSON object each; all others are words for the
person. `{"progress": 12, "doing": "verifying"}` tells percents. `{"ask": "Delete …?", "word": "yes", "secret": false}`
is a question: the next line on standard input is the answer; one that came before the question is none. Where standard
input ends, the command ends, as on Ctrl-C: so a window can cancel what runs as another user, and nothing outlives it.
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

_answers: SimpleQueue[str] = SimpleQueue()
_threads: list[threading.Thread] = []


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
                _answers.put(line.decode("utf-8", "replace"))
    # in the main thread, so that it is woken from whatever it waits for
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

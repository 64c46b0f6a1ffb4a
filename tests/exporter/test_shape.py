"""Messages of several lines, and a choice of them: the same wherever a file was cut when it was read."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from log_exporter.choice import Choice
from log_exporter.line import Plain, Rfc5424
from log_exporter.sources.files import Files
from log_exporter.sources.shape import Shape
from log_exporter.state import State
from log_exporter.wire import Greeting

FOLD = Shape("^[0-9]", Choice())


def texts(found: list[tuple[int, bytes | None]]) -> list[bytes | None]:
    """Return the messages without their places."""
    return [message for _, message in found]


def test_a_message_goes_on_to_the_next_beginning() -> None:
    """What begins with no beginning is one too; the last may go on, unless it is final."""
    data = b" a\n1 b\n  c\n\n2 d\n"
    assert texts(FOLD.messages(data, final=False)) == [b" a", b"1 b\n  c\n"]
    assert FOLD.messages(data, final=False)[-1][0] == data.index(b"2 d")
    assert texts(FOLD.messages(b"2 d\n e\n", final=False)) == []
    assert texts(FOLD.messages(b"2 d\n e\n", final=True)) == [b"2 d\n e"]


def test_lines_are_chosen_one_by_one() -> None:
    """Without `begins` a message is a line; None stands for what is left out."""
    shape = Shape("", Choice(["a"], ["b"], ["c"]))
    assert texts(shape.messages(b"a\nab\nx\nac\nunfinished a", final=False)) == [b"a", None, None, b"a[redacted]"]


@given(st.lists(st.sampled_from([b"1 x", b"2", b" y", b"", b"drop", b"3 drop"]), max_size=30), st.randoms())
@settings(deadline=None)
def test_cuts_make_no_difference(lines: list[bytes], chance: "object") -> None:
    """However the file was there when it was read, the messages are the same."""
    shape = Shape("^[0-9]", Choice([], ["drop"]))
    data = b"".join(line + b"\n" for line in lines)
    whole = texts([*(first := shape.messages(data, final=False))])
    end = first[-1][0] if first else 0
    got: list[bytes | None] = []
    start = 0
    for size in range(len(data) + 1):
        if size % (1 + getattr(chance, "randrange")(5)) == 0:  # noqa: B009  (Hypothesis' Random has no public type)
            found = shape.messages(data[start:size], final=False)
            got += texts(found)
            start += found[-1][0] if found else 0
    found = shape.messages(data[start:], final=False)
    assert got + texts(found) == whole
    assert start + (found[-1][0] if found else 0) == end


class Log:
    """One file, and a source that can be killed."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "a.log"
        self.state = directory / "state"
        self.source: Files | None = None

    def open(self, shape: Shape, *, plain: bool = True) -> Files:
        """Start the source, as after a kill."""
        self.kill()
        form = Plain() if plain else Rfc5424("work", "app")
        self.source = Files([str(self.path)], form, "work", State(self.state, "test"), shape, once=False)
        return self.source

    def kill(self) -> None:
        """Let go without saving."""
        if self.source:
            self.source._watch.close()
            self.source._state.close()

    def write(self, data: bytes) -> None:
        """Append."""
        with self.path.open("ab") as file:
            file.write(data)

    def read(self) -> list[bytes]:
        """Return the lines that are there."""
        assert self.source
        return b"".join(part for _ in range(5) for part in iter(self.source.read, b"")).splitlines()


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    """A log that is looked at without delay."""
    monkeypatch.setattr("log_exporter.sources.files._SCAN_EVERY", 0.0)
    monkeypatch.setattr("log_exporter.sources.files._LOOK_EVERY", 0.0)
    log = Log(tmp_path)
    yield log
    log.kill()


@pytest.mark.parametrize("stored", range(6))
def test_a_folded_file_goes_on_after_any_message(log: Log, stored: int) -> None:
    """Each message is stored once, whichever was the last that arrived before a kill."""
    messages = [b"%d a\\n  b\\n c" % number for number in range(5)]
    shape = Shape("^[0-9]", Choice([], ["left out"]))
    log.write(b"".join(b"%d a\n  b\n c\n9 left out\n more\n" % number for number in range(5)) + b"6 begun\n")
    log.open(shape).begin(Greeting("1" * 16))
    assert log.read() == messages
    log.open(shape).begin(Greeting("2" * 16, (("1" * 16, min(stored, 5)),)))
    assert log.read() == messages[stored:]
    log.write(b" end\n7\n")
    assert log.read() == [b"6 begun\\n end"]


def test_the_last_message_does_not_wait_for_ever(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """After two quiet seconds it is sent; what comes later is one of its own; and a restart keeps that."""
    monkeypatch.setattr("log_exporter.sources.followed.SETTLED", 0.0)
    log.write(b"1 a\n b\n")
    log.open(FOLD).begin(Greeting("1" * 16))
    assert log.read() == [b"1 a\\n b"]
    log.write(b" c\n2 d\n")
    assert log.read() == [b" c", b"2 d"]
    monkeypatch.setattr("log_exporter.sources.followed.SETTLED", 60.0)
    log.open(FOLD).begin(Greeting("2" * 16, (("1" * 16, 1),)))
    assert log.read() == [b" c"]


def test_rfc5424_keeps_the_newlines(log: Log) -> None:
    """They are escaped, so that a message is one line, and they come back."""
    log.write(b"1 a\n\tb\n2\n")
    log.open(FOLD, plain=False).begin(Greeting("1" * 16))
    assert [line.partition(b"] ")[2] for line in log.read()] == [rb"1 a\n\x09b"]


def test_another_choice_begins_at_what_is_acknowledged(log: Log) -> None:
    """Lines were counted otherwise: some may come twice, none is left out, and the stream says so."""
    log.write(b"1 a\n2 b\n3 c\n")
    log.open(Shape("", Choice([], ["b"]))).begin(Greeting("1" * 16))
    assert log.read() == [b"1 a", b"3 c"]
    log.open(Shape("", Choice([], ["x"]))).begin(Greeting("2" * 16, (("1" * 16, 2),)))
    note, *lines = log.read()
    assert b" configuration - what is sent of a file has changed: up to 2 lines may come twice" in note
    assert lines == [b"1 a", b"2 b", b"3 c"]


def test_a_file_of_which_nothing_is_sent_is_read_over(log: Log) -> None:
    """It does not stop at the first stretch, and the cursor moves without any `ok`."""
    log.write(b"x\n" * 3_000_000 + b"wanted\n")
    source = log.open(Shape("", Choice(["wanted"])))
    source.begin(Greeting("1" * 16))
    got: list[bytes] = []
    for _ in range(10):
        got += log.read()
        assert source.pause in (0.0, 0.5)
    assert got == [b"wanted"]
    source.acknowledge(1)
    source.close()
    log.source = None
    log.open(Shape("", Choice(["wanted"]))).begin(Greeting("2" * 16, (("1" * 16, 1),)))
    assert log.read() == []


def test_a_message_larger_than_a_read_comes_in_parts(log: Log) -> None:
    """Nothing of it is lost, also over a restart; a secret in each part is hidden."""
    shape = Shape("^[0-9]", Choice([], [], ["secret"]))
    data = b"1 " + b"secret line\n" * 60_000 + b"2\n"
    log.write(data)
    log.open(shape).begin(Greeting("1" * 16))
    parts = log.read()
    assert len(parts) > 2
    assert b"\\n".join(parts) + b"\\n2\\n" == data.replace(b"secret", b"[redacted]").replace(b"\n", b"\\n")
    log.open(shape).begin(Greeting("2" * 16, (("1" * 16, 2),)))
    assert log.read() == parts[2:]


@pytest.mark.parametrize(
    ("begins", "filler", "secret"), [("", b"xx", b" password="), ("^[0-9]", b"x\n", b"password=\n ")]
)
def test_what_is_secret_is_not_torn_by_a_cut(log: Log, begins: str, filler: bytes, secret: bytes) -> None:
    """Wherever it lies in a message that is too long: in one line, or in two of many that belong together."""
    shape = Shape(begins, Choice(redact=["password=\\s*[^ \n]+"]))
    for number, place in enumerate((196_590, 196_600, 262_120, 262_128, 262_134)):
        log.write(b"1 " + filler * (place // 2) + secret + b"hunter2 \n y\n" + b"y" * 300_000 + b"\n2\n")
        log.open(shape).begin(Greeting(f"{number:016x}"))
        sent = b"".join(log.read())
        assert b"hunter2" not in sent
        assert sent.count(b"[redacted]") == 1
        os.unlink(log.path)


def test_many_files_are_not_in_memory_at_once(tmp_path: Path) -> None:
    """Messages count as lines do for what is taken in one round."""
    for number in range(40):
        (tmp_path / f"{number}.log").write_bytes(b"x" * 200_000 + b"\n")
    shape = Shape("", Choice(redact=["secret"]))
    source = Files([f"{tmp_path}/*.log"], Plain(), "work", State(tmp_path / "state", "test"), shape, once=False)
    source.begin(Greeting("1" * 16))
    assert source.read()
    assert len(source._lap) == 40 - 21
    source.close()


def test_a_line_that_is_cut_by_a_rotation(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file is gone and quiet: it is sent without its newline."""
    monkeypatch.setattr("log_exporter.sources.followed.SETTLED", 0.0)
    log.write(b"1 a\n2 unfini")
    log.open(FOLD).begin(Greeting("1" * 16))
    assert log.read() == [b"1 a"]
    os.unlink(log.path)
    assert log.read() == [b"2 unfini"]

"""What went in comes out, byte for byte, whatever it is and however it arrives."""

import os
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from logchain.collect.answers import Answers
from logchain.collect.session import Session
from logchain.format.audit import AuditSecret
from logchain.read.verify import Verdict, verify_store
from logchain.store.clock import SystemClock
from logchain.store.creation import create_store, new_secrets
from logchain.store.layout import Directory, open_store
from logchain.store.opening import open_stream
from logchain.store.stream import Rolling
from tests.read.shown import shown

LINES = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from([b"", b"\0", b"\r", b"\xff\xfe", "\u202e".encode(), b"- ", b"# end", b"x" * 65_535]),
        st.integers(65_530, 65_545).map(lambda size: b"y" * size),
        st.integers(131_065, 131_080).map(lambda size: b"z" * size),
    ),
    max_size=30,
).map(b"\n".join)


def _send(store: Directory, data: bytes, splits: list[int], rolling: Rolling) -> bytes:
    """Send data over a real pipe in the given pieces; return what the collector answered."""
    source, into = os.pipe()
    answer, sink = os.pipe()
    stop, never = os.pipe()
    answers = Answers(sink)
    clock = SystemClock()
    session = Session(source, answers, open_stream(store, "work", "main", clock, rolling), clock, stop, pytest.fail)

    def write() -> None:
        at = 0
        for end in [*sorted(split % (len(data) + 1) for split in splits), len(data)]:
            while at < end:
                at += os.write(into, data[at:end])
        os.close(into)

    sender = threading.Thread(target=write)
    sender.start()
    session.run("logchain.Append")
    sender.join()
    for fd in (source, sink, stop, never):
        os.close(fd)
    with open(answer, "rb") as file:
        return file.read()


@example(sessions=[(b"a\nab", []), (b"abc", []), (b"abcd\nx", []), (b"y", [])], size=200)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    sessions=st.lists(st.tuples(LINES, st.lists(st.integers(0, 1 << 20), max_size=8)), min_size=1, max_size=3),
    size=st.sampled_from([200, 5_000, 64 << 20]),
)
def test_what_went_in_comes_out(sessions: list[tuple[bytes, list[int]]], size: int) -> None:
    """Any bytes in any reads, in sessions and segments, with every line counted and all of it verified."""
    audit, seed = new_secrets()
    with tempfile.TemporaryDirectory() as path:
        create_store(Path(path), seed, SystemClock())
        with open_store(path) as store:
            for data, splits in sessions:
                answered = _send(store, data, splits, Rolling(size=size))
                assert answered.endswith(b"ok %d\n" % data.count(b"\n"))
            assert shown(store) == _expected([data for data, _ in sessions])
            _check(store, audit)


def _expected(sent: list[bytes]) -> bytes:
    """Return what `-o raw` promises: a cut line goes if it was sent again, else a newline parts it from the next."""
    out = cut = b""
    for data in sent:
        if not data:
            continue
        first = data.split(b"\n", 1)[0]
        if cut and not first.startswith(cut):
            out += cut + b"\n"
        whole, newline, cut = data.rpartition(b"\n")
        out += whole + newline
    return out + cut


def _check(store: Directory, audit: AuditSecret) -> None:
    report = verify_store(store, audit)
    assert report.verdict == Verdict.INTACT, report

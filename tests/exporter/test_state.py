"""The cursor file: durable, and readable after any crash."""

import os
import zlib
from pathlib import Path

import pytest

from log_exporter.errors import StateError, UsageError
from log_exporter.runs import Record
from log_exporter.state import State


@pytest.fixture
def state(tmp_path: Path) -> State:
    """A cursor file that has not been written."""
    return State(tmp_path, "test")


def test_records_come_back(state: State) -> None:
    """What was replaced and appended is read back in order, names that are no text included."""
    odd = os.fsdecode(b"/var/log/\xff\n")
    state.replace([{"a": 1}])
    state.replace([{"b": odd}])
    state.append([{"c": 3}, {"d": 4}])
    assert state.load() == [{"b": odd}, {"c": 3}, {"d": 4}]
    assert state.appended == 2


def test_no_file_is_no_record(state: State) -> None:
    """The first start has nothing to read."""
    assert state.load() == []


def test_a_torn_end_is_left_out(state: State) -> None:
    """Cut anywhere, the file yields the whole records before the cut, and never a wrong one."""
    records: list[Record] = [{"first": 1}, {"second": "two"}, {"third": 3}]
    state.replace(records)
    data = Path(state.path).read_bytes()
    first = data.index(b"\n") + 1
    for cut in range(first, len(data) + 1):
        Path(state.path).write_bytes(data[:cut])
        assert state.load() == records[: data[:cut].count(b"\n")]


def test_a_changed_bit_ends_the_records(state: State) -> None:
    """Each flipped bit is noticed; what follows it is not believed."""
    state.replace([{"first": 1}, {"second": 2}])
    data = Path(state.path).read_bytes()
    start = data.index(b"\n") + 1
    for position in range(start, len(data) - 1):
        Path(state.path).write_bytes(data[:position] + bytes((data[position] ^ 1,)) + data[position + 1 :])
        assert state.load() == [{"first": 1}]


NESTED = b"%08x %b\n" % (zlib.crc32(b"[" * 100_000), b"[" * 100_000)


@pytest.mark.parametrize("data", [b"", b"00000000 {}\n", b"no newline", NESTED])
def test_a_damaged_first_record_is_an_error(state: State, data: bytes) -> None:
    """The first record was renamed into place whole, so without it the file is no cursor."""
    Path(state.path).write_bytes(data)
    with pytest.raises(ValueError, match="torn"):
        state.load()


def test_two_exporters_cannot_share_a_cursor(state: State, tmp_path: Path) -> None:
    """The second is told to wait, until the first lets go."""
    with pytest.raises(UsageError, match="another log-exporter"):
        State(tmp_path, "test")
    State(tmp_path, "other").close()
    state.close()
    State(tmp_path, "test").close()


def test_what_cannot_be_saved_is_an_error(state: State, tmp_path: Path) -> None:
    """A failed write stops the exporter before it sends a line."""
    (tmp_path / "test.cursor.new").mkdir()
    with pytest.raises(StateError, match="cannot save"):
        state.replace([{}])
    with pytest.raises(StateError, match="cannot save"):
        state.append([{}])


def test_a_directory_that_cannot_be_is_a_usage_error(tmp_path: Path) -> None:
    """A state directory below a file is the user's mistake, and so is a cursor that is a directory."""
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="Not a directory"):
        State(tmp_path / "file" / "state", "test")
    (tmp_path / "test.cursor").mkdir()
    with pytest.raises(UsageError, match="Is a directory"):
        State(tmp_path, "test").load()


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    """The names of files are nobody else's business."""
    state = State(tmp_path / "new" / "state", "test")
    state.replace([{}])
    assert Path(state.path).stat().st_mode & 0o777 == 0o600
    assert Path(state.path).parent.stat().st_mode & 0o777 == 0o700

"""Attacks on the records of a segment, open or closed."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from logchain.format.keystate import RATCHET_MAGIC, Status, format_keystate, parse_keystate
from logchain.format.slots import FILE_SIZE, WIPED, format_slot, newest
from logchain.format.tags import TAG_ENTRY, format_tags, parse_tags
from tests.attacks.conftest import Auditor

Log = Callable[..., None]


class Segment:
    """A segment taken apart into records and tags, to be put together in another way."""

    def __init__(self, directory: Path) -> None:
        self.log, self.tags = directory / "00000001.log", directory / "00000001.tags"
        self.records = self.log.read_bytes().split(b"\n")[:-1]
        self.authentic = [tag for _, tag in parse_tags(self.tags.read_bytes())]

    def write(self, records: list[bytes], tags: list[bytes]) -> None:
        """Write records and tags with offsets that fit, as an attacker who knows the formats does."""
        self.log.write_bytes(b"".join(record + b"\n" for record in records))
        ends = [sum(len(record) + 1 for record in records[: count + 1]) for count in range(len(records))]
        self.tags.write_bytes(format_tags(ends, tags))


@pytest.fixture(params=[False, True], ids=["open", "closed"])
def segment(request: pytest.FixtureRequest, auditor: Auditor, log: Log) -> Segment:
    """The only segment of a store that is intact."""
    log(roll=request.param)
    assert not auditor.damage()
    return Segment(auditor.stream())


@pytest.mark.parametrize("name", ["log", "tags"])
def test_every_bit_flip_is_found(auditor: Auditor, segment: Segment, name: str) -> None:
    """Each single bit of text and tags, flipped alone, is found, and in the record where it is."""
    path: Path = getattr(segment, name)
    good = path.read_bytes()
    starts = [0]
    for record in segment.records:
        starts.append(starts[-1] + len(record) + 1)
    for place in range(len(good)):
        if name == "tags":
            hit = place // TAG_ENTRY
        else:
            hit = next(index for index, (start, end) in enumerate(pairwise(starts)) if start <= place < end)
        for bit in range(8):
            bad = bytearray(good)
            bad[place] ^= 1 << bit
            path.write_bytes(bad)
            found = auditor.damage()
            assert found, f"bit {bit} of byte {place} of {path.name}"
            assert found[0].startswith(f"1:{hit}:{starts[hit]} "), f"bit {bit} of byte {place}: {found[0]}"
    path.write_bytes(good)
    assert not auditor.damage()


def test_every_removed_record_is_found(auditor: Auditor, segment: Segment) -> None:
    """Each record removed with its tag, the rest made to fit, is found."""
    for gone in range(len(segment.records)):
        records, tags = list(segment.records), list(segment.authentic)
        del records[gone], tags[gone]
        segment.write(records, tags)
        assert auditor.damage(), f"record {gone}"


def test_every_swap_of_two_records_is_found(auditor: Auditor, segment: Segment) -> None:
    """Any two records swapped, with their tags or without, are found, unless they are the same bytes."""
    count = len(segment.records)
    for one in range(count):
        for other in range(one + 1, count):
            records, tags = list(segment.records), list(segment.authentic)
            records[one], records[other] = records[other], records[one]
            if records != segment.records:
                segment.write(records, tags)
                assert auditor.damage(), f"records {one} and {other}"
            tags[one], tags[other] = tags[other], tags[one]
            segment.write(records, tags)
            assert auditor.damage(), f"records {one} and {other} with their tags"


def test_every_repeated_record_is_found(auditor: Auditor, segment: Segment) -> None:
    """Each record stored twice, with its tag, is found."""
    for twice in range(len(segment.records)):
        records, tags = list(segment.records), list(segment.authentic)
        records.insert(twice, records[twice])
        tags.insert(twice, tags[twice])
        segment.write(records, tags)
        told = auditor.damage() or [found.text for found in auditor.report().streams[0].findings]
        assert told, f"record {twice}"


def test_every_added_record_is_found(auditor: Auditor, segment: Segment) -> None:
    """A record made up at any place is damage; behind the last committed one it is told, and not counted."""
    made_up = segment.records[-1][:27] + b" - made up"
    for place in range(len(segment.records) + 1):
        records, tags = list(segment.records), list(segment.authentic)
        records.insert(place, made_up)
        tags.insert(place, bytes(32))
        segment.write(records, tags)
        report = auditor.report()
        assert auditor.damage() or "were not committed" in report.streams[0].findings[0].text, f"place {place}"
        assert report.streams[0].records <= len(segment.records)


@pytest.mark.parametrize("name", ["log", "tags"])
def test_every_truncation_below_the_commit_is_found(auditor: Auditor, segment: Segment, name: str) -> None:
    """A file cut at each byte is found."""
    path: Path = getattr(segment, name)
    good = path.read_bytes()
    for size in range(len(good)):
        path.write_bytes(good[:size])
        assert auditor.damage(), f"{path.name} cut to {size} bytes"


def test_truncation_with_a_key_state_made_to_fit_is_found(auditor: Auditor, segment: Segment) -> None:
    """Text, tags and key state cut back together are found: the key of that moment is gone."""
    ratchet = auditor.stream() / "ratchet"
    state = parse_keystate(newest(RATCHET_MAGIC, ratchet.read_bytes()).body)
    for count in range(1, len(segment.records)):
        segment.write(segment.records[:count], segment.authentic[:count])
        body = format_keystate(
            state._replace(records=count, end=segment.log.stat().st_size, tag=segment.authentic[count - 1])
        )
        ratchet.write_bytes((format_slot(RATCHET_MAGIC, 99, body) + WIPED)[:FILE_SIZE])
        assert auditor.damage(), f"cut to {count} records"


def test_a_cut_passed_off_as_a_failed_write_is_found(auditor: Auditor, log: Log) -> None:
    """Whoever has the keys of now cannot give a segment up where it did not fail, nor hide that by logging on."""
    log()
    segment, ratchet = Segment(auditor.stream()), auditor.stream() / "ratchet"
    saved = {path: path.read_bytes() for path in (segment.log, segment.tags, ratchet)}
    state = parse_keystate(newest(RATCHET_MAGIC, saved[ratchet]).body)
    for count in range(1, len(segment.records)):
        segment.write(segment.records[:count], segment.authentic[:count])
        given_up = state._replace(
            status=Status.GIVEN_UP, records=count, end=segment.log.stat().st_size, tag=segment.authentic[count - 1]
        )
        ratchet.write_bytes(format_slot(RATCHET_MAGIC, 99, format_keystate(given_up)) + WIPED)
        assert auditor.damage(), f"cut to {count} records"
        log()
        assert "has no end" in auditor.damage()[0], f"cut to {count} records, and logged on"
        (auditor.stream() / "00000002.log").unlink()
        (auditor.stream() / "00000002.tags").unlink()
        for path, data in saved.items():
            path.write_bytes(data)
    assert not auditor.damage()


def test_rewriting_the_newest_record_with_the_key_of_now_is_found(auditor: Auditor, segment: Segment) -> None:
    """Whoever has the key of now cannot make a tag for a record that is stored already."""
    from logchain.format.ratchet import step

    state = parse_keystate(newest(RATCHET_MAGIC, (auditor.stream() / "ratchet").read_bytes()).body)
    forged = segment.records[-1][:30] + b"forged"
    for key in (state.key, state.next, bytes(32)):
        segment.write([*segment.records[:-1], forged], [*segment.authentic[:-1], step(key, forged)[1]])
        assert auditor.damage()


def test_an_odd_file_in_the_place_of_ours_is_found(auditor: Auditor, segment: Segment, tmp_path: Path) -> None:
    """A link to the same bytes is damage: what it leads to may change."""
    for path in (segment.log, segment.tags):
        elsewhere = path.rename(tmp_path / path.name)
        path.symlink_to(elsewhere)
        assert auditor.damage(), path.name
        path.unlink()
        elsewhere.rename(path)
    assert not auditor.damage()

"""Times as people write them: against fixed answers, against systemd itself, and against any text at all."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logchain.read.times import TimeError, format_local, parse_when

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 23, 18, 15, 22, 250_000, tzinfo=BERLIN)  # a Monday
END = 253_402_300_800_000_000

FORMS = {
    "now": "2026-11-23T17:15:22.25Z",
    "today": "2026-11-22T23:00Z",
    "yesterday": "2026-11-21T23:00Z",
    "tomorrow": "2026-11-23T23:00Z",
    "today UTC": "2026-11-23T00:00Z",
    "tomorrow Pacific/Auckland": "2026-11-24T11:00Z",
    "yesterday 18:00": "2026-11-22T17:00Z",
    "-30min": "2026-11-23T16:45:22.25Z",
    "+3h30min": "2026-11-23T20:45:22.25Z",
    "-1d 2h": "2026-11-22T15:15:22.25Z",
    "- 1 day 2 hours": "2026-11-22T15:15:22.25Z",
    "2h ago": "2026-11-23T15:15:22.25Z",
    "3h 30min left": "2026-11-23T20:45:22.25Z",
    "-90": "2026-11-23T17:13:52.25Z",
    "-1.5h": "2026-11-23T15:45:22.25Z",
    "-.5h": "2026-11-23T16:45:22.25Z",
    "11:12": "2026-11-23T10:12Z",
    "9:12:13": "2026-11-23T08:12:13Z",
    "11:12:13.5": "2026-11-23T10:12:13.5Z",
    "11:12 UTC": "2026-11-23T11:12Z",
    "03:00 Asia/Tokyo": "2026-11-23T18:00Z",  # where it is already the 24th
    "Mon 11:12": "2026-11-23T10:12Z",
    "2026-11-23": "2026-11-22T23:00Z",
    "2026-1-3": "2026-01-02T23:00Z",
    "Mon 2026-11-23": "2026-11-22T23:00Z",
    "MONDAY 2026-11-23 10:15": "2026-11-23T09:15Z",
    "2026-11-23 10:15": "2026-11-23T09:15Z",
    "2026-11-23 10:15:30": "2026-11-23T09:15:30Z",
    "2026-11-23 10:15:30.1234567": "2026-11-23T09:15:30.123456Z",
    "2026-07-23 10:15": "2026-07-23T08:15Z",  # summer time, though now is winter
    "2026-07-23 10:15 UTC": "2026-07-23T10:15Z",
    "2026-07-23 10:15 Asia/Tokyo": "2026-07-23T01:15Z",
    "2026-11-23T10:15": "2026-11-23T09:15Z",
    "2026-11-23T10:15:30.5": "2026-11-23T09:15:30.5Z",
    "2026-11-23T10:15:30Z": "2026-11-23T10:15:30Z",
    "2026-11-23T10:15:30+01:00": "2026-11-23T09:15:30Z",
    "2026-11-23T10:15:30-0230": "2026-11-23T12:45:30Z",
    "2026-11-23 10:15:30 +01:00": "2026-11-23T09:15:30Z",
    "2026-12-31T23:59:60Z": "2027-01-01T00:00:00Z",
    "2026-03-29 02:30": "2026-03-29T01:30Z",  # is skipped
    "2026-10-25 02:30": "2026-10-25T00:30Z",  # is there twice
    "@1395716396": "2014-03-25T02:59:56Z",
    "@1395716396.5": "2014-03-25T02:59:56.5Z",
    "@0": "1970-01-01T00:00Z",
    "9999-12-31T23:59:59.999999Z": "9999-12-31T23:59:59.999999Z",
}
REFUSED = [
    *["", " ", "2h", "2 h 30 min", "26-11-23", "2026-02-30", "2026-13-01", "Tue 2026-11-23"],
    *["Mon", "Mon UTC", "Mon today", "yesterday 2026-11-22", "Today", "T", "2026-11-23T"],
    *["11:60", "24:00", "11:12:61", "11", "2026", "2026-11", "2026-11-2311:12"],
    *["now UTC", "2h ago UTC", "-1h ago", "- ago", "ago", "+", "-", "@", "@-1"],
    *["-1e5s", "-1.5.5h", "-1h-2h", "-1fortnight", "+9999y", "-9999y", "-" + "9" * 90 + "y"],
    *["1969-12-31 UTC", "@253402300800", "10000-01-01", "9999-12-31T23:59:59-01:00"],
    *["11:12+25:00", "11:12Z UTC", "11:12+01:00 UTC", "11:12 Nowhere/City", "11:12 Europe"],
    *["11:12 a/../../etc/passwd", "11:12 /etc/passwd", "11:12 " + "a" * 94],
    *["-1\t h", "-1\u00a0h", "now\n", "now\0", "2026-11-23\n", "@1\0", "\ud800", "x" * 101],
    *["-\u0663h", "\uff12\uff10\uff12\uff16-11-23", "11:12 Europe/B\u0435rlin"],
]


def microseconds(text: str) -> int:
    """Read the plainest of forms with Python's own reader."""
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[ZoneInfo]:
    """Make New York's time the system's own."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield ZoneInfo("America/New_York")
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(("text", "expected"), FORMS.items())
def test_every_form_is_understood(text: str, expected: str) -> None:
    """Each form of systemd.time(7) and RFC 3339 means what it says."""
    assert parse_when(text, NOW) == microseconds(expected)


@pytest.mark.parametrize("text", REFUSED)
def test_the_rest_is_refused(text: str) -> None:
    """What is no time, or leaves room for a guess, is an error of one printable line that names the forms."""
    with pytest.raises(TimeError, match="understood are now, today") as caught:
        parse_when(text, NOW)
    assert str(caught.value).isprintable()


def test_an_error_says_why() -> None:
    """A wrong day of the week is answered with the right one."""
    with pytest.raises(TimeError, match=r"\A'Tue 2026-11-23': that day is a Monday; "):
        parse_when("Tue 2026-11-23", NOW)


@pytest.mark.parametrize(
    ("names", "seconds"),
    [
        ("usec us µs μs", 0.000_001),
        ("msec ms", 0.001),
        ("seconds second sec s", 1),
        ("minutes minute min m", 60),
        ("hours hour hr h", 3_600),
        ("days day d", 86_400),
        ("weeks week w", 604_800),
        ("months month M", 2_629_800),
        ("years year y", 31_557_600),
    ],
)
def test_every_unit_has_its_length(names: str, seconds: float) -> None:
    """Each name of each unit counts as much as systemd.time(7) says."""
    for name in names.split():
        assert parse_when(f"@2{name}", NOW) == round(seconds * 2_000_000)


@pytest.mark.parametrize("text", ["now", "today", "2026-11-23 10:15", "2026-07-23 10:15", "-3h", "yesterday 18:00"])
def test_a_naive_now_means_the_system_zone(text: str, new_york: ZoneInfo) -> None:
    """Without a zone, times are the system's own, in summer and in winter."""
    here = NOW.astimezone(new_york)
    assert parse_when(text, here.replace(tzinfo=None)) == parse_when(text, here)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
@pytest.mark.parametrize(
    "text",
    [
        *["now", "today", "yesterday", "tomorrow", "today UTC", "tomorrow UTC"],
        *["-30min", "+3h30min", "-1d 2h", "- 3 h 2 m", "-90", "2h ago", "3h 30min left"],
        *["1 week ago", "1.5h ago", "-.5h", "+1M 1y", "-5µs", "+2months 3weeks 4us"],
        *["11:12", "9:12:13", "1:2", "11:12:13.5", "11:12 UTC", "2026-11-23", "2026-1-3"],
        *["Mon 2026-11-23", "MONDAY 2026-11-23", "2026-11-23 10:15", "2026-11-23  10:15"],
        *["2026-07-23 10:15:30", "2026-11-23 10:15:30.125 UTC", "2026-12-31 23:59:60"],
        *["2026-03-29 02:30", "@1395716396", "@1395716396.5", "@1w2d", "@1.5 2"],
        *["", "2h", "Tue 2026-11-23", "Mon", "24:00", "10:60", "-1.5.5h", "-", "@-1", "now UTC"],
        *["-1e", "Today", "1969-12-31 UTC", "-1.h", "-1d,2h", "10:15 AM", "001:02", "now+1h"],
    ],
)
def test_systemd_says_the_same(text: str) -> None:
    """Each form means to systemd what it means here, or neither takes it."""
    before = datetime.now(BERLIN)
    run = subprocess.run(
        ["systemd-analyze", "timestamp", "--", text],
        env={**os.environ, "TZ": "Europe/Berlin", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    took = datetime.now(BERLIN) - before
    if theirs := re.search(r"UNIX seconds: @(\d+(?:\.\d+)?)", run.stdout):
        ours = parse_when(text, before) / 1_000_000
        assert ours - 0.001 <= float(theirs[1]) <= ours + took.total_seconds() + 0.001
    else:
        with pytest.raises(TimeError):
            parse_when(text, before)


SCRAPS = [
    *[*" +-@:.TZ0129", "\u0663", "\0", "h", "min", "µs", "ago", "left", "now", "today", "Mon", "UTC"],
    *["2026-11-23", "9999-12-31", "1970-01-01", "23:59", "Asia/Tokyo", "Europe", "99999999"],
]


@given(st.text() | st.lists(st.sampled_from(SCRAPS) | st.text(max_size=3)).map("".join))
@example("9999-12-31 23:59")
@example("1970-01-01")
@example("-" + "9" * 5000)
def test_any_text_is_a_time_or_a_time_error(text: str) -> None:
    """No text at all raises anything else, or leaves the years 1970 to 9999."""
    for now in (NOW, NOW.replace(tzinfo=None), datetime.max, datetime.min.replace(tzinfo=UTC)):
        with suppress(TimeError):
            assert 0 <= parse_when(text, now) < END


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)),
    st.sampled_from([UTC, BERLIN, ZoneInfo("America/New_York"), timezone(timedelta(hours=5, minutes=45))]),
)
def test_what_is_shown_can_be_typed(moment: datetime, zone: tzinfo) -> None:
    """A time of `show`, typed back with its offset, is the same time to the millisecond."""
    time_us = microseconds(moment.isoformat() + "Z")
    offset = datetime.fromtimestamp(time_us // 1_000_000, zone).strftime("%z")
    if len(offset) == 5:  # local mean times of long ago had seconds
        assert parse_when(format_local(time_us, zone) + offset, NOW) == time_us - time_us % 1000


def test_times_are_shown_in_their_zone(new_york: ZoneInfo) -> None:
    """A time is shown by the named zone's clock, or else by the system's, cut to the millisecond."""
    time_us = microseconds("2026-07-23T10:15:30.999999Z")
    assert format_local(time_us, UTC) == "2026-07-23 10:15:30.999"
    assert format_local(time_us, BERLIN) == "2026-07-23 12:15:30.999"
    assert format_local(time_us, new_york) == format_local(time_us, None) == "2026-07-23 06:15:30.999"


def test_the_last_hours_of_9999_are_shown_too() -> None:
    """A forged time that a zone would carry into the year 10000 is shown in UTC."""
    assert format_local(END - 1, BERLIN) == "9999-12-31 23:59:59.999"

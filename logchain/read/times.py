"""Times as people write and read them.

`parse_time` reads what systemd.time(7) and RFC 3339 describe:

    now                        2026-11-23                     -30min
    today                      2026-11-23 10:15               +3h 30min
    yesterday 18:00            2026-11-23T10:15:30.5+01:00    2h ago
    11:12                      2026-11-23 10:15 Asia/Tokyo    3 days left
    11:12:13.5 UTC             Mon 2026-11-23                 @1395716396.5

Where systemd guesses, this refuses, for a wrong guess hides evidence: years of two digits (`11-12-13` is
another day to every reader) and days that do not exist (systemd makes 30 February the 2nd of March). It takes
one thing that systemd does not: a time of day behind `yesterday`, `today` and `tomorrow`.
"""

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final

from logchain.format.errors import UsageError

__all__ = ["TimeError", "format_local", "parse_when"]

_SECOND: Final = 1_000_000
_END: Final = 253_402_300_800 * _SECOND  # the year 10000
_MAX_LENGTH: Final = 100  # nobody types more; and far below the digits at which int() gives up

_UNITS: Final = {
    name: size
    for names, size in {
        "usec us µs μs": 1,  # the micro sign, and the Greek letter
        "msec ms": 1_000,
        "seconds second sec s": _SECOND,
        "minutes minute min m": 60 * _SECOND,
        "hours hour hr h": 3_600 * _SECOND,
        "days day d": 86_400 * _SECOND,
        "weeks week w": 7 * 86_400 * _SECOND,
        "months month M": 2_629_800 * _SECOND,  # a twelfth of a year; the man page rounds it to 30.44 days
        "years year y": 31_557_600 * _SECOND,  # 365.25 days
    }.items()
    for name in names.split()
}
_DAYS: Final = {"yesterday": -1, "today": 0, "tomorrow": 1}
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

# A number without a unit is seconds, but only before a space or the end: `1.5.5h` is a slip, not 1.5s .5h.
_SPAN_PART = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(?: *([A-Za-zµμ]+) *| +|\Z)", re.ASCII)

_MOMENT = re.compile(
    r"""
    (?: (?P<word> yesterday | today | tomorrow)
      | (?: (?P<weekday> [A-Za-z]+) [ ]+ (?=\d) )?
        (?: (?P<year> \d{4}) - (?P<month> \d\d?) - (?P<day> \d\d?) )?
    )
    (?: (?: \b | T | [ ]+)
        (?P<hour> \d\d?) : (?P<minute> \d\d?) (?: : (?P<seconds> (?: [0-5]?\d | 60 ) (?: \.\d+ )? ) )?
        (?: (?P<utc> Z) | [ ]? (?P<sign> [+-]) (?P<offset_h> \d\d) :? (?P<offset_m> [0-5]\d) )?
    )?
    (?: [ ]+ (?P<zone> [A-Za-z] [A-Za-z0-9_+/-]*) )?
    """,
    re.ASCII | re.VERBOSE,
)


class TimeError(UsageError):
    """A time that cannot be read, or is not between 1970 and 9999."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(
            f"{text[:_MAX_LENGTH]!a}: {reason}; understood are now, today, yesterday, -30min, 2h ago, 11:12, "
            "2026-11-23, 2026-11-23 10:15:30, 2026-11-23T10:15:30Z, 2026-11-23 10:15 Asia/Tokyo, @1395716396"
        )


def parse_when(text: str, now: datetime) -> int:
    """Read a time that a person wrote, as µs since 1970 UTC.

    A time without a zone is meant in that of `now`, which should know summer time: a ZoneInfo, or none at
    all, as in `datetime.now()`, for the system's own. Where a clock is set back and shows a time twice, the
    first is meant; where it is set forward, a time that it skips counts on from before the gap.
    """
    if len(text) > _MAX_LENGTH:
        raise TimeError(text, "too long for a time")
    try:
        time_us = _parse(text, now)
    except (ValueError, OverflowError) as error:
        raise TimeError(text, str(error)) from error
    if not 0 <= time_us < _END:
        raise TimeError(text, "not between 1970 and 9999")
    return time_us


def format_local(time_us: int, zone: tzinfo | None, *, full: bool = False) -> str:
    """Write a time of 1970 to 9999 in a zone, None for the system's own: `2026-11-23 03:45:01.123`.

    In full it is `2026-11-23T03:45:01.123456+01:00`.
    """
    seconds, fraction = divmod(time_us, _SECOND)
    if full:
        try:
            moment = datetime.fromtimestamp(seconds, zone or UTC)
            moment = moment if zone else moment.astimezone()
        except (ValueError, OverflowError):
            moment = datetime.fromtimestamp(seconds, UTC)
        return moment.replace(microsecond=fraction).isoformat(timespec="microseconds")
    return f"{_format_second(seconds, zone)}.{fraction // 1000:03d}"


@lru_cache(maxsize=1024)  # the lines of a log stand close together
def _format_second(seconds: int, zone: tzinfo | None) -> str:
    """Write all but the fraction of a time."""
    try:
        moment = datetime.fromtimestamp(seconds, zone)
    except (ValueError, OverflowError):  # already 10000 there: a forged time, but no reason to stop
        moment = datetime.fromtimestamp(seconds, UTC)
    return str(moment.replace(tzinfo=None))


def _parse(text: str, now: datetime) -> int:
    """Tell apart the kinds of time."""
    if text == "now":
        return _microseconds(now)
    if text.startswith("@"):
        return _parse_span(text[1:])
    if text.startswith("-"):
        return _microseconds(now) - _parse_span(text[1:])
    if text.startswith("+"):
        return _microseconds(now) + _parse_span(text[1:])
    if text.endswith(" ago"):
        return _microseconds(now) - _parse_span(text.removesuffix(" ago"))
    if text.endswith(" left"):
        return _microseconds(now) + _parse_span(text.removesuffix(" left"))
    return _parse_moment(text, now)


def _parse_span(text: str) -> int:
    """Add up the parts of a time span, in µs."""
    text = text.strip(" ")
    span = end = 0
    while end < len(text) or not text:  # at least one part
        part = _SPAN_PART.match(text, end)
        if not part or (part[2] and part[2] not in _UNITS):
            raise ValueError("not a time span")
        span += _exactly(part[1], _UNITS[part[2] or "s"])
        end = part.end()
    return span


def _parse_moment(text: str, now: datetime) -> int:
    """Read a day, a time of day, or both."""
    match = _MOMENT.fullmatch(text)
    if not match or not (match["year"] or match["word"] or match["hour"]):
        raise ValueError("not a time")

    zone = _zone(match, now.tzinfo)
    if match["year"]:
        day = date(int(match["year"]), int(match["month"]), int(match["day"]))
    else:
        day = now.astimezone(zone).date() + timedelta(days=_DAYS[match["word"] or "today"])
    weekday = _WEEKDAYS[day.weekday()]
    if match["weekday"] and match["weekday"].title() not in (weekday, weekday[:3]):
        raise ValueError(f"that day is a {weekday}")

    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    minute = midnight.replace(hour=int(match["hour"] or 0), minute=int(match["minute"] or 0))
    # The seconds come last: a leap second's :60 is in RFC 3339, but in no datetime.
    return _microseconds(minute) + _exactly(match["seconds"] or "0", _SECOND)


def _zone(match: re.Match[str], local: tzinfo | None) -> tzinfo | None:
    """Return the zone that a moment names, or else the local one."""
    if match["zone"]:
        if match["utc"] or match["sign"]:
            raise ValueError("two time zones")
        from zoneinfo import ZoneInfo  # few name one

        try:
            return ZoneInfo(match["zone"])
        except (LookupError, OSError, ValueError) as error:  # unknown; a directory; no zone file
            raise ValueError(f"no time zone {match['zone']}") from error
    if match["sign"]:
        offset = timedelta(hours=int(match["offset_h"]), minutes=int(match["offset_m"]))
        return timezone(-offset if match["sign"] == "-" else offset)
    return UTC if match["utc"] else local


def _exactly(number: str, unit: int) -> int:
    """Return a decimal number of units in µs, what is less than one left out."""
    whole, _, fraction = number.partition(".")
    return int(whole or "0") * unit + int(fraction or "0") * unit // int("1" + "0" * len(fraction))


def _microseconds(moment: datetime) -> int:
    """Count the µs since 1970; the float that `timestamp` returns holds whole seconds exactly."""
    return int(moment.replace(microsecond=0).timestamp()) * _SECOND + moment.microsecond

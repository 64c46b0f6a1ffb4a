"""Times, spans and sizes as people read them."""

from datetime import tzinfo

from logchain.read.times import format_local

__all__ = ["format_ago", "format_second", "format_size", "format_span"]

_SPANS = (86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")


def format_second(time_us: int, zone: tzinfo | None = None) -> str:
    """Return a receive time to the second, in a zone, None for the system's own; `-` for 0, which is none."""
    return format_local(time_us, zone)[:19] if time_us else "-"


def format_size(count: float) -> str:
    """Return a size in bytes as people read it: `1.5 GiB`."""
    units = ["TiB", "GiB", "MiB", "KiB", "B"]
    while count >= 1024 and len(units) > 1:
        count /= 1024
        units.pop()
    return f"{count:.0f} B" if units[-1] == "B" else f"{count:.1f} {units[-1]}"


def format_ago(span: int) -> str:
    """Return a span of µs in its largest unit: `12 s`, `5 min`, `3 h`, `12 d`; nothing is less than no time."""
    seconds = max(0, span // 1_000_000)
    for size, unit in _SPANS:
        if seconds >= size:
            return f"{seconds // size:,} {unit}"
    return "0 s"


def format_span(span: int) -> str:
    """Return a span of µs in its two largest units, as `parse_when` reads them: `3h 12min`."""
    rest = span // 1_000_000
    if rest < 60:
        return f"{span / 1_000_000:.1f}s"
    parts = []
    for size, unit in _SPANS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])

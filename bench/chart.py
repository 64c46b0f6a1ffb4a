"""Draws curves over logarithmic axes, as plain SVG."""

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 800, 480, 70, 210, 20, 50
COLOURS = ("#1b6ca8", "#c8442d", "#2e8540", "#8a5a00", "#6b3fa0", "#007c7c", "#b0307a", "#555555", "#a08000")
APART = 15  # px between two names


def chart(curves: Mapping[str, Sequence[tuple[float, float]]], across: str, up: str) -> str:
    """Return a picture of named curves through points (x, y), all over 0; the names stand at their ends."""
    xs, ys = (sorted(point[axis] for points in curves.values() for point in points) for axis in (0, 1))
    left, right, low, high = floor(log10(xs[0])), ceil(log10(xs[-1])), floor(log10(ys[0])), ceil(log10(ys[-1]))

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + (log10(x) - left) / (right - left) * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - (log10(y) - low) / (high - low) * (HEIGHT - BOTTOM - TOP),
        )

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" style="font: 12px sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for power in range(left, right + 1):
        x, y = place(10**power, 10**low)
        parts += [line(x, y, x, TOP), text(x, y + 18, f"{10**power:,}", "middle")]
    for power in range(low, high + 1):
        x, y = place(10**left, 10.0**power)
        parts += [line(x, y, WIDTH - RIGHT, y), text(x - 6, y + 4, f"{10.0**power:g}", "end")]
    parts += [text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, across, "middle"), text(LEFT, TOP - 7, up, "start")]
    free = HEIGHT
    ranked = sorted(enumerate(curves.items()), key=lambda one: one[1][1][-1][1])
    for number, (name, points) in ranked:
        colour, places = COLOURS[number % len(COLOURS)], [place(*point) for point in points]
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{corners}" fill="none" stroke="{colour}" stroke-width="2"/>')
        free = min(free - APART, int(places[-1][1]))
        parts.append(text(places[-1][0] + 8, free + 4, name, "start", colour))
    return "\n".join([*parts, "</svg>", ""])


def line(x1: float, y1: float, x2: float, y2: float) -> str:
    """Return a thin line."""
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="#ddd"/>'


def text(x: float, y: float, words: str, anchor: str, colour: str = "#333") -> str:
    """Return words that begin, end or have their middle at a point."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'

"""A search over blocks finds what a search line by line finds."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logchain.format.limits import PREFIX
from logchain.read.grep import Pattern

TIME = b"2026-11-23T03:45:01.123456Z - "
LINES = st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"a")), max_size=8)
PIECES = st.sampled_from(
    [
        *rb"""a b ab . 2 Z - \d \w \b \B \s \S \W [ab] [^a] [!-~] ^ $ \A \Z * + ? {2} {1,} | ( ) (?: (?!a) (?<!b) (?=b)
    (?s) (?i) \. \n \x20 \\ \1 *? ++ [\n] [^\d] (?>a) A B \xc3\xa4 \+""".split(),
        *(b" ", b"[ -~]", b"(?<= )", b"\xc3\xa4", b"\xff"),
    ]
)


def text(lines: list[bytes]) -> bytes:
    """Return lines as records."""
    return b"".join(TIME + line + b"\n" for line in lines)


def found(pattern: Pattern, lines: list[bytes]) -> list[bytes]:
    """Return which lines are found in a block of them."""
    block = text(lines)
    return [block[begin + PREFIX : end - 1] for begin, end in pattern.find(block)]


@given(LINES, st.lists(PIECES, max_size=5).map(b"".join), st.booleans(), st.booleans())
@example([b"", b"a", b" "], rb"\s", False, False)
@example([b"a", b"b"], rb"(?<! )a", False, False)
@example([b"a b", b"ba"], rb"^b", False, False)
@example([b"", b""], rb"$", False, True)
@example([b"2026", b"no"], rb"2026", False, False)
@example([b"xA", b"a"], rb"a", True, False)
@example([b"a"], rb"Z - a", False, False)
def test_a_block_is_searched_as_its_lines_are(
    lines: list[bytes], expression: bytes, ignore_case: bool, invert: bool
) -> None:
    """Whatever the pattern: anchors, looks around, newlines in classes, times that match too."""
    try:
        regex = re.compile(expression, re.IGNORECASE if ignore_case else 0)
    except (re.error, OverflowError):
        return
    except DeprecationWarning:
        return
    expected = [line for line in lines if bool(regex.search(line)) != invert]
    pattern = Pattern(expression, ignore_case, invert)
    assert found(pattern, lines) == expected
    assert [line for line in lines if pattern.matches(line)] == expected


@pytest.mark.parametrize(
    ("expression", "way"),
    [
        (rb"Accepted publickey", "_lines"),
        (rb"10\.137\.0\.1", "_lines"),
        (rb"a+b", "_candidates"),
        (rb"port [0-9]{4,5}\b", "_candidates"),
        (rb"(?:error|fail)ed? .*disk", "_candidates"),
        (rb"^<27>", "_all"),
        (rb"\s", "_all"),
        (rb"[^a]b", "_all"),
        (rb"(?<!x)y", "_all"),
        (rb"x*", "_all"),
        (rb"(?s)a.b", "_all"),
        (rb"a\nb", "_all"),
    ],
)
def test_how_a_pattern_is_searched(expression: bytes, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As blocks where that finds the same; as lines where it might not."""
    for name in {"_lines", "_candidates", "_all"} - {way}:
        monkeypatch.delattr(Pattern, name)
    assert found(Pattern(expression), [b""]) == ([b""] if expression == rb"x*" else [])


@pytest.mark.parametrize(
    ("expression", "lines", "searches"),
    [
        (rb"request [0-9]+ failed", [b"request 7 done", b"it failed"], True),
        (rb"request [0-9]+ failed", [b"request 7 done"], False),
        (rb"fail?ed", [b"fair", b"faded"], True),
        (rb"a\.b.", [b"a-b"], False),
    ],
)
def test_a_block_without_what_a_pattern_needs_is_not_searched(
    expression: bytes, lines: list[bytes], searches: bool
) -> None:
    """All that stands in whatever matches has to be in the block, if not in one line."""

    class Regex:
        asked = False

        def search(self, _: bytes, __: int = 0) -> None:
            self.asked = True

    pattern = Pattern(expression)
    pattern._regex = regex = Regex()  # type: ignore[assignment]
    assert found(pattern, lines) == []
    assert regex.asked == searches

r"""Makes what a sender wrote safe to look at, on any terminal and in any plain-text widget.

Every byte of a log is chosen by somebody who may want to fool or harm its reader, so whatever comes before
a person's eyes goes through this one module. It makes visible, as `\x1b`, `\u202e` or `\U000e0041`:

- control characters (C0, DEL, C1) and bytes that are not UTF-8: they drive terminals;
- format characters, bidirectional controls among them: they reorder or hide text. The joiners go too, so
  emoji families and some Persian and Indic words come apart: what is there comes before how it looks;
- line and paragraph separators: a record is one line;
- surrogates, private-use and unassigned characters: nobody can tell what they will look like;
- whatever else draws nothing (`_HIDDEN`), and spaces but those of ordinary text (`_SPACES`);
- combining marks beyond `MAX_MARKS` in a row, which would paint over other lines, and marks at the very
  start, which would settle on what is printed before them.

All else stays: the letters of every script, emoji, the backslash. Escaping is for the eye and cannot be
undone (`\x1b` may be an ESC or the four characters that a sender wrote); for the bytes there are `-o raw`
and json.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final

__all__ = ["MAX_MARKS", "escape", "escape_text"]

MAX_MARKS: Final = 4  # enough for pointed Hebrew and stacked Tibetan

_SPACES: Final = (
    "\u00a0\u202f"  # French has them before its colons and in its numbers
    "\u3000"  # the space of Chinese and Japanese
)

# What Unicode calls default-ignorable and Python calls printable, then what is blank by design.
_HIDDEN: Final = (
    "\u034f"  # combining grapheme joiner
    "\u115f\u1160\u3164\uffa0"  # Hangul fillers, letters by category
    "\u17b4\u17b5"  # Khmer inherent vowels
    "\u180b-\u180f\ufe00-\ufe0f\U000e0000-\U000e0fff"  # variation selectors and tags can carry a hidden text
    "\u2800"  # the Braille pattern without dots
    "\ufffc"  # stands for an object that is not there
    "\U00013441\U00013442\U0001d159"  # blank hieroglyphs, the null notehead
    "\U00016fe4"  # Khitan filler
)

# Hangul vowels and finals: letters by category, but they join the letter before them and take no room.
_JAMO: Final = "\u1160-\u11ff\ud7b0-\ud7ff"

_HIDDEN_CHAR = re.compile(f"[{_HIDDEN}]")
_JAMO_CHAR = re.compile(f"[{_JAMO}]")
_NOT_PLAIN_ASCII = re.compile(r"[^ -~]+")


def escape(untrusted: bytes) -> str:
    """Return the bytes of a line as text that is safe to show."""
    return escape_text(untrusted.decode("utf-8", "backslashreplace"))


def escape_text(untrusted: str) -> str:
    """Return the text with all that could fool or harm its reader made visible."""
    if untrusted.isascii() and untrusted.isprintable():
        return untrusted
    return _NOT_PLAIN_ASCII.sub(_escape_run, untrusted)


def _escape_run(match: re.Match[str]) -> str:
    """Escape what has to be in a run of anything but printable ASCII."""
    shown = []
    marks = MAX_MARKS if match.start() == 0 else 0
    for char in match[0]:
        is_plain, is_mark = _judge(char)
        marks = marks + 1 if is_mark else 0
        shown.append(char if is_plain and marks <= MAX_MARKS else _spell_out(char))
    return "".join(shown)


@lru_cache(maxsize=4096)  # room for a few alphabets, and a bound on what a sender can make us remember
def _judge(char: str) -> tuple[bool, bool]:
    """Tell whether the character only shows itself, and whether it is drawn onto the one before it."""
    is_plain = char in _SPACES or (char.isprintable() and not _HIDDEN_CHAR.match(char))
    is_mark = unicodedata.category(char).startswith("M") or bool(_JAMO_CHAR.match(char))
    return is_plain, is_mark


@lru_cache(maxsize=4096)
def _spell_out(char: str) -> str:
    """Write the character as its number."""
    code = ord(char)
    if code < 0xA0:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

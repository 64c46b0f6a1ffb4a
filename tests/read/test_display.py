"""What may reach a person's eyes, by a definition of harm that shares nothing with the code."""

import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logchain.read.display import MAX_MARKS, escape, escape_text

# Default_Ignorable_Code_Point, all of it, as DerivedCoreProperties.txt lists it (Unicode 16).
DEFAULT_IGNORABLE = [
    *[(0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F)],
    *[(0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F)],
    *[(0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A)],
    (0xE0000, 0xE0FFF),
]
BLANK = {0x2800, 0xFFFC, 0x13441, 0x13442, 0x16FE4, 0x1D159}
SPACES = {0x20, 0xA0, 0x202F, 0x3000}


def is_harmful(code: int) -> bool:
    """Whether a character must never be shown."""
    category = unicodedata.category(chr(code))
    return (
        category in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        or (category == "Zs" and code not in SPACES)
        or code in BLANK
        or any(first <= code <= last for first, last in DEFAULT_IGNORABLE)
    )


def stacks(char: str) -> bool:
    """Whether a character takes no room of its own."""
    hangul = 0x1160 <= ord(char) <= 0x11FF or 0xD7B0 <= ord(char) <= 0xD7FF
    return hangul or unicodedata.category(char) in {"Mn", "Mc", "Me"}


def assert_harmless(shown: str) -> None:
    """Fail if a terminal or a widget could be driven or a reader fooled by the text."""
    row = MAX_MARKS  # nothing may stack on what stands before the text
    for char in shown:
        assert not is_harmful(ord(char)), ascii(char)
        row = row + 1 if stacks(char) else 0
        assert row <= MAX_MARKS, ascii(shown)


TRICKY = st.text(
    st.sampled_from("aA \\é漢字한\u0301\u0489\u0e33\u1161\u11a8\ud7b0\u200d\u202e\u2066\u034f\ufe0f👩❤\x1b\x9b\n\t\r")
    | st.characters()
)


@given(st.binary())
@example(b"\xed\xa0\x80\xf4\x90\x80\x80\xc0\x80\xff")
def test_any_bytes_come_out_harmless(untrusted: bytes) -> None:
    """Whatever bytes were sent, what is shown harms nobody."""
    assert_harmless(escape(untrusted))


@given(TRICKY)
@example("\u0301" * 9 + "a" + "\u0301" * 9)
@example("\u1161\u11a8" * 9)
def test_any_text_comes_out_harmless(untrusted: str) -> None:
    """Whatever text it is, surrogates included, what is shown harms nobody."""
    assert_harmless(escape_text(untrusted))


def test_every_character_is_shown_or_spelled_out() -> None:
    """A harmless character stays and a harmful one becomes its number, for each of Unicode."""
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        number = f"\\x{code:02x}" if code < 0xA0 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
        assert escape_text(f"a{char}b") == f"a{number if is_harmful(code) else char}b"


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_printable_ascii_is_unchanged(text: str) -> None:
    """Printable ASCII, the backslash too, is what it was."""
    assert escape_text(text) == text
    assert escape(text.encode()) == text


@given(TRICKY)
def test_escaping_twice_changes_nothing_more(untrusted: str) -> None:
    """What was once made safe is left alone, as text and as bytes."""
    shown = escape_text(untrusted)
    assert escape_text(shown) == shown
    assert escape(shown.encode()) == shown


@given(TRICKY.filter(lambda text: not any("\ud800" <= char <= "\udfff" for char in text)))
def test_bytes_and_text_are_shown_alike(text: str) -> None:
    """UTF-8 is shown as the text it encodes."""
    assert escape(text.encode()) == escape_text(text)


@pytest.mark.parametrize(
    "line",
    [
        r"C:\new\x1b is no escape",
        "Größe: 5 µm — «déjà vu» № 7 ‰ €",
        "Erreur\u00a0: 12\u202f000 octets",
        "служба запущена; υπηρεσία; שלום; مرحبا",
        "サービス\u3000開始、서비스 시작, 服务已启动",
        "सेवा शुरू हुई; บริการเริ่มแล้ว; Tiếng Việt",
        unicodedata.normalize("NFD", "Tiếng Việt 서비스 시작"),
        "🚀 done 👍🏽 🇩🇪 ✔ ⠋ │ ▓",
    ],
)
def test_ordinary_writing_stays(line: str) -> None:
    """People's languages are shown as they wrote them."""
    assert escape(line.encode()) == line


@pytest.mark.parametrize(
    ("untrusted", "shown"),
    [
        (b"\x1b[2J\x1b]0;owned\x07", r"\x1b[2J\x1b]0;owned\x07"),
        (b"a\tb\r\nc\0d\x7f", r"a\x09b\x0d\x0ac\x00d\x7f"),
        ("CSI \u009b2J".encode(), r"CSI \x9b2J"),
        (b"Latin-1 \xe9, cut \xe2\x82", r"Latin-1 \xe9, cut \xe2\x82"),
        ("user \u202egnp.exe".encode(), r"user \u202egnp.exe"),
        ("root\u200b r\u00adoot\u00a0".encode(), "root\\u200b r\\u00adoot\u00a0"),
        ("\U000e0041\U000f0000\ue000\u0378".encode(), r"\U000e0041\U000f0000\ue000\u0378"),
        ("sshd\u3164 sshd\u2800 ❤\ufe0f".encode(), r"sshd\u3164 sshd\u2800 ❤\ufe0f"),
        ("Z\u0301\u0302\u0303\u0304\u0305\u0306!".encode(), "Z\u0301\u0302\u0303\u0304\\u0305\\u0306!"),
        ("\u0338 settles on what is before".encode(), r"\u0338 settles on what is before"),
        (b"", ""),
    ],
)
def test_tricks_are_made_visible(untrusted: bytes, shown: str) -> None:
    """The known tricks are spelled out and lose their force."""
    assert escape(untrusted) == shown

"""Signed notes: docs/spec/note.md, C2SP signed-note, and the vectors of Go's sumdb/note."""

from base64 import b64decode, b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logchain.format.errors import FormatError, SignatureError
from logchain.format.limits import MAX_SIGNATURES
from logchain.format.signed_note import (
    Signature,
    SignedNote,
    Vkey,
    format_vkey,
    open_note,
    parse_note,
    parse_vkey,
    public_key,
    sign,
)
from tests.format.pages import KEYS, example, flips, refused_or_the_same

LIMIT = 100_000

# of golang.org/x/mod/sumdb/note
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SEED = b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = b"If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_SIGNED = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()
ENOCH_SIGNED = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
).encode()
NOTE = TEXT + b"\n" + PETER_SIGNED

NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"], exclude_characters="+"), min_size=1)
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"], include_characters="\n")).map(lambda text: text + "\n")


def test_the_page_s_example() -> None:
    """The note of the page is one that its key signed."""
    assert open_note(example("note.md"), parse_vkey(example("note.md", 1).decode().strip()), LIMIT) == TEXT


def test_a_published_note_byte_for_byte() -> None:
    """Text and seed give the published note, and the published key opens it."""
    assert sign(TEXT, "PeterNeumann", PETER_SEED) == NOTE
    assert format_vkey(public_key("PeterNeumann", PETER_SEED)) == PETER
    assert open_note(NOTE, parse_vkey(PETER), LIMIT) == TEXT


def test_a_published_note_of_two() -> None:
    """Each of two keys opens it, and signatures of others are ignored, in any order and number."""
    for note in (TEXT + b"\n" + PETER_SIGNED + ENOCH_SIGNED, TEXT + b"\n" + ENOCH_SIGNED * 3 + PETER_SIGNED * 2):
        for vkey in (PETER, ENOCH):
            assert open_note(note, parse_vkey(vkey), LIMIT) == TEXT


def test_what_sum_golang_org_signed() -> None:
    """A note that a log of the real world signed opens with its key."""
    note = (
        "go.sum database tree\n6476701\nmb8QLQIs0Z0yP5Cstq6guj87oXWeC9gEM8oVikmm9Wk=\n\n"
        "— sum.golang.org "
        "Az3grsLX85Gz+s1SiTbgkuqxgItqFq7gsMUEyVnrsa9LM7Us9S+1xbFIGu95949rj4nPRYfvimWEPWL+o3GeoWwOoAw=\n"
    ).encode()
    vkey = parse_vkey("sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8")
    assert open_note(note, vkey, LIMIT).startswith(b"go.sum database tree\n6476701\n")


def test_c2sp_s_example_is_well_formed() -> None:
    """The note on the page of C2SP has empty lines in its text, and one signature."""
    text = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n"
    signed = "NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc="
    found = parse_note(f"{text}\n— quasimodo.example/salvatore {signed}\n".encode(), LIMIT)
    key_id, signature = b64decode(signed)[:4], b64decode(signed)[4:]
    assert found == SignedNote(text.encode(), (Signature("quasimodo.example/salvatore", key_id, signature),))


@pytest.mark.parametrize(
    "note",
    [
        TEXT,
        TEXT + b"\n",
        TEXT + b"\n" + PETER_SIGNED[:-1],
        b"\x01" + NOTE,
        b"\xff" + NOTE,
        b"\r" + NOTE,
        TEXT + b"\n" + PETER_SIGNED.replace(b"PeterNeumann", b"Bad Name"),
        TEXT + b"\n" + PETER_SIGNED.replace(b"PeterNeumann", b"Bad+Name"),
        TEXT + b"\n" + PETER_SIGNED.replace(b"PeterNeumann", "Bad\u2003Name".encode()),
        TEXT + b"\n" + PETER_SIGNED.replace(b"PeterNeumann ", b""),
        TEXT + b"\n" + PETER_SIGNED.replace(b"PeterNeumann", b""),
        NOTE + b"Unexpected line.\n",
        NOTE + b"\n",
        NOTE + b" \n",
        TEXT + b"\n" + PETER_SIGNED.replace("—".encode(), b"-"),
        TEXT + b"\n" + PETER_SIGNED.replace(b"=\n", b"\n"),
        TEXT + b"\n" + PETER_SIGNED.replace(b"=\n", b"==\n"),
        TEXT + b"\n" + PETER_SIGNED.replace(b"M=\n", b"N=\n"),  # a bit behind the end
        TEXT + b"\n" + PETER_SIGNED.replace(b"x08g", b"x08-"),
        TEXT + b"\n" + PETER_SIGNED.replace(b"x08g", b"x08g "),
        TEXT + b"\n" + PETER_SIGNED + b"\xe2\x80\x94 short AAAAAA==\n",  # four bytes: no signature behind the id
        b"\n" + PETER_SIGNED,  # no text at all
        b"",
    ],
)
def test_malformed_notes(note: bytes) -> None:
    """Each is no note, before anybody asks who signed it."""
    with pytest.raises(FormatError):
        open_note(note, parse_vkey(PETER), LIMIT)


@pytest.mark.parametrize(
    "note",
    [
        TEXT + b"\n" + ENOCH_SIGNED,
        TEXT + b"\n" + PETER_SIGNED.replace(b"PeterNeumann", b"CarmenSandiego"),
        TEXT + b"\n" + PETER_SIGNED.replace(b"x08g", b"xxxx"),
        TEXT + b"\n" + PETER_SIGNED.replace(b"JkuB", b"JkuC"),
        TEXT + b"\n" + PETER_SIGNED[:60] + b"ABCD" + PETER_SIGNED[60:],  # too long
        TEXT + b"\n" + PETER_SIGNED + PETER_SIGNED.replace(b"JkuB", b"JkuC"),  # one of two is wrong
        TEXT.replace(b"think", b"thank") + b"\n" + PETER_SIGNED,
        b"\n" + NOTE,
        "\u007f".encode() + NOTE,
    ],
)
def test_notes_that_the_key_did_not_sign(note: bytes) -> None:
    """Each is a note, but not one of this key."""
    parse_note(note, LIMIT)
    with pytest.raises(SignatureError):
        open_note(note, parse_vkey(PETER), LIMIT)


def test_limits() -> None:
    """As many bytes and signatures as are allowed are accepted, and not one more."""
    full = TEXT + b"\n" + PETER_SIGNED * MAX_SIGNATURES
    assert open_note(full, parse_vkey(PETER), len(full)) == TEXT
    assert open_note(NOTE, parse_vkey(PETER), LIMIT, most=1) == TEXT
    for note, limit, most in [
        (full, len(full) - 1, MAX_SIGNATURES),
        (full + PETER_SIGNED, LIMIT, MAX_SIGNATURES),
        (NOTE + PETER_SIGNED, LIMIT, 1),
    ]:
        with pytest.raises(FormatError):
            parse_note(note, limit, most)


def test_a_small_key_signs_nothing() -> None:
    """A public key of small order, under which one signature fits every text, opens no note."""
    vkey = Vkey("small", b"\x01" + bytes(31))
    forged = b64encode(vkey.key_id + b"\x01" + bytes(63)).decode()
    with pytest.raises(SignatureError):
        open_note(TEXT + f"\n— small {forged}\n".encode(), vkey, LIMIT)


def test_manglings_of_a_published_key() -> None:
    """No part of a vkey is one, and neither is one with a character changed."""
    bad = [PETER[begin:end] for begin in range(len(PETER)) for end in range(begin, len(PETER) + 1)]
    bad.remove(PETER)
    bad += [PETER[:place] + chr(ord(found) + 1) + PETER[place + 1 :] for place, found in enumerate(PETER)]
    for text in bad:
        with pytest.raises(FormatError):
            parse_vkey(text)


@pytest.mark.parametrize(
    "text",
    [
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",  # too long, with its own id
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",  # unknown type, with its own id
        PETER.replace("c74f20a3", "C74F20A3"),
        PETER.replace("c74f20a3", ""),
        f"{PETER}\n",
        f" {PETER}",
        "\udcff" + PETER,
        "",
    ],
)
def test_bad_keys(text: str) -> None:
    """Each is no vkey."""
    with pytest.raises(FormatError):
        parse_vkey(text)


@pytest.mark.parametrize("text", [b"", b"no newline", b"a\tb\n", b"\xff\n"])
def test_texts_that_cannot_be_signed(text: bytes) -> None:
    """What could not be opened is not signed."""
    with pytest.raises(FormatError):
        sign(text, "name", bytes(32))


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\x00b", "a\u3000b", "a\x85b"])
def test_names_that_cannot_sign(name: str) -> None:
    """A name that a note cannot have is refused."""
    with pytest.raises(FormatError):
        sign(TEXT, name, bytes(32))


@given(TEXTS, NAMES, KEYS)
def test_what_is_signed_opens(text: str, name: str, seed: bytes) -> None:
    """Every text, under every name, opens with the key that signed it, and that key is written and read."""
    vkey = public_key(name, seed)
    assert parse_vkey(format_vkey(vkey)) == vkey
    assert open_note(sign(text.encode(), name, seed), vkey, LIMIT, most=1) == text.encode()


@given(flips(NOTE))
def test_a_changed_byte(note: bytes) -> None:
    """A note with one byte changed, added or taken away does not open."""
    with pytest.raises((FormatError, SignatureError)):
        open_note(note, parse_vkey(PETER), LIMIT)


def test_every_changed_bit() -> None:
    """A note with any one bit changed does not open."""
    for bit in range(8 * len(NOTE)):
        note = bytearray(NOTE)
        note[bit // 8] ^= 1 << bit % 8
        with pytest.raises((FormatError, SignatureError)):
            open_note(bytes(note), parse_vkey(PETER), LIMIT)


@given(st.one_of(st.binary(), st.text().map(str.encode)))
def test_any_bytes(data: bytes) -> None:
    """Bytes are refused as what they are, alone and as part of a note."""
    for note in (data, TEXT + b"\n" + data, NOTE + data, data + b"\n" + PETER_SIGNED):
        refused_or_the_same(note, _written_again)


def _written_again(data: bytes) -> bytes:
    text, signatures = parse_note(data, LIMIT)
    lines = (f"— {name} {b64encode(key_id + signed).decode()}\n" for name, key_id, signed in signatures)
    return text + b"\n" + "".join(lines).encode()


@given(st.text())
def test_any_text_as_a_key(text: str) -> None:
    """Text is refused, or is a vkey that prints the same way again."""
    for found in (text, PETER + text, text + PETER, f"{text}{PETER[12:]}"):
        try:
            assert format_vkey(parse_vkey(found)) == found
        except FormatError:
            continue

"""Encrypted evidence: whole and unchanged, or refused (docs/spec/evidence.md, 17 to 21)."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logchain.format import encrypted
from logchain.format.encrypted import ENCRYPTED, Decryption, Encryption
from logchain.format.errors import FormatError, SecretError
from logchain.format.recipient import Recipient, format_recipient_secret, parse_recipient_secret

SECRET, RECIPIENT = parse_recipient_secret(format_recipient_secret(bytes(range(32))))
HEAD, STORED = len(ENCRYPTED) + 80 + 24, 65_536 + 17
TEXT = bytes(range(256)) * 700  # three chunks
# a file of an earlier day, which has to open for ever
OLD = bytes.fromhex(
    "6c6f67636861696e20656e637279707465642065766964656e63652076310abd683e007cef8ef780c8243cd8aaa7a5014fce"
    "bbba5f24513e3f91a80b7cdf2c1075b40261d1f1e17461fc7abe1ec81b88a0e0774befcc647c27cc9d607d697527e6feb793"
    "ed990fc3675e251c87a0731f28a3b205ae699721296c807f824e4723719934cddd8093606b520bfec8d6eaf44a6a3fd1ab83"
    "29e40cb123854a9013951ac77028d3bf4628cb837a225976be5cb6cbf0cc013c5450fb51c8d458"
)


def encrypt(text: bytes, recipient: Recipient = RECIPIENT, cuts: tuple[int, ...] = ()) -> bytes:
    """Encrypt, in pieces that end at these places."""
    encryption = Encryption(recipient)
    places = sorted({0, len(text), *cuts})
    return b"".join(encryption.take(text[begin:end]) for begin, end in pairwise(places)) + encryption.finish()


def decrypt(data: bytes, secret: bytes = SECRET, recipient: Recipient = RECIPIENT, cuts: tuple[int, ...] = ()) -> bytes:
    """Decrypt, in pieces that end at these places."""
    decryption = Decryption(secret, recipient)
    places = sorted({0, len(data), *cuts})
    return b"".join(decryption.take(data[begin:end]) for begin, end in pairwise(places)) + decryption.finish()


CUTS = st.lists(st.integers(0, 3 * STORED), max_size=5).map(tuple)


@given(st.sampled_from([0, 1, 65_535, 65_536, 65_537, 131_072, len(TEXT)]), CUTS, CUTS)
def test_any_size_in_any_pieces(size: int, cuts: tuple[int, ...], others: tuple[int, ...]) -> None:
    """What goes in comes out, however it is cut; and the file has as many bytes as the page says."""
    text = TEXT[:size]
    data = encrypt(text, cuts=tuple(min(cut, size) for cut in cuts))
    assert len(data) == HEAD + size + 17 * (size // 65_536 + 1)
    assert decrypt(data, cuts=tuple(min(cut, len(data)) for cut in others)) == text


def test_a_file_of_an_earlier_day() -> None:
    """It opens."""
    assert decrypt(OLD) == b"what was encrypted on an earlier day\n"


def test_no_two_are_the_same() -> None:
    """Key, box and header are fresh each time."""
    one, other = encrypt(TEXT), encrypt(TEXT)
    assert one[len(ENCRYPTED) : HEAD] != other[len(ENCRYPTED) : HEAD]
    assert one[HEAD:] != other[HEAD:]


DATA = encrypt(TEXT)
CHUNKS = [DATA[at : at + STORED] for at in range(HEAD, len(DATA), STORED)]


@pytest.mark.parametrize(
    "changed",
    [
        [CHUNKS[1], CHUNKS[0], CHUNKS[2]],  # reordered
        [CHUNKS[0], CHUNKS[2]],  # one left out
        [CHUNKS[0], CHUNKS[0], CHUNKS[1], CHUNKS[2]],  # one twice
        CHUNKS[:2],  # the last cut off
        [*CHUNKS, CHUNKS[2]],  # something behind the last
        [*CHUNKS, b"x"],
        [CHUNKS[2]],
        [],
        [CHUNKS[0], encrypt(TEXT)[HEAD + STORED :]],  # from another file
    ],
)
def test_chunks_have_their_places(changed: list[bytes]) -> None:
    """None is missing, doubled, moved or another file's."""
    with pytest.raises(FormatError):
        decrypt(DATA[:HEAD] + b"".join(changed))


@given(st.integers(0, len(DATA) - 1), st.integers(0, 7))
def test_every_bit_counts(at: int, bit: int) -> None:
    """A bit that is flipped is found."""
    with pytest.raises((FormatError, SecretError)):
        decrypt(DATA[:at] + bytes([DATA[at] ^ 1 << bit]) + DATA[at + 1 :])


@given(st.integers(0, len(DATA) - 1))
def test_every_end_counts(size: int) -> None:
    """Wherever it is cut off, that is found."""
    with pytest.raises((FormatError, SecretError)):
        decrypt(DATA[:size])


@pytest.mark.parametrize("early", [True, False])
def test_the_last_chunk_says_so(early: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chunk that says to be the last and is not, or is and does not say so, is refused: such files nobody makes."""
    message, final = encrypted._MESSAGE, encrypted._FINAL
    monkeypatch.setattr(encrypted, "_MESSAGE" if early else "_FINAL", final if early else message)
    data = encrypt(TEXT)
    monkeypatch.undo()
    with pytest.raises(FormatError):
        decrypt(data)


def test_for_nobody_else() -> None:
    """Another secret does not open it."""
    secret, recipient = parse_recipient_secret(format_recipient_secret(bytes(32)))
    with pytest.raises(SecretError):
        decrypt(DATA, secret, recipient)

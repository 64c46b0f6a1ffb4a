"""Checkpoints: docs/spec/checkpoint.md and C2SP tlog-checkpoint."""

from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logchain.format.checkpoint import Checkpoint, format_checkpoint, open_checkpoint, parse_checkpoint
from logchain.format.errors import FormatError, SignatureError
from logchain.format.ledger import Genesis, Seal, log_key_name, open_entry, open_genesis
from logchain.format.limits import MAX_CHECKPOINT, MAX_NUMBER
from logchain.format.signed_note import parse_note, parse_vkey, public_key, sign
from tests.format.pages import DIGESTS, KEYS, NUMBERS, STORES, example, flips, refused_or_the_same

ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
GOOD = f"example.com/behind-the-sofa\n20852163\n{ROOT}\n"  # of the page of C2SP
LINES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1)
CHECKPOINTS = st.builds(Checkpoint, LINES, NUMBERS, DIGESTS, st.lists(LINES, max_size=3).map(tuple))


def again(text: bytes) -> bytes:
    """Parse a checkpoint's text and write it."""
    return format_checkpoint(parse_checkpoint(text))


def test_c2sp_s_example() -> None:
    """The checkpoint on the page of C2SP says what it does, and is written the same way again."""
    line = "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8="
    found = parse_note(f"{GOOD}\n— example.com/behind-the-sofa {line}\n".encode(), MAX_CHECKPOINT).text
    assert parse_checkpoint(found) == Checkpoint("example.com/behind-the-sofa", 20852163, b64decode(ROOT))
    assert again(found) == found == GOOD.encode()


def test_the_page_s_example() -> None:
    """The checkpoint of the page is signed by the log key that the genesis of the ledger's page names."""
    vkey = parse_vkey(example("checkpoint.md", 1).decode().strip())
    found = open_checkpoint(example("checkpoint.md"), vkey)
    _, genesis = open_genesis(example("ledger.md", 1))
    assert (found.size, genesis.log, public_key(vkey.name, bytes(range(32)))) == (3, vkey, vkey)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "origin\n1\n",
        GOOD[:-1],
        GOOD + "\n",
        "\n" + GOOD,
        f"\n1\n{ROOT}\n",
        f"origin\n01\n{ROOT}\n",
        f"origin\n+1\n{ROOT}\n",
        f"origin\n-1\n{ROOT}\n",
        f"origin\n1_0\n{ROOT}\n",
        f"origin\n\u0661\n{ROOT}\n",
        f"origin\n 1\n{ROOT}\n",
        f"origin\n\n{ROOT}\n",
        f"origin\n{MAX_NUMBER + 1}\n{ROOT}\n",
        f"origin\n1\n{ROOT[:-1]}\n",
        f"origin\n1\n{ROOT.replace('2I=', '2J=')}\n",  # a bit behind the end
        f"origin\n1\n{ROOT.replace('+', '-')}\n".replace("/", "_"),
        "origin\n1\nAAAA\n",
        f"origin\n1\n {ROOT}\n",
        f"origin\n1\n{ROOT}\nmore\n\nand more\n",
        f"ori\tgin\n1\n{ROOT}\n",
        f"origin\r\n1\r\n{ROOT}\r\n",
    ],
)
def test_bad_checkpoints(text: str) -> None:
    """Each is refused."""
    with pytest.raises(FormatError):
        parse_checkpoint(text.encode())


def test_not_utf8() -> None:
    """Bytes that are no UTF-8 are refused."""
    with pytest.raises(FormatError):
        parse_checkpoint(b"\xff" + GOOD.encode())


@pytest.mark.parametrize(
    "wrong",
    [
        Checkpoint("", 1, bytes(32)),
        Checkpoint("a", -1, bytes(32)),
        Checkpoint("a", 1, bytes(31)),
        Checkpoint("a", 1, bytes(32), ("",)),
        Checkpoint("a", 1, bytes(32), ("b\nc",)),
        Checkpoint("a\n1", 1, bytes(32)),
        Checkpoint("a\t1", 1, bytes(32)),
    ],
)
def test_nothing_is_written_that_is_not_read(wrong: Checkpoint) -> None:
    """What would be refused is not written."""
    with pytest.raises(FormatError):
        format_checkpoint(wrong)


@given(CHECKPOINTS)
def test_checkpoints_come_back(checkpoint: Checkpoint) -> None:
    """What is written is read."""
    assert parse_checkpoint(format_checkpoint(checkpoint)) == checkpoint


@given(st.one_of(flips(GOOD.encode()), st.binary(), LINES.map(lambda line: f"{GOOD}{line}\n".encode())))
def test_changed_checkpoints(text: bytes) -> None:
    """A changed text is refused, or says something else that is written so."""
    refused_or_the_same(text, again)


@given(STORES, KEYS, DIGESTS)
def test_the_origin_is_the_key_s_name(store_id: bytes, seed: bytes, digest: bytes) -> None:
    """A log's key opens checkpoints of its own log only, and no other key does."""
    name = log_key_name(store_id)
    vkey, other = public_key(name, seed), public_key(name, digest)
    checkpoint = Checkpoint(name, 7, digest)
    assert open_checkpoint(sign(format_checkpoint(checkpoint), name, seed), vkey) == checkpoint
    with pytest.raises(FormatError):
        open_checkpoint(sign(format_checkpoint(checkpoint._replace(origin="other")), name, seed), vkey)
    if other != vkey:
        with pytest.raises(SignatureError):
            open_checkpoint(sign(format_checkpoint(checkpoint), name, seed), other)


def test_the_pages_fit_together() -> None:
    """The ledger's page shows entries 0 and 2 of one ledger, whose events are a genesis and a seal."""
    _, genesis = open_genesis(example("ledger.md", 1))
    third = open_entry(example("ledger.md"), public_key(genesis.key.name, bytes([3]) * 32))
    assert isinstance(genesis, Genesis)
    assert isinstance(third.event, Seal)

"""The small text files: docs/spec/files.md."""

from contextlib import suppress
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logchain.format import audit as audit_module
from logchain.format.audit import (
    AuditSecret,
    LockedSecret,
    Seed,
    format_audit,
    format_seed,
    lock,
    parse_audit,
    parse_seed,
    unlock,
)
from logchain.format.errors import FormatError, SecretError
from logchain.format.identity import StoreIdentity, format_store, format_stream, parse_store, parse_stream
from logchain.format.limits import MAX_SMALL_FILE, MAX_TIME
from logchain.format.ratchet import stream_id
from logchain.format.small_files import format_lines, parse_lines, unhex
from tests.format.vectors import Vector, raw, vectors

SALTS = st.binary(min_size=32, max_size=32)
STORES = st.binary(min_size=16, max_size=16)
LOCKED = st.builds(
    LockedSecret,
    STORES,
    st.integers(1, 10),
    st.integers(8 << 10, 1 << 20).map(lambda kib: kib << 10),
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=72, max_size=72),
)
AUDITS = st.one_of(st.builds(AuditSecret, STORES, SALTS), LOCKED)


class Names(NamedTuple):
    """The directory that a file `id` lies in."""

    vm: str = "work-web"
    stream: str = "journal"


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lock with as little work as the format allows."""
    monkeypatch.setattr(audit_module, "_PASSES", 1)
    monkeypatch.setattr(audit_module, "_MEMORY", 8 << 20)


@vectors("files.json", "good", "format")
def test_good_format(vector: Vector) -> None:
    """A store's identity is read and written the same way again."""
    identity = parse_store(raw(vector, "text"))
    assert identity == StoreIdentity(raw(vector, "store"), vector["created_us"])
    assert format_store(identity) == raw(vector, "text")


@vectors("files.json", "good", "id")
def test_good_id(vector: Vector) -> None:
    """A stream's id follows from the salt and the names."""
    assert parse_stream(raw(vector, "text"), vector["vm"], vector["stream"]) == raw(vector, "id")
    assert format_stream(raw(vector, "salt"), vector["vm"], vector["stream"]) == raw(vector, "text")


@vectors("files.json", "good", "seed")
def test_good_seed(vector: Vector) -> None:
    """A seed is read and written the same way again."""
    seed = parse_seed(raw(vector, "text"))
    assert seed == Seed(raw(vector, "store"), raw(vector, "seed"))
    assert format_seed(seed) == raw(vector, "text")


@vectors("files.json", "good", "secret")
def test_good_audit_secret(vector: Vector) -> None:
    """An audit secret is read and written the same way again, and opened where it is locked."""
    audit = parse_audit(raw(vector, "text"))
    assert (audit.store_id, isinstance(audit, LockedSecret)) == (raw(vector, "store"), vector["locked"])
    assert format_audit(audit) == raw(vector, "text")
    if isinstance(audit, LockedSecret):
        expected = vector["passes"], vector["memory"], raw(vector, "salt"), raw(vector, "box")
        assert audit[1:] == expected
        if "passphrase" in vector:
            assert unlock(audit, vector["passphrase"]) == AuditSecret(audit.store_id, raw(vector, "secret"))
    else:
        assert audit.secret == raw(vector, "secret")


@vectors("files.json", "bad", "format", "id", "seed", "secret")
def test_bad_files(vector: Vector) -> None:
    """Each is refused: what is no such file by its form, a locked secret that does not open by its box."""
    text = raw(vector, "text")
    if vector["reason"] == "does-not-open":
        audit = parse_audit(text)
        assert isinstance(audit, LockedSecret)
        with pytest.raises(SecretError):
            unlock(audit, vector["passphrase"])
        return
    parse = {
        "format": parse_store,
        "id": lambda data: parse_stream(data, vector["vm"], vector["stream"]),
        "seed": parse_seed,
        "secret": parse_audit,
    }[vector["what"]]
    with pytest.raises(FormatError):
        parse(text)


@given(STORES, st.integers(0, MAX_TIME))
def test_store_identities_come_back(store_id: bytes, created: int) -> None:
    """What is written is read."""
    identity = StoreIdentity(store_id, created)
    assert parse_store(format_store(identity)) == identity


@given(SALTS)
def test_stream_ids_come_back(salt: bytes) -> None:
    """What is written is read, in its own directory and in no other."""
    text = format_stream(salt, *Names())
    assert parse_stream(text, *Names()) == stream_id(salt, *Names())
    for other in (Names(vm="work"), Names(stream="main")):
        with pytest.raises(FormatError):
            parse_stream(text, *other)


@given(STORES, SALTS)
def test_seeds_come_back(store_id: bytes, secret: bytes) -> None:
    """What is written is read."""
    assert parse_seed(format_seed(Seed(store_id, secret))) == (store_id, secret)


@given(AUDITS)
def test_audit_secrets_come_back(audit: AuditSecret | LockedSecret) -> None:
    """What is written is read, locked or not."""
    assert parse_audit(format_audit(audit)) == audit


GOOD_FILES = st.one_of(
    st.builds(lambda store_id, time: format_store(StoreIdentity(store_id, time)), STORES, st.integers(0, MAX_TIME)),
    SALTS.map(lambda salt: format_stream(salt, *Names())),
    st.builds(lambda store_id, secret: format_seed(Seed(store_id, secret)), STORES, SALTS),
    AUDITS.map(format_audit),
)


@given(st.one_of(GOOD_FILES, st.binary(max_size=100)), st.integers(0, 300), st.binary(max_size=2))
def test_small_files_are_canonical_or_refused(data: bytes, at: int, change: bytes) -> None:
    """Whatever is read as one of them, changed somewhere or not, is written the same way again."""
    data = data[:at] + change + data[at + len(change) :]
    with suppress(FormatError):
        assert format_store(parse_store(data)) == data
    with suppress(FormatError):
        assert format_seed(parse_seed(data)) == data
    with suppress(FormatError):
        assert format_audit(parse_audit(data)) == data


@given(st.one_of(GOOD_FILES, st.binary(max_size=100)), st.integers(0, 300), st.binary(max_size=2))
def test_an_id_is_read_or_refused(data: bytes, at: int, change: bytes) -> None:
    """A file `id`, changed somewhere or not, gives 32 bytes or a FormatError."""
    with suppress(FormatError):
        assert len(parse_stream(data[:at] + change + data[at + len(change) :], *Names())) == 32


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("passphrase", ["correct horse", "", "Zürich ✓ 🔑", "x" * 10_000])
def test_lock_and_unlock(passphrase: str) -> None:
    """Only the passphrase opens what it locked, also after a trip through the file."""
    audit = AuditSecret(b"s" * 16, b"k" * 32)
    locked = lock(audit, passphrase)
    assert audit.secret not in locked.box
    again = parse_audit(format_audit(locked))
    assert isinstance(again, LockedSecret)
    assert unlock(again, passphrase) == audit
    with pytest.raises(SecretError):
        unlock(again, passphrase + " ")


@pytest.mark.usefixtures("_quick")
def test_two_locks_share_nothing() -> None:
    """Salt and nonce are new each time."""
    audit = AuditSecret(b"s" * 16, b"k" * 32)
    one, other = lock(audit, "same"), lock(audit, "same")
    assert one.salt != other.salt
    assert one.box[:24] != other.box[:24]


def test_a_giant_is_not_looked_at() -> None:
    """4,096 bytes are a small file, one more is none, whatever is in it."""
    head = format_lines("title", word="")
    good = format_lines("title", word="x" * (MAX_SMALL_FILE - len(head)))
    assert parse_lines(good, "title", "word") == ["x" * (MAX_SMALL_FILE - len(head))]
    with pytest.raises(FormatError):
        parse_lines(format_lines("title", word="x" * (MAX_SMALL_FILE - len(head) + 1)), "title", "word")


@pytest.mark.parametrize("text", ["", "0", "0g", "AB", "0x12", " 12", "12 ", "1 2", "12\n", "\uff11\uff12", "1234"])
def test_hex_is_lowercase_and_of_its_length(text: str) -> None:
    """One byte in hex is two lowercase digits and nothing else."""
    with pytest.raises(FormatError):
        unhex(text, 1)
    assert unhex("ab", 1) == b"\xab"

"""The ledger and its keys: docs/spec/ledger.md."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logchain.format.errors import FormatError, SignatureError, UsageError
from logchain.format.ledger import (
    NO_ENTRY,
    Birth,
    Broken,
    Config,
    Delete,
    Entry,
    Event,
    Evict,
    Export,
    Forget,
    Genesis,
    Heads,
    Recover,
    Restored,
    Seal,
    entry_key_name,
    fingerprint,
    format_entry,
    format_fingerprint,
    log_key_name,
    open_entry,
    open_genesis,
    parse_entry,
    parse_fingerprint,
    split_entries,
)
from logchain.format.ledger_keys import (
    LEDGER_MAGIC,
    LedgerKeys,
    LogKey,
    format_ledger_keys,
    format_log_key,
    parse_ledger_keys,
    parse_log_key,
    read_ledger_keys,
)
from logchain.format.limits import (
    MAX_BIRTHS,
    MAX_ENTRIES,
    MAX_ENTRY,
    MAX_EXPORTED,
    MAX_HEADS,
    MAX_NUMBER,
    MAX_SEGMENT,
    MAX_TIME,
)
from logchain.format.signed_note import ED25519, Vkey, open_note, parse_vkey, public_key, sign
from logchain.format.slots import SLOT_SIZE, format_slot, format_slots
from tests.format.pages import DIGESTS, KEYS, NUMBERS, SEGMENTS, STORES, TIMES, example, flips, refused_or_the_same

BIRTHS = st.integers(1, MAX_BIRTHS)
SEALED = (DIGESTS, SEGMENTS, DIGESTS)
NAMED = st.sets(st.tuples(BIRTHS, SEGMENTS), min_size=1, max_size=MAX_HEADS).map(lambda names: tuple(sorted(names)))
EXPORTED = st.sets(BIRTHS, min_size=1, max_size=MAX_EXPORTED).map(lambda births: tuple(sorted(births)))
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(Birth, BIRTHS, DIGESTS, SEGMENTS),
    st.builds(Heads, NAMED, DIGESTS),
    st.builds(Seal, *SEALED),
    st.builds(Evict, *SEALED, st.sampled_from(["quota", "cap", "reserve"])),
    st.builds(Recover, DIGESTS, SEGMENTS, st.sampled_from(["torn", "io"])),
    st.builds(Broken, DIGESTS, SEGMENTS, st.sampled_from(["keys", "id", "text"])),
    st.builds(Delete, *SEALED),
    st.builds(Forget, DIGESTS, st.integers(0, MAX_SEGMENT)),
    st.builds(Restored, BIRTHS),
    st.builds(Config, DIGESTS),
    st.builds(
        lambda digest, time, span, births: Export(digest, time, min(time + span, MAX_TIME), births),
        DIGESTS,
        TIMES,
        NUMBERS,
        EXPORTED,
    ),
)
STORE = bytes.fromhex("5b0c7a3f6f6f0b0e9b3f0c55a1d20a11")  # of the pages
ENTRY, LOG = entry_key_name(STORE), log_key_name(STORE)
SEEDS = [bytes([number]) * 32 for number in range(1, 5)]  # of entries 0 to 3 of the page
FIRST, THIRD = example("ledger.md", 1), example("ledger.md", 0)
TEXT = open_note(THIRD, public_key(ENTRY, SEEDS[2]), MAX_ENTRY)
GENESIS_TEXT = open_note(FIRST, public_key(ENTRY, SEEDS[0]), MAX_ENTRY)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """Any entry that the page allows."""
    store_id, first = draw(STORES), draw(st.booleans())
    name = entry_key_name(store_id)
    keys = st.builds(Vkey, st.just(name), DIGESTS, st.just(ED25519))
    genesis = st.builds(Genesis, keys, st.builds(Vkey, st.just(log_key_name(store_id)), DIGESTS, st.just(ED25519)))
    return Entry(
        store_id=store_id,
        number=0 if first else draw(st.integers(1, MAX_ENTRIES - 1)),
        time=draw(TIMES),
        age=draw(NUMBERS),
        previous=NO_ENTRY if first else draw(DIGESTS.filter(any)),
        event=draw(genesis if first else EVENTS),
        next=draw(keys),
    )


def again(text: bytes) -> bytes:
    """Parse an entry's text and write it."""
    return format_entry(parse_entry(text))


def test_the_page_s_examples() -> None:
    """The entries of the page are signed by the keys of the seeds that it names, and name the next."""
    first, genesis = open_genesis(FIRST)
    assert (genesis.key, first.next) == (public_key(ENTRY, SEEDS[0]), public_key(ENTRY, SEEDS[1]))
    assert genesis.log == public_key(LOG, bytes(range(32)))
    third = open_entry(THIRD, public_key(ENTRY, SEEDS[2]))
    assert (third.number, third.age, third.next) == (2, 7212, public_key(ENTRY, SEEDS[3]))
    assert isinstance(third.event, Seal)


@given(entries(), KEYS)
def test_entries_come_back(entry: Entry, seed: bytes) -> None:
    """What is written is read, signed and not, has ten lines, and fits its limit."""
    text, name = format_entry(entry), entry_key_name(entry.store_id)
    note = sign(text, name, seed)
    assert parse_entry(text) == entry
    assert open_entry(note, public_key(name, seed)) == entry
    assert note.count(b"\n") == 10
    assert len(note) <= 1_566  # what the page says


def test_events_are_told_apart() -> None:
    """A seal is not the deletion of that segment, though their fields are the same."""
    seal: Event = Seal(bytes(32), 1, bytes(32))
    assert seal != Delete(bytes(32), 1, bytes(32))
    assert seal == Seal(bytes(32), 1, bytes(32))


@given(st.one_of(flips(TEXT), flips(GENESIS_TEXT), st.binary()))
def test_changed_entries(text: bytes) -> None:
    """A changed text is refused, or says something else that is written so."""
    refused_or_the_same(text, again)


@given(entries(), st.data())
def test_changed_entries_of_any_event(entry: Entry, data: st.DataObject) -> None:
    """The same of every kind of entry."""
    refused_or_the_same(data.draw(flips(format_entry(entry))), again)


@given(st.one_of(flips(THIRD), flips(FIRST)))
def test_changed_notes(note: bytes) -> None:
    """A signed entry with one byte changed, added or taken away does not open."""
    with pytest.raises((FormatError, SignatureError)):
        open_entry(note, public_key(ENTRY, SEEDS[2 if b"index 2\n" in note else 0]))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"ledger v1", b"ledger v2"),
        (b"index 2", b"index 0"),
        (b"index 2", b"index 02"),
        (b"index 2", b"index 100000000"),
        (b"index 2\n", b""),
        (b"index 2\n", b"index 2\n\n"),
        (b"age 7212", b"age 7212 "),
        (b"age 7212", b"age 9223372036854775808"),
        (b"time 2026", b"time 2026-"),
        (b"previous sha256:", b"previous "),
        (b"seal ", b"seal  "),
        (b"seal ", b"seel "),
        (b"seal ", b"Seal "),
        (b"seal ", b"witness "),
        (b"seal ", b"delete x "),
        (b"seal ", b"evict "),
        (b"seal ", b"\n"),
        (b" 1 sha256", b" 0 sha256"),
        (b" 1 sha256", b" 1000000 sha256"),
        (b" 1 sha256", b" sha256"),
        (b"next logchain/5b", b"next logchain/5c"),
        (b"next ", b"next"),
        (b"/entry+", b"/entri+"),
    ],
)
def test_bad_entries(old: bytes, new: bytes) -> None:
    """Each text is refused."""
    assert old in TEXT
    with pytest.raises(FormatError):
        parse_entry(TEXT.replace(old, new, 1))


@pytest.mark.parametrize(
    "word", ["genesis", "birth", "evict", "recover", "broken", "heads", "forget", "config", "export"]
)
def test_events_without_fields(word: str) -> None:
    """An event without its fields, or with a word too many, is refused."""
    line = TEXT.split(b"\n")[6]
    for wrong in (word, f"{word} ", f"{word} 1 2 3 4 5"):
        with pytest.raises(FormatError):
            parse_entry(TEXT.replace(line, wrong.encode()))


@pytest.mark.parametrize("reason", ["torn", "io", "keys", "quota", ""])
def test_reasons_belong_to_their_event(reason: str) -> None:
    """An eviction is not torn, and a broken stream not over its quota."""
    cases: list[tuple[Event, list[str]]] = [
        (Evict(bytes(32), 1, bytes(32), reason), ["quota"]),
        (Recover(bytes(32), 1, reason), ["torn", "io"]),
        (Broken(bytes(32), 1, reason), ["keys"]),
    ]
    for event, allowed in cases:
        entry = parse_entry(TEXT)._replace(event=event)
        if reason in allowed:
            assert parse_entry(format_entry(entry)) == entry
        else:
            with pytest.raises(FormatError):
                format_entry(entry)


def test_genesis_is_first_and_nothing_else_is() -> None:
    """Index 0, no entry before, and genesis: all three or none; and its keys are this store's."""
    first, third = parse_entry(GENESIS_TEXT), parse_entry(TEXT)
    _, genesis = open_genesis(FIRST)
    other = genesis.log._replace(name="logchain/other")
    for wrong in [
        first._replace(number=1),
        first._replace(previous=bytes([1]) * 32),
        first._replace(event=third.event),
        third._replace(number=0),
        third._replace(previous=NO_ENTRY),
        third._replace(event=genesis),
        first._replace(event=Genesis(genesis.key, other)),
        first._replace(event=Genesis(other, genesis.log)),
        first._replace(event=Genesis(genesis.log, genesis.log)),
        first._replace(next=other),
        first._replace(store_id=bytes(16)),
    ]:
        with pytest.raises(FormatError):
            format_entry(wrong)
    with pytest.raises(FormatError):
        open_genesis(THIRD)


def test_who_signs() -> None:
    """An entry is signed by one key, of this store, and of that kind."""
    vkey = public_key(ENTRY, SEEDS[2])
    with pytest.raises(SignatureError):
        open_entry(THIRD, public_key(ENTRY, SEEDS[1]))
    with pytest.raises(FormatError):
        open_entry(THIRD + THIRD[THIRD.rindex(b"\n\n") + 2 :], vkey)
    with pytest.raises(FormatError):
        open_entry(sign(TEXT, LOG, SEEDS[2]), public_key(LOG, SEEDS[2]))
    with pytest.raises(SignatureError):  # says that it is signed by the first key, and is by the second
        open_genesis(sign(GENESIS_TEXT, ENTRY, SEEDS[1]))


def test_too_many_bytes() -> None:
    """An entry of more than 2,048 bytes is refused before it is looked at."""
    with pytest.raises(FormatError, match="too long"):
        parse_entry(TEXT + b"x" * MAX_ENTRY)
    with pytest.raises(FormatError, match="bytes"):
        open_entry(THIRD + b"x" * MAX_ENTRY, public_key(ENTRY, SEEDS[2]))


@given(st.lists(entries(), max_size=5), st.data())
def test_entries_are_split(found: list[Entry], data: st.DataObject) -> None:
    """A ledger is cut at its entries, wherever it ends, and in whatever pieces it is read."""
    notes = [sign(format_entry(entry), entry_key_name(entry.store_id), bytes(32)) for entry in found]
    whole = b"".join(notes)
    end, cut = data.draw(st.integers(0, len(whole))), data.draw(st.integers(0, len(whole)))
    pieces, torn = split_entries(whole[:end])
    assert pieces == notes[: len(pieces)]
    assert b"".join(pieces) + torn == whole[:end]
    assert torn.count(b"\n") < 10
    before, rest = split_entries(whole[:cut])
    after, left = split_entries(rest + whole[cut:])
    assert (before + after, left) == (notes, b"")


@given(st.binary(), st.lists(st.just(b"\n")).map(b"".join))
def test_anything_is_split(data: bytes, newlines: bytes) -> None:
    """Nothing is lost, and every piece has ten lines; ten lines at the end with a zero are torn."""
    pieces, torn = split_entries(newlines + data + newlines)
    assert b"".join(pieces) + torn == newlines + data + newlines
    assert all(piece.count(b"\n") == 10 and piece.endswith(b"\n") for piece in pieces)
    assert torn.count(b"\n") < 10 or (torn.count(b"\n") == 10 and torn.endswith(b"\n") and b"\0" in torn)


def test_the_page_s_fingerprint() -> None:
    """The fingerprint of the page is that of the key that signs its genesis."""
    shown, vkey = example("ledger.md", 2).decode().strip(), open_genesis(FIRST)[1].key
    assert shown == format_fingerprint(fingerprint(vkey))
    assert parse_fingerprint(shown) == fingerprint(vkey)
    assert vkey == public_key(ENTRY, SEEDS[0])


@given(DIGESTS, st.sampled_from([":", "-", " ", "", " : "]), st.booleans())
def test_fingerprints_as_people_give_them(digest: bytes, between: str, upper: bool) -> None:
    """Spaces, hyphens, colons and case do not matter."""
    text = between.join(digest.hex()[at : at + 4] for at in range(0, 64, 4))
    assert parse_fingerprint(text.upper() if upper else text) == digest.hex()


@pytest.mark.parametrize(
    "text", ["", "a" * 63, "a" * 65, "g" * 64, "a" * 63 + "\n", "\uff11" * 64, "a" * 64 + " " * 300]
)
def test_bad_fingerprints(text: str) -> None:
    """Each is refused as what a person gave."""
    with pytest.raises(UsageError):
        parse_fingerprint(text)


KEY_STATE = LedgerKeys(3, 1234, 7212, bytes(range(16)), 99, SEEDS[3], THIRD)


@given(entries(), KEYS, KEYS, st.binary(min_size=16, max_size=16), NUMBERS, NUMBERS)
def test_ledger_keys_come_back(
    entry: Entry, seed: bytes, following: bytes, boot: bytes, offset: int, running: int
) -> None:
    """What is written is read, from a body and from a file."""
    name = entry_key_name(entry.store_id)
    entry = entry._replace(next=public_key(name, following))
    note = sign(format_entry(entry), name, seed)
    keys = LedgerKeys(entry.number + 1, offset, entry.age, boot, running, following, note)
    body = format_ledger_keys(keys)
    assert parse_ledger_keys(body) == keys == read_ledger_keys(format_slots(LEDGER_MAGIC, body))


@pytest.mark.parametrize(
    "wrong",
    [
        KEY_STATE._replace(number=2),
        KEY_STATE._replace(age=7211),
        KEY_STATE._replace(seed=SEEDS[2]),
        KEY_STATE._replace(seed=b""),
        KEY_STATE._replace(boot=b""),
        KEY_STATE._replace(offset=MAX_NUMBER + 1),
        KEY_STATE._replace(running=MAX_NUMBER + 1),
        KEY_STATE._replace(entry=b""),
        KEY_STATE._replace(entry=THIRD[:-1]),
        KEY_STATE._replace(entry=THIRD + THIRD),
    ],
)
def test_ledger_keys_that_do_not_fit(wrong: LedgerKeys) -> None:
    """Keys that do not follow from their entry are not written."""
    assert format_ledger_keys(KEY_STATE)
    with pytest.raises(FormatError):
        format_ledger_keys(wrong)


@given(st.one_of(flips(format_ledger_keys(KEY_STATE)), st.binary(max_size=200)))
def test_changed_ledger_keys(body: bytes) -> None:
    """A changed body is refused, or says something else that is written so."""
    refused_or_the_same(body, lambda data: format_ledger_keys(parse_ledger_keys(data)))


def test_the_longest_body() -> None:
    """The longest entry that is allowed has room in a slot; a longer body is refused before it is looked at."""
    body = format_ledger_keys(KEY_STATE)[:80] + bytes(MAX_ENTRY)
    assert len(format_slot(LEDGER_MAGIC, 1, body)) == SLOT_SIZE
    with pytest.raises(FormatError, match="length"):
        parse_ledger_keys(body + b"\0")
    with pytest.raises(FormatError, match="length"):
        parse_ledger_keys(body[:80])


def test_the_page_s_log_key() -> None:
    """The log key's file on the page is read, and is the key that genesis names."""
    found = parse_log_key(example("ledger.md", 4))
    assert found == LogKey(STORE, bytes(range(32)))
    assert format_log_key(found) == example("ledger.md", 4)
    assert public_key(LOG, found.seed) == parse_vkey(example("checkpoint.md", 1).decode().strip())


@given(flips(example("ledger.md", 4)))
def test_changed_log_keys(data: bytes) -> None:
    """A changed file is refused, or says something else that is written so."""
    refused_or_the_same(data, lambda found: format_log_key(parse_log_key(found)))


def test_the_previous_of_the_page() -> None:
    """Entry 1, which the page does not show, is made from entry 0, and entry 2 names it."""
    first, third = open_genesis(FIRST)[0], parse_entry(TEXT)
    assert isinstance(third.event, Seal)
    second = Entry(
        STORE,
        1,
        1795402800000841,
        112,
        sha256(FIRST).digest(),
        Birth(1, third.event.stream_id, 1),
        public_key(ENTRY, SEEDS[2]),
    )
    assert first.next == public_key(ENTRY, SEEDS[1])
    assert sha256(sign(format_entry(second), ENTRY, SEEDS[1])).digest() == third.previous

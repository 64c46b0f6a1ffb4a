"""What is fuzzed: each target takes bytes, and accepts them, or raises an error of ours.

A canonical format has a second law: what is accepted prints as the same bytes. What is shown has one too: it is
printable, and shows itself.
"""

import io
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple, TypeVar

from log_exporter import config, wire
from log_exporter.choice import Choice, Names
from log_exporter.errors import ExporterError
from log_exporter.sources import cursor
from log_exporter.sources.entry import FIELDS, Entries
from log_exporter.sources.export import Export
from log_exporter.sources.framing import Frames, Messages
from logchain.collect.descriptor import parse_descriptor
from logchain.collect.lines import LineSplitter
from logchain.format import (
    activity,
    add_checkpoint,
    audit,
    checkpoint,
    cosignature,
    evidence,
    frames,
    heads,
    identity,
    keystate,
    ledger,
    ledger_keys,
    manifest,
    recipient,
    record,
    segment_key,
    settings,
    signed_note,
    slots,
    tags,
    tlog_policy,
    tlog_proof,
)
from logchain.format.encrypted import Decryption, Encryption
from logchain.format.errors import LogchainError
from logchain.format.limits import MAX_BLOCK, MAX_PART
from logchain.read.display import escape
from logchain.read.evidence import check_evidence
from logchain.read.times import parse_when
from logchain_witness.checkpoint import parse_checkpoint, parse_question
from logchain_witness.errors import WitnessError
from tests.fuzz import stored
from tests.fuzz.seeds import syslog_messages, vectors

__all__ = ["OURS", "TARGETS", "Target"]

OURS = (
    LogchainError,
    ExporterError,
    WitnessError,
)  # with one of these bytes are refused; every other exception is a fault

V = TypeVar("V")
SECRET, RECIPIENT = recipient.parse_recipient_secret(recipient.format_recipient_secret(bytes(range(32))))
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
COSIGNER = signed_note.parse_vkey(
    "vault/logchain-witness+b0ddb259+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X", signed_note.COSIGNATURE
)
NOTE = partial(signed_note.parse_note, limit=1 << 17)


class Target(NamedTuple):
    """What is done with the bytes, and bytes to begin with."""

    run: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]


def _canonical(parse: Callable[[bytes], V], form: Callable[[V], bytes]) -> Callable[[bytes], None]:
    """Return a run that holds a parser against its formatter."""

    def run(data: bytes) -> None:
        assert form(parse(data)) == data, "it is accepted, and is not canonical"

    return run


def _text(parse: Callable[[str], V], form: Callable[[V], str]) -> Callable[[bytes], None]:
    """Return the same for a parser of text."""
    return _canonical(lambda data: parse(_string(data)), lambda value: form(value).encode())


def _signed(parse: Callable[[bytes], V], form: Callable[[V], bytes]) -> Callable[[bytes], None]:
    """Return the same for the text of a signed note; no signature is checked."""
    text = _canonical(parse, form)
    return lambda data: text(NOTE(data).text)


def _string(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _display(data: bytes) -> None:
    shown = escape(data)
    assert all(char.isprintable() or char in "\u00a0\u202f\u3000" for char in shown)
    assert escape(shown.encode()) == shown, "it does not show itself"


def _lines(data: bytes) -> None:
    splitter = LineSplitter()
    found = [piece for part in (data[:7], data[7:8], data[8:]) for piece in splitter.feed(part)]
    given = [(kind, payload) for kind, payloads in found for payload in payloads]
    assert all(len(payload) <= MAX_PART for _, payload in given)
    assert b"".join(payload + b"\n" * (kind == record.LINE) for kind, payload in given) + splitter.rest == data


def _record(data: bytes) -> None:
    found = record.parse_record(data)
    if found.kind == record.NOTE:
        record.parse_note(found.payload)


def _tags(data: bytes) -> None:
    entries = list(tags.parse_tags(data))
    assert tags.format_tags([end for end, _ in entries], [tag for _, tag in entries]) == data


def _entries(data: bytes) -> None:
    found, rest = ledger.split_entries(data)
    assert b"".join(found) + rest == data
    for entry in found:
        ledger.unverified_entry(entry)


def _stream(data: bytes) -> None:
    salt = identity.parse_salt(data, "work", "main")
    assert identity.format_stream(salt, "work", "main") == data


def _slots(data: bytes) -> None:
    slot = slots.newest(keystate.RATCHET_MAGIC, data)
    stands = data[slot.place * slots.SLOT_SIZE :][: slots.SLOT_SIZE]
    assert slots.format_slot(keystate.RATCHET_MAGIC, slot.generation, slot.body) == stands


def _frames(walk: Callable[[Callable[[int, int], bytes], int, int], list[frames.Frame]]) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        found = walk(lambda offset, size: data[offset : offset + size], len(data), 64)
        assert sum(frame.size for frame in found) == len(data)
        assert all(frame.size > 0 and 0 <= frame.content <= MAX_BLOCK for frame in found)

    return run


def _encrypted(data: bytes) -> None:
    decryption = Decryption(SECRET, RECIPIENT)
    decryption.take(data)
    decryption.finish()


def _encrypt() -> list[bytes]:
    encryption = Encryption(RECIPIENT)
    return [encryption.take(b"evidence") + encryption.finish()]


def _greeting(data: bytes) -> None:
    incoming = wire.Incoming()
    for part in (data[:5], data[5:]):
        list(incoming.feed(part))


def _question(data: bytes) -> None:
    question = parse_question(data)
    again = add_checkpoint.format_add_checkpoint(question.old, question.proof, data.partition(b"\n\n")[2])
    assert again == data, "it is accepted, and is not canonical"
    parse_checkpoint(question.note.text)


def _answer(data: bytes) -> None:
    found = add_checkpoint.parse_answer(data)
    assert found.words.isprintable()
    add_checkpoint.parse_size(found.body)


def _syslog(data: bytes) -> None:
    choice = Choice(redact=["pass[a-z]*"])
    framing, messages = Frames(choice), Messages("host", choice, 7)
    for message in [*framing.feed(data[:9]), *framing.feed(data[9:]), *framing.end()]:
        line = messages.line(message, "2026-11-23T03:45:01.123456Z", {"pid": data[:4]})
        assert (line[-1:], line.count(b"\n"), line.count(b"\0")) == (b"\n", 1, 0)


def _journalctl(data: bytes) -> None:
    entries = Entries("host", Choice(), Names(), 7)
    found, whole = Export(16), Export(16).feed(data)
    assert [fields for at in range(len(data)) for fields in found.feed(data[at : at + 1])] == whole
    for fields in whole:
        assert all(len(value) <= 16 for value in fields.values())
        values = [fields.get(name, b"") for name in FIELDS]
        line = entries.line(0, 0, bytes(16), values, lambda _: b"")
        assert line.count(b"\n") == 1


def _cosigned(data: bytes) -> None:
    note = NOTE(data)
    assert cosignature.cosigned_at(note, COSIGNER) is not None or not note.by(COSIGNER)


def _when(data: bytes) -> None:
    assert 0 <= parse_when(_string(data), NOW) < 1 << 63


TARGETS: dict[str, Target] = {
    "accepted": Target(stored.accepted, stored.accepted_seeds),
    "activity": Target(
        _text(activity.parse_activity, activity.format_activity),
        lambda: [
            b"1 session-start id=9f81ca46d2e0b7a1 service=logchain.Append\n1 2 3 1\n2 session-end reason=eof lines=2\n3"
        ],
    ),
    "answers": Target(stored.answers, lambda: [b'{"id": "9f81", "begin": "2026-11-23T03:45:01.123456Z"}\n{"gap": 1}']),
    "audit": Target(_canonical(audit.parse_audit, audit.format_audit), vectors("files", "secret")),
    "births": Target(_canonical(keystate.parse_births, keystate.format_births), vectors("keystate", "births")),
    "catalog": Target(stored.catalog, stored.catalog_seeds),
    "catalog-row": Target(stored.catalog_row, stored.catalog_row_seeds),
    "checkpoint": Target(
        lambda data: checkpoint.parse_checkpoint(NOTE(data).text), vectors("checkpoint", "checkpoint")
    ),
    "checks": Target(stored.checks, lambda: [b'{"work/main": "intact", "9f81": "damaged"}']),
    "config": Target(
        partial(config.parse, name="it"), lambda: [b'[streams.kernel]\nsource = "kmsg"\npriority = "info"\n']
    ),
    "cosignature": Target(_cosigned, vectors("cosignature", "cosigned")),
    "cursor": Target(
        lambda data: cursor.parse(data.decode("latin-1")),
        lambda: [b"s=%b;i=1a;b=%b;m=2;t=5f1c9a22;x=1" % (b"0a" * 16, b"1b" * 16)],
    ),
    "descriptor": Target(parse_descriptor, lambda: [b"logchain.Append+main work", b"qubes.Log dom0"]),
    "display": Target(_display, lambda: ["e\u0301 \u202e \x1b[2J \u05d0".encode(), b"\xff\xc0\x80"]),
    "encrypted": Target(_encrypted, _encrypt),
    "entries": Target(_entries, vectors("ledger", "entries")),
    "entry": Target(_signed(ledger.parse_entry, ledger.format_entry), vectors("ledger", "entry", "genesis")),
    "evidence": Target(lambda data: check_evidence(io.BytesIO(data).read), vectors("evidence", "file")),
    "evidence-index": Target(_canonical(evidence.parse_index, evidence.format_index), vectors("evidence", "index")),
    "fingerprint": Target(lambda data: ledger.parse_fingerprint(_string(data)), vectors("ledger", "fingerprint")),
    "greeting": Target(_greeting, vectors("wire", "down", "line")),
    "heads": Target(_canonical(heads.parse_heads, lambda found: heads.format_heads(*found)), vectors("heads", "heads")),
    "journalctl": Target(_journalctl, lambda: [b"MESSAGE=x\n_PID=1\n\n", b"MESSAGE\n\x03\0\0\0\0\0\0\0a\nb\n\n"]),
    "keystate": Target(_canonical(keystate.parse_keystate, keystate.format_keystate), vectors("keystate", "ratchet")),
    "ledger-key": Target(
        _canonical(ledger_keys.parse_ledger_keys, ledger_keys.format_ledger_keys), vectors("ledger", "ledger-key")
    ),
    "lines": Target(_lines, lambda: [b"a\n\nb", b"x" * 70_000 + b"\ny"]),
    "log-key": Target(_canonical(ledger_keys.parse_log_key, ledger_keys.format_log_key), vectors("ledger", "log-key")),
    "lz4": Target(_frames(frames.lz4_frames), vectors("sealed", "lz4", "lz4-block")),
    "manifest": Target(_signed(manifest.parse_manifest, manifest.format_manifest), vectors("manifest", "manifest")),
    "note": Target(NOTE, vectors("note", "note")),
    "recipient": Target(_text(recipient.parse_recipient, recipient.format_recipient), vectors("evidence", "recipient")),
    "recipient-secret": Target(
        recipient.parse_recipient_secret,
        lambda: [recipient.format_recipient_secret(bytes(range(32)))],
    ),
    "record": Target(_record, vectors("record", "record", "note")),
    "sealed-lz4": Target(partial(stored.sealed, ".lz4"), partial(stored.sealed_seeds, ".lz4")),
    "sealed-xz": Target(partial(stored.sealed, ".xz"), partial(stored.sealed_seeds, ".xz")),
    "seed": Target(_canonical(audit.parse_seed, audit.format_seed), vectors("files", "seed")),
    "segment-key": Target(
        _canonical(segment_key.parse_segment_key, segment_key.format_segment_key),
        vectors("segment-key", "segment key"),
    ),
    "settings": Target(
        lambda data: settings.parse_settings(_string(data)),
        lambda: [b'[vm.work]\nquota = "1 GiB"\nrate = "100 KiB/s"\n[tiers]\nlz4-after = "1 hour"\n'],
    ),
    "slots": Target(_slots, vectors("keystate", "file")),
    "state": Target(stored.exporter_state, lambda: [b'{"exporter": 1, "place": null}\n{"text": "x", "at": 1}']),
    "status": Target(stored.exporter_status, stored.exporter_status_seeds),
    "store": Target(_canonical(identity.parse_store, identity.format_store), vectors("files", "format")),
    "stream": Target(_stream, lambda: [identity.format_stream(bytes(32), "work", "main")]),
    "syslog": Target(_syslog, syslog_messages),
    "tags": Target(_tags, vectors("tags", "tags")),
    "tlog-proof": Target(
        _canonical(tlog_proof.parse_tlog_proof, tlog_proof.format_tlog_proof),
        lambda: [tlog_proof.format_tlog_proof(tlog_proof.TlogProof(5, (bytes(32),), b"checkpoint"))],
    ),
    "vkey": Target(_text(signed_note.parse_vkey, signed_note.format_vkey), vectors("note", "vkey")),
    "when": Target(_when, lambda: [b"2026-11-23 10:15:30", b"-1h 30min", b"11:12", b"yesterday"]),
    "witness-answer": Target(_answer, vectors("witness", "answer")),
    "witness-log": Target(stored.witness_log, stored.witness_log_seeds),
    "witness-policy": Target(tlog_policy.parse_policy, vectors("policy", "policy", "quorum")),
    "witness-question": Target(_question, vectors("witness", "asked")),
    "xz": Target(_frames(frames.xz_streams), vectors("sealed", "xz", "xz-block")),
}

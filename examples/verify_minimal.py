#!/usr/bin/env python3
"""Check a logchain store without logchain: this one file, Python's standard library, and the `openssl` command.

    python3 verify_minimal.py [--fingerprint HEX] [--audit-secret FILE] [--restored N] STORE

Written from docs/spec alone, before its writer had seen logchain's code: a mistake there is not made here again.
Then both were held against each other; where they differed the pages were mended, and say who was right (store.md).
STORE is a copy, or a store to which nothing writes now. Nothing in it is trusted, and no link in it is followed.

Checked, with the pages of docs/spec that say how it has to be:
  ledger   every entry: form, signature under the key that the entry before names, hash of the entry before, age; that
           it can follow from what was said before; missing births; the checkpoint; the next key          (ledger.md)
  sealed   every manifest: digest, signature, previous, numbers; every text, plain, LZ4 and xz: sizes, SHA-256,
           records; what is missing, or too many                                         (manifest.md, sealed.md)
  heads    every list, and that each segment still begins with what a list once fixed                     (heads.md)
  live     every stream: id, key state, tags, records, how each segment goes on from the one before       (store.md)
  keys     with --audit-secret: every tag, every key, every proof of a segment that was given up        (ratchet.md)
Told, and no damage: what only a writer of records can get wrong, such as how parts make up a line       (store.md, 19)
Not checked: signatures of witnesses; what a user's last verify accepted; an audit secret with a passphrase; evidence
files; the catalog; quarantine/; settings; text that was evicted; whether this is the newest ledger there ever was.

Exit code: 0 intact; 1 damaged: missing or changed, which no crash does; 2 usage; 3 cannot tell, and why.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import datetime
import functools
import hashlib
import itertools
import lzma
import os
import re
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, BinaryIO, NamedTuple

MIB, BIG = 1 << 20, (1 << 63) - 1
SEGMENTS, BIRTHS, ENTRIES, RECORDS = 999_999, 10_000_000, 100_000_000, (1 << 32) - 1
ZEROS, NO_KEY = "0" * 64, bytes(32)
TIME = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{6}Z"
VM, STREAM = "[A-Za-z][A-Za-z0-9_.-]{0,30}", "[A-Za-z0-9][A-Za-z0-9_.-]{0,47}"


class Malformed(Exception):
    """Bytes that break the page on them, or do not fit to others."""


class NotSigned(Exception):
    """A note that is not signed by the key that it has to be signed by."""


def need(good: object, why: str) -> None:
    if not good:
        raise Malformed(why)


# ---- the program ----


def read_secret(path: str) -> SimpleNamespace:
    with open(path, "rb") as file:
        said = SECRET.read(file.read(4097))
    need(said.secret, "the audit secret has a passphrase; this program cannot open it")
    return said


def main() -> int:
    parser = argparse.ArgumentParser(description="Check a logchain store without logchain.")
    parser.add_argument("store", metavar="STORE")
    parser.add_argument("--fingerprint", metavar="HEX", help="of the store's first key, as 'logchain init' showed it")
    parser.add_argument("--audit-secret", metavar="FILE", help="the file of 'logchain keygen', without a passphrase")
    parser.add_argument("--restored", metavar="N", type=int, default=0, help="how often it came back from a backup")
    words = parser.parse_args()
    try:
        root = os.open(words.store, os.O_DIRECTORY)
        secret = read_secret(words.audit_secret) if words.audit_secret else None
        fingerprint = fingerprint_digits(words.fingerprint) if words.fingerprint else None
    except (OSError, Malformed) as error:
        parser.error(str(error))
    check = Check(root, fingerprint, secret, words.restored)
    try:
        check.run()
    except PermissionError as error:  # what could not be read may look as if it were missing
        check.damage, check.unknown = [], [str(error)]
    return report(check)


def report(check: Check) -> int:
    for title, found in (("note", check.notices), ("CANNOT TELL", check.unknown), ("DAMAGED", check.damage)):
        for line in found[:100] + ([f"and {len(found) - 100} more"] if len(found) > 100 else []):
            print(f"{title}: {line}")
    last = check.ledger.last
    print(f"checked: {len(check.ledger.leaves)} entries of the ledger{f', the last of {last.time}' if last else ''}")
    print(f"checked: {check.records} records in {check.segments} segments of {len(check.streams)} streams")
    print(f"checked: their tags and keys: {'yes' if check.audit else 'no, that takes the audit secret'}")
    print("not checked: witnesses, and whether this is the newest state of the store; see the head of this program")
    code = 1 if check.damage else 3 if check.unknown else 0
    print({0: "INTACT", 1: "DAMAGED", 3: "CANNOT TELL"}[code])
    return code


# ---- the store (store.md) ----


class Stream(NamedTuple):
    vm: str
    name: str
    id: str
    state: SimpleNamespace
    live: set[int]  # the segments in live/
    is_going: bool  # it has the mark `forgetting`

    def path(self, n: int, ending: str = ".log", root: str = "live") -> str:
        return f"{root}/{self.vm}/{self.name}/{n:08}{ending}"


class Check:
    """One store, held against all the pages. What is found goes to `damage`, `unknown` and `notices`."""

    def __init__(self, root: int, fingerprint: str | None, secret: SimpleNamespace | None, restored: int) -> None:
        self.root, self.fingerprint, self.secret, self.restored = root, fingerprint, secret, restored
        self.damage: list[str] = []
        self.unknown: list[str] = []
        self.notices: list[str] = []
        self.streams: dict[str, Stream] = {}
        self.births: dict[int, tuple[str, int]] = {}  # those that streams say they have
        self.marks: dict[str, dict[int, dict[int, SimpleNamespace]]] = {}  # by stream, segment, records
        self.segments = self.records = self.beyond = 0
        self.audit: Audit | None = None

    @contextlib.contextmanager
    def at(self, what: str) -> Iterator[None]:
        """Whatever goes wrong in here is told of `what`, and the check goes on behind it."""
        try:
            yield
        except (Malformed, NotSigned) as error:
            self.damage.append(f"{what}: {error}")
        except PermissionError as error:
            raise PermissionError(f"{what}: this user may not read it") from error
        except OSError as error:
            self.damage.append(f"{what}: it cannot be read: {os.strerror(error.errno or 0)}")

    def open(self, path: str, flags: int = 0) -> int:
        """A descriptor, found from the store's directory downwards without following a link."""
        here, *names = os.dup(self.root), *path.split("/")
        for i, name in enumerate(names, 1):
            kind = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | (flags if i == len(names) else os.O_DIRECTORY)
            try:
                inner = os.open(name, kind, dir_fd=here)
            finally:
                os.close(here)
            here = inner
        return here

    def file(self, path: str) -> BinaryIO:
        file = os.fdopen(self.open(path), "rb")
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise Malformed("no regular file")
        return file

    def bytes(self, path: str, limit: int) -> bytes:
        with self.file(path) as file:
            data = file.read(limit + 1)
        need(len(data) <= limit, "too long")
        return data

    def names(self, path: str) -> list[str]:
        here = self.open(path, os.O_DIRECTORY)
        try:
            return sorted(name for name in os.listdir(here) if not re.fullmatch("[.].*[.]new", name))
        finally:
            os.close(here)

    def run(self) -> None:
        self.ledger = Ledger("")
        try:
            store = FORMAT.read(self.bytes("format", 4096)).store
        except (OSError, Malformed) as error:
            self.unknown.append(f"this is no store: format: {error}")
            return
        if self.secret is not None and self.secret.store != store:
            self.unknown.append("the audit secret belongs to another store, or the store's id was changed")
            return
        with self.at("live"):
            for vm, name in self.pairs("live"):
                with self.at(f"live/{vm}/{name}"):
                    self.read_stream(vm, name, set(self.names(f"live/{vm}/{name}")))
        self.ledger = Ledger(store)
        with self.at("ledger"):
            self.check_ledger()
        if not self.ledger.last or any(line.startswith("ledger:") for line in self.damage):
            self.notices.append("the rest was not checked: it is the ledger that says what has to be there")
            return
        with self.at("births"):
            self.check_births()
        for index, sha, places in self.ledger.heads:
            with self.at(f"ledger/heads/{index:08}"):
                self.check_heads(index, sha, places)
        with self.at("keys/ledger"):
            self.check_ledger_key()
        for stream in self.streams.values():
            self.check_stream(stream)
        with self.at("sealed"):
            self.check_surplus()
        self.judge()

    def pairs(self, root: str) -> Iterator[tuple[str, str]]:
        """The VMs and streams that have a directory here."""
        for vm in self.names(root):
            with contextlib.suppress(NotADirectoryError):
                for name in self.names(f"{root}/{vm}") if re.fullmatch(VM, vm) else ():
                    if re.fullmatch(STREAM, name):
                        with contextlib.suppress(NotADirectoryError):
                            os.close(self.open(f"{root}/{vm}/{name}", os.O_DIRECTORY))
                            yield vm, name

    def read_stream(self, vm: str, name: str, found: set[str]) -> None:
        path, live = f"live/{vm}/{name}", {int(word[:8]) for word in found if re.fullmatch("[0-9]{8}[.]log", word)}
        erased = "id" not in found or "forgetting" not in found or not any(self.bytes(f"{path}/id", 4096))
        if not live and "ratchet" not in found and erased:
            self.notices.append(f"{path}: its birth, or its forgetting, was cut short")
            return
        said = ID.read(self.bytes(f"{path}/id", 4096))
        need(said.id == stream_id(bytes.fromhex(said.salt), vm, name), "its id is that of another salt or name")
        state = parse_state(parse_slots(self.bytes(f"{path}/ratchet", 8192), b"lcratch1"))
        stream = self.streams[said.id] = Stream(vm, name, said.id, state, live, "forgetting" in found)
        claims = {state.birth: (said.id, state.segment)}
        for n in live:  # births of which the ledger may not know yet
            with contextlib.suppress(Malformed, OSError), self.file(stream.path(n)) as file:
                event, first = parse_event(*parse_record(file.readline(2048)[:-1])[1:])
                if event == "segment" and first.birth:
                    claims[first.birth] = (said.id, n)
        for birth, place in claims.items():
            other = self.births.setdefault(birth, place)
            need(other[0] == said.id, f"birth {birth} is another stream's, too")
        need(state.status in (CLOSED, OPEN, GIVEN_UP, CAME_BACK), "its keys, id or text were lost, and it begins anew")

    def check_ledger(self) -> None:
        ledger = self.ledger
        checkpoint = self.bytes("ledger/checkpoint", 128 * 1024)
        with self.file("ledger/entries") as file:
            ledger.read(file)
        self.damage += [f"ledger, {odd}" for odd in ledger.odd]
        first = hashlib.sha256(ledger.genesis.entry_key.text.encode()).hexdigest()
        if self.fingerprint is None:
            self.notices.append(f"no fingerprint was given; the ledger says that it is {first}")
        need(self.fingerprint in (None, first), f"it is that of another store: its fingerprint is {first}")
        origin, size, root = parse_checkpoint(open_note(checkpoint, ledger.genesis.log_key, 128 * 1024, 16))
        need(origin == ledger.genesis.log_key.name, "the checkpoint is another log's")
        need(size <= len(ledger.leaves), f"of the checkpoint's {size} entries {len(ledger.leaves)} are here")
        need(merkle_root(ledger.leaves[:size]) == root, "the checkpoint has another root")
        need(size >= ledger.owing, f"the checkpoint is an older one: it has {size} entries")
        if ledger.torn:
            self.notices.append(f"ledger: {len(ledger.torn)} bytes of a torn append are left out")

    def check_births(self) -> None:
        following, secret, vm, _ = parse_births(parse_slots(self.bytes("births", 8192), b"lcbirth1"))
        known = self.births | self.ledger.births
        if self.secret is not None:
            store = bytes.fromhex(self.ledger.store)
            self.audit = Audit(bytes.fromhex(self.secret.secret), store, {following, *known})
            need(self.audit.births[following] == secret, "its secret does not follow from the audit secret")
        for birth, (stream, _) in sorted(self.ledger.births.items()):
            if stream not in self.streams and stream not in self.ledger.forgotten:
                self.damage.append(f"birth {birth}: the stream that it was given to is missing")
            need(self.births.get(birth, (stream,))[0] == stream, f"birth {birth} is claimed by another stream")
        wanted = range(max(self.ledger.restored, default=1), following)
        missing = len(wanted) - sum(n in wanted for n in known)
        first = next((n for n in wanted if n not in known), 0)
        need(not missing, f"{missing} births belong to no stream, birth {first} first: a stream was removed")
        need(max(known, default=0) < following + bool(vm), "it is an older copy: later births were given")
        states = [stream.state for stream in self.streams.values()]
        begun = any(s.birth == following and s.segment and s.status in (CLOSED, OPEN, GIVEN_UP) for s in states)
        need(not begun, f"birth {following} was never closed: with its secret all of that stream can be forged")

    def check_heads(self, index: int, sha: str, places: list[tuple[str, int]]) -> None:
        if all(place in self.ledger.gone or place[0] in self.ledger.forgotten for place in places):
            return
        data = self.bytes(f"ledger/heads/{index:08}", 16384)
        need(hashlib.sha256(data).hexdigest() == sha, "not the list that the ledger hashes")
        store, marks = parse_heads(data)
        need(store == self.ledger.store and set(marks) == set(places), "not the segments that the ledger names")
        for (stream, n), mark in marks.items():
            others = self.marks.setdefault(stream, {}).setdefault(n, {})
            need(all(m.records < mark.records and m.size < mark.size for m in others.values()), "a segment that shrank")
            others[mark.records] = mark

    def check_ledger_key(self) -> None:
        try:
            body = parse_slots(self.bytes("keys/ledger", 8192), b"lcledgr1")
        except (FileNotFoundError, PermissionError):
            self.notices.append("keys/ledger: not here, or not to be read: not checked")
            return
        index, _, age = struct.unpack_from("<3Q", body)
        entry, count, last = body[80:], len(self.ledger.leaves), self.ledger.last_bytes
        said = parse_entry(parse_note(entry, 2048, 1).text)
        need((said.index, said.age) == (index - 1, age) and public_of(body[48:80]) == said.next.public, "its own form")
        is_behind = index == count + 1 and said.previous == hashlib.sha256(last).hexdigest()
        need(is_behind or (index, entry) == (count, last), "it goes on from another entry than the last")
        torn = self.ledger.torn
        fits = len(torn) <= len(entry) and all(byte in (0, entry[at]) for at, byte in enumerate(torn))
        fits = fits if is_behind else not torn
        need(fits, "something stands behind the last entry")

    def check_stream(self, s: Stream) -> None:
        path, state, ledger = f"{s.vm}/{s.name}", s.state, self.ledger
        births, marks = ledger.of.get(s.id, {}), self.marks.get(s.id, {})
        top = max(state.segment, ledger.top.get(s.id, 0), *marks)
        if s.id in ledger.forgotten:
            going = f"live/{path}: was forgotten, and is not removed yet"
            (self.damage if s.live and not s.is_going else self.notices).append(going)
            return
        before: Segment | None = None
        birth = 0

        def key_of(said: int | None) -> bytes | None:
            nonlocal birth
            birth = said or birth
            need(birth, "its birth is not known")
            return self.audit.key(birth, bytes.fromhex(s.id), n) if self.audit else None

        there = {n for n in range(1, top + 1) if n in s.live or (s.id, n) in ledger.sealed}
        if len(there) < top:
            self.damage.append(f"{path}: {top - len(there)} of {top} segments are missing")
        for n in sorted(there):
            earlier, birth = birth, max((b for b, at in births.items() if at == n), default=birth)
            last, before, named = before if n - 1 in there else None, None, birth
            with self.at(f"{path}, segment {n}"):
                if (s.id, n) in ledger.gone:
                    need(n not in s.live, "it went on purpose, and a text of it is in live/")
                    need(not last or last.ended, "the segment before has no end, and what could say why is gone")
                    continue
                segment = Segment(key_of, marks.get(n, {}), last.unfinished if last else None)
                (self.check_sealed if (s.id, n) in ledger.sealed else self.check_live)(s, n, segment)
                need(segment.records, "it has no record, not even its first note")
                need(not segment.marks, "it has fewer records than a list of heads fixed")
                need(named == earlier or segment.head.birth == named, "it does not show the birth that the ledger has")
                self.check_chain(s, n, segment, last, earlier)
                before = segment
                self.segments, self.records = self.segments + 1, self.records + segment.records
                self.notices += [f"{path}, segment {n}, {odd}" for odd in segment.odd[:10]]
        with self.at(f"live/{path}"):
            if before and before.head.number == state.segment and state.status in (CLOSED, OPEN, GIVEN_UP, CAME_BACK):
                self.check_state(state, before)
            need(top == state.segment, f"its key state is an older copy: segment {top} was begun")
            need(state.birth >= max([birth, *births]), "its key state has an older birth")
            self.notices += [f"{s.path(n)}: was never committed" for n in s.live if n > top]
            follows = not self.audit or self.audit.secret(state.birth, bytes.fromhex(s.id), top + 1) == state.next
            need(follows, "its secret does not follow from the audit secret")

    def check_state(self, state: SimpleNamespace, last: Segment) -> None:
        """What a key state says of the segment that it is of."""
        found = (last.records, last.size, last.tag, last.head.first)
        need((state.records, state.end, state.tag, state.first) == found, "its key state says another end")
        need(last.ended or state.key != NO_KEY, "it is closed, and has no end")
        follows = last.key is None or state.key in (last.key, NO_KEY)
        need(follows, "its key does not follow from the audit secret")

    def check_sealed(self, s: Stream, n: int, segment: Segment) -> None:
        seal, found = self.ledger.sealed[s.id, n], 0
        data = self.bytes(s.path(n, ".manifest", "sealed"), MIB)
        need(hashlib.sha256(data).hexdigest() == seal.sha, "its manifest is not the one that the ledger names")
        told = parse_manifest(open_note(data, seal.entry.signer, MIB, 1))
        need((told.store, told.stream, told.segment) == (self.ledger.store, s.id, n), "its manifest is that of another")
        need(told.previous == seal.previous, "its manifest has another 'previous'")
        need(told.age <= seal.entry.age, "its manifest is younger than its entry")
        for root, tier in (("sealed", ""), ("sealed", ".lz4"), ("sealed", ".xz"), ("live", "")):
            need(root == "sealed" or found, "its text is missing")
            with contextlib.suppress(FileNotFoundError), self.file(s.path(n, ".log" + tier, root)) as file:
                for block, text in zip(told.blocks, unpack_file(file, tier, told.blocks), strict=True):
                    begin = segment.records
                    for record in () if found else records([text]):
                        segment.take(record)
                        need(segment.records > begin + 1 or segment.time == block.time, "a block's time")
                    need(found or segment.records == begin + block.records, "a block's records")
                found += 1
        need((segment.head.first, segment.time) == (told.first, told.ends), "another first record, or time, than told")
        need(self.ledger.births.get(told.birth, ("",))[0] == s.id, "its manifest has a birth of another stream")
        segment.tag = segment.tag or bytes.fromhex(told.tag)
        need(segment.tag.hex() == told.tag, "its text was changed: the last tag is another")

    def check_live(self, s: Stream, n: int, segment: Segment) -> None:
        state, is_last = s.state, n == s.state.segment and s.state.status in (CLOSED, OPEN, GIVEN_UP, CAME_BACK)
        with self.file(s.path(n)) as file, self.file(s.path(n, ".tags")) as tags:
            size = os.fstat(file.fileno()).st_size
            end = state.end if is_last else size
            need(end <= size, "committed text is missing")
            for record in records(iter(lambda: file.read(min(MIB, end - file.tell())), b"")):
                entry = tags.read(40)
                need(len(entry) == 40, "committed tags are missing")
                segment.take(record, entry[8:])
                need(segment.size == int.from_bytes(entry[:8], "little"), "a tag's offset is not its record's end")
            if end < size or tags.read(1):
                need(is_last and state.key != NO_KEY, "something stands behind the end of a closed segment")
                self.notices.append(f"{s.path(n)}: what stands behind byte {end} was never committed")
        self.beyond += 0 if self.audit else segment.records - max(self.marks.get(s.id, {}).get(n, {}), default=0)

    def check_chain(self, s: Stream, n: int, segment: Segment, before: Segment | None, earlier: int) -> None:
        """How a segment goes on from the one before, as far as that is here."""
        head, said, where = segment.head, segment.recovered, f"{s.vm}/{s.name}"
        need((head.store, head.vm, head.stream, head.number) == (self.ledger.store, s.vm, s.name, n), "another's note")
        need(self.ledger.births.get(head.birth, (s.id, n)) == (s.id, n), "its birth is that of another segment")
        need(segment.broken or (n == 1) == bool(head.birth), "a birth where none should be, or none where one should")
        if segment.broken == "restored":
            need(
                any(earlier < birth <= (head.birth or 0) for birth in self.ledger.restored), "'restored' is in no entry"
            )
            self.notices.append(f"{where}: begins anew with segment {n}, behind a backup that came back")
        need(segment.broken in ("", "restored"), f"it begins anew, for its {segment.broken} was lost")
        if before is None or before.tag is None:
            return
        need(head.birth or head.previous == before.tag.hex(), "'previous' is not the last tag of the segment before")
        need(head.first == before.head.first + before.records, "records are missing before it")
        goes_on = bool(before.unfinished) and not head.birth and not said.previous
        segment.ask(before.unfinished is None or bool(head.continues) == goes_on, "'continues', against what is before")
        segment.ask(not (before.ended and said.previous), "given up, and it has an end")
        if not before.ended:
            need(said.previous, "the segment before has no end, and none is told here")
            need((said.previous, said.end) == (n - 1, before.size), "the segment before ends elsewhere")
            need(not before.key or step(before.key, b"given up\n")[1].hex() == said.proof, "no proof of a given up end")
            self.notices.append(f"{where}: segment {n - 1} was given up: a write failed, or a backup had no more of it")

    def check_surplus(self) -> None:
        """What is in sealed/ under a name of ours, and that the ledger does not name. Other names mean nothing."""
        ids = {(s.vm, s.name): s.id for s in self.streams.values()}
        for vm, name in self.pairs("sealed"):
            for file in self.names(f"sealed/{vm}/{name}"):
                path, match = f"sealed/{vm}/{name}/{file}", re.fullmatch("([0-9]{8})[.](manifest|log(|.lz4|.xz))", file)
                stream, n = place = (ids.get((vm, name), ""), int(match[1]) if match else 0)
                if place in self.ledger.gone:
                    is_text, sha = not file.endswith(".manifest"), self.ledger.sealed[place].sha
                    good = is_text or hashlib.sha256(self.bytes(path, MIB)).hexdigest() == sha
                    (self.notices if good else self.damage).append(f"{path}: it went on purpose; this is still here")
                elif match and place not in self.ledger.sealed and stream not in self.ledger.forgotten:
                    is_under_way = stream and n in self.streams[stream].live
                    (self.notices if is_under_way else self.damage).append(f"{path}: the ledger does not name it")

    def judge(self) -> None:
        counts = self.ledger.counts
        for event in ("recover", "broken", "evict", "delete", "forget", "restored", "config", "export"):
            self.notices += [f"the ledger has entries '{event}': {counts[event]}"] if counts[event] else []
        for stream, n in self.ledger.broken:
            if (stream, n + 1) in self.ledger.gone and stream not in self.ledger.forgotten:
                self.damage.append(
                    f"ledger: stream {stream} began anew behind segment {n}, and what said so went since"
                )
        if counts["restored"] > self.restored:
            self.unknown.append(f"the ledger says more often than --restored {self.restored} that a backup came back")
        if self.beyond:
            self.notices.append(f"{self.beyond} records are in no manifest and no list: only the audit secret can tell")
        if self.fingerprint is None and (self.audit is None or self.ledger.gone or self.ledger.forgotten):
            self.unknown.append("without the fingerprint the ledger may be made up, with all that it says")
        if self.records == self.beyond:
            self.unknown.append("nothing was there to check")


# ---- the ledger (ledger.md) ----


class Ledger:
    """What the entries say. What breaks their chain is raised; what cannot follow from those before goes to `odd`."""

    def __init__(self, store: str) -> None:
        self.store, self.torn, self.owing, self.counts = store, b"", 0, Counter[str]()
        self.odd: list[str] = []
        self.leaves: list[bytes] = []
        self.last: SimpleNamespace | None = None
        self.last_bytes, self.genesis = b"", SimpleNamespace()
        self.births: dict[int, tuple[str, int]] = {}  # stream and first segment
        self.of: dict[str, dict[int, int]] = {}  # the same by stream
        self.sealed: dict[tuple[str, int], SimpleNamespace] = {}
        self.gone: set[tuple[str, int]] = set()
        self.forgotten: dict[str, int] = {}
        self.heads: list[tuple[int, str, list[tuple[str, int]]]] = []
        self.restored: list[int] = []
        self.broken: list[tuple[str, int]] = []  # stream, and the segment behind which it began anew
        self.top: dict[str, int] = {}  # of each stream: the highest segment that was sealed

    def read(self, file: BinaryIO) -> None:
        for batch in iter(lambda: list(itertools.islice(self.split(file), 1024)), []):
            signatures: list[Signature] = []
            for data in batch:
                entry = self.follow(data)
                signatures += parse_note(data, 2048, 1).by(entry.signer)
                self.tell(entry)
            if not all_verify(signatures):
                raise NotSigned(f"an entry up to {len(self.leaves) - 1} is not signed by the key that has to sign it")
        need(self.last, "no entry")

    def split(self, file: BinaryIO) -> Iterator[bytes]:
        while True:
            data = b""
            for _ in range(10):
                data += file.readline(2049 - len(data))
            if data.count(b"\n") < 10 or (b"\0" in data and not file.read(1)):
                need(len(data) < 2048, "what follows the last entry is no torn append")
                self.torn = self.torn or data
                return
            yield data

    def follow(self, data: bytes) -> SimpleNamespace:
        """One entry, and that it goes on from the one before."""
        at = f"entry {len(self.leaves)}"
        try:
            entry = parse_entry(parse_note(data, 2048, 1).text)
        except Malformed as error:
            raise Malformed(f"{at}: {error}") from error
        need((entry.store, entry.index) == (self.store, len(self.leaves)), f"{at}: of another store, or another index")
        previous = hashlib.sha256(self.last_bytes).hexdigest() if self.last else ZEROS
        need(entry.previous == previous, f"{at}: 'previous' is not the hash of the entry before")
        need(self.last is None or entry.age >= self.last.age, f"{at}: its age goes back")
        entry.signer = self.last.next if self.last else entry.what.entry_key
        self.last, self.last_bytes = entry, data
        self.leaves.append(hashlib.sha256(b"\x00" + data).digest())
        return entry

    def tell(self, entry: SimpleNamespace) -> None:
        """Remember what happened, and see that it can have."""
        event, what, births = entry.event, entry.what, self.births
        stream, n = place = (getattr(what, "stream", ""), getattr(what, "segment", 0))
        good = not stream or ((event == "birth" or stream in self.of) and stream not in self.forgotten)
        self.counts[event] += 1
        if event not in ("evict", "delete", "forget"):
            self.owing = entry.index
        if event == "genesis":
            self.genesis = what
        elif event == "birth":
            others = self.of.setdefault(stream, {})
            good = good and what.birth not in births and n >= max(others.values(), default=1)
            births[what.birth], others[what.birth] = place, n
        elif event == "seal":
            before = self.sealed.get((stream, self.top.get(stream, 0)))
            good = good and n > self.top.get(stream, 0)
            self.sealed[place] = SimpleNamespace(sha=what.sha, entry=entry, previous=before.sha if before else ZEROS)
            self.top[stream] = n
        elif event in ("evict", "delete"):
            good = good and place in self.sealed and place not in self.gone and self.sealed[place].sha == what.sha
            self.gone.add(place)
        elif event == "forget":
            good = good and n >= self.top.get(stream, 0)
            self.forgotten[stream] = n
        elif event == "heads":
            good = all(b in births and at >= births[b][1] for b, at in what.heads)
            self.heads.append((entry.index, what.sha, [(births[b][0], at) for b, at in what.heads if b in births]))
        elif event == "broken":
            self.broken.append(place)
        elif event == "restored":
            self.restored.append(what.birth)
        elif event == "export":
            good = all(b in births for (b,) in what.births)
        if not good:
            self.odd.append(f"entry {entry.index}: '{event}' cannot follow from the entries before")


# ---- records (record.md) ----

RECORD = re.compile(f"({TIME}) ([-+#]) ".encode())
NOTE = re.compile(rb"[a-z][a-z-]*(?: [a-z][a-z-]*=[A-Za-z0-9_.,:+/@-]+)*")


def parse_record(record: bytes) -> tuple[str, str, bytes]:
    """Receive time, kind, payload."""
    need(RECORD.match(record) and b"\n" not in record, "no record")
    time, kind, payload = moment(record[:27].decode()), chr(record[28]), record[30:]
    need(len(payload) <= (1024 if kind == "#" else 65536) and (payload or kind == "-"), "a record's length")
    if kind == "#":
        keys = re.findall(rb" ([a-z-]+)=", payload)
        need(NOTE.fullmatch(payload) and len(keys) == len(set(keys)), "no note")
    return time, kind, payload


def parse_event(kind: str, payload: bytes) -> tuple[str, SimpleNamespace]:
    """A note's event and what it says. Events and fields that no table has are left out (record.md, 7)."""
    event, *fields = payload.decode("ascii").split(" ") if kind == "#" else [""]
    shape = NOTES.get(event)
    if shape is None:
        return event, SimpleNamespace()
    return event, shape.read(" ".join([event, *(f for f in fields if f.split("=")[0] in shape.keys)]).encode())


class Segment:
    """Takes the records of a segment, one by one, and holds each against the page and those before."""

    def __init__(
        self, key_of: Callable[[int | None], bytes | None], marks: dict[int, SimpleNamespace], unfinished: int | None
    ) -> None:
        self.key_of, self.marks = key_of, dict(marks)  # marks: what lists of heads say, by the number of records
        self.unfinished, self.last_part = unfinished, 65536  # bytes of a line that goes on; None: not known
        self.records = self.size = self.rank = 0
        self.time, self.broken, self.ended, self.sha = "", "", False, hashlib.sha256()
        self.odd: list[str] = []
        self.key: bytes | None = None
        self.tag: bytes | None = None
        self.head, self.recovered = SimpleNamespace(), SimpleNamespace(previous=None)

    def ask(self, good: object, why: str) -> None:
        """What only a writer can get wrong, and loses or changes no record, is told and no damage (store.md, 19)."""
        if not good:
            self.odd.append(f"record {self.records}: {why}")

    def take(self, record: bytes, stored_tag: bytes | None = None) -> None:
        time, kind, payload = parse_record(record)
        try:
            event, said = parse_event(kind, payload)
        except Malformed as error:
            self.ask(False, str(error))
            event, said = "?", SimpleNamespace()
        need(
            time >= self.time and (not self.ended or event == "end"), "a time goes back, or a record is behind the end"
        )
        need(event == "segment" or self.records, "the first record is no note 'segment'")
        if kind == "#":
            self.note(event, said)
        else:
            self.ask(not self.unfinished or (payload and self.last_part == 65536), "a part that is too short")
            self.last_part, self.rank = len(payload), 9
            self.unfinished = 0 if kind == "-" else None if self.unfinished is None else self.unfinished + len(payload)
        self.records, self.size, self.time, self.tag = self.records + 1, self.size + len(record) + 1, time, stored_tag
        if self.key is not None:
            self.key, self.tag = step(self.key, record)
            need(stored_tag in (None, self.tag), f"record {self.records - 1}: it or its tag was changed")
        if self.marks:
            self.sha.update(record + b"\n")
            mark = self.marks.pop(self.records, None)
            good = mark is None or (mark.size, mark.sha) == (self.size, self.sha.hexdigest())
            need(good and (not mark or not self.tag or self.tag.hex() == mark.tag), "not what a list of heads fixed")

    def note(self, event: str, said: SimpleNamespace) -> None:
        is_torn = event == "recovered" and not said.previous
        rank = 9 if is_torn else {"segment": 1, "broken": 2, "recovered": 3, "clock": 4}.get(event, 9)
        in_place, self.rank = rank == 9 or self.rank < rank, max(self.rank, rank)
        self.ask(in_place, f"the note {event!r} in the midst")
        if event == "segment" and not self.records:
            self.head, self.key = said, self.key_of(said.birth)
            need((said.birth is None) == (said.previous != ZEROS), "a tag before a birth, or none")
            self.ask(not (said.birth and said.continues), "a line that goes on over a birth")
            self.unfinished = self.unfinished if said.continues else 0
        elif event == "broken" and in_place:
            self.broken = said.reason
        elif event == "recovered" and in_place and not is_torn:
            self.recovered = said
        elif event == "end":
            self.ask(said.records == self.records + 1 and not self.ended, "another number of records, or a second end")
            self.ended = True
        elif event == "session-end":
            self.ask(self.unfinished in (None, said.partial or 0), "another partial= than was cut off")
        if event in ("session-start", "session-end", "recovered", "broken"):
            self.ask(event != "broken" or self.head.birth, "broken, without a birth")
            self.unfinished = 0


def records(texts: Iterable[bytes]) -> Iterator[bytes]:
    """Each record of a text that comes in pieces, without its newline."""
    rest = b""
    for text in texts:
        *whole, rest = (rest + text).split(b"\n")
        yield from whole
        need(len(rest) <= 65566, "a record too long")
    need(not rest, "a record without its newline")


# ---- signed notes (note.md) ----

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
Signature = tuple[bytes, bytes, bytes]  # public key, text, what is 64 bytes if it is good


class Note(NamedTuple):
    text: bytes
    signatures: list[tuple[str, bytes, bytes]]  # name, key id, signature

    def by(self, key: Key) -> list[Signature]:
        """What has to verify for the note to be signed by this key."""
        found = [(key.public, self.text, s) for *who, s in self.signatures if who == [key.name, key.id]]
        if not found:
            raise NotSigned("no signature by the key that has to sign it")
        return found


def parse_note(data: bytes, limit: int, most: int) -> Note:
    need(len(data) <= limit, "too long")
    try:
        note = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("not UTF-8") from error
    need(note.endswith("\n") and not re.search("[\x00-\x09\x0b-\x1f]", note), "no lines")
    text, empty, below = note.rpartition("\n\n")
    lines = [line.split(" ") for line in below[:-1].split("\n")]
    need(empty and below and len(lines) <= most, "no text, or no signature, or too many")
    need(all(len(words) == 3 and words[0] == "\N{EM DASH}" and is_key_name(words[1]) for words in lines), "its lines")
    signatures = [(name, base64_bytes(word)) for _, name, word in lines]
    need(all(len(value) > 4 for _, value in signatures), "no signature")
    return Note((text + "\n").encode(), [(name, value[:4], value[4:]) for name, value in signatures])


def openssl(*words: str, stdin: bytes = b"") -> bytes | None:
    """What openssl prints, or None where it fails; without the user's configuration."""
    program = shutil.which("openssl")
    if program is None:
        sys.exit("verify_minimal: there is no openssl: install the package of that name")
    environment = {"OPENSSL_CONF": os.devnull, "LC_ALL": "C"}
    done = subprocess.run([program, *words], input=stdin, capture_output=True, env=environment, check=False)
    return done.stdout if done.returncode == 0 else None


def verifies(signature: Signature) -> bool:
    """Ed25519 as note.md, 11 has it: openssl does not look for points of small order, those of order 8 among them."""
    public, _, value = signature
    for point in (public, value[:32]):
        y = int.from_bytes(point, "little") & (1 << 255) - 1
        if len(value) != 64 or y >= P or y in (0, 1, P - 1) or (2 * y * y + D * y**4) % P == 1:
            return False
    with tempfile.TemporaryDirectory() as folder:
        key, text, signed = (os.path.join(folder, name) for name in ("key", "text", "signature"))
        der = bytes.fromhex("302a300506032b6570032100") + public
        for name, part in zip((key, text, signed), (der, *signature[1:]), strict=True):
            with open(name, "wb") as file:
                file.write(part)
        words = ("-pubin", "-keyform", "DER", "-inkey", key, "-rawin", "-in", text, "-sigfile", signed)
        return openssl("pkeyutl", "-verify", *words) is not None


def all_verify(signatures: Iterable[Signature]) -> bool:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return all(pool.map(verifies, signatures))


def public_of(seed: bytes) -> bytes:
    """The public key of an Ed25519 seed."""
    der = bytes.fromhex("302e020100300506032b657004220420") + seed
    return (openssl("pkey", "-inform", "DER", "-pubout", "-outform", "DER", stdin=der) or b"")[-32:]


def open_note(data: bytes, key: Key, limit: int, most: int) -> bytes:
    """The text of a note that this key has signed."""
    note = parse_note(data, limit, most)
    if not all_verify(note.by(key)):
        raise NotSigned("the signature is wrong")
    return note.text


# ---- the keys of now (keystate.md), and how they are derived (ratchet.md) ----


def parse_slot(slot: bytes, magic: bytes) -> tuple[int, bytes]:
    """Generation and body of one slot."""
    need(len(slot) == 4096 and slot[:8] == magic, "no slot of this file")
    generation, length = struct.unpack_from("<QI", slot, 8)
    need(generation and length <= 4044 and not any(slot[20 + length : 4064]), "a slot's form")
    need(hashlib.blake2b(slot[:4064], digest_size=32, person=b"logchain.slot").digest() == slot[4064:], "its checksum")
    return generation, slot[20 : 20 + length]


def parse_slots(data: bytes, magic: bytes) -> bytes:
    """The body that counts, of a file of two slots."""
    need(len(data) == 8192, "not two slots")
    valid = []
    for slot in (data[:4096], data[4096:]):
        with contextlib.suppress(Malformed):
            valid.append(parse_slot(slot, magic))
    need(valid and len({generation for generation, _ in valid}) == len(valid), "no valid slot, or two of one age")
    return max(valid)[1]


STATE = ("birth", "segment", "status", "opened", "first", "records", "end", "time", "boot", "tag", "key", "next")
CLOSED, OPEN, GIVEN_UP, CAME_BACK = 0, 1, 2, 6  # statuses; in 3 to 5 the stream begins anew for a loss


def parse_state(body: bytes) -> SimpleNamespace:
    need(len(body) == 312, "not 312 bytes")
    state = SimpleNamespace(**dict(zip(STATE, struct.unpack_from("<8Q16s32s32s32s", body), strict=True)))
    resume = [struct.unpack_from("<8sQ", body, 184 + 16 * i) for i in range(8)]
    used = [name for name, _ in resume if any(name)]
    need(1 <= state.birth <= BIRTHS and state.segment <= SEGMENTS and state.status <= 6, "birth, segment or status")
    need(state.records <= RECORDS and state.time < 253402300800 * 10**6, "records or time")
    need(max(state.opened, state.first, state.end, *(lines for _, lines in resume)) <= BIG, "a number")
    is_begun = state.status in (OPEN, GIVEN_UP) or (state.status == CAME_BACK and state.key != NO_KEY)
    need(not is_begun or (state.records and state.end), "a segment of which nothing is committed")
    need(state.segment or not (is_begun or state.status == CAME_BACK), "no segment")
    need(is_begun or state.key == NO_KEY, "a key that has to be erased")
    need(all(any(name) or not lines for name, lines in resume), "lines of no session")
    need([name for name, _ in resume[: len(used)]] == used and len(set(used)) == len(used), "sessions to resume")
    return state


def parse_births(body: bytes) -> tuple[int, bytes, str, str]:
    """The next birth, its secret, and the VM and stream that it is being given to, if it is."""
    need(len(body) >= 42 and len(body) >= 42 + body[40] == len(body) - body[41 + body[40]], "its size")
    (following,) = struct.unpack_from("<Q", body)
    vm, stream = body[41 : 41 + body[40]], body[42 + body[40] :]
    need(1 <= following <= BIRTHS + (not vm) and bool(vm) == bool(stream), "birth, or one name only")
    need(not vm or (re.fullmatch(VM.encode(), vm) and re.fullmatch(STREAM.encode(), stream)), "a name")
    return following, body[8:40], vm.decode("ascii"), stream.decode("ascii")


def kdf(key: bytes, label: str, *fields: bytes) -> bytes:
    need(len(key) == 32 and len(label) <= 16 and all(len(part) < 65536 for part in fields), "a size")
    message = b"".join(struct.pack("<H", len(part)) + part for part in fields)
    return hashlib.blake2b(message, key=key, digest_size=32, person=label.encode()).digest()


def step(key: bytes, record: bytes) -> tuple[bytes, bytes]:
    """The next key, and the record's tag."""
    need(len(key) == 32, "a key's size")
    out = hashlib.blake2b(record, key=key, digest_size=64, person=b"logchain.record").digest()
    return out[:32], out[32:]


def stream_id(salt: bytes, vm: str, stream: str) -> str:
    need(len(salt) == 32 and re.fullmatch(VM, vm) and re.fullmatch(STREAM, stream), "salt or name")
    names = b"".join(struct.pack("<H", len(name)) + name.encode() for name in (vm, stream))
    return hashlib.sha256(salt + names).hexdigest()


class Audit:
    """What follows from the audit secret: B of the births that are asked for, R and K of segments."""

    def __init__(self, secret: bytes, store: bytes, births: Iterable[int]) -> None:
        self.births, now = dict.fromkeys(births, NO_KEY), kdf(secret, "births", store)
        need(len(store) == 16 and all(1 <= n <= BIRTHS + 1 for n in self.births), "store id or birth")
        for n in range(1, max(self.births) + 1):
            if n in self.births:
                self.births[n] = now
            now = kdf(now, "next")
        self.last: dict[tuple[int, bytes], tuple[int, bytes]] = {}  # where each stream's row of R was left

    def secret(self, birth: int, stream: bytes, n: int) -> bytes:
        """R_n of a stream."""
        need(len(stream) == 32 and 1 <= n <= SEGMENTS + 1, "stream id or segment")
        at, now = self.last.get((birth, stream), (n + 1, b""))
        if at > n:
            at, now = 1, kdf(self.births[birth], "stream", stream)
        for _ in range(at, n):
            now = kdf(now, "next")
        self.last[birth, stream] = n, now
        return now

    def key(self, birth: int, stream: bytes, n: int) -> bytes:
        """K of a segment's first record."""
        need(n <= SEGMENTS, "segment")
        return kdf(self.secret(birth, stream, n), "segment", stream, struct.pack("<Q", n))


# ---- sealed text (sealed.md): where each block is stored, by the headers alone; then what it holds ----


def exactly(file: BinaryIO, at: int, count: int) -> bytes:
    need(at >= 0, "cut off")
    file.seek(at)
    data = file.read(count)
    need(len(data) == count, "cut off")
    return data


def u32(data: bytes) -> int:
    return int.from_bytes(data[:4], "little")


def walk_plain(file: BinaryIO, sizes: Sequence[int]) -> list[tuple[int, int]]:
    need(file.seek(0, os.SEEK_END) == sum(sizes), "another size")
    return [(end - size, size) for end, size in zip(itertools.accumulate(sizes), sizes, strict=True)]


def walk_lz4(file: BinaryIO, sizes: Sequence[int]) -> list[tuple[int, int]]:
    places, at = [], 0
    for size in sizes:
        magic, flags, descriptor, content, _ = struct.unpack("<IBBQB", exactly(file, at, 15))
        need(magic == 0x184D2204 and flags == 0x6C and descriptor in (0x40, 0x50, 0x60), "no frame of ours")
        need(content == size and 1 <= size <= MIB, "a frame of another size")
        end, most = at + 15, 1 << 8 + descriptor // 8
        for _ in range(-(-size // most)):
            stored = u32(exactly(file, end, 4)) & 0x7FFFFFFF
            need(1 <= stored <= most, "a block's size")
            end += 4 + stored
        need(exactly(file, end, 8)[:4] == bytes(4), "no end mark")
        places.append((at, end + 8 - at))
        at = end + 8
    need(file.seek(0, os.SEEK_END) == at, "bytes behind")
    return places


def unpack_lz4(frame: bytes, size: int) -> bytes:
    need(xxh32(frame[4:14]) >> 8 & 0xFF == frame[14], "the header's checksum")
    most, at, text = 1 << 8 + frame[5] // 8, 15, b""
    for _ in range(-(-size // most)):
        stored = u32(frame[at : at + 4])
        data = frame[at + 4 : at + 4 + (stored & 0x7FFFFFFF)]
        text, at = text + (data if stored >> 31 else lz4_block(data, most)), at + 4 + len(data)
    need(at + 8 == len(frame) and len(text) == size and xxh32(text) == u32(frame[at + 4 :]), "size or checksum")
    return text


def lz4_block(data: bytes, most: int) -> bytes:
    """The text of one block (LZ4 Block Format): literals, then what is copied from behind, in turn; literals last."""
    out, at = bytearray(), 0

    def length(total: int) -> int:
        nonlocal at
        more = 255 if total == 15 else 0
        while more == 255:
            more, at = data[at], at + 1
            total += more
        return total

    try:
        while True:
            token, at = data[at], at + 1
            count = length(token >> 4)
            need(at + count <= len(data) and len(out) + count <= most, "literals cut off, or too many")
            out, at = out + data[at : at + count], at + count
            if at == len(data):
                return bytes(out)
            offset, at = data[at] | data[at + 1] << 8, at + 2
            count = length(token & 15) + 4
            need(0 < offset <= len(out) and len(out) + count <= most, "a copy from nowhere, or too long")
            out += (out[-offset:] * (count // offset + 1))[:count]
    except IndexError as error:
        raise Malformed("an LZ4 block cut off") from error


def xxh32(data: bytes) -> int:
    """The checksum of LZ4 frames: XXH32 with seed 0."""
    a, b, c, d, e, mask = 2654435761, 2246822519, 3266489917, 668265263, 374761393, 0xFFFFFFFF

    def turn(value: int, bits: int) -> int:
        return (value << bits | (value & mask) >> 32 - bits) & mask

    lanes, whole, words = [a + b & mask, b, 0, -a & mask], len(data) // 16 * 16, len(data) // 4 * 4
    for four in struct.iter_unpack("<4I", data[:whole]):
        lanes = [turn(lane + word * b & mask, 13) * a & mask for lane, word in zip(lanes, four, strict=True)]
    value = sum(turn(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18), strict=True)) if whole else e
    value += len(data)
    for (word,) in struct.iter_unpack("<I", data[whole:words]):
        value = turn(value + word * c & mask, 17) * d
    for byte in data[words:]:
        value = turn(value + byte * e & mask, 11) * a
    for shift, factor in ((15, b), (13, c), (16, 1)):
        value = ((value & mask) ^ (value & mask) >> shift) * factor & mask
    return value


XZ_HEAD = re.compile(rb"\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01[\x00-\x10]\x00\x00\x00....", re.DOTALL)
XZ_INDEX = re.compile(rb"\x00\x01([\x80-\xff]{0,8}[\x01-\x7f])([\x80-\xff]{0,8}[\x01-\x7f])\x00{0,3}....", re.DOTALL)


def walk_xz(file: BinaryIO, sizes: Sequence[int]) -> list[tuple[int, int]]:
    places, end = [], file.seek(0, os.SEEK_END)
    for size in reversed(sizes):
        foot = exactly(file, end - 12, 12)
        need(foot[8:] == b"\x00\x04YZ" and zlib.crc32(foot[4:10]) == u32(foot), "no footer of ours")
        count = (u32(foot[4:]) + 1) * 4
        need(8 <= count <= 24, "the index's size")
        index = exactly(file, end - 12 - count, count)
        match = XZ_INDEX.fullmatch(index)
        need(match and zlib.crc32(index[:-4]) == u32(index[-4:]), "no index of ours")
        stored, text = (sum((byte & 127) << 7 * i for i, byte in enumerate(word)) for word in match.groups())  # type: ignore[union-attr]
        need(stored >= 25 and text == size and 1 <= size <= MIB, "a stream of another size")
        begin = end - 24 - count - -(-stored // 4) * 4
        head = exactly(file, begin, 24)
        need(XZ_HEAD.fullmatch(head) and zlib.crc32(head[12:20]) == u32(head[20:]), "no header of ours")
        places.append((begin, end - begin))
        end = begin
    need(end == 0, "bytes in front")
    return places[::-1]


def unpack_xz(stream: bytes, size: int) -> bytes:
    unpacker, text = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=8 * MIB), b""
    try:
        while not unpacker.eof and len(text) <= size and (not text or not unpacker.needs_input):
            text += unpacker.decompress(b"" if text else stream, size + 1 - len(text))
    except lzma.LZMAError as error:
        raise Malformed("no xz stream") from error
    need(unpacker.eof and not unpacker.unused_data and len(text) == size, "another size")
    return text


Walk = Callable[[BinaryIO, Sequence[int]], list[tuple[int, int]]]
TIERS: dict[str, tuple[Walk, Callable[[bytes, int], bytes]]] = {
    "": (walk_plain, lambda stored, _: stored), ".lz4": (walk_lz4, unpack_lz4), ".xz": (walk_xz, unpack_xz)
}  # fmt: skip


def unpack_file(file: BinaryIO, tier: str, blocks: Sequence[SimpleNamespace]) -> Iterator[bytes]:
    """The text of each block of a manifest, once it is what the manifest says."""
    walk, unpack = TIERS[tier]
    for (at, count), block in zip(walk(file, [block.size for block in blocks]), blocks, strict=True):
        need(count <= block.size + 1024, "a frame too long")
        text = unpack(exactly(file, at, count), block.size)
        need(hashlib.sha256(text).hexdigest() == block.sha, f"the text at {block.offset} is not what was sealed")
        yield text


# ---- texts: patterns, in which {name:kind} stands for what varies. What does not fit exactly is refused ----


@functools.lru_cache(1024)
def moment(word: str) -> str:
    """A receive time (record.md, 1). All have one length, so they are in order as strings."""
    try:
        time = datetime.datetime.fromisoformat(word[:-1])
    except ValueError as error:
        raise Malformed("a time that does not exist") from error
    need(time.year >= 1970 and time.isoformat(timespec="microseconds") + "Z" == word, "a time out of range")
    return word


def base64_bytes(word: str) -> bytes:
    try:
        value = base64.b64decode(word.encode("ascii"), validate=True)
    except ValueError as error:
        raise Malformed("base64") from error
    need(base64.b64encode(value).decode() == word, "base64")
    return value


class Key(NamedTuple):
    text: str
    name: str
    id: bytes
    public: bytes


def is_key_name(name: str) -> bool:
    return bool(name) and not any(c.isspace() or c == "+" or c < " " for c in name)


def parse_vkey(text: str) -> Key:
    """A public key (note.md, 9)."""
    need(text.count("+") >= 2, "a key")
    name, short, rest = text.split("+", 2)
    value = base64_bytes(rest)
    need(is_key_name(name) and len(value) == 33 and value[0] == 1, "no Ed25519 key")
    need(hashlib.sha256(name.encode() + b"\n" + value).hexdigest()[:8] == short, "the id of another key")
    return Key(text, name, bytes.fromhex(short), value[1:])


def rising(word: str) -> list[tuple[int, ...]]:
    """The births of `export`, or birth.segment of `heads`: one to 64, in order, none twice."""
    named = [tuple(int(part) for part in item.split(".")) for item in word.split(",")]
    need(len(named) <= 64 and all(a < b for a, b in itertools.pairwise(named)), "too many, or out of order")
    need(all(item[0] <= BIRTHS and (len(item) == 1 or item[1] <= SEGMENTS) for item in named), "out of range")
    return named


def number(low: int, high: int) -> tuple[str, Callable[[str], int]]:
    def convert(word: str) -> int:
        need(low <= int(word) <= high, "a number is out of range")
        return int(word)

    return "0|[1-9][0-9]{0,18}", convert


N = "[1-9][0-9]{0,7}"
KINDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "n": number(0, BIG), "positive": number(1, BIG), "birth": number(1, BIRTHS), "segment": number(1, SEGMENTS),
    "segments": number(0, SEGMENTS), "records": number(1, RECORDS), "size": number(1, 256 * MIB),
    "block": number(1, MIB), "index": number(0, ENTRIES - 1), "time": (TIME, moment), "hex16": ("[0-9a-f]{16}", str),
    "hex32": ("[0-9a-f]{32}", str), "hex64": ("[0-9a-f]{64}", str), "sha": ("sha256:[0-9a-f]{64}", lambda w: w[7:]),
    "vkey": ("[^ \n]+", parse_vkey), "heads": (f"{N}[.]{N}(?:,{N}[.]{N})*", rising), "word": (".+", str),
    "births": (f"{N}(?:,{N})*", rising), "lines": ("(?:[^\n]+\n)+", str), "vm": (VM, str), "stream": (STREAM, str),
}  # fmt: skip


class Shape:
    """A text as its page has it. `read` gives what stands in it, by name; None for what may be there and is not."""

    def __init__(self, text: str) -> None:
        self.kinds = dict(re.findall(r"\{(\w+):(\w+)\}", text))
        self.keys = set(re.findall("([a-z-]+)=", text))  # of a note's fields
        self.pattern = re.compile(re.sub(r"\{(\w+):(\w+)\}", lambda m: f"(?P<{m[1]}>{KINDS[m[2]][0]})", text))

    def read(self, data: bytes, limit: int = 4096) -> SimpleNamespace:
        need(len(data) <= limit and data.isascii(), "too long, or not ASCII")
        match = self.pattern.fullmatch(data.decode("ascii"))
        need(match, "not of the form that its page says")
        found = match.groupdict() if match else {}
        return SimpleNamespace(**{name: word and KINDS[self.kinds[name]][1](word) for name, word in found.items()})


FORMAT = Shape("logchain store v1\nstore {store:hex32}\ncreated {created:time}\n")
ID = Shape("logchain stream v1\nsalt {salt:hex64}\nid {id:hex64}\n")
SECRET = Shape("logchain audit secret v1\nstore {store:hex32}\n(?:secret {secret:hex64}|locked {locked:word})\n")
ENTRY = Shape(
    "logchain ledger v1\nstore {store:hex32}\nindex {index:index}\ntime {time:time}\nage {age:n}\n"
    "previous {previous:sha}\n{event:word}\nnext {next:vkey}\n"
)
EVENTS = {  # ledger.md, 7
    "genesis": Shape("genesis {entry_key:vkey} {log_key:vkey}"),
    "birth": Shape("birth {birth:birth} {stream:hex64} {segment:segment}"),
    "heads": Shape("heads {heads:heads} {sha:sha}"),
    "seal": Shape("seal {stream:hex64} {segment:segment} {sha:sha}"),
    "evict": Shape("evict {stream:hex64} {segment:segment} {sha:sha} (?:quota|cap|reserve)"),
    "recover": Shape("recover {stream:hex64} {segment:segment} (?:torn|io)"),
    "broken": Shape("broken {stream:hex64} {segment:segment} (?:keys|id|text)"),
    "delete": Shape("delete {stream:hex64} {segment:segment} {sha:sha}"),
    "forget": Shape("forget {stream:hex64} {segment:segments}"),
    "restored": Shape("restored {birth:birth}"),
    "config": Shape("config {sha:sha}"),
    "export": Shape("export {sha:sha} {since:time} {until:time} {births:births}"),
}
MANIFEST = Shape(
    "logchain manifest v1\nstore {store:hex32}\nstream {stream:hex64} {segment:segment}\nbirth {birth:birth}\n"
    "records {records:records} {first:n}\ntime {begins:time} {ends:time}\nage {age:n}\nbytes {size:size}\n"
    "tag {tag:hex64}\nprevious {previous:sha}\n{blocks:lines}"
)
BLOCK = Shape("block {offset:n} {size:block} {records:records} {time:time} {sha:sha}")
HEADS = Shape("logchain heads v1\nstore {store:hex32}\n{lines:lines}")
HEAD = Shape("{stream:hex64} {segment:segment} {records:records} {size:size} {tag:hex64} {sha:sha}")
NOTES = {  # record.md, 8
    "segment": Shape(
        "segment format=logchain/1 store={store:hex32} vm={vm:vm} stream={stream:stream} number={number:segment} "
        "first={first:n} previous={previous:hex64} boot={boot:hex32}(?: birth={birth:birth})?"
        "(?: continues=(?=yes){continues:word})?"
    ),
    "clock": Shape("clock last={last:time} now={now:time} boot-clock={boot:n}"),
    "recovered": Shape(
        "recovered (?:end={torn:n} cut={cut:positive} reason=torn"
        "|previous={previous:segment} end={end:n} reason=(?:io|restored) proof={proof:hex64})"
    ),
    "broken": Shape("broken reason=(?=(?:keys|id|text|restored)$){reason:word}"),
    "session-start": Shape("session-start session={session:hex16} service=(?:logchain.Append|qubes.Log)"),
    "throttled": Shape("throttled reason=(?:rate|quota|reserve|full) rate={rate:n}"),
    "session-end": Shape(
        "session-end session={session:hex16} reason=(?:eof|stop|superseded|error) lines={lines:n}"
        "(?: partial={partial:positive})?"
    ),
    "end": Shape("end reason=(?:size|age|idle|boot|clock|sealed) records={records:records}"),
}


def parse_entry(text: bytes) -> SimpleNamespace:
    entry = ENTRY.read(text, 2048)
    word = entry.event.split(" ")[0]
    need(word in EVENTS, "an event that is unknown")
    entry.event, entry.what = word, EVENTS[word].read(entry.event.encode())
    need(len({word == "genesis", entry.index == 0, entry.previous == ZEROS}) == 1, "genesis, 0 and zeros go together")
    names = {entry.next.name} | ({entry.what.entry_key.name} if word == "genesis" else set())
    need(names == {f"logchain/{entry.store}/entry"}, "a key of another name")
    need(word != "genesis" or entry.what.log_key.name == f"logchain/{entry.store}", "a log key of another name")
    need(word != "export" or entry.what.since <= entry.what.until, "a range backwards")
    return entry


def parse_manifest(text: bytes) -> SimpleNamespace:
    manifest = MANIFEST.read(text, MIB)
    manifest.blocks = blocks = [BLOCK.read(line.encode()) for line in manifest.blocks.splitlines()]
    offsets, times = [b.offset for b in blocks] + [manifest.size], [b.time for b in blocks] + [manifest.ends]
    need(offsets[0] == 0 and times[0] == manifest.begins and times == sorted(times), "the first block, or times")
    need(all(b.offset + b.size == after for b, after in zip(blocks, offsets[1:], strict=True)), "the blocks' offsets")
    need(sum(block.records for block in blocks) == manifest.records, "the blocks' records")
    return manifest


def parse_heads(data: bytes) -> tuple[str, dict[tuple[str, int], SimpleNamespace]]:
    """The store, and how far each segment of a list had come."""
    heads = HEADS.read(data, 16384)
    marks = [HEAD.read(line.encode()) for line in heads.lines.splitlines()]
    places = [(mark.stream, mark.segment) for mark in marks]
    need(len(places) <= 64 and all(a < b for a, b in itertools.pairwise(places)), "too many, or out of order")
    return heads.store, dict(zip(places, marks, strict=True))


def parse_checkpoint(text: bytes) -> tuple[str, int, bytes]:
    """Origin, size and root."""
    origin, *lines = text.decode()[:-1].split("\n")
    need(len(lines) >= 2 and all([origin, *lines]) and re.fullmatch(KINDS["n"][0], lines[0]), "origin, size, root")
    root = base64_bytes(lines[1])
    need(len(root) == 32, "a root")
    return origin, KINDS["n"][1](lines[0]), root


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The root of RFC 6962 over the hashes of leaves (checkpoint.md, 5 and 6)."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    left = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + merkle_root(leaves[:left]) + merkle_root(leaves[left:])).digest()


def fingerprint_digits(shown: str) -> str:
    """A fingerprint as a person writes it (ledger.md, 10)."""
    found = re.sub("[ :-]", "", shown).lower()
    need(len(shown) <= 256 and re.fullmatch("[0-9a-f]{64}", found), "no fingerprint")
    return found


if __name__ == "__main__":
    sys.exit(main())

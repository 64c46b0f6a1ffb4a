"""docs/spec/evidence.md as code: the tar, the index, and whether all that is in it fits together."""

import base64
import hashlib
import re
from itertools import pairwise
from pathlib import Path

from tests.vectors.reading_checkpoint import lead, leaf_hash, open_checkpoint, prove, root_of
from tests.vectors.reading_common import (
    SEGMENT_MAX,
    STREAM,
    VM,
    RefusedError,
    Vector,
    given,
    need,
    parse_number,
    parse_time,
    raw,
    sample,
)
from tests.vectors.reading_entry import INDEX_MAX, fingerprint_of, open_entry, open_genesis, print_fingerprint
from tests.vectors.reading_manifest import ZEROS, open_manifest, parse_hex, text_of
from tests.vectors.reading_note import parse_base64, parse_vkey, sign, vkey_of

SPEC = "docs/spec/evidence.md"
PAGE = (Path(__file__).parents[2] / SPEC).read_text("utf-8")
README = PAGE.partition("```text\nEVIDENCE")[2].partition("\n```\n")[0]
README_BYTES = f"EVIDENCE{README}\n".encode()
MIB = 1 << 20
PEM_PREFIX = bytes.fromhex("302a300506032b6570032100")


class DamagedError(RefusedError):
    """Item 14: the form is right, and something does not fit."""

    kind = "damaged"


def header_of(path: str, size: int) -> bytes:
    """Items 1 and 2."""
    prefix, _, name = path.rpartition("/")
    need(path.isascii() and 0 < len(name) <= 100 and len(prefix) <= 155, "path")
    need(0 <= size < 8**11, "size")
    fields = [
        (name.encode(), 100),
        (b"0000644\0", 8),
        (b"0000000\0", 8),
        (b"0000000\0", 8),
        (f"{size:011o}\0".encode(), 12),
        (b"00000000000\0", 12),
        (b"        ", 8),
        (b"0", 1),
        (b"", 100),
        (b"ustar\x0000", 8),
        (b"", 32),
        (b"", 32),
        (b"0000000\0", 8),
        (b"0000000\0", 8),
        (prefix.encode(), 155),
        (b"", 12),
    ]
    header = b"".join(value.ljust(length, b"\0") for value, length in fields)
    total = sum(header)
    return header[:148] + f"{total:06o}\0 ".encode() + header[156:]


def file_of(path: str, content: bytes) -> bytes:
    """Item 1: header, content, zeros."""
    return header_of(path, len(content)) + content + bytes(-len(content) % 512)


class Tar:
    """Items 1 and 3."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, path: str, most: int = 8**11) -> bytes:
        """Give the content of the file that has to come."""
        head = self.data[self.at : self.at + 512]
        need(re.fullmatch(rb"[0-7]{11}\0", head[124:136]), "header")
        size = int(head[124:135], 8)
        need(head == header_of(path, size), "header")
        need(size <= most, "too-long")
        end = self.at + 512 + size
        padded = end + -size % 512
        need(len(self.data) >= padded, "cut-off")
        need(not any(self.data[end:padded]), "padding")
        content = self.data[self.at + 512 : end]
        self.at = padded
        return content

    def end(self) -> None:
        """See that nothing follows."""
        need(self.data[self.at :] == bytes(1024), "end")


def parse_index(data: bytes) -> Vector:
    """Items 5 to 9."""
    need(len(data) <= 4 * MIB, "too-long")
    need(data.isascii() and data.endswith(b"\n"), "index-form")
    lines = data.decode()[:-1].split("\n")
    need(lines[0] == "logchain evidence v1", "title")
    words = [line.split(" ") for line in lines[1:]]
    need(len(words) >= 5, "line-missing")
    need([word[0] for word in words[:3]] == ["store", "range", "entries"], "line-form")
    need([len(word) for word in words[:3]] == [2, 3, 2], "line-form")
    since, until = (parse_time(word.encode()) for word in words[1][1:])
    need(since <= until, "range-backwards")
    found: Vector = {
        "store_hex": parse_hex(words[0][1], 16),
        "since_us": since,
        "until_us": until,
        "entries": parse_number(words[2][1], 2, INDEX_MAX + 1),
        "streams": [],
    }
    streams = found["streams"]
    for word in words[3:]:
        if word[0] == "stream":
            need(len(word) == 5, "line-form")
            need(VM.match(word[1]) and STREAM.match(word[2]), "name")
            salt = "" if word[4] == "-" else parse_hex(word[4], 32)
            streams.append(
                {"vm": word[1], "stream": word[2], "id": parse_hex(word[3], 32), "salt": salt, "segments": []}
            )
        else:
            need(word[0] == "segment" and len(word) == 3 and streams, "line-form")
            one = [parse_number(word[1], 1, SEGMENT_MAX), parse_number(word[2], 1, INDEX_MAX)]
            before = streams[-1]["segments"][-1:]
            need(not before or (before[0][0] < one[0] and before[0][1] < one[1]), "segments-order")
            streams[-1]["segments"].append(one)
    need(len(streams) <= 64, "streams-too-many")
    need(all(stream["segments"] for stream in streams), "no-segments")
    pairs = [(stream["vm"], stream["stream"]) for stream in streams]
    need(pairs == sorted(set(pairs)), "streams-order")
    need(len({stream["id"] for stream in streams}) == len(streams), "id-twice")
    entries = [entry for stream in streams for _, entry in stream["segments"]]
    need(len(set(entries)) == len(entries), "entry-twice")
    need(found["entries"] == 1 + max(entries), "entries")
    for stream in streams:
        need(not stream["salt"] or stream["id"] == stream_id(stream["salt"], *pairs[streams.index(stream)]), "id")
    return found


def stream_id(salt: str, vm: str, stream: str) -> str:
    """ratchet.md: the id that follows from salt and names."""
    framed = b"".join(len(name).to_bytes(2, "little") + name.encode() for name in (vm, stream))
    return hashlib.sha256(bytes.fromhex(salt) + framed).hexdigest()


def damaged(condition: object, reason: str) -> None:
    """Item 14."""
    need(condition, reason, DamagedError)


def pem_of(vkey: str) -> bytes:
    """Item 10."""
    key = base64.b64encode(PEM_PREFIX + parse_vkey(vkey)[2]).decode()
    return f"-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n".encode()


def read_file(data: bytes, fingerprint: str) -> Vector:
    """All of it: the form first, part by part, and what does not fit where it stands."""
    tar = Tar(data)
    need(tar.take("evidence/README") == README_BYTES, "readme")
    index = parse_index(tar.take("evidence/index"))
    keys = [tar.take(f"evidence/keys/{name}.pem") for name in ("genesis", "log")]
    notes = split(tar.take("evidence/ledger/entries"))
    damaged(len(notes) == index["entries"], "entries-count")
    first = open_genesis(notes[0], fingerprint)
    damaged(keys == [pem_of(str(vkey)) for vkey in first["values"]], "keys")
    entries, signers = [first], [str(first["values"][0])]
    for before, note in pairwise(notes):
        signers.append(str(entries[-1]["next"]))
        entries.append(open_entry(note, signers[-1]))
        damaged(entries[-1]["previous_hex"] == hashlib.sha256(before).hexdigest(), "previous")
        damaged(entries[-1]["index"] == entries[-2]["index"] + 1, "index")
        damaged(entries[-1]["age"] >= entries[-2]["age"], "age-goes-back")
    wanted = sorted(entry for stream in index["streams"] for _, entry in stream["segments"])
    checkpoints = set()
    for number in wanted:
        proof = tar.take(f"evidence/ledger/proofs/{number:08}.tlog-proof")
        head, blank, note = proof.partition(b"\n\n")
        title, its_index, *hashes = head.decode().split("\n")
        need(blank and (title, its_index) == ("c2sp.org/tlog-proof@v1", f"index {number}"), "proof-form")
        checkpoints.add(note)
        need(len(checkpoints) == 1, "checkpoints")
        checkpoint = open_checkpoint(note, str(first["values"][1]), own=True)
        siblings = [parse_base64(line) for line in hashes]
        root = lead(leaf_hash(notes[number]), number, checkpoint["size"], siblings)
        damaged(root.hex() == checkpoint["root_hex"], "proof")
    found = {}
    for stream in index["streams"]:
        texts, place = b"", f"evidence/streams/{stream['vm']}/{stream['stream']}"
        last: Vector = {}
        seals = [
            entry["values"] for entry in entries if entry["event"] == "seal" and entry["values"][0] == stream["id"]
        ]
        sealed = [value[1] for value in seals]
        damaged(all(one < after for one, after in pairwise(sealed)), "sealed-twice")
        here = [segment for segment, _ in stream["segments"]]
        damaged(set(here) >= {one for one in sealed if here[0] <= one <= here[-1]}, "segment-left-out")
        follows = dict(zip(sealed, [ZEROS, *(value[2] for value in seals)], strict=False))
        for segment, number in stream["segments"]:
            note = tar.take(f"{place}/{segment:08}.manifest", MIB)
            digest = hashlib.sha256(note).hexdigest()
            entry = entries[number]
            damaged(
                (entry["event"], entry["values"]) == ("seal", [stream["id"], segment, digest]), "manifest-of-another"
            )
            manifest = open_manifest(note, signers[number])
            same = manifest["store_hex"], manifest["stream_hex"], manifest["segment"]
            damaged(manifest["age"] <= entry["age"], "age")
            damaged(same == (index["store_hex"], stream["id"], segment), "manifest-of-another")
            damaged(manifest["previous_hex"] == follows[segment], "previous-manifest")
            if last:
                damaged(manifest["first"] == last["first"] + last["records"], "records-missing")
            last = manifest
            for text in read_blocks(tar, f"{place}/{segment:08}", manifest, index):
                texts += text
        damaged(tar.take(f"{place}/text") == texts, "text")
        found[f"{stream['vm']}/{stream['stream']}"] = texts.decode()
    tar.end()
    return {"texts": found, "entries": len(entries), "size": checkpoint["size"]}


def read_blocks(tar: Tar, place: str, manifest: Vector, index: Vector) -> list[bytes]:
    """Items 12 and 13: what each block has of the range."""
    blocks, found = manifest["blocks"], []
    ends = [*(block[3] for block in blocks[1:]), manifest["last_time_us"]]
    for (offset, size, records, time_us, digest), end in zip(blocks, ends, strict=True):
        if time_us > index["until_us"] or end < index["since_us"]:
            continue
        text = tar.take(f"{place}/{offset:09}", size)
        damaged(len(text) == size and hashlib.sha256(text).hexdigest() == digest, "block")
        lines = text.splitlines(keepends=True)
        damaged(len(lines) == records and parse_time(lines[0][:27]) == time_us, "block-form")
        times = [parse_time(line[:27]) for line in lines]
        if index["since_us"] <= time_us and end <= index["until_us"]:
            found.append(text)
            continue
        damaged(times == sorted(times), "times-go-back")
        chosen = [line for line, its in zip(lines, times, strict=True) if index["since_us"] <= its <= index["until_us"]]
        found.append(b"".join(chosen))
    return found


def split(data: bytes) -> list[bytes]:
    """ledger.md: entries have ten lines."""
    lines = data.splitlines(keepends=True)
    return [b"".join(lines[at : at + 10]) for at in range(0, len(lines), 10)]


def parse_recipient(text: str) -> str:
    """Item 22."""
    parts = text.split("+", 2)
    need(len(parts) == 3 and parts[0] == "evidence-to", "recipient-form")
    key = parse_base64(parts[2])
    need(len(key) == 32, "recipient-size")
    need(parts[1] == hashlib.sha256(b"evidence-to\n" + key).digest()[:4].hex(), "recipient-id")
    return key.hex()


def read(vector: Vector) -> Vector:
    """What the page says of a vector's input."""
    match vector["what"]:
        case "header":
            return {"header_hex": header_of(vector["path"], vector["size"]).hex()}
        case "index":
            return parse_index(raw(vector, "text"))
        case "recipient":
            return {"key_hex": parse_recipient(vector["text"])}
        case "file":
            return read_file(raw(vector, "file"), vector["fingerprint"])
        case what:
            raise ValueError(what)


STORE_ID = "5b0c7a3f6f6f0b0e9b3f0c55a1d20a11"
KEY_NAME, LOG_NAME = f"logchain/{STORE_ID}/entry", f"logchain/{STORE_ID}"
SEEDS = [bytes([number]) * 32 for number in range(1, 12)]
LOG_SEED = bytes(range(32))
SALT, OTHER_SALT = "08" * 32, "09" * 32
ID, OTHER_ID = stream_id(SALT, "work", "journal"), stream_id(OTHER_SALT, "work", "web")
HOUR = "2026-11-23T03:"
BLOCKS = {  # of each segment: texts
    1: [
        f"{HOUR}00:00.000000Z # segment format=logchain/1\n{HOUR}00:00.000000Z - one\n",
        f"{HOUR}10:00.000000Z - two\n{HOUR}20:00.000000Z - three\n",
        f"{HOUR}30:00.000000Z - four\n",
    ],
    2: [f"{HOUR}40:00.000000Z # segment format=logchain/1\n{HOUR}50:00.000000Z - five\n"],
}


class Made:
    """A whole evidence file in the making; each part can be made otherwise."""

    def __init__(
        self,
        since: str,
        until: str,
        segments: tuple[int, ...] = (1, 2),
        salt: str = SALT,
        lies: tuple[tuple[str, str], ...] = (),
        signer: bytes = b"",
        log: bytes = LOG_SEED,
        entry_lies: tuple[tuple[str, str], ...] = (),
        blocks: dict[int, list[str]] = BLOCKS,
    ) -> None:
        self.lies, self.signer = lies, signer  # what stands in the manifests, and what instead; who signs them
        self.log, self.entry_lies = log, entry_lies  # who signs the checkpoint; as `lies`, in the second entry
        self.since, self.until, self.segments = f"{HOUR}{since}.000000Z", f"{HOUR}{until}.999999Z", segments
        self.manifests: dict[int, bytes] = {}
        self.blocks = {number: [text.encode() for text in texts] for number, texts in blocks.items()}
        vkey = vkey_of(KEY_NAME, SEEDS[0])
        self.entries = [self._entry(0, f"genesis {vkey} {vkey_of(LOG_NAME, LOG_SEED)}", b"")]
        self._add(f"birth 1 {ID} 1")
        first, before = 0, ZEROS
        for number in BLOCKS:
            manifest = self.manifest(number, first, before)
            self.manifests[number] = manifest
            first, before = first + self._records(number), hashlib.sha256(manifest).hexdigest()
            self._add(f"seal {ID} {number} sha256:{before}")
        self.count = 2 + max(segments)
        self._add(f"config sha256:{sample('settings').hex()}")
        self.index = [
            "logchain evidence v1",
            f"store {STORE_ID}",
            f"range {self.since} {self.until}",
            f"entries {self.count}",
            f"stream work journal {ID} {salt}",
            *(f"segment {number} {number + 1}" for number in segments),
        ]
        self.fingerprint = print_fingerprint(fingerprint_of(vkey))

    def _records(self, number: int) -> int:
        return sum(text.count(b"\n") for text in self.blocks[number])

    def _entry(self, number: int, event: str, before: bytes) -> bytes:
        previous = hashlib.sha256(before).hexdigest() if before else ZEROS
        lines = ["logchain ledger v1", f"store {STORE_ID}", f"index {number}", "time 2026-11-23T04:00:00.000000Z"]
        lines += [f"age {number}", f"previous sha256:{previous}", event, f"next {vkey_of(KEY_NAME, SEEDS[number + 1])}"]
        text = text_of(lines).decode()
        for lie in self.entry_lies if number == 1 else ():
            text = text.replace(*lie)
        return sign(text.encode(), (KEY_NAME, SEEDS[number]))

    def _add(self, event: str) -> None:
        self.entries.append(self._entry(len(self.entries), event, self.entries[-1]))

    def manifest(self, number: int, first: int, before: str) -> bytes:
        """Give a segment's manifest, with what it is to lie."""
        texts = self.blocks[number]
        times = [[line[:27].decode() for line in text.splitlines()] for text in texts]
        offsets = [sum(map(len, texts[:place])) for place in range(len(texts))]
        lines = ["logchain manifest v1", f"store {STORE_ID}", f"stream {ID} {number}", "birth 1"]
        lines += [f"records {self._records(number)} {first}", f"time {times[0][0]} {times[-1][-1]}", "age 1"]
        lines += [f"bytes {sum(map(len, texts))}", f"tag {sample(f'tag {number}').hex()}", f"previous sha256:{before}"]
        lines += [
            f"block {offset} {len(text)} {len(its)} {its[0]} sha256:{hashlib.sha256(text).hexdigest()}"
            for offset, text, its in zip(offsets, texts, times, strict=True)
        ]
        text = text_of(lines).decode()
        for lie in self.lies:
            text = text.replace(*lie)
        return sign(text.encode(), (KEY_NAME, self.signer or SEEDS[number + 1]))

    def files(self) -> list[tuple[str, bytes]]:
        """Give all files in their order."""
        root = root_of(self.entries)
        size = len(self.entries)
        text = f"{LOG_NAME}\n{size}\n{base64.b64encode(root).decode()}\n".encode()
        checkpoint = sign(text, (LOG_NAME, self.log))
        found = [("evidence/README", README_BYTES), ("evidence/index", text_of(self.index))]
        found.append(("evidence/keys/genesis.pem", pem_of(vkey_of(KEY_NAME, SEEDS[0]))))
        found.append(("evidence/keys/log.pem", pem_of(vkey_of(LOG_NAME, LOG_SEED))))
        found.append(("evidence/ledger/entries", b"".join(self.entries[: self.count])))
        for number in self.segments:
            hashes = [base64.b64encode(one).decode() for one in prove(number + 1, self.entries)]
            proof = "\n".join(["c2sp.org/tlog-proof@v1", f"index {number + 1}", *hashes, "", ""]).encode() + checkpoint
            found.append((f"evidence/ledger/proofs/{number + 1:08}.tlog-proof", proof))
        place, chosen = "evidence/streams/work/journal", b""
        for number in self.segments:
            found.append((f"{place}/{number:08}.manifest", self.manifests[number]))
            texts = self.blocks[number]
            begins = [text[:27].decode() for text in texts]
            ends = [*begins[1:], texts[-1].splitlines()[-1][:27].decode()]
            for at, text in enumerate(texts):
                if begins[at] <= self.until and ends[at] >= self.since:
                    found.append((f"{place}/{number:08}/{sum(map(len, texts[:at])):09}", text))
                    lines = text.splitlines(keepends=True)
                    chosen += b"".join(line for line in lines if self.since <= line[:27].decode() <= self.until)
        return [*found, (f"{place}/text", chosen)]


def pack(files: list[tuple[str, bytes]]) -> bytes:
    """Item 1: the tar."""
    return b"".join(file_of(*file) for file in files) + bytes(1024)


def summed(data: bytes) -> bytes:
    """Give the tar with the checksum of its first header made anew."""
    return data[:148] + f"{sum(data[:148]) + sum(data[156:512]) + 8 * 32:06o}\0 ".encode() + data[156:]


def good() -> list[Vector]:
    """The page's examples, limits, and whole files."""
    vectors: list[Vector] = []

    def add(what: str, name: str, **fields: object) -> None:
        vector = {"what": what, "name": name} | fields
        vectors.append(vector | read(vector))

    add("header", "the README", path="evidence/README", size=len(README_BYTES))
    add("header", "an empty file", path="evidence/streams/work/journal/text", size=0)
    add("header", "the largest file", path="evidence/ledger/entries", size=8**11 - 1)
    long = f"evidence/streams/{'v' * 31}/{'s' * 48}/{SEGMENT_MAX:08}/268435455"
    add("header", "the longest path", path=long, size=1)
    page = PAGE.partition("```\n")[2].partition("```")[0]
    add("index", "example of the page", text=page)
    lines = page.splitlines()
    two = [*lines[:3], "entries 100000000", *lines[4:], f"segment {SEGMENT_MAX} 4", f"stream work web {OTHER_ID} -"]
    two += ["segment 1 3", "segment 999999 99999999"]
    add("index", "two streams, the limits, a salt that is lost", text=text_of(two).decode())
    ever = "range 1970-01-01T00:00:00.000000Z 9999-12-31T23:59:59.999999Z"
    add("index", "all times", text=text_of([*lines[:2], ever, *lines[3:]]).decode())
    add("recipient", "example of the page", text=re.findall(r"^evidence-to\+\S+$", PAGE, re.MULTILINE)[0])
    for name, made in (
        ("two segments, cut at both ends", Made("05:00", "45:00")),
        ("all of it", Made("00:00", "59:59")),
        ("nothing came", Made("31:00", "39:00")),
        ("one segment", Made("10:00", "10:00", (1,))),
        ("without a salt", Made("10:00", "20:00", (1,), "-")),
    ):
        add("file", name, fingerprint=made.fingerprint, **given("file", pack(made.files())))
    return vectors


def bad() -> list[Vector]:
    """One failure each."""
    vectors: list[Vector] = []

    def refused(what: str, name: str, reason: str, kind: str = "malformed", **fields: object) -> None:
        vectors.append({"what": what, "name": name, "reason": reason, "class": kind} | fields)

    page = PAGE.partition("```\n")[2].partition("```")[0]
    lines = page.splitlines()

    def index(name: str, reason: str, *changed: str) -> None:
        refused("index", name, reason, text=text_of(list(changed)).decode())

    title, store, times, entries, stream, segment = lines
    index("next version", "title", "logchain evidence v2", *lines[1:])
    refused("index", "last newline missing", "index-form", text=page[:-1])
    index("no segment", "line-missing", *lines[:5])
    index("no stream", "line-missing", *lines[:4], segment)
    index("range and store changed places", "line-form", title, times, store, entries, stream, segment)
    index(
        "range backwards",
        "range-backwards",
        title,
        store,
        " ".join([times.split(" ")[0], *reversed(times.split(" ")[1:])]),
        entries,
        stream,
        segment,
    )
    index("range of one time", "line-form", title, store, times.rpartition(" ")[0], entries, stream, segment)
    index("entries one too many", "entries", title, store, times, "entries 4", stream, segment)
    index("entries one too few", "number-range", title, store, times, "entries 1", stream, "segment 1 0")
    index("entries with a leading zero", "number-form", title, store, times, "entries 03", stream, segment)
    index("a name with a slash", "name", *lines[:4], stream.replace("journal", "jour/al"), segment)
    index("a name of two dots", "name", *lines[:4], stream.replace("work", ".."), segment)
    index("a name with an upward path", "name", *lines[:4], stream.replace("journal", "..%2f"), segment)
    index("the id of another salt", "id", *lines[:4], stream.replace("0808", "0809"), segment)
    index("the id of another name", "id", *lines[:4], stream.replace("journal", "journam"), segment)
    index("salt in uppercase", "hex", *lines[:4], f"stream work journal {ID} {'AB' * 32}", segment)
    index("a stream twice", "streams-order", *lines, stream, "segment 2 1")
    web = f"stream work web {OTHER_ID} -"
    index("streams out of order", "streams-order", *lines[:4], web, "segment 1 1", stream, segment)
    index("an id twice", "id-twice", *lines, f"stream work web {ID} -", "segment 2 1")
    index("a stream without segments", "no-segments", *lines[:4], stream, web, segment)
    index("an entry twice", "entry-twice", *lines, web, "segment 1 2")
    index("segments out of order", "segments-order", *lines[:4], stream, "segment 2 1", segment)
    index("a segment twice", "segments-order", *lines, "segment 1 3")
    index("entries of segments out of order", "segments-order", *lines, "segment 2 1")
    index("segment 0", "number-range", *lines[:5], "segment 0 2")
    index("segment beyond", "number-range", *lines[:5], f"segment {SEGMENT_MAX + 1} 2")
    index("entry beyond", "number-range", *lines[:5], f"segment 1 {INDEX_MAX + 1}")
    index("two spaces", "line-form", *lines[:5], "segment 1  2")
    index("a line behind", "line-form", *lines, "more 1 2")

    recipient = re.findall(r"^evidence-to\+\S+$", PAGE, re.MULTILINE)[0]
    refused("recipient", "another word", "recipient-form", text=recipient.replace("-to", "-for"))
    refused(
        "recipient",
        "a letter changed",
        "recipient-id",
        text=recipient[:30] + "AB"[recipient[30] == "A"] + recipient[31:],
    )
    refused(
        "recipient", "the id changed", "recipient-id", text=recipient[:12] + "01"[recipient[12] == "0"] + recipient[13:]
    )
    refused("recipient", "cut off", "base64-form", text=recipient[:-1])
    short = base64.b64encode(bytes(31)).decode()
    ident = hashlib.sha256(b"evidence-to\n" + bytes(31)).digest()[:4].hex()
    refused("recipient", "31 bytes", "recipient-size", text=f"evidence-to+{ident}+{short}")

    made = Made("05:00", "45:00")
    files = made.files()

    def file(name: str, reason: str, data: bytes, kind: str = "malformed", fingerprint: str = made.fingerprint) -> None:
        refused("file", name, reason, kind, fingerprint=fingerprint, **given("file", data))

    def changed(name: str, reason: str, place: int, old: bytes, new: bytes, kind: str = "damaged") -> None:
        path, content = files[place]
        assert old in content, (name, path)
        file(name, reason, pack([*files[:place], (path, content.replace(old, new, 1)), *files[place + 1 :]]), kind)

    data = pack(files)
    file("a zero too few at the end", "end", data[:-1])
    file("a zero too many at the end", "end", data + b"\0")
    file("cut off in the text", "cut-off", data[: -1024 - 512])
    file("a file is missing", "header", pack([*files[:6], *files[7:]]))
    file("a file twice", "header", pack([*files[:6], files[6], *files[6:]]))
    file("two files changed places", "header", pack([*files[:2], files[3], files[2], *files[4:]]))
    file("a symbolic link", "header", summed(data[:156] + b"2" + data[157:]))
    file("a directory", "header", summed(data[:156] + b"5" + data[157:]))
    file("an extended header", "header", summed(data[:156] + b"x" + data[157:]))
    file("a time", "header", summed(data[:146] + b"1" + data[147:]))
    file("the right of others to write", "header", summed(data[:100] + b"0000666" + data[107:]))
    file("GNU's magic", "header", summed(data[:257] + b"ustar  \0" + data[265:]))
    file("a path upward", "header", summed(b"../../x".ljust(100, b"\0") + data[100:]))
    file("a checksum with a space in front", "header", data[:148] + b" " + data[149:])
    end_of_first = 512 + len(README_BYTES)
    file("padding that is not zeros", "padding", data[:end_of_first] + b"x" + data[end_of_first + 1 :])
    changed("another README", "readme", 0, b"paste all", b"paste it", "malformed")
    changed("the key of genesis in PEM", "keys", 2, b"MCowBQYDK2VwAyEA", b"MCowBQYDK2VwAyEB")
    file("the fingerprint of another store", "fingerprint-of-another", data, "not signed", "11" * 32)
    changed("an entry's age", "signature-wrong", 4, b"age 1\n", b"age 2\n", "not signed")
    count = len(made.entries[0])
    entries_less = files[4][1][:count] + files[4][1][count + len(made.entries[1]) :]
    file("an entry left out", "entries-count", pack([*files[:4], (files[4][0], entries_less), *files[5:]]), "damaged")
    proof = files[5][1]
    first_hash = proof.split(b"\n")[2]
    changed("a hash of a proof", "proof", 5, first_hash, base64.b64encode(sample("no such hash")))
    changed("the checkpoint of the second proof", "checkpoints", 6, b"\n5\n", b"\n6\n", "malformed")
    changed("a digit of a manifest", "manifest-of-another", 7, b"age 1", b"age 2")
    changed("a letter of a block", "block", 8, b"- one", b"- two")

    def lying(name: str, reason: str, *lies: tuple[str, str]) -> None:
        one = Made("00:00", "59:59", lies=lies)
        assert one.manifests != Made("00:00", "59:59").manifests, name
        file(name, reason, pack(one.files()), "damaged")

    lying("a manifest of another stream", "manifest-of-another", (f"stream {ID} 2", f"stream {OTHER_ID} 2"))
    lying("a manifest of another segment", "manifest-of-another", (f"stream {ID} 2", f"stream {ID} 3"))
    lying("records that are missing between segments", "records-missing", ("records 2 5", "records 2 6"))
    lying("a manifest younger than its entry", "age", ("age 1\n", "age 9\n"))
    lying("a manifest that follows another one", "previous-manifest", (ZEROS, sample("no manifest").hex()))
    three = (f" 2 {HOUR}00:00.000000Z sha", f" 3 {HOUR}00:00.000000Z sha")
    one = (f" 2 {HOUR}10:00.000000Z sha", f" 1 {HOUR}10:00.000000Z sha")
    lying("more records than the block has", "block-form", three, one)
    lying("a block that begins later", "block-form", (f"{HOUR}40:00.000000Z", f"{HOUR}40:00.000001Z"))
    other = Made("00:00", "59:59", signer=sample("another key"))
    file("manifests by another key of that name", "no-signature-of-this-key", pack(other.files()), "not signed")
    other = Made("00:00", "59:59", log=sample("another key"))
    file("a checkpoint by another key of that name", "no-signature-of-this-key", pack(other.files()), "not signed")
    genesis = hashlib.sha256(made.entries[0]).hexdigest()
    for name, reason, old, new in (
        ("hashes another entry", "previous", genesis, sample("no entry").hex()),
        ("seals a segment before another one does", "sealed-twice", f"birth 1 {ID} 1", f"seal {ID} 1 sha256:{ZEROS}"),
        ("has another index", "index", "index 1\n", "index 4\n"),
        ("is older than the one behind it", "age-goes-back", "age 1\n", "age 5\n"),
    ):
        entry_lie = Made("00:00", "59:59", entry_lies=((old, new),))
        assert entry_lie.entries[1] != made.entries[1]
        file(f"an entry that {name}, signed", reason, pack(entry_lie.files()), "damaged")
    more = Made("00:00", "59:59")
    more.count += 1
    file("an entry more than the index says", "entries-count", pack(more.files()), "damaged")
    more.count -= 2
    file("an entry less than the index says", "entries-count", pack(more.files()), "damaged")
    twin = Made("00:00", "59:59")
    twin.lies = ((sample("tag 2").hex(), sample("tag 3").hex()),)
    twin.manifests[2] = twin.manifest(2, 5, hashlib.sha256(twin.manifests[1]).hexdigest())
    file("another manifest by the same key", "manifest-of-another", pack(twin.files()), "damaged")
    turned = "".join(reversed(BLOCKS[1][1].splitlines(keepends=True)))
    back = Made("00:00", "25:00", blocks=BLOCKS | {1: [BLOCKS[1][0], turned, BLOCKS[1][2]]})
    file("times that go back where the range cuts", "times-go-back", pack(back.files()), "damaged")
    changed("a letter of the text", "text", len(files) - 1, b"- two", b"- one")
    changed("a line of the text left out", "text", len(files) - 1, f"{HOUR}10:00.000000Z - two\n".encode(), b"")
    return vectors

"""docs/spec/ratchet.md as code: the derivation from the audit secret, and the step of every record."""

import hashlib

from tests.vectors.reading_common import BIRTH_MAX, SEGMENT_MAX, STREAM, VM, Vector, blake2b, kdf, need, sample, u64
from tests.vectors.reading_record import note, record, segment_fields

SPEC = "docs/spec/ratchet.md"


def step(key: bytes, line: bytes) -> tuple[bytes, bytes]:
    """Item 1: the next key and the tag."""
    out = blake2b(line, 64, b"logchain.record", key)
    return out[:32], out[32:]


def chain(key: bytes, lines: list[bytes]) -> tuple[list[bytes], bytes]:
    """Authenticate record after record: the tags, and the key that is left."""
    tags = []
    for line in lines:
        key, tag = step(key, line)
        tags.append(tag)
    return tags, key


def stream_id(salt: bytes, vm: str, stream: str) -> bytes:
    """Item 3: SHA-256(salt || u16le length || vm || u16le length || stream)."""
    need(len(salt) == 32, "salt-size")
    need(VM.match(vm), "vm-name")
    need(STREAM.match(stream), "stream-name")
    names = b"".join(len(name).to_bytes(2, "little") + name.encode() for name in (vm, stream))
    return hashlib.sha256(salt + names).digest()


def birth_secret(seed: bytes, birth: int) -> bytes:
    """Items 2 and 4: B_i from B_1."""
    need(1 <= birth <= BIRTH_MAX, "birth-range")
    for _ in range(birth - 1):
        seed = kdf(seed, "next")
    return seed


def segment_keys(r1: bytes, stream: bytes, segment: int) -> tuple[bytes, bytes]:
    """Items 2 and 4: K of segment n, and R_(n+1); R_n is n-1 steps from R_1."""
    need(1 <= segment <= SEGMENT_MAX, "segment-range")
    r = birth_next(r1, segment - 1)
    return kdf(r, "segment", stream, u64(segment)), kdf(r, "next")


def birth_next(r: bytes, steps: int) -> bytes:
    """Walk so many steps of "next"."""
    for _ in range(steps):
        r = kdf(r, "next")
    return r


def read(vector: Vector) -> Vector:
    """What the page says of a vector's input."""

    def raw(field: str) -> bytes:
        return bytes.fromhex(vector[field])

    match vector["what"]:
        case "kdf":
            need(len(raw("key_hex")) == 32, "key-size")
            need(len(vector["label"].encode()) <= 16, "label-size")
            fields = [bytes.fromhex(field) for field in vector["fields_hex"]]
            need(all(len(field) < 1 << 16 for field in fields), "field-size")
            return {"out_hex": kdf(raw("key_hex"), vector["label"], *fields).hex()}
        case "chain":
            need(len(raw("key_hex")) == 32, "key-size")
            tags, after = chain(raw("key_hex"), [bytes.fromhex(line) for line in vector["records_hex"]])
            return {"tags_hex": [tag.hex() for tag in tags], "key_after_hex": after.hex()}
        case "stream-id":
            return {"id_hex": stream_id(raw("salt_hex"), vector["vm"], vector["stream"]).hex()}
        case "derivation":
            need(len(raw("audit_secret_hex")) == 32, "key-size")
            need(len(raw("store_id_hex")) == 16, "store-id-size")
            need(len(raw("stream_id_hex")) == 32, "stream-id-size")
            seed = kdf(raw("audit_secret_hex"), "births", raw("store_id_hex"))
            secret = birth_secret(seed, vector["birth"])
            r1 = kdf(secret, "stream", raw("stream_id_hex"))
            key, after = segment_keys(r1, raw("stream_id_hex"), vector["segment"])
            return {
                "seed_hex": seed.hex(),
                "birth_secret_hex": secret.hex(),
                "r1_hex": r1.hex(),
                "segment_key_hex": key.hex(),
                "next_hex": after.hex(),
            }
        case "given-up":
            return {"proof_hex": chain(raw("key_hex"), [b"given up\n"])[0][0].hex()}
        case "segment-step":
            need(1 <= vector["segment"] <= SEGMENT_MAX, "segment-range")
            r = raw("r_hex")
            key = kdf(r, "segment", raw("stream_id_hex"), u64(vector["segment"]))
            return {"segment_key_hex": key.hex(), "next_hex": kdf(r, "next").hex()}
        case what:
            raise ValueError(what)


A, STORE_ID, SALT = sample("audit secret"), sample("store", 16), sample("salt")


def good() -> list[Vector]:
    """Every formula of the page."""
    vectors: list[Vector] = []

    def add(what: str, name: str, **fields: object) -> None:
        vector = {"what": what, "name": name} | fields
        vectors.append(vector | read(vector))

    counting = bytes(range(32)).hex()
    add("kdf", "no fields", key_hex=counting, label="next", fields_hex=[])
    add("kdf", "one field", key_hex=counting, label="births", fields_hex=[STORE_ID.hex()])
    two = [sample("stream id").hex(), u64(7).hex()]
    add("kdf", "two fields, one a number", key_hex=counting, label="segment", fields_hex=two)
    add("kdf", "one empty field is not no field", key_hex=counting, label="next", fields_hex=[""])
    add("kdf", "ab, c", key_hex=counting, label="next", fields_hex=["6162", "63"])
    add("kdf", "a, bc", key_hex=counting, label="next", fields_hex=["61", "6263"])
    add("kdf", "label of 16 bytes", key_hex=counting, label="abcdefghijklmnop", fields_hex=["00"])
    add("kdf", "key of zeros", key_hex="00" * 32, label="next", fields_hex=[])
    add("kdf", "field of 256 bytes", key_hex=counting, label="next", fields_hex=["aa" * 256])
    add("kdf", "field of 65535 bytes", key_hex=counting, label="next", fields_hex=["bb" * 65_535])

    opening = record("#", note("segment", *segment_fields()))
    hello = record("-", b"hello")
    add("chain", "no records", key_hex=counting, records_hex=[])
    add("chain", "example of the page", key_hex=counting, records_hex=[hello.hex()])
    add("chain", "same record twice, two tags", key_hex=counting, records_hex=[hello.hex()] * 2)
    lines = [opening, hello, record("-", b""), record("-", bytes(range(11, 256))), record("+", b"x")]
    add("chain", "records of every kind", key_hex=counting, records_hex=[line.hex() for line in lines])
    add("chain", "two records change places", key_hex=counting, records_hex=[lines[2].hex(), hello.hex()])
    exact = [record("-", b"z" * (size - 30)).hex() for size in (127, 128, 129, 255, 256, 257)]
    add("chain", "around the block size of BLAKE2b", key_hex=counting, records_hex=exact)
    add("chain", "longest record", key_hex=counting, records_hex=[record("-", b"a" * 65_536).hex()])
    long_chain = [record("-", str(index).encode()).hex() for index in range(100)]
    add("chain", "a hundred records", key_hex=sample("k").hex(), records_hex=long_chain)

    add("given-up", "key of a counting", key_hex=counting)
    add("given-up", "another key", key_hex=sample("k").hex())

    names = [("work-web", "journal"), ("dom0", "main"), ("a", "0"), ("A" + "b" * 30, "0" + "z" * 47)]
    names += [("ab", "c"), ("a", "bc"), ("work", "qubes.Log")]
    for vm, stream in names:
        add("stream-id", f"{vm} {stream}", salt_hex=SALT.hex(), vm=vm, stream=stream)
    add("stream-id", "another salt, another id", salt_hex="00" * 32, vm="work-web", stream="journal")

    for birth, segment in ((1, 1), (1, 2), (1, 3), (2, 1), (3, 1), (3, 17), (256, 1), (1, 256), (1000, 1000)):
        add(
            "derivation",
            f"birth {birth}, segment {segment}",
            audit_secret_hex=A.hex(),
            store_id_hex=STORE_ID.hex(),
            birth=birth,
            stream_id_hex=stream_id(SALT, "work-web", "journal").hex(),
            segment=segment,
        )
    add(
        "derivation",
        "another store, stream and secret",
        audit_secret_hex="00" * 32,
        store_id_hex="ff" * 16,
        birth=2,
        stream_id_hex="11" * 32,
        segment=2,
    )
    last = {"r_hex": sample("r").hex(), "stream_id_hex": sample("stream id").hex()}
    add("segment-step", "first segment", segment=1, **last)
    add("segment-step", "last segment a stream can have", segment=SEGMENT_MAX, **last)
    return vectors


def bad() -> list[Vector]:
    """Beyond the limits; a record that was changed is refused in tags.json."""
    vectors: list[Vector] = []

    def refused(what: str, name: str, reason: str, **fields: object) -> None:
        vectors.append({"what": what, "name": name, "reason": reason} | fields)

    key = sample("k").hex()
    refused("kdf", "key of 31 bytes", "key-size", key_hex=key[2:], label="next", fields_hex=[])
    refused("kdf", "key of 33 bytes", "key-size", key_hex=key + "00", label="next", fields_hex=[])
    refused("kdf", "no key", "key-size", key_hex="", label="next", fields_hex=[])
    refused("kdf", "label of 17 bytes", "label-size", key_hex=key, label="abcdefghijklmnopq", fields_hex=[])
    refused("kdf", "field of 65536 bytes", "field-size", key_hex=key, label="next", fields_hex=["bb" * 65_536])
    refused("chain", "key of 31 bytes", "key-size", key_hex=key[2:], records_hex=[])
    refused("chain", "no key", "key-size", key_hex="", records_hex=[])

    def no_id(name: str, reason: str, salt: bytes = SALT, vm: str = "web", stream: str = "main") -> None:
        refused("stream-id", name, reason, salt_hex=salt.hex(), vm=vm, stream=stream)

    no_id("salt of 31 bytes", "salt-size", salt=SALT[1:])
    no_id("salt of 33 bytes", "salt-size", salt=SALT + b"\0")
    no_id("no VM", "vm-name", vm="")
    no_id("VM too long", "vm-name", vm="a" * 32)
    no_id("no stream", "stream-name", stream="")
    no_id("stream too long", "stream-name", stream="a" * 49)

    def underivable(name: str, reason: str, **changed: object) -> None:
        fields: Vector = {
            "audit_secret_hex": A.hex(),
            "store_id_hex": STORE_ID.hex(),
            "birth": 1,
            "stream_id_hex": sample("stream id").hex(),
            "segment": 1,
        }
        refused("derivation", name, reason, **(fields | changed))

    underivable("birth 0", "birth-range", birth=0)
    underivable("birth beyond", "birth-range", birth=BIRTH_MAX + 1)
    underivable("segment 0", "segment-range", segment=0)
    underivable("segment beyond", "segment-range", segment=SEGMENT_MAX + 1)
    underivable("audit secret of 31 bytes", "key-size", audit_secret_hex=A[1:].hex())
    underivable("store id of 15 bytes", "store-id-size", store_id_hex=STORE_ID[1:].hex())
    underivable("store id of 32 bytes", "store-id-size", store_id_hex=(STORE_ID * 2).hex())
    underivable("stream id of 31 bytes", "stream-id-size", stream_id_hex="11" * 31)
    return vectors

"""docs/spec/segment-key.md as code: the file, and the key in it, derived again from the audit secret."""

from tests.vectors.reading_common import BIRTH_MAX, SEGMENT_MAX, Vector, kdf, need, parse_number, sample, u64
from tests.vectors.reading_files import hex_value, parse_lines, text_of

SPEC = "docs/spec/segment-key.md"

A = b"\x05" * 32
STORE = "5b0c7a3f6f6f0b0e9b3f0c55a1d20a11"
STREAM = "a277df7e31bde339672d989ab7dc5ed66ea4c9909ccbd0e6c79ff7cee02f8132"


def derive(store: str, stream: str, segment: int, birth: int, secret: bytes = A) -> str:
    """ratchet.md 2: B of the birth, R of the segment, K."""
    secret = kdf(secret, "births", bytes.fromhex(store))
    for _ in range(birth - 1):
        secret = kdf(secret, "next")
    secret = kdf(secret, "stream", bytes.fromhex(stream))
    for _ in range(segment - 1):
        secret = kdf(secret, "next")
    return kdf(secret, "segment", bytes.fromhex(stream), u64(segment)).hex()


def read(vector: Vector) -> Vector:
    """What the page says of a vector's input."""
    lines = parse_lines(vector["text"].encode(), "logchain segment key v1", "store", "stream", "birth", "key")
    store, stream, birth, key = lines
    words = stream.split(" ")
    need(len(words) == 2, "stream-form")
    return {
        "store_hex": hex_value(store, 16),
        "stream_hex": hex_value(words[0], 32),
        "segment": parse_number(words[1], 1, SEGMENT_MAX),
        "birth": parse_number(birth, 1, BIRTH_MAX),
        "key_hex": hex_value(key, 32),
    }


def lines_of(store: str, stream: str, segment: int, birth: int, key: str) -> tuple[str, ...]:
    """Give the lines of a file."""
    return ("logchain segment key v1", f"store {store}", f"stream {stream} {segment}", f"birth {birth}", f"key {key}")


EXAMPLE = lines_of(STORE, STREAM, 12, 3, derive(STORE, STREAM, 12, 3))


def good() -> list[Vector]:
    """The example, the limits, and other secrets."""
    vectors: list[Vector] = []

    def add(name: str, store: str, stream: str, segment: int, birth: int, secret: bytes | None = A) -> None:
        key = derive(store, stream, segment, birth, secret) if secret else sample("segment key").hex()
        fields: Vector = {"store_hex": store, "stream_hex": stream, "segment": segment, "birth": birth, "key_hex": key}
        derived = {"audit_secret_hex": secret.hex()} if secret else {}
        text = text_of(*lines_of(store, stream, segment, birth, key))
        vectors.append({"what": "segment key", "name": name, "text": text} | fields | derived)

    add("the page's example", STORE, STREAM, 12, 3)
    add("first segment of the first birth", STORE, STREAM, 1, 1)
    add("another secret, store and stream", "00" * 16, "ff" * 32, 2, 2, sample("another audit secret"))
    add("the last segment of the last birth; read only", STORE, STREAM, SEGMENT_MAX, BIRTH_MAX, None)
    return vectors


def bad() -> list[Vector]:
    """One failure each."""
    vectors: list[Vector] = []

    def refused(name: str, reason: str, *lines: str, text: str | None = None) -> None:
        text = text_of(*lines) if text is None else text
        vectors.append({"what": "segment key", "name": name, "reason": reason, "text": text})

    def changed(name: str, reason: str, place: int, line: str) -> None:
        refused(name, reason, *EXAMPLE[:place], line, *EXAMPLE[place + 1 :])

    title, store, stream, birth, key = EXAMPLE
    whole = text_of(*EXAMPLE)
    refused("empty", "no-newline", text="")
    refused("last newline missing", "no-newline", text=whole[:-1])
    refused("line behind", "line-too-many", text=whole + "more 1\n")
    refused("4097 bytes", "too-long", text=whole.ljust(4096, "x") + "\n")
    refused("carriage returns", "title", text=whole.replace("\n", "\r\n"))
    refused("birth missing", "line-form", title, store, stream, key)
    refused("key missing", "line-missing", title, store, stream, birth)
    refused("stream and birth changed places", "line-form", title, store, birth, stream, key)
    changed("next version", "title", 0, title.replace("v1", "v2"))
    changed("store one byte short", "hex", 1, store[:-2])
    changed("no segment", "stream-form", 2, stream.rpartition(" ")[0])
    changed("space behind the segment", "stream-form", 2, stream + " ")
    changed("another word behind the segment", "stream-form", 2, stream + " 1")
    changed("stream id in uppercase", "hex", 2, stream.replace("a277", "A277"))
    changed("stream id one byte long", "hex", 2, stream.replace(" 12", "00 12"))
    changed("segment 0", "number-range", 2, stream.replace(" 12", " 0"))
    changed("segment beyond the last", "number-range", 2, stream.replace(" 12", " 1000000"))
    changed("segment with a leading zero", "number-form", 2, stream.replace(" 12", " 012"))
    changed("segment with a sign", "number-form", 2, stream.replace(" 12", " +12"))
    changed("birth 0", "number-range", 3, "birth 0")
    changed("birth beyond the last", "number-range", 3, "birth 10000001")
    changed("birth far beyond", "number-range", 3, "birth " + "9" * 40)
    changed("birth with a leading zero", "number-form", 3, "birth 03")
    changed("key one byte short", "hex", 4, key[:-2])
    changed("key one byte long", "hex", 4, key + "00")
    changed("key in uppercase", "hex", 4, "key " + "AB" * 32)
    return vectors

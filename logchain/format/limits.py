"""The numbers that bound everything, each with the page or the reason it comes from."""

MAX_PART = 65_536  # payload bytes of a record (docs/spec/record.md)
TIME_SIZE = 27  # bytes of a receive time
PREFIX = 30  # receive time, space, kind, space
MAX_RECORD = PREFIX + MAX_PART
MAX_NOTE = 1_024  # payload bytes of a note
MAX_JOINED = 1 << 20  # a line is joined from its parts up to here
MAX_NUMBER = (1 << 63) - 1  # any number in any text format
MAX_TIME = 253_402_300_799_999_999  # 9999-12-31T23:59:59.999999Z, µs since 1970
MAX_SEGMENT = 999_999  # of a stream: 60 TiB; reaching R of the last one takes a verifier a second
MAX_SEGMENT_RECORDS = (1 << 32) - 1
MAX_BIRTHS = 10_000_000  # so that verifying a hostile `births` ends (docs/spec/ratchet.md)
MAX_SMALL_FILE = 4_096  # format, id, seed, audit secret (docs/spec/files.md)
RESUME_SESSIONS = 8  # sessions a greeting tells of (docs/spec/wire.md)
MAX_BLOCK = 1 << 20  # text of a block; writers cut at most 256 KiB (docs/spec/manifest.md)
MAX_SEGMENT_BYTES = 256 << 20  # text of a segment that can be sealed or listed; writers close at 64 MiB
MAX_MANIFEST = 1 << 20  # a manifest with its signature
MAX_ACTIVITY = 512 << 10  # what the catalog keeps of a segment's sessions: some 2,700 of them (docs/spec/catalog.md)
MAX_ENTRY = 2_048  # an entry of the ledger with its signature (docs/spec/ledger.md)
MAX_ENTRIES = 100_000_000  # of a ledger: eight digits; one every minute for 190 years
MAX_HEADS = 64  # lines of a list of heads, for its entry names them all (docs/spec/heads.md)
MAX_HEADS_FILE = 16 << 10  # each line has at most 230 bytes
MAX_SIGNATURES = 16  # of a note (docs/spec/note.md)
MAX_CHECKPOINT = 128 << 10  # 16 signatures, each of 5 kB as the longest there are (docs/spec/checkpoint.md)
QUOTA_BEYOND = 4  # a VM over its quota is read, slowly, until it is a quarter beyond it (docs/adr/0008)
SEGMENT_ROOM = 16 << 10  # bytes that a segment counts for beyond its files' blocks: what a file system needs besides

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

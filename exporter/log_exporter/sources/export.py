"""The Journal Export Format (systemd.io/JOURNAL_EXPORT_FORMATS), taken apart in any split. No I/O."""

from typing import TypeAlias

Fields: TypeAlias = dict[bytes, bytes]


class Export:
    """Collects entries; of a value no more than `most` bytes, so that nobody who logs can fill our memory."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._longest = most + 64  # of a line that is looked at as a whole: a name has at most 64 bytes
        self._rest = b""  # of a line, or of a value's size
        self._fields: Fields = {}
        self._name = b""
        self._value = bytearray()
        self._left = 0  # bytes of the value whose size is known, with its newline
        self._in_line = False  # in a value that a newline ends, and that is longer than what is kept

    def feed(self, untrusted_data: bytes) -> list[Fields]:
        """Return the entries that the bytes complete, of each field the first."""
        data, at, entries = self._rest + untrusted_data, 0, list[Fields]()
        while at < len(data):
            if self._left or self._in_line:
                at = self._more(data, at)
                continue
            end = data.find(b"\n", at)
            if (end if end >= 0 else len(data)) - at > self._longest:
                self._name, _, value = data[at : at + self._longest + 1].partition(b"=")
                self._value, self._in_line = bytearray(value[: self._most]), True
                at += self._longest + 1
            elif end < 0:
                break
            elif end == at:
                entries.append(self._fields)
                self._fields, at = {}, end + 1
            else:
                name, equals, value = data[at:end].partition(b"=")
                if equals:
                    self._fields.setdefault(name, value[: self._most])
                    at = end + 1
                elif len(data) < end + 9:
                    break
                else:  # NAME, newline, u64le size, the bytes, newline
                    self._name, self._value = name, bytearray()
                    self._left = int.from_bytes(data[end + 1 : end + 9], "little") + 1
                    at = end + 9
        self._rest = data[at:]
        return entries

    def _more(self, data: bytes, at: int) -> int:
        """Take what there is of the value; return where that ends."""
        if self._in_line:
            newline = data.find(b"\n", at)
            stop = over = newline if newline >= 0 else len(data)
            if newline >= 0:
                over, self._in_line = newline + 1, False
        else:
            over = min(at + self._left, len(data))
            self._left -= over - at
            stop = over if self._left else over - 1
        self._value += data[at : min(stop, at + self._most - len(self._value))]
        if not (self._left or self._in_line):
            self._fields.setdefault(self._name, bytes(self._value))
        return over

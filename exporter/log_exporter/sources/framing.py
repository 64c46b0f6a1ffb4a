"""Syslog messages: out of a TCP stream (RFC 6587), and into lines of ours (RFC 3164, RFC 5424). No I/O."""

import re

from log_exporter.choice import LONGEST, Choice
from log_exporter.line import escape, name, sd_value

_USER_NOTICE = 13
_PRIORITY = re.compile(rb"<(0|[1-9][0-9]{0,2})>")
_BEGIN = re.compile(rb"[^\n\0]")
_COUNT = re.compile(rb"([1-9][0-9]{0,8}) ")
_NAME = rb"[!#-<>-\\^-~]{1,32}"
_PARAMETER = rb" %b=\"(?:[^\"\\\]\x00-\x1f\x7f]|\\.)*\"" % _NAME
_RFC5424 = re.compile(
    rb"1 (?P<time>[!-~]{1,35}) (?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<pid>[!-~]{1,128}) (?P<id>[!-~]{1,32})"
    rb" (?P<data>-|(?:\[%b(?:%b)*\])+)(?: (?P<message>.*))?" % (_NAME, _PARAMETER),
    re.DOTALL,
)
_RFC3164 = re.compile(rb"(?P<time>[A-Z][a-z]{2} [ 0-3][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}) (?P<rest>.*)", re.DOTALL)
# Programs leave the host out on /dev/log, and others put it in; the tag is the word with the colon.
_WORD = rb"[^\s:\[\]]"
_TAG = re.compile(
    rb"(?:(?P<host>%b+) )?(?P<app>%b{1,48})(?:\[(?P<pid>[0-9]{1,10})\])?: ?(?P<message>.*)" % (_WORD, _WORD), re.DOTALL
)
_SD_ESCAPE = re.compile(rb"\\([\"\\\]])")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_OURS_OLD = b"[rfc3164@32473"
_OURS = b"@32473"  # no program may put our own words into its structured data


class Frames:
    """Takes messages out of a stream: counted, or ended by a newline or NUL, as each one begins."""

    def __init__(self, choice: Choice) -> None:
        self._choice = choice
        self._rest = b""

    def feed(self, untrusted_data: bytes) -> list[bytes]:
        """Return the messages that the bytes complete; one that is too long comes in several."""
        data, at, found = self._rest + untrusted_data, 0, []
        newline = nul = -1  # the next of each; to look for both with each message could take the square of their number
        while match := _BEGIN.search(data, at):
            at = match.start()
            count = _COUNT.match(data, at)
            if count and int(count[1]) <= LONGEST:
                end = count.end() + int(count[1])
                if end > len(data):
                    break
                found.append(data[count.end() : end])
                at = end
                continue
            if not count and data[at : at + 1].isdigit() and len(data) - at < 10 and data[at:].isdigit():
                break  # the count itself is not all there
            newline = newline if newline >= at else _find(data, b"\n", at)
            nul = nul if nul >= at else _find(data, b"\0", at)
            end = min(newline, nul)
            if end == len(data):
                if end - at < LONGEST:
                    break
                end = at + self._choice.cut(data[at:], end - at)
            found.append(data[at:end])
            at = end
        self._rest = data[at:] if match else b""
        return found

    def end(self) -> list[bytes]:
        """Return what was left when the stream ended."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []


class Messages:
    """Turns syslog messages into lines; leaves out what is not wanted."""

    def __init__(self, host: str, choice: Choice, priority: int) -> None:
        self._host = name(host, 255)
        self.choice = choice
        self._priority = priority

    def line(self, untrusted_message: bytes, now: str, origin: dict[str, bytes]) -> bytes:
        """Return the line with its newline, or nothing; `origin` is what the socket says of the sender."""
        message = untrusted_message.rstrip(b"\n\0")
        code = _USER_NOTICE
        if (match := _PRIORITY.match(message)) and int(match[1]) <= 191:
            code, message = int(match[1]), message[match.end() :]
        if code % 8 > self._priority:
            return b""
        head, data, before, message = self._parts(message, now)
        chosen = self.choice.message(message)
        if chosen is None:
            return b""
        # What a sender has before its message, as a name or as data, may be what is to be hidden: then there is only
        # a message, and nothing of it is taken for a name.
        if (hidden := self.choice.redacted(before + chosen)) != before + chosen:
            head, chosen = f"{now} {self._host} - - -".encode(), hidden
            data = data if data.startswith(_OURS_OLD) else b"-"
        values = "".join(f' {key}="{sd_value(value)}"' for key, value in origin.items())
        element = f"[syslog@32473{values}]".encode()
        return b"<%d>1 %b %b%b %b\n" % (code, head, b"" if data == b"-" else data, element, escape(chosen))

    def _parts(self, message: bytes, now: str) -> tuple[bytes, bytes, bytes, bytes]:
        """Return header without priority, structured data, what of the sender stands before the message, and that."""
        if (new := _RFC5424.fullmatch(message)) and _is_text(new["data"]) and _OURS not in new["data"]:
            text = new["message"] or b""
            before = _SD_ESCAPE.sub(rb"\1", message[: len(message) - len(text)])
            return b" ".join(new.group("time", "host", "app", "pid", "id")), new["data"], before, text
        host, app, pid, data = self._host, "-", "-", b"-"
        if old := _RFC3164.fullmatch(message):
            # Neither year nor zone: it goes beside, and ours is the time.
            data = b'%b time="%b"]' % (_OURS_OLD, old["time"])
            message = old["rest"]
        before = b""
        if tag := _TAG.fullmatch(message):
            before = message[: tag.start("message")]
            app, message = name(tag["app"].decode("latin-1"), 48), tag["message"]
            pid = (tag["pid"] or b"-").decode()
            if tag["host"]:
                host = name(tag["host"].decode("latin-1"), 255)
        return f"{now} {host} {app} {pid} -".encode(), data, before, message


def _find(data: bytes, mark: bytes, at: int) -> int:
    found = data.find(mark, at)
    return found if found >= 0 else len(data)


def _is_text(data: bytes) -> bool:
    try:
        return not _CONTROL.search(data.decode())
    except UnicodeDecodeError:
        return False

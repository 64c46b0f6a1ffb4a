"""What a collector owes to those who send to a stream, and what is stored there, one held against the other.

A place is a stream and whoever sends to it, one call after the other, out of one source of lines, as docs/spec/wire.md
says: a sender finds its last session in `resume`, and goes on from there. A stock sender cannot, and goes on behind
what it sent.
"""

import os
import signal
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

from logchain.collect.descriptor import APPEND, STOCK
from logchain.format.record import LINE
from tests.collect.call import PATIENCE
from tests.collect.door import until
from tests.collect.killable import Collector, ended
from tests.collect.sender import Sender
from tests.collect.stored import STEP, check_segments, explain, read_segments, sessions


class Place:
    """A stream and its senders."""

    def __init__(self, collector: Collector, vm: str, stream: str) -> None:
        self.clocks = collector.clocks
        self._collector, self.vm, self.stream, self.stock = collector, vm, stream, stream == STOCK
        self.directory = collector.store.directory(vm, stream)
        self.mark = f"<{vm}/{stream}>".encode()  # stands in lines of this place and of no other
        self.source: list[bytes] = []
        self.senders: list[Sender] = []

    # what a sender does

    def connected(self) -> Sender | None:
        """Return who is connected, as far as they know."""
        self.listen()
        return self.senders[-1] if self.senders and not self.senders[-1].over else None

    def listen(self) -> None:
        """Hear what has come down to anybody."""
        for sender in self.senders:
            sender.listen()

    def call(self, cut: int = 0, *, blind: bool = False, room: bool = True) -> Sender:
        """Call until it is greeted; where there is no room, once. The header comes in two pieces, if it is cut.

        `blind` sends lines before the greeting, if it is clear which. Nobody else is connected, but somebody may be
        about to end: then it is `busy` for a while.
        """
        end = time.monotonic() + PATIENCE
        while True:
            last = _last(self.senders)
            sender = self._new(cut, room=room)
            self.senders.append(sender)
            if blind and room and not self.stock and (not last or last.acknowledged == last.owed):
                self.push(sender)
            if not room:
                self.listen()
                return sender
            sender.listen_until_greeted()
            if sender.greeted:
                return sender
            assert sender.refused == (b"" if self.stock else b"busy"), f"refused: {sender.refused!r}"
            assert time.monotonic() < end, "busy for ever"
            self.senders.remove(sender)

    def ready(self, cut: int = 0, *, blind: bool = False, room: bool = True) -> Sender:
        """Return who is connected; call if nobody is. Where there is room, it is greeted, and may not end by itself."""
        sender = self.connected()
        if sender and room:
            sender.listen_until_greeted()
            sender.excused = False
        return sender if sender and not sender.over else self.call(cut, blind=blind, room=room)

    def rival(self, *, impatient: bool, room: bool) -> None:
        """Call while somebody is connected: it is turned away, or, by an impatient collector, let into the place."""
        holder, sender = self.senders[-1], self._new(room=room)
        holder.excused |= impatient
        self.senders.append(sender)
        if room or not impatient:
            sender.listen_until_greeted()
        if sender.over and not sender.greeted:
            self.senders.remove(sender)
            assert self.stock or sender.refused == b"busy" or sender.excused, sender.refused
            return
        assert holder.excused, f"two write one stream: {holder}, {sender}"

    def _new(self, cut: int = 0, *, room: bool) -> Sender:
        last, first = _last(self.senders), 0
        if last:
            first = last.first + (last.sent.count(b"\n") if self.stock else last.acknowledged)
        sender = Sender(self._collector.path, first, self._greeted, stock=self.stock)
        sender.excused = not room
        header = f"{STOCK} {self.vm}\0" if self.stock else f"{APPEND}+{self.stream} {self.vm}\0"
        cut %= len(header)
        sender.introduce(*(piece.encode() for piece in (header[:cut], header[cut:]) if piece))
        return sender

    def push(self, sender: Sender, keep: int = 0, cuts: Sequence[int] = (), *, room: bool = True) -> None:
        """Send what the source has beyond what was sent, but for the last bytes."""
        text = b"".join(line + b"\n" for line in self.source[sender.first :])
        sender.send(text[len(sender.sent) : max(len(sender.sent), len(text) - keep)], cuts, patient=room)

    def leave(self, *, politely: bool) -> None:
        """End the call of who is connected: with an end of file, and all is stored; or just so."""
        sender = self.senders[-1]
        if politely:
            sender.listen_until_greeted()
        if politely and sender.greeted:
            sender.finish()
            sender.listen_to_the_end()
            assert sender.acknowledged == sender.owed, f"{sender.refused!r}: {sender}"
            sender.final = sender.sent
        else:
            sender.hang_up()

    def kill(self) -> None:
        """Kill the process that writes here, if there is one; whose call that was hears the end of it."""
        pid = self._collector.instance(self.directory)
        if pid:
            self.excuse()
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            until(lambda: ended(pid))
        self.listen()

    def excuse(self) -> None:
        """Let calls end before their senders are done."""
        for sender in self.senders:
            sender.excused = True

    def settle(self) -> None:
        """Wait until all that was sent is acknowledged, but for calls that ended: there is room again."""
        for sender in self.senders:
            sender.listen_until_greeted()
            if sender.greeted:
                sender.listen_until_acknowledged()
            sender.excused = False

    def listen_to_the_end(self) -> None:
        """Hear the last that comes down to anybody: there is nobody any more at the other side."""
        for sender in self.senders:
            sender.listen_to_the_end()

    def close(self) -> None:
        """Leave nothing open, whatever happened."""
        for sender in self.senders:
            sender.hang_up()

    # what is held against what

    def check(self) -> None:
        """Hold what is stored against what was sent and told, and against its own rules."""
        self.listen()  # before the store is read: what is told then is stored by now
        segments, others = read_segments(self.directory)
        durable, stored = sessions(segments), sessions(others)
        assert explain(durable, self.senders) is not None, f"durable are {durable}, of {self.senders}"
        assert explain(stored, self.senders) is not None, f"stored are {stored}, of {self.senders}"
        check_segments(segments, self.vm, self.stream)

    def check_times(self) -> None:
        """See that the last line has the time of now, if it was received now."""
        durable, _ = read_segments(self.directory)
        lines = [record for records in durable.values() for record in records if record.kind == LINE]
        assert lines, "nothing is durable"
        assert 0 <= lines[-1].time - self.clocks.wall() <= STEP, lines[-1]

    def check_source(self) -> None:
        """See that the stream has all lines of the source, each once, in order; a stock sender cannot know."""
        assert self.stock or self._collector.store.lines(self.vm, self.stream) == self.source

    def check_names(self, others: Iterable["Place"]) -> None:
        """See that nothing of another place is here."""
        texts = [path.read_bytes() for path in self.directory.rglob("*") if path.is_file()]
        assert not [other.mark for other in others for text in texts if other is not self and other.mark in text]

    def _greeted(self, sender: Sender) -> None:
        """Hold a greeting against what is stored; it says that what came before is final."""
        before = self.senders[: self.senders.index(sender)]
        stored = explain(sessions(read_segments(self.directory)[1]), self.senders)
        assert stored is not None, f"stored is other than {self.senders}"
        for other, of_other in zip(before, stored, strict=False):
            other.final = of_other.data
        if not self.stock:
            told = [(one.name, one.data.count(b"\n")) for one in reversed(stored[: len(before)]) if b"\n" in one.data]
            assert sender.resume == told[:8], (sender.resume, told)
            last = _last(before)
            first = last.first + dict(sender.resume).get(last.name, 0) if last else 0
            assert first == sender.first or not sender.sent
            sender.first = first


def _last(senders: Sequence[Sender]) -> Sender | None:
    """Return the last of whom something may be stored."""
    return next((sender for sender in reversed(senders) if sender.greeted), None)

"""A day in a LogVM, made up by a seed: senders, the compressor, a witness, and a person who takes something away."""

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from logchain.compress.witness import AskWitness
from logchain.compress.work import Compressor
from logchain.format.add_checkpoint import Answer, parse_answer
from logchain.format.ledger import log_key_name
from logchain.format.record import LINE, PART
from logchain.format.settings import parse_settings
from logchain.store.archive import delete
from logchain.store.forgetting import forget
from logchain.store.layout import open_store
from logchain.store.stream import Rolling, StreamWriter
from logchain_witness.answer import answer
from logchain_witness.note import LOG, parse_key
from logchain_witness.state import Log, State
from tests.conftest import FakeClock, Store
from tests.faults.recorded import Recorder
from tests.store.sealing import opened, stored

__all__ = ["AWAY", "VMS", "Day", "LogVM", "Promised", "line"]

VMS = ("work", "mail", "flood", "leaving")  # flood is over its quota
AWAY = "leaving"  # is forgotten in the end
RULES = """
[collector]
reserve = "0 B"
[store]
heads = "1 min"
idle = "1 hour"
[tiers]
lz4-after = "2 hours"
xz-after = "6 hours"
[vm.flood]
quota = "{quota}"
keep-at-least = "3 hours"
[witness]
key = "{key}"
command = ["qrexec-client-vm"]
"""
HOUR = 3_600


@dataclass
class Promised:
    """What the world outside was told by some moment, and what may have gone by then."""

    sent: dict[str, int] = field(default_factory=dict)  # lines of each VM
    acknowledged: dict[str, int] = field(default_factory=dict)
    going: dict[str, int] = field(default_factory=dict)  # the oldest that may be gone
    gone: dict[str, int] = field(default_factory=dict)  # and those that must be
    forgetting: bool = False  # AWAY
    forgotten: bool = False
    clock: FakeClock = field(default_factory=FakeClock)

    def now(self, clock: FakeClock) -> "Promised":
        """Return what is so now, whatever comes."""
        return replace(
            self,
            sent=dict(self.sent),
            acknowledged=dict(self.acknowledged),
            going=dict(self.going),
            gone=dict(self.gone),
            clock=replace(clock),
        )


def line(vm: str, number: int) -> bytes:
    """Return the line of a VM with this number: some are longer than a page."""
    return b"%s %d " % (vm.encode(), number) + b"x" * (40, 150, 700, 40, 4_500, 90)[number % 6]


class LogVM:
    """A store and its compressor, and a witness that stands in for a qube of its own, below one directory."""

    def __init__(self, path: Path, store: Store) -> None:
        self.path, self.store, self.witness = path, store, State(str(path / "witness"))
        self.complaints: list[str] = []

    def pin(self) -> None:
        """Make the witness, and let it know the store."""
        self.witness.create("vault/logchain-witness")
        origin = log_key_name(self.store.audit.store_id)
        words = (self.store.path / "ledger/entries").read_text().split()
        key = next(word for word in words if word.startswith(f"{origin}+"))
        self.witness.keep(Log(parse_key(key, LOG), "sys-log"))

    def work(self, compressor: Compressor, quota: str) -> None:
        """Let the compressor do all there is to do, with a quota for `flood`."""
        rules = parse_settings(RULES.format(key=self.witness.key()[0], quota=quota))
        while compressor.round(rules):
            pass

    @contextmanager
    def compressor(self) -> Iterator[Compressor]:
        """Start log-compressor, in this process: what qrexec would carry to the witness is carried by a call."""

        def call(_: AskWitness, __: tuple[str, ...], question: bytes) -> Answer:
            return parse_answer(answer(self.witness, question, "sys-log")[0])

        def log(priority: int, told: str) -> None:
            self.complaints += [told] * (priority <= 3)

        with pytest.MonkeyPatch.context() as patch, open_store(self.store.path) as store:
            patch.setattr(AskWitness, "_call", call)
            compressor = Compressor(store, self.store.clock, log, lambda _: None)
            try:
                yield compressor
            finally:
                compressor.close()


class Day:
    """What happens; each step of the disk is recorded, and each promise told."""

    def __init__(self, path: Path, seed: int) -> None:
        path.mkdir()
        self._chance = random.Random(seed)
        self.store = Store.make(path / "store")
        self.logvm = LogVM(path, self.store)
        self.logvm.pin()
        self.recorder, self._promised = Recorder(path), Promised()
        self._writers: dict[str, StreamWriter] = {}
        self._stack = ExitStack()

    def live(self, actions: int) -> None:
        """Let so many things happen, and then what ends a day."""
        self._tell()
        with self.recorder.recording(), self._stack:
            self._start()
            for _ in range(actions):
                self._happen()
            for vm in list(self._writers):
                self._leave(vm)
            for hours in (4, 4):
                self.store.clock.go(hours * HOUR)
                self._round()
            self._take_away()
            self._round()
        assert not self.logvm.complaints

    def _start(self) -> None:
        """Start the compressor; one that runs is ended before."""
        self._stack.close()
        self._compressor = self._stack.enter_context(self.logvm.compressor())

    def _tell(self) -> None:
        self.recorder.tell(self._promised.now(self.store.clock))

    def _happen(self) -> None:
        vm, chance, clock = self._chance.choice(VMS), self._chance, self.store.clock
        match chance.choices(["lines", "leave", "time", "back", "boot", "round"], [10, 3, 3, 1, 1, 3])[0]:
            case "lines":
                self._lines(vm)
            case "leave" if vm in self._writers:
                self._leave(vm)
            case "time":
                clock.go(chance.choice([1, 100, 2 * HOUR]))
            case "back":
                clock.now -= 5_000_000
            case "boot":
                for other in list(self._writers):
                    self._leave(other)
                clock.boot, clock.up = chance.randbytes(16), 1_000_000
                self._start()
            case "round":
                clock.go(100)
                self._round()

    def _lines(self, vm: str) -> None:
        """Let a qube send some lines; the last one perhaps in parts, with a commit between."""
        if vm not in self._writers:
            self._writers[vm] = self.store.open(vm, rolling=Rolling(size=3_000))
            self._writers[vm].start_session(self._chance.randbytes(8), "logchain.Append")
        writer, at = self._writers[vm], self._promised.sent.get(vm, 0)
        sent = [line(vm, at + number) for number in range(self._chance.randrange(1, 5))]
        self._promised.sent[vm] = at + len(sent)
        self._tell()
        now = self.store.clock.wall()
        if len(sent) > 1:
            writer.append(LINE, sent[:-1], now)
        if vm == "work" and self._chance.random() < 0.5:
            writer.append(PART, [sent[-1][:20]], now)
            writer.commit()
            sent[-1] = sent[-1][20:]
        writer.append(LINE, sent[-1:], now)
        writer.commit()
        self._acknowledge(vm)

    def _leave(self, vm: str) -> None:
        """Let a qube hang up."""
        writer = self._writers.pop(vm)
        writer.end_session("eof", b"", 0)
        writer.close()
        self._acknowledge(vm)

    def _acknowledge(self, vm: str) -> None:
        self._promised.acknowledged[vm] = self._promised.sent[vm]
        self._tell()

    def _round(self) -> None:
        """Let the compressor work: what is sealed of `flood` may go."""
        self._promised.going["flood"] = self._promised.acknowledged.get("flood", 0)
        self._tell()
        self.logvm.work(self._compressor, "1 B")
        self._settle("flood")

    def _settle(self, vm: str) -> None:
        """Take note of how much of a VM is gone for good."""
        gone = self._promised.acknowledged.get(vm, 0) - len(stored(self.store, vm))
        self._promised.gone[vm] = self._promised.going[vm] = gone
        self._tell()

    def _take_away(self) -> None:
        """Let a person delete what is old of one qube, and forget another."""
        with opened(self.store) as (store, ledger):
            for path in sorted((self.store.path / "sealed/mail/main").glob("*.manifest"))[:2]:
                self._promised.going["mail"] = self._promised.acknowledged["mail"]
                self._tell()
                delete(store, ledger, "mail", "main", int(path.name[:8]))
                self._settle("mail")
            if (self.store.path / "live" / AWAY).exists():
                self._promised.forgetting = True
                self._tell()
                forget(store, ledger, AWAY)
                self._promised.forgotten = True
                self._tell()

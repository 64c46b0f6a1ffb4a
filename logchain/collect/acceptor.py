"""The door of the LogVM: accepts calls on a socket, judges them, and has an instance serve each.

The acceptor reads a connection's descriptor and no byte behind it, keeps the counts, and opens no stream: it reads no
keys, and waits for no sync.
"""

import os
import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress

from logchain.collect.allowance import Bursts, Quota
from logchain.collect.answers import answers_for
from logchain.collect.control import SUPERSEDE, format_standing
from logchain.collect.descriptor import APPEND, MAX_DESCRIPTOR, Descriptor, parse_descriptor
from logchain.collect.forkserver import ForkServer
from logchain.collect.instance import Order
from logchain.collect.meter import Meter
from logchain.collect.serving import refuse
from logchain.collect.weights import compare, parse_weights
from logchain.format.errors import Busy, Full, LogchainError, OddFile, StoreError, UsageError
from logchain.format.settings import Settings
from logchain.store.layout import LIVE, Directory

__all__ = ["Acceptor"]

_HEADER_TIME = 5.0  # s for a descriptor to arrive
_HEADERS = 64  # connections whose descriptor is awaited; more wait in the kernel
_DISPLACE_TIME = 15.0  # s for a holder to make way: a commit on a slow disk
_MINUTE, _DAY = 60.0, 86_400.0  # s, over which calls and births are counted
_TIDY = 3600.0  # s between two looks for VMs that need not be remembered
_COMPLAINTS = 5  # a minute, in our own log, about one VM
_WEIGH = 20.0  # s between two looks at how much room the VMs take
_NO_DESCRIPTORS = 0.1  # s to wait when a connection cannot be accepted: the machine lacks what it takes


class _Caller:
    """A connection that is not served yet: its descriptor is awaited, or a holder of its stream to make way."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self.connection, self.deadline = connection, deadline
        self.untrusted_data = b""
        self.call: Descriptor | None = None

    def read(self) -> Descriptor | None:
        """Read on, up to the NUL and no byte further; return the call when it is whole. Raises UsageError."""
        try:
            untrusted_data = self.connection.recv(MAX_DESCRIPTOR, socket.MSG_PEEK)
            header, nul, _ = untrusted_data.partition(b"\0")
            self.untrusted_data += self.connection.recv(len(header) + len(nul))
        except OSError as error:
            raise UsageError("cannot read") from error
        if not untrusted_data or len(self.untrusted_data) - len(nul) >= MAX_DESCRIPTOR:
            raise UsageError("not a service descriptor")
        self.call = parse_descriptor(self.untrusted_data[:-1]) if nul else None
        return self.call

    def refuse(self, error: Exception) -> None:
        """Say why not, as far as the pipe takes it, and hang up."""
        with self.connection, suppress(OSError):
            refuse(answers_for(self.call.service if self.call else APPEND, self.connection.fileno()), error)


class _Holder:
    """An instance, and the call whose stream it holds; `control` is our end of the socket to it, and ends with it."""

    def __init__(self, control: socket.socket, call: Descriptor) -> None:
        self.control, self.call = control, call
        self.successor: _Caller | None = None


class Acceptor:
    """Serves `listener` until `stop`, a descriptor, becomes readable; `log` takes lines for our own log."""

    def __init__(
        self,
        listener: socket.socket,
        store: Directory,
        fork_server: ForkServer,
        stop: int,
        log: Callable[[str], None],
        settings: Settings,
    ) -> None:
        self._listener, self._store, self._fork_server = listener, store, fork_server
        self._stop, self._log, self._settings = stop, log, settings
        self._calls, self._births, self._complaints = Meter(_MINUTE), Meter(_DAY), Meter(_MINUTE)
        self._bursts = Bursts()
        self._tidy_at = time.monotonic() + _TIDY
        self._weigh_at, self._weighing, self._weighed = 0.0, -1, b""  # when next; the pipe, and what has come by it
        self._quotas: dict[str, Quota] = {}  # of budgets that are not within theirs
        self._callers: dict[int, _Caller] = {}
        self._instances: dict[int, _Holder] = {}

    def run(self) -> None:
        """Accept, until told to stop. Raises StoreError where no instance can be forked any more."""
        self._listener.setblocking(False)
        while self._turn():
            pass
        self._listener.close()
        for caller in self._callers.values():
            caller.connection.close()
        self._callers.clear()
        for instance in self._instances.values():
            self._turn_away(instance)

    def _turn(self) -> bool:
        accepting = [self._listener.fileno()] if len(self._callers) < _HEADERS else []
        waiting = [*self._callers.values(), *(one.successor for one in self._instances.values() if one.successor)]
        deadline = min([self._weigh_at, *(caller.deadline for caller in waiting)])
        weighing = [self._weighing] if self._weighing >= 0 else []
        ready = self._wait([self._stop, self._fork_server.fileno(), *weighing, *accepting, *self._callers], deadline)
        if self._stop in ready:
            return False
        if self._fork_server.fileno() in ready:
            raise StoreError("the process that forks instances has ended; start again")
        if self._weighing in ready:
            self._take_weights()
        self._hear(ready)
        for fd in [fd for fd in ready if fd in self._callers]:
            self._read(fd)
        now = time.monotonic()
        if now >= self._tidy_at:
            self._tidy_at = now + _TIDY
            self._calls.forget(now)
            self._births.forget(now)
            self._complaints.forget(now)
            self._bursts.forget({instance.call.vm for instance in self._instances.values()})
        if now >= self._weigh_at:
            self._weigh(now)
        for fd in [fd for fd, caller in self._callers.items() if now >= caller.deadline]:
            self._callers.pop(fd).refuse(UsageError("no service descriptor came"))
        for instance in self._instances.values():
            if instance.successor and now >= instance.successor.deadline:
                self._turn_away(instance)
        if self._listener.fileno() in ready:
            self._accept(now)
        return True

    def _wait(self, fds: list[int], deadline: float) -> set[int]:
        poll = select.poll()
        for fd in [*fds, *self._instances]:
            poll.register(fd, select.POLLIN)
        return {fd for fd, _ in poll.poll(max(0.0, 1000 * (deadline - time.monotonic())))}

    def _accept(self, now: float) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:  # no descriptors, no memory: those who are served go on, the others wait in the kernel
            time.sleep(_NO_DESCRIPTORS)
            return
        connection.setblocking(False)
        self._callers[connection.fileno()] = _Caller(connection, now + _HEADER_TIME)

    def _read(self, fd: int) -> None:
        """Read on a descriptor; when it is whole, serve the call, refuse it, or have it wait for a holder."""
        caller = self._callers[fd]
        try:
            call = caller.read()
            if call:
                del self._callers[fd]
                self._admit(caller, call)
        except (LogchainError, OSError) as error:
            self._callers.pop(fd, None)
            self._refuse(caller, error)

    def _admit(self, caller: _Caller, call: Descriptor) -> None:
        """Serve a call if its VM may have one more; raises what it is refused with."""
        now = time.monotonic()
        allowed = self._settings.of(call.vm)
        if not self._calls.take(call.vm, allowed.calls_per_minute, now):
            raise Busy(f"{call.vm} calls too often")
        of_vm = self._instances_of(call.vm)
        holder = next((instance for instance in of_vm if instance.call == call), None)
        if holder:  # who takes a holder's place is no connection more: a VM whose calls are all dead can call again
            if holder.successor:
                raise Busy("somebody waits for this stream already")
            holder.successor, caller.deadline = caller, now + _DISPLACE_TIME
            with suppress(OSError):
                holder.control.send(SUPERSEDE)
            return
        if len(self._instances) >= self._settings.connections or len(of_vm) >= allowed.connections:
            raise Busy(f"{call.vm} has too many connections")
        self._serve(caller, call)

    def _instances_of(self, vm: str) -> list[_Holder]:
        return [instance for instance in self._instances.values() if instance.call.vm == vm]

    def _share(self, vm: str) -> None:
        """Tell a VM's instances, and those of its budget, how they stand, and among how many they share."""
        budget = self._settings.budget(vm)
        quota = self._quotas.get(budget, Quota.WITHIN)
        together = [one for one in self._instances.values() if self._settings.budget(one.call.vm) == budget]
        for instance in together:  # a rate is each VM's own, the floor is the budget's
            sharers = together if quota else self._instances_of(instance.call.vm)
            with suppress(OSError):
                instance.control.send(format_standing(quota, len(sharers)))

    def _weigh(self, now: float) -> None:
        """Have all VMs weighed, if that is not being done: the compressor may be behind, or may evict nothing."""
        self._weigh_at = now + _WEIGH
        if self._weighing < 0:
            with suppress(OSError):  # next time
                self._weighing, self._weighed = self._fork_server.weigh(), b""

    def _take_weights(self) -> None:
        data = os.read(self._weighing, 65_536)
        self._weighed += data
        if data:
            return
        os.close(self._weighing)
        self._weighing = -1
        weights = parse_weights(self._weighed)
        before = self._quotas
        if weights:
            self._quotas = compare(weights, self._settings)
        if before != self._quotas:
            for vm in {instance.call.vm for instance in self._instances.values()}:
                self._share(vm)

    def _serve(self, caller: _Caller, call: Descriptor) -> None:
        """Have an instance serve a call; raises what the call is refused with."""
        if self._store.free() < self._settings.reserve:
            raise Full("the disk is full up to the reserve")
        quota = self._quotas.get(self._settings.budget(call.vm), Quota.WITHIN)
        if quota == Quota.SPENT:
            raise Full("over the quota, and what it may take slowly is used up")
        self._check_birth(call)
        allowed = self._settings.of(call.vm)
        order = Order(
            *call,
            rate=allowed.rate,
            burst=allowed.burst,
            reserve=self._settings.reserve,
            floor=allowed.floor,
            saved=self._bursts.take(call.vm, allowed.burst, allowed.rate, time.monotonic()),
            quota=quota,
            segment=self._settings.store.segment,
            segment_age=self._settings.store.segment_age,
        )
        control = self._fork_server.serve(order, caller.connection)
        caller.connection.close()
        self._instances[control.fileno()] = _Holder(control, call)
        self._share(call.vm)

    def _check_birth(self, call: Descriptor) -> None:
        """See that a VM may have one more stream, if the call needs one."""
        # those of which an instance may not have made the directory yet count as well
        existing = {instance.call.stream for instance in self._instances_of(call.vm)}
        with (
            suppress(FileNotFoundError, OddFile),
            self._store.directory(LIVE) as live,
            live.directory(call.vm) as of_vm,  # of this VM alone: ten thousand streams of others cost nothing
        ):
            existing |= set(of_vm.names())
        if call.stream in existing:
            return
        allowed = self._settings.of(call.vm)
        if len(existing) >= allowed.streams:
            raise Full(f"{call.vm} has {len(existing)} streams, and may have no more")
        if not self._births.take(call.vm, allowed.births_per_day, time.monotonic()):
            raise Busy(f"{call.vm} has had all the births of a day")

    def _hear(self, ready: set[int]) -> None:
        """Take in what instances say: that they will not make way, or, by their end, that they have."""
        for fd in [fd for fd in ready if fd in self._instances]:
            instance = self._instances[fd]
            try:
                said = instance.control.recv(64)
            except ConnectionResetError:
                said = b""
            if said:
                self._turn_away(instance)
                continue
            del self._instances[fd]
            instance.control.close()
            self._share(instance.call.vm)
            if instance.successor:
                caller, instance.successor = instance.successor, None
                try:
                    self._serve(caller, instance.call)
                except (LogchainError, OSError) as error:
                    self._refuse(caller, error)

    def _turn_away(self, instance: _Holder) -> None:
        """Tell a caller that the holder of its stream does not make way."""
        if instance.successor:
            instance.successor.refuse(Busy("the holder is alive"))
            instance.successor = None

    def _refuse(self, caller: _Caller, error: Exception) -> None:
        call = caller.call
        if call and not isinstance(error, Busy | UsageError):  # noqa: SIM102 (two reasons)
            if self._complaints.take(call.vm, _COMPLAINTS, time.monotonic()):  # no VM fills our own log
                self._log(f"{call.vm}/{call.stream}: {error}")
        caller.refuse(error)

"""`log-exporter check`: what is wrong, in plain words, and what to do about it."""

import grp
import os
import select
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from log_exporter.config import Config, Stream
from log_exporter.errors import ConnectionLost, UsageError
from log_exporter.messages import printable, printable_path
from log_exporter.sources.pattern import find
from log_exporter.transport import POLICY_REFUSED, Transport, which
from log_exporter.wire import Greeting, Incoming, Refusal

_GREETING = 20.0  # seconds
_SERVICE = "/var/run/qubes-service"
_JOURNALS = ("/var/log/journal", "/run/log/journal")


class Finding(NamedTuple):
    """One thing that was looked at; `advice` is empty if it is as it should be."""

    what: str
    advice: str = ""

    def __str__(self) -> str:
        return f"WRONG  {self.what}\n       {self.advice}" if self.advice else f"good   {self.what}"


def check(config: Config, carrier: Callable[[str, str], list[str]]) -> Iterator[Finding]:
    """Look at everything; the configuration itself is good, else there would be none."""
    count = len(config.streams)
    yield Finding(f"configuration: {count} stream{'s' if count > 1 else ''}")
    yield from _qube()
    for directory in (config.state, config.spool):
        yield _directory(directory)
    for stream in config.streams:
        yield from _source(stream)
    for stream in config.streams:
        try:
            yield _call(stream.name, carrier(config.transport, stream.name))
        except UsageError as error:
            yield Finding(
                str(error),
                "In a qube qrexec-client-vm comes with the package qubes-core-agent-qrexec (qubes-core-qrexec); "
                "elsewhere set `transport` in the configuration.",
            )
            return


def _qube() -> Iterator[Finding]:
    if os.path.isdir(_SERVICE) and not os.geteuid():
        yield Finding(
            "run by root, who may read everything; as the service's user: sudo -u log-exporter log-exporter check"
        )
    if os.path.isdir(_SERVICE) and not os.path.exists(f"{_SERVICE}/log-exporter"):
        yield Finding(
            "the service log-exporter is off in this qube",
            "In dom0: qvm-service QUBE log-exporter on; then restart the qube.",
        )
    if os.path.isdir("/dev/xen") and os.geteuid() and not _in_group("qubes"):
        yield Finding(
            f"user {os.geteuid()} is not in the group qubes, so it cannot call qrexec",
            "usermod -a -G qubes log-exporter; then restart the service.",
        )


def _in_group(name: str) -> bool:
    try:
        return grp.getgrnam(name).gr_gid in {*os.getgroups(), os.getegid()}
    except KeyError:
        return False


def _directory(path: str) -> Finding:
    above = path
    while not os.path.exists(above):
        above = os.path.dirname(above)
    if os.access(above, os.W_OK | os.X_OK) and os.path.isdir(above):
        return Finding(f"{path}: can be written")
    return Finding(
        f"{printable(path)} cannot be written by user {os.geteuid()}",
        "Make it, and give it to the service's user; in an AppVM it must be on /rw to outlive a restart.",
    )


def _source(stream: Stream) -> Iterator[Finding]:
    if stream.source == "journald":
        yield from _journal(stream)
    for path in stream.settings.get("paths", ()):
        found = list(find(path))
        closed = [name for name in found if not os.access(name, os.R_OK)]
        links = [name for name in found if os.path.islink(name)]
        if links:
            yield Finding(
                f"{stream.name}: {printable_path(links[0])} is a link, and not followed",
                "If what it leads to is to be read, name that in `paths`.",
            )
        elif closed:
            yield Finding(
                f"{stream.name}: {printable_path(closed[0])} cannot be read by user {os.geteuid()}",
                "Give that user the right to read it, with its group or an ACL.",
            )
        elif not found:
            yield Finding(f"{stream.name}: {printable(path)} finds nothing now")
    device = stream.settings.get("device", "/dev/kmsg")
    if stream.source == "kmsg" and not os.access(device, os.R_OK):
        yield Finding(f"{stream.name}: {printable(device)} cannot be read", "The service needs the right CAP_SYSLOG.")
    command = stream.settings.get("command")
    if command and not which(command[0]):
        yield Finding(f"{stream.name}: cannot find {printable(command[0])}", "Correct `command` in the configuration.")


def _journal(stream: Stream) -> Iterator[Finding]:
    if os.geteuid() and not _in_group("systemd-journal"):
        yield Finding(
            f"{stream.name}: user {os.geteuid()} is not in the group systemd-journal: it sees its own entries only",
            "usermod -a -G systemd-journal log-exporter; then restart the service.",
        )
    wanted = stream.settings.get("directory")
    there = [path for path in ([wanted] if wanted else _JOURNALS) if os.path.isdir(path)]
    if not there:
        yield Finding(
            f"{stream.name}: there is no directory {printable(wanted or ' or '.join(_JOURNALS))}",
            "Correct `directory` in the configuration, or leave it out: then it is this system's journal.",
        )
    for path in there:
        if not os.access(path, os.R_OK | os.X_OK):
            yield Finding(
                f"{stream.name}: {printable(path)} cannot be read by user {os.geteuid()}",
                "Give that user the right to read it, with its group or an ACL.",
            )


def _call(stream: str, command: list[str]) -> Finding:
    """Call the collector, and hang up when it has greeted."""
    try:
        with Transport(command) as link:
            return _greeted(stream, link)
    except ConnectionLost as error:
        return Finding(
            f"{stream}: {error}", "Whatever answers is no log-collector: look at `transport` and the policy."
        )


def _greeted(stream: str, link: Transport) -> Finding:
    incoming, until = Incoming(), time.monotonic() + _GREETING
    while (left := until - time.monotonic()) > 0:
        if not select.select([link.down], [], [], left)[0]:
            break
        untrusted_data = link.receive()
        if not untrusted_data:
            return _ended(stream, link.exit_code(1.0))
        for event in incoming.feed(untrusted_data):
            if isinstance(event, Greeting):
                return Finding(f"{stream}: the LogVM answers")
            if isinstance(event, Refusal) and event.words == "busy":
                return Finding(
                    f"{stream}: the LogVM answers, and already gets this stream: from log-exporter, if it runs"
                )
            if isinstance(event, Refusal):
                return Finding(f"{stream}: the LogVM says: {event.words}", "Look there: logchain status.")
    return Finding(f"{stream}: no greeting in {_GREETING:g} s", "Look whether the LogVM is up and log-collector runs.")


def _ended(stream: str, code: int | None) -> Finding:
    if code == POLICY_REFUSED:
        return Finding(
            f"{stream}: the call was refused",
            "Either the policy in dom0 (/etc/qubes/policy.d) does not allow logchain.Append from this qube, or the "
            "LogVM is not running and is not to be started by a call.",
        )
    if code == 127:
        return Finding(
            f"{stream}: the LogVM has no such service", "Install logchain there: logchain.Append is missing."
        )
    return Finding(
        f"{stream}: nobody answers (exit status {code})", "Look whether the LogVM runs, and what its journal says."
    )

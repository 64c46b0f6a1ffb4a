#!/usr/bin/python3
"""logchain-dom0-setup: puts logchain's policy in place in dom0, or takes it away, and never leaves a bad one there."""

import argparse
import difflib
import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

NAME = "30-logchain.policy"  # 30: the user's own, before what packages bring (60 and up)
TEMPLATE = Path(__file__).resolve().parent / NAME
POLICY = Path("/etc/qubes/policy.d")

_VM = re.compile(r"\A[A-Za-z][A-Za-z0-9_.-]{0,30}\Z")
_TAG = re.compile(r"\A[A-Za-z0-9_.-]{1,64}\Z")


class Refused(Exception):
    """Something is not as it must be; nothing was changed. The text says what to do."""


def main() -> None:
    """Run the command; exit 0 when all is as asked, 2 when something must be done first, 3 when the system refuses."""
    options = _parser().parse_args()
    try:
        if options.action == "show":
            sys.stdout.write(policy(options.logvm, options.only_tag, stock=options.qubes_log))
        elif options.action == "install":
            install(options)
        else:
            remove(options)
    except Refused as error:
        _fail(str(error), 2)
    except OSError as error:
        _fail(f"{error.filename or 'the system'}: {error.strerror}", 3)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="logchain-dom0-setup",
        description="Lets the qubes send their logs to the LogVM: installs or removes one file of qrexec policy.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    chosen = argparse.ArgumentParser(add_help=False)
    chosen.add_argument("--logvm", default="sys-log", metavar="QUBE", help="the LogVM (default: %(default)s)")
    chosen.add_argument("--only-tag", metavar="TAG", help="only qubes with this tag may send (qvm-tags QUBE add TAG)")
    chosen.add_argument("--qubes-log", action="store_true", help="send calls of Qubes' own qubes.Log there too")
    place = argparse.ArgumentParser(add_help=False)
    place.add_argument("--policy-dir", type=Path, default=POLICY, metavar="DIR", help="default: %(default)s")
    place.add_argument("--dry-run", action="store_true", help="show what would change, and change nothing")
    place.add_argument("--yes", action="store_true", help="do not ask")
    actions.add_parser("show", parents=[chosen], help="print the policy, check nothing")
    actions.add_parser("install", parents=[chosen, place], help="check the LogVM, then put the policy in place")
    actions.add_parser("remove", parents=[place], help="take the policy away")
    return parser


def policy(logvm: str, only_tag: str | None, *, stock: bool) -> str:
    """Return the text of the policy file; raises Refused for a name that cannot stand in one."""
    if not _VM.match(logvm) or logvm == "dom0":
        raise Refused(f"{logvm!r} is no name of a qube that could be the LogVM; give --logvm QUBE")
    if only_tag is not None and not _TAG.match(only_tag):
        raise Refused(f"{only_tag!r} is no tag: letters, digits, '_', '.', '-'")
    text = re.sub(r"\bsys-log\b", logvm, TEMPLATE.read_text("ascii"))
    if only_tag is not None:
        text = re.sub(r"@anyvm( +@default allow)", rf"@tag:{only_tag}\1", text)
    if stock:
        rules = [line for line in text.splitlines() if line.startswith("logchain.Append ")]
        again = [rule.replace("logchain.Append", "qubes.Log", 1) for rule in rules]
        text += "\n# Qubes' own service, answered by the LogVM in its dialect\n" + "\n".join(again) + "\n"
    return text


def install(options: argparse.Namespace) -> None:
    """Check the LogVM, then put the policy in place."""
    text = policy(options.logvm, options.only_tag, stock=options.qubes_log)
    check_logvm(options.logvm)
    target = options.policy_dir / NAME
    before = _read(target)
    others = sorted(path for path in options.policy_dir.glob("*.policy") if path != target)
    _lint(others, "is wrong already, so qrexec refuses every call; repair that first")
    if before == text:
        print(f"{target} is in place already.")
        return
    if not _agreed(options, target, before, text):
        return
    if before:
        _put(_kept(target), before)
    _put(target, text, check=True)
    print(f"{target} is in place." + (f" What was there is kept as {_kept(target)}." if before else ""))
    print(f"Next, where logs shall be sent from: qvm-service QUBE log-exporter on\nTo undo: {_us()} remove")


def remove(options: argparse.Namespace) -> None:
    """Take the policy away; what was there is kept under a name that qrexec does not read."""
    target = options.policy_dir / NAME
    before = _read(target)
    if not before:
        print(f"{target} is not there; nothing to do.")
        return
    if not _agreed(options, target, before, ""):
        return
    _put(_kept(target), before)
    target.unlink()
    _sync(target.parent)
    print(f"{target} is gone; from now on nobody can send logs. It is kept as {_kept(target)}.")
    print("LogVM, logs and keys are as they were.")


def check_logvm(logvm: str) -> None:
    """See that the LogVM exists, can be one, and has no network; raises Refused.

    A call that the policy sends to a qube that is not there pops up a message, each time, whatever `notify=` says.
    """
    if _run("qvm-check", "--quiet", logvm).returncode:
        raise Refused(f"there is no qube {logvm}; make it first:\n  {_creation(logvm)}")
    kind = _run("qvm-prefs", logvm, "klass").stdout.strip()
    if kind not in ("AppVM", "StandaloneVM"):
        raise Refused(f"{logvm} is a {kind or 'qube of unknown kind'}; a LogVM is an AppVM or a StandaloneVM")
    network = _run("qvm-prefs", logvm, "netvm").stdout.strip()
    if network not in ("", "None"):
        raise Refused(f"{logvm} has a network, by {network}; a LogVM has none:\n  qvm-prefs {logvm} netvm ''")
    if _run("qvm-service", logvm, "logchain").stdout.strip() != "on":
        print(f"Note: the collector of {logvm} is not switched on yet: qvm-service {logvm} logchain on")


def _creation(logvm: str) -> str:
    return f"qvm-create --class AppVM --label black --prop netvm='' --prop autostart=True {logvm}"


def _put(target: Path, text: str, *, check: bool = False) -> None:
    """Put a file in place as a whole or not at all; raises Refused where it is to be checked, and is not accepted.

    Until then its name begins with a dot and does not end with `.policy`: qrexec reads neither.
    """
    new = target.with_name(f".{target.name}.new")
    with suppress(FileNotFoundError):
        new.unlink()
    with open(new, "x", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o664)
        with suppress(PermissionError):
            os.fchown(file.fileno(), -1, target.parent.stat().st_gid)  # qubes, as its neighbours
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        if check:
            _lint([new], "is not accepted, and was not put in place; please report this")
    except Refused:
        new.unlink()
        raise
    os.rename(new, target)
    _sync(target.parent)


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _kept(target: Path) -> Path:
    return target.with_name(f"{NAME}.old")


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "backslashreplace")
    except FileNotFoundError:
        return ""


def _lint(files: list[Path], what: str) -> None:
    """Have Qubes' own tool check policy files; raises Refused."""
    found = _run("qubes-policy-lint", *map(str, files)) if files else None
    if found and (found.returncode or found.stdout.strip()):
        words = [_printable(line) for line in (found.stdout + found.stderr).splitlines()]
        raise Refused("\n".join([f"the policy {what}:", *words]))


def _run(*command: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except FileNotFoundError as error:
        raise Refused(f"there is no {command[0]}; run this in dom0") from error


def _agreed(options: argparse.Namespace, target: Path, before: str, after: str) -> bool:
    """Show what will change, and ask; raises Refused where nobody is there to answer."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), str(target), str(target), lineterm="")
    print("\n".join(_printable(line) for line in lines))
    if options.dry_run:
        print("Nothing was changed.")
        return False
    if options.yes:
        return True
    if not sys.stdin.isatty():
        raise Refused("this asks before it acts; where nobody is there to answer, give --yes. Nothing was changed")
    if input("Change this? [y/N] ").strip().lower() not in ("y", "yes"):
        raise Refused("nothing was changed")
    return True


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def _us() -> str:
    return os.path.basename(sys.argv[0])


def _fail(message: str, code: int) -> NoReturn:
    print(f"{_us()}: {message}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()

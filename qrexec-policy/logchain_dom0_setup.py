#!/usr/bin/python3
"""logchain-dom0-setup: puts logchain's policy in place in dom0, or takes it away, and never leaves a bad one there."""

from __future__ import annotations  # an older dom0's Python reads this file too

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
WITNESS = "31-logchain-witness.policy"
TEMPLATES = Path(__file__).resolve().parent
POLICY = Path("/etc/qubes/policy.d")

_VM = re.compile(r"\A[A-Za-z][A-Za-z0-9_.-]{0,30}\Z")
_TAG = re.compile(r"\A[A-Za-z0-9_.-]{1,64}\Z")
_FILE = re.compile(r"\A[0-9a-z_.-]+\Z")  # a `.policy` of any other name denies every call


class Refused(Exception):
    """Something is not as it must be; nothing was changed. The text says what to do."""


def main() -> None:
    """Run the command; exit 0 when all is as asked, 2 when something must be done first, 3 when the system refuses."""
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # whatever a file there says
    options = _parser().parse_args()
    try:
        if options.action == "show":
            sys.stdout.write(asked(options))
        elif options.action == "install":
            install(options)
        else:
            remove(options)
    except Refused as error:
        _fail(str(error), 2)
    except OSError as error:
        _fail(f"{error.filename or 'the system'}: {error.strerror}", 3)
    except KeyboardInterrupt:
        _fail("interrupted; 'install --dry-run' tells how it stands", 3)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="logchain-dom0-setup",
        description="Lets the qubes send their logs to the LogVM: installs or removes one file of qrexec policy. "
        "With --witness it lets the LogVM ask its witness instead: that is another file.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    chosen = argparse.ArgumentParser(add_help=False)
    chosen.add_argument("--logvm", default="sys-log", metavar="QUBE", help="the LogVM (default: %(default)s)")
    chosen.add_argument("--only-tag", metavar="TAG", help="only qubes with this tag may send (qvm-tags QUBE add TAG)")
    chosen.add_argument("--qubes-log", action="store_true", help="send calls of Qubes' own qubes.Log there too")
    chosen.add_argument("--witness", metavar="QUBE", help="let the LogVM, and nobody else, ask this qube: its witness")
    place = argparse.ArgumentParser(add_help=False)
    place.add_argument("--policy-dir", type=Path, default=POLICY, metavar="DIR", help="default: %(default)s")
    place.add_argument("--dry-run", action="store_true", help="show what would change, and change nothing")
    place.add_argument("--yes", action="store_true", help="do not ask")
    actions.add_parser("show", parents=[chosen], help="print the policy, check nothing")
    actions.add_parser("install", parents=[chosen, place], help="check the LogVM, then put the policy in place")
    removal = actions.add_parser("remove", parents=[place], help="take the policy away")
    removal.add_argument("--witness", action="store_true", help="that of the witness, and not that of the senders")
    return parser


def asked(options: argparse.Namespace) -> str:
    """Return the text of the policy file that is asked for; raises Refused for what cannot stand in one."""
    if options.witness is None:
        return policy(options.logvm, options.only_tag, stock=options.qubes_log)
    if options.only_tag is not None or options.qubes_log:
        raise Refused("--only-tag and --qubes-log are of the policy for senders; install that without --witness")
    return witness_policy(options.logvm, options.witness)


def policy(logvm: str, only_tag: str | None, *, stock: bool) -> str:
    """Return the text of the policy file; raises Refused for a name that cannot stand in one."""
    if not _VM.match(logvm) or logvm == "dom0":
        raise Refused(f"{logvm!r} is no name of a qube that could be the LogVM; give --logvm QUBE")
    if only_tag is not None and not _TAG.match(only_tag):
        raise Refused(f"{only_tag!r} is no tag: letters, digits, '_', '.', '-'")
    text = re.sub(r"\bsys-log\b", logvm, (TEMPLATES / NAME).read_text("ascii"))
    if only_tag is not None:
        text = re.sub(r"@anyvm( +@default allow)", rf"@tag:{only_tag}\1", text)
    if stock:
        rules = [line for line in text.splitlines() if line.startswith("logchain.Append ")]
        again = [rule.replace("logchain.Append", "qubes.Log", 1) for rule in rules]
        text += "\n# Qubes' own service, answered by the LogVM in its dialect\n" + "\n".join(again) + "\n"
    return text


def witness_policy(logvm: str, witness: str) -> str:
    """Return the text of the witness's policy file; raises Refused for a name that cannot stand in one."""
    for qube, option, what in ((logvm, "--logvm", "the LogVM"), (witness, "--witness", "the witness")):
        if not _VM.match(qube) or (qube == "dom0" and qube is logvm):
            raise Refused(f"{qube!r} is no name of a qube that could be {what}; give {option} QUBE")
    if witness == logvm:
        raise Refused("a LogVM cannot be its own witness; give --witness another qube")
    text = re.sub(r"\bsys-log\b", logvm, (TEMPLATES / WITNESS).read_text("ascii"))
    return text.replace("target=vault", f"target={'@adminvm' if witness == 'dom0' else witness}")


def install(options: argparse.Namespace) -> None:
    """Check the qubes and the policy as it is, then put the file in place."""
    text = asked(options).encode("ascii")
    check_logvm(options.logvm)
    if options.witness:
        check_witness(options.witness)
    target = options.policy_dir / (WITNESS if options.witness else NAME)
    before = _read(target)
    _check_others(target)
    if before == text:
        print(f"{target} is in place already.")
        return
    if not _agreed(options, target, before or b"", text):
        return
    kept = _keep(target, before) if before else None
    _put(target, text, check=True)
    print(f"{target} is in place." + (f" What was there is kept as {kept}." if kept else ""))
    if options.witness:
        print(f"Next, in {options.witness}: sudo logchain-witness keygen\nTo undo: {_us()} remove --witness")
    else:
        print(f"Next, where logs shall be sent from: qvm-service QUBE log-exporter on\nTo undo: {_us()} remove")


def remove(options: argparse.Namespace) -> None:
    """Take the policy away; what was there is kept under a name that qrexec does not read."""
    target = options.policy_dir / (WITNESS if options.witness else NAME)
    before = _read(target)
    if before is None:
        print(f"{target} is not there; nothing to do.")
        return
    if not _agreed(options, target, before, b""):
        return
    kept = _keep(target, before)
    target.unlink()
    _sync(target.parent)
    what = "ask the witness" if options.witness else "send logs"
    print(f"{target} is gone; from now on nobody can {what}. It is kept as {kept}.")
    for other in sorted(path for path in target.parent.glob(f"{target.name}.old*") if path != kept):
        print(f"From earlier changes there is {other}.")
    print("LogVM, logs and keys are as they were.")


def check_logvm(logvm: str) -> None:
    """See that the LogVM exists, can be one, and has no network; raises Refused.

    A call that the policy sends to a qube that is not there pops up a message, each time, whatever `notify=` says.
    """
    if not _exists(logvm):
        raise Refused(f"there is no qube {logvm}; make it first:\n  {_creation(logvm)}")
    kind = _property(logvm, "klass")
    if kind not in ("AppVM", "StandaloneVM"):
        raise Refused(f"{logvm} is a {kind}; a LogVM is an AppVM or a StandaloneVM")
    network = _property(logvm, "netvm")
    if network not in ("", "None"):
        raise Refused(f"{logvm} has a network, by {network}; a LogVM has none:\n  qvm-prefs {logvm} netvm ''")
    if _run("qvm-service", logvm, "logchain").stdout.strip() != "on":
        print(f"Note: the collector of {logvm} is not switched on yet: qvm-service {logvm} logchain on")


def check_witness(witness: str) -> None:
    """See that the witness's qube exists; raises Refused."""
    if witness != "dom0" and not _exists(witness):
        raise Refused(f"there is no qube {witness}; give --witness a qube that has logchain-witness")


def _exists(qube: str) -> bool:
    found = _run("qvm-check", "--quiet", qube)
    if found.returncode and found.stderr.strip() and "no such domain" not in found.stderr:
        raise Refused(f"qvm-check cannot tell whether there is a qube {qube}: {_last(found.stderr)}")
    return not found.returncode


def _property(logvm: str, name: str) -> str:
    found = _run("qvm-prefs", logvm, name)
    if found.returncode:
        raise Refused(f"qvm-prefs {logvm} {name}: {_last(found.stderr)}")
    return _printable(found.stdout.strip())


def _creation(logvm: str) -> str:
    return f"qvm-create --class AppVM --label black --property netvm= --property autostart=True {logvm}"


def _put(target: Path, data: bytes, *, check: bool = False) -> None:
    """Put a file in place as a whole or not at all; raises Refused where it is to be checked, and is not accepted.

    Until then its name begins with a dot and does not end with `.policy`: qrexec reads neither.
    """
    new = target.with_name(f".{target.name}.new")
    with suppress(FileNotFoundError):
        new.unlink()
    try:
        with open(new, "xb") as file:
            os.fchmod(file.fileno(), 0o664)
            with suppress(PermissionError):
                os.fchown(file.fileno(), -1, target.parent.stat().st_gid)  # qubes, as its neighbours
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if check:
            _lint([new], "is not accepted, and was not put in place; please report this")
        os.rename(new, target)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise
    _sync(target.parent)


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _keep(target: Path, data: bytes) -> Path:
    """Keep what was there, beside what was kept before: nothing that a person wrote is ever overwritten."""
    number = 1
    while True:
        kept = target.with_name(f"{target.name}.old{number if number > 1 else ''}")
        there = _read(kept)
        if there is None:
            _put(kept, data)
        if there in (None, data):
            return kept
        number += 1


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _check_others(target: Path) -> None:
    """See that the other files are accepted, as far as Qubes' own tool can tell; raises Refused."""
    if not target.parent.is_dir():
        raise Refused(f"there is no {target.parent}; run this in dom0")
    paths = [path for path in target.parent.iterdir() if path.suffix == ".policy" and path.is_file()]
    others = sorted(path for path in paths if not path.name.startswith(".") and path != target)
    wrong = "is wrong already, so qrexec refuses every call; repair that first"
    bad = [_printable(str(path)) for path in others if not _FILE.match(path.name)]
    if bad:
        raise Refused("\n".join([f"the policy {wrong}:", *(f"{path}: no such name is allowed" for path in bad)]))
    _lint(others, wrong)


def _lint(files: list[Path], what: str) -> None:
    """Have Qubes' own tool check policy files; raises Refused."""
    found = _run("qubes-policy-lint", *map(str, files)) if files else None
    if found and (found.returncode or found.stdout.strip()):
        words = [_printable(line) for line in found.stdout.splitlines()] or [_last(found.stderr)]
        raise Refused("\n".join([f"the policy {what}:", *words]))


def _last(text: str) -> str:
    """Return the last line of what a command complained of: of a traceback the one that counts."""
    return _printable((text.strip().splitlines() or ["it failed without a word"])[-1])


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, capture_output=True, check=False, stdin=subprocess.DEVNULL, encoding="utf-8", errors="replace"
        )
    except FileNotFoundError as error:
        raise Refused(f"there is no {command[0]}; run this in dom0") from error


def _agreed(options: argparse.Namespace, target: Path, before: bytes, after: bytes) -> bool:
    """Show what will change, and ask; raises Refused where nobody is there to answer."""
    old, new = (text.decode("utf-8", "backslashreplace").splitlines() for text in (before, after))
    lines = difflib.unified_diff(old, new, str(target), str(target), lineterm="")
    print("\n".join(_printable(line) for line in lines))
    if options.dry_run:
        print("Nothing was changed.")
        return False
    if options.yes:
        return True
    if not sys.stdin.isatty():
        raise Refused("this asks before it acts; where nobody is there to answer, give --yes. Nothing was changed")
    try:
        answer = input("Change this? [y/N] ")
    except (EOFError, KeyboardInterrupt):
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
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

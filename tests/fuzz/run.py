"""Runs one target under atheris, or all of them as one; `make fuzz` does it for each, for ten minutes.

python -m tests.fuzz.run [TARGET [libFuzzer's options…]]: without any, the targets are named; `all`: the first byte
chooses which. What libFuzzer found worth keeping becomes the corpus. Exit code 0, or libFuzzer's where a target failed:
what did it is told, and left beside.
"""

import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["logchain", "log_exporter"]):
    from tests.fuzz.seeds import keep, kept
    from tests.fuzz.targets import OURS, TARGETS

ALL, PROGRAM = "all", "LOGCHAIN_FUZZ_PROGRAM"


def one(target: str, data: bytes) -> None:
    """Give an input to a target; every exception but ours leaves it."""
    with suppress(*OURS):
        TARGETS[target].run(data)


def any_of_them(data: bytes) -> None:
    """Give an input to the target that its first byte chooses."""
    names = list(TARGETS)
    one(names[data[0] % len(names)], data[1:]) if data else None


def begin(target: str, directory: Path) -> None:
    """Write down what there is to begin with."""
    for number, name in enumerate(TARGETS):
        prefix = bytes([number]) if target == ALL else b""
        for at, data in enumerate([*TARGETS[name].seeds(), *kept(name)] if target in (name, ALL) else []):
            (directory / f"{name}-{at}").write_bytes(prefix + data)


def fuzz(target: str, program: str, options: list[str]) -> None:
    """Fuzz; does not return. `program` is what libFuzzer runs where it wants another process like this one."""
    atheris.Setup([program, *options], any_of_them if target == ALL else lambda data: one(target, data))
    atheris.Fuzz()


def main() -> int:
    """Fuzz in a process of its own, which libFuzzer ends, and keep what it found."""
    if len(sys.argv) < 2:
        print(*TARGETS)
        return 0
    target, *options = sys.argv[1:]
    if target not in (*TARGETS, ALL):
        print(f"no target {target}; there are: {' '.join([*TARGETS, ALL])}", file=sys.stderr)
        return 2
    if again := os.environ.get(PROGRAM):
        fuzz(target, again, options)
    with tempfile.TemporaryDirectory() as temporary:
        program, found, merged = (Path(temporary, name) for name in ("program", "found", "merged"))
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m tests.fuzz.run {target} "$@"\n')
        program.chmod(0o700)
        found.mkdir()
        merged.mkdir()
        begin(target, found)
        environment = os.environ | {PROGRAM: str(program)}
        code = subprocess.run([program, *options, found], env=environment, check=False).returncode
        if code == 0 and target != ALL:
            subprocess.run([program, "-merge=1", merged, found], env=environment, check=True)
            keep(target, {path.read_bytes() for path in merged.iterdir()} - set(TARGETS[target].seeds()))
    return code


if __name__ == "__main__":
    sys.exit(main())

"""Runs the tests of `format/` and `store/` against every mutant of these rooms, and says which ones lived.

python -m tests.mutation [--sample N] [FILE[:LINE]…]: without files, all of both rooms. pytest collects once, and a
process is forked for each mutant: in it the functions get the changed code, and the tests that reach the changed line
run until one fails. (mutmut, which does `format/`, starts pytest anew for each mutant: hours for `store/`.) A mutant
may write for ever: all files are below one directory in `/var/tmp`, and who fills it is ended. Exit code 0, or 1 where
more lived than may. Run it in the tree's root.
"""

import argparse
import gc
import os
import random
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import FunctionType
from typing import NamedTuple

import coverage
import pytest
from _pytest.runner import runtestprotocol
from hypothesis import Phase, settings

from tests.mutation.changes import Key, Mutant, codes, mutants
from tests.mutation.share import LEAST

ROOT = Path.cwd()
ROOMS = ("format", "store")
SLOW = "not every_step and not every_call_may and not sender_that_comes and not TestStream"  # minutes, all of them
SPARSE = "not giant"  # a file of a tebibyte, all holes
SEED = 20261124
_ENOUGH, _MOST, _PATIENCE = 2.5, 15, 120  # s of CPU behind which no more tests begin; and that end one; s of the clock
_FILE, _PLACE, _MEMORY = 64 << 20, 256 << 20, 4 << 30  # bytes: of one file, of all files of a mutant, of a process
_LOOK = 0.2  # s between looks at how much there is
_LIVED, _KILLED, _FAULT = 0, 1, 2
_Functions = dict[str, list[tuple[Key, FunctionType]]]  # of each file


class Case(NamedTuple):
    """A mutant and the file that it is of, below the root."""

    path: str
    mutant: Mutant

    def __str__(self) -> str:
        mutant = self.mutant
        was, becomes = (" ".join(text.split()) for text in (mutant.was, mutant.becomes))
        return f"{self.path}:{mutant.line}:{mutant.column}: {was[:150]}  →  {becomes[:150]}"


class Mutants:
    """A pytest plugin that, in place of a run, runs once to see which tests reach which lines, and then the mutants."""

    def __init__(self, cases: list[Case], place: Path) -> None:
        self._cases, self._place = cases, place
        self._seconds: dict[str, float] = {}  # a test: how long it took
        self._killers: dict[str, list[str]] = {}  # a file: tests that found something in it, the last first
        self.outcomes: Counter[tuple[str, str]] = Counter()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run."""
        items = {item.nodeid: item for item in session.items}
        reached = self._reached(list(items.values()))
        print(f"{len(items)} tests without any mutant: {sum(self._seconds.values()):.0f} s of CPU", flush=True)
        functions = _functions({case.path for case in self._cases})
        gc.freeze()
        for case in self._cases:
            tests = self._in_order(case, reached.get((case.path, case.mutant.line), set()))
            outcome = self._try(case, [items[test] for test in tests], functions) if tests else "no test"
            self.outcomes[case.path, outcome] += 1
            if outcome != "killed":
                print(f"{outcome}: {case}", flush=True)
        return True

    def _reached(self, items: list[pytest.Item]) -> dict[tuple[str, int], set[str]]:
        """Run all tests as they are, and return those that reach each line."""
        measured = coverage.Coverage(data_file=None, branch=False, include=[f"{ROOT}/logchain/*"], config_file=False)
        measured.start()
        for item in items:
            measured.switch_context(item.nodeid)
            before = time.process_time()
            if not _passes(item):
                raise pytest.UsageError(f"{item.nodeid} fails without any mutant")
            self._seconds[item.nodeid] = time.process_time() - before
        measured.stop()
        data, reached = measured.get_data(), dict[tuple[str, int], set[str]]()
        for path in data.measured_files():
            name = str(Path(path).relative_to(ROOT))
            tests = f"tests/{Path(name).parent.name}/"
            for line, contexts in data.contexts_by_lineno(path).items():
                reached[name, line] = {context for context in contexts if context.startswith(tests)}
        return reached

    def _in_order(self, case: Case, tests: set[str]) -> list[str]:
        """Return first what found others in this file, then the tests that are named after it, then what is fast."""
        stem = Path(case.path).stem
        known = [test for test in self._killers.get(case.path, []) if test in tests][:5]
        rest = sorted(
            tests.difference(known), key=lambda test: (stem not in test.partition("::")[0], self._seconds[test])
        )
        return known + rest

    def _try(self, case: Case, items: list[pytest.Item], functions: _Functions) -> str:
        """Run the tests with a mutant in a process of its own."""
        readable, writable = os.pipe()
        child = os.fork()
        if not child:
            code = _FAULT
            try:
                os.setpgid(0, 0)
                os.close(readable)
                code = _child(case, items, functions, writable)
            finally:
                os._exit(code)
        os.close(writable)
        kept = set(self._place.glob("*/*"))
        handle = os.pidfd_open(child)
        while not select.select([handle], [], [], _LOOK)[0]:
            if _size(self._place) > _PLACE:
                os.kill(child, signal.SIGKILL)
        os.close(handle)
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # what a test started
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        for left in set(self._place.glob("*/*")) - kept:
            shutil.rmtree(left, ignore_errors=True)
        os.set_blocking(readable, False)  # what a test started may hold the other end
        with open(readable, "rb", buffering=0) as pipe:
            killer = (pipe.read(4_096) or b"").decode()
        if status == _FAULT:
            raise pytest.UsageError(f"cannot be tried: {case}")
        if killer:
            found = self._killers.setdefault(case.path, [])
            self._killers[case.path] = [killer, *(test for test in found if test != killer)]
        return {_LIVED: "lived", _KILLED: "killed"}.get(status, "timed out")


def _child(case: Case, items: list[pytest.Item], functions: _Functions, writable: int) -> int:
    nowhere = os.open(os.devnull, os.O_RDWR)
    changed = codes(case.mutant.code)
    for key, function in functions[case.path]:
        if key in changed and function.__code__ != changed[key]:
            function.__code__ = changed[key]
    resource.setrlimit(resource.RLIMIT_CPU, (_MOST, _MOST))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.alarm(_PATIENCE)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    for item in items:
        if not _passes(item):
            os.write(writable, item.nodeid.encode())
            return _KILLED
        if time.process_time() > _ENOUGH:
            break
    return _LIVED


def _size(place: Path) -> int:
    """Return how many bytes the files below a directory take now."""
    total = 0
    for directory, _, names in os.walk(place):
        for name in names:
            with suppress(OSError):  # tests remove theirs meanwhile
                total += 512 * os.lstat(f"{directory}/{name}").st_blocks
    return total


def _passes(item: pytest.Item) -> bool:
    return not any(report.failed for report in runtestprotocol(item, log=False, nextitem=None))


def _functions(paths: set[str]) -> _Functions:
    """Return the functions of these files that there are now, and which of its file's each is."""
    original = {path: codes(compile((ROOT / path).read_text(), str(ROOT / path), "exec")) for path in paths}
    found: _Functions = {path: [] for path in paths}
    for function in [thing for thing in gc.get_objects() if isinstance(thing, FunctionType)]:
        code = function.__code__
        path = code.co_filename.removeprefix(f"{ROOT}/")
        for key, known in original.get(path, {}).items():
            if key[:2] == (code.co_qualname, code.co_firstlineno) and known.co_code == code.co_code:
                found[path].append((key, function))
                break
    return found


def cases(chosen: list[str]) -> list[Case]:
    """Return the mutants of these files, or of those lines of them."""
    every = [str(path.relative_to(ROOT)) for room in ROOMS for path in sorted((ROOT / "logchain" / room).glob("*.py"))]
    found = []
    for one in chosen or every:
        path, _, line = one.partition(":")
        made = mutants((ROOT / path).read_text(), str(ROOT / path))
        found += [Case(path, mutant) for mutant in made if not line or mutant.line == int(line)]
    return found


def sampled(found: list[Case], number: int) -> list[Case]:
    """Return so many cases of each file, by chance that is the same each time."""
    kept = []
    for path in dict.fromkeys(case.path for case in found):
        of = [case for case in found if case.path == path]
        chosen = random.Random(SEED).sample(range(len(of)), min(number, len(of)))
        kept += [of[at] for at in sorted(chosen)]
    return kept


def report(outcomes: Counter[tuple[str, str]]) -> bool:
    """Print the numbers of each file and each room; tell whether they are good enough."""
    good = True
    print(f"{'mutants':>8} {'killed':>8} {'timed out':>10} {'lived':>8} {'no test':>8}")
    for room in ROOMS:
        paths = sorted({path for path, _ in outcomes if Path(path).parent.name == room})
        for name, of in [*((path, [path]) for path in paths), *([(f"all of {room}/", paths)] if paths else [])]:
            counts = [sum(outcomes[path, what] for path in of) for what in ("killed", "timed out", "lived", "no test")]
            share = (counts[0] + counts[1]) / sum(counts)
            print("{:8} {:8} {:10} {:8} {:8}".format(sum(counts), *counts), f"{share:7.1%}  {name}")
        if paths:
            good &= share * 100 >= LEAST
    return good


def main() -> int:
    """Try the mutants, and say how many were found."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__.partition("\n")[0])
    parser.add_argument("--sample", type=int, help="try so many of each file, the same each time")
    parser.add_argument("chosen", nargs="*", metavar="FILE[:LINE]", help="below the tree's root")
    given = parser.parse_args()
    found = cases(given.chosen)
    if given.sample:
        found = sampled(found, given.sample)
    settings.register_profile("mutants", database=None, derandomize=True, phases=[Phase.explicit, Phase.generate])
    settings.load_profile("mutants")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # who ends it leaves no files behind
    for limit, most in ((resource.RLIMIT_FSIZE, _FILE), (resource.RLIMIT_AS, _MEMORY)):
        resource.setrlimit(limit, (most, most))  # now: a test that needs more has to fail without any mutant
    for name in ("fsync", "fdatasync"):  # no power is lost here, and a disk may take long
        setattr(os, name, os.fstat)
    rooms = sorted({Path(case.path).parent.name for case in found})
    with tempfile.TemporaryDirectory(prefix="mutants-", dir="/var/tmp") as name:
        place = Path(name)
        for below in ("tests", "other"):
            (place / below).mkdir()
        os.environ["TMPDIR"] = tempfile.tempdir = f"{place}/other"
        plugin = Mutants(found, place)
        options = ["-q", "-s", "-n", "0", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
        options += [f"--basetemp={place}/tests", "-o", "tmp_path_retention_policy=failed", f"--rootdir={ROOT}"]
        options += ["-k", f"{SLOW} and {SPARSE}"]
        code = pytest.main([*options, *(f"{ROOT}/tests/{room}" for room in rooms)], plugins=[plugin])
    if code != pytest.ExitCode.OK:
        return 2
    return 0 if report(plugin.outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())

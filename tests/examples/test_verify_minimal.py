"""The verifier that was written from the pages alone agrees with all vectors, and with `logchain verify` on attacks."""

import ast
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from logchain.format.audit import format_audit
from logchain.format.errors import LogchainError
from logchain.format.ledger import fingerprint, open_genesis
from logchain.read.verify import verify_store
from logchain.store.layout import open_store
from logchain.store.restoring import restore
from tests.attacks.attack import Attack
from tests.attacks.catalogue import ATTACKS, flip
from tests.attacks.pinned import Pinned, make_template
from tests.attacks.test_any_change import change
from tests.attacks.vault import Watched, copy_watched, watch
from tests.docs.pages import ROOT
from tests.examples.minimal_vectors import PROGRAM, READERS, minimal

VECTORS = ROOT / "tests" / "vectors"
CODES = {"INTACT": 0, "DAMAGED": 1, "CANNOT TELL": 3}


def disagreement(vector: dict[str, Any], is_good: bool, what: str) -> str | None:
    """Return how the program differs from a vector."""
    refused = ""
    try:
        found = READERS[what](vector)
    except minimal.Malformed:
        refused = "malformed"
    except minimal.NotSigned:
        refused = "not signed"
    if not is_good:
        # of a whole ledger each page tells what is wrong first; here all that matters is that it is refused
        good = refused == vector.get("class", refused) or (refused and what == "ledger/entries")
        return None if refused and good else f"{what}, {vector['name']}: {refused or 'taken for good'}"
    if refused:
        return f"{what}, {vector['name']}: {refused}"
    other = [name for name, value in found.items() if name in vector and vector[name] != value]
    return f"{what}, {vector['name']}: {other}" if other else None


@pytest.mark.parametrize("page", sorted({name.split("/")[0] for name in READERS}))
def test_it_agrees_with_the_vectors(page: str) -> None:
    """Every vector of what it reads: good ones mean the same, bad ones are refused, for the same class of reason."""
    data = json.loads((VECTORS / f"{page}.json").read_text())
    tasks = [
        (vector, group == "good", what)
        for group in ("good", "bad")
        for vector in data[group]
        if (what := f"{page}/{vector['what']}") in READERS
    ]
    assert tasks
    with ThreadPoolExecutor(4) as pool:  # they wait for openssl
        found = pool.map(lambda task: disagreement(*task), tasks)
    assert [line for line in found if line] == []


def test_no_kind_of_vector_is_left_out_unnoticed() -> None:
    """What the program does not read is named here."""
    there = {f"{path.stem}/{v['what']}" for path in VECTORS.glob("*.json") for v in _all(path)}
    left_out = {
        *(
            "checkpoint/proof",
            "checkpoint/inclusion",
            "checkpoint/consistency",
            "checkpoint/growth",
            "files/seed",
            "files/secret",
            "note/sign",
            "record/line",
        ),
        *("ledger/genesis", "ledger/fingerprint-of", "ledger/ledger-key", "ledger/recovery", "ledger/age-now"),
        *("ledger/log-key", "ratchet/segment-step", "segment-key/segment key", "tags/tags", "tags/segments"),
    }
    of_other_programs = {"evidence", "line", "wire", "cosignature", "policy", "witness"}
    assert {name for name in there - set(READERS) - left_out if name.split("/")[0] not in of_other_programs} == set()
    assert set(READERS) <= there


def _all(path: Path) -> list[dict[str, Any]]:
    data = json.loads(path.read_text())
    return [*data["good"], *data["bad"]]


# ---- stores: both verifiers look at each, with the fingerprint alone, and with the audit secret as well ----


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """The store that is attacked; each signature goes to openssl once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(minimal, "verifies", cache(minimal.verifies))
        patch.setattr(minimal, "public_of", cache(minimal.public_of))
        place = tmp_path_factory.mktemp("template")
        yield watch(make_template(place / "store"), place / "witness")


@pytest.fixture
def store(template: Watched, tmp_path: Path) -> Watched:
    """A copy of it."""
    return copy_watched(template, tmp_path / "store")


def verdicts(store: Pinned, *, pinned: bool, audited: bool, restored: int = 0) -> tuple[int, int]:
    """Return the exit codes that `logchain verify` and the program come to."""
    try:
        with open_store(store.path) as directory:
            verdict = verify_store(
                directory,
                store.audit if audited else None,
                fingerprint=store.fingerprint if pinned else None,
                restored=restored,
            ).verdict.value
    except LogchainError as error:
        verdict = error.exit_code
    secret = SimpleNamespace(store=store.audit.store_id.hex(), secret=store.audit.secret.hex())
    root = os.open(store.path, os.O_DIRECTORY)
    try:
        pin = minimal.fingerprint_digits(store.fingerprint) if pinned else None
        check = minimal.Check(root, pin, secret if audited else None, restored)
        check.run()
    finally:
        os.close(root)
    return verdict, 1 if check.damage else 3 if check.unknown else 0


def agreed(store: Pinned) -> list[int]:
    """Return the verdicts with fingerprint, with fingerprint and secret, with the secret alone; both have to agree."""
    found = []
    for pinned, audited in ((True, False), (True, True), (False, True)):
        theirs, mine = verdicts(store, pinned=pinned, audited=audited)
        assert mine == theirs, (pinned, audited)
        found.append(mine)
    return found


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.who}: {attack.what}")
def test_both_verifiers_agree_on_an_attack(store: Watched, attack: Attack) -> None:
    """Whatever was done, both come to the verdict of the catalogue, with whatever the person has who looks."""
    attack.do(store)
    public, audited, _ = agreed(store)
    assert (public, audited, store.witnessed()) == (CODES[attack.public], CODES[attack.audited], attack.layers[2])


@pytest.mark.parametrize("seed", range(24))
def test_both_verifiers_agree_whatever_becomes_of_a_file(store: Pinned, seed: int) -> None:
    """Any one file, changed in any way; and nobody falls over."""
    change(store, random.Random(seed))
    agreed(store)


def test_both_verifiers_agree_on_a_backup_that_came_back(store: Pinned) -> None:
    """It is told, and intact to who knows of it; a segment that was open then is proven to end where it does."""
    with store.ledger() as (directory, ledger):
        restore(directory, ledger)
    assert verdicts(store, pinned=True, audited=False) == (3, 3)
    store.log(b"goes on")
    store.list_heads()
    store.roll()
    store.seal(block_size=4096)
    for audited in (False, True):
        assert verdicts(store, pinned=True, audited=audited, restored=1) == (0, 0)
    shutil.copy(store.directory("vault") / "ratchet", store.directory() / "ratchet")
    assert verdicts(store, pinned=True, audited=False, restored=1) == (1, 1)


def test_clean_stores_of_many_sizes_are_intact(tmp_path: Path) -> None:
    """Segments of one block, and of one less and more than each power of two, in each tier: no cry of wolf."""
    store = Pinned.make(tmp_path / "store")
    store.fingerprint = fingerprint(open_genesis(store.split()[0])[1].key)
    assert agreed(store) == [3, 3, 3]  # nothing is there yet
    for count, tier in zip((1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33), cycle(("", ".lz4", ".xz")), strict=False):
        store.log(*(b"x" * 400 for _ in range(count)))
        store.clock.go(-5 if count % 2 else 5)  # a clock that is set back now and then
        store.roll()
        store.seal(block_size=512, tier=tier)
    store.log(b"open")
    assert agreed(store) == [0, 0, 0]


# ---- the program ----


def run(*words: str | Path) -> tuple[int, str]:
    """Run it as its reader does: alone, without logchain and all that pip installed."""
    done = subprocess.run([sys.executable, "-I", "-S", PROGRAM, *words], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


def test_the_program_says_what_it_checked_and_what_not(store: Pinned, tmp_path: Path) -> None:
    """Exit codes 0 to 3, and plain words for each."""
    secret = tmp_path / "audit-secret"
    secret.write_bytes(format_audit(store.audit))
    pin = ("--fingerprint", store.fingerprint)
    code, out = run(*pin, "--audit-secret", secret, store.path)
    assert (code, out.splitlines()[-1]) == (0, "INTACT")
    assert "not checked: witnesses" in out
    assert "their tags and keys: yes" in out
    code, out = run(*pin, store.path)
    assert (code, "only the audit secret can tell" in out) == (0, True)
    code, out = run(store.path)
    assert (code, out.splitlines()[-1]) == (3, "CANNOT TELL")
    flip(store.text(1), 300)
    code, out = run(*pin, store.path)
    assert (code, out.splitlines()[-1]) == (1, "DAMAGED")
    assert "work/main, segment 1: the text at" in out
    assert run("--fingerprint", "0" * 64, store.path)[0] == 1
    assert run("--fingerprint", "x", store.path)[0] == 2
    assert run(tmp_path / "nowhere")[0] == 2
    assert run(tmp_path)[0] == 3


def test_it_takes_nothing_but_the_standard_library() -> None:
    """What it imports is Python's own; nothing of logchain is among it."""
    names = [
        (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(ast.parse(PROGRAM.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    ]
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names

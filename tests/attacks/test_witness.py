"""Attacks of root in the LogVM on a store that has a witness: what each layer of evidence then says.

Root has the keys of now, can put any older copy of anything in place, and can ask the witness what it likes. The
layers: what `verify` says with the fingerprint, with the audit secret besides, and with the witness's key; what the
witness says when it is asked; and what `logchain-witness check` says of the checkpoint in the store.
"""

import shutil
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from logchain.compress.witness import AskWitness
from logchain.format.add_checkpoint import format_add_checkpoint
from logchain.format.checkpoint import Checkpoint, format_checkpoint
from logchain.format.ledger import Config, log_key_name, split_entries
from logchain.format.ledger_keys import parse_log_key
from logchain.format.limits import MAX_CHECKPOINT
from logchain.format.merkle import Tree, consistency_proof, leaf_hash
from logchain.format.signed_note import COSIGNATURE, parse_note, public_key, sign
from logchain.format.tlog_policy import Policy
from logchain.read.verify import Report, Verdict, verify_store
from logchain.store.layout import open_store
from logchain.store.restoring import restore
from logchain_witness.answer import answer
from logchain_witness.main import main
from logchain_witness.note import LOG, Key, cosign
from logchain_witness.state import Log
from tests.attacks.pinned import Pinned, copy, everything, make_template, session
from tests.attacks.vault import Vault, log_key

INTACT, DAMAGED = Verdict.INTACT, Verdict.DAMAGED
STALE = 1_700_000_000  # s since 1970: long ago


@dataclass
class Scene:
    """A store that was witnessed, and root, who has a copy of what it was before."""

    store: Pinned
    vault: Vault
    before: Path

    def ask(self, vault: Vault | None = None) -> str:
        """Let the compressor show the ledger; return what it complains of."""
        with open_store(self.store.path) as directory:
            asking = AskWitness(directory, self.store.clock, lambda *_: None)
            asking.tend((vault or self.vault).settings)
        return asking.complaint

    def go_on(self) -> None:
        """Let more be logged, sealed and listed."""
        session(self.store, 3)
        self.store.list_heads()
        self.store.roll()
        self.store.seal()

    def roll_back(self, *parts: str) -> None:
        """Put parts of the store, or all of it, back to what they were before."""
        for part in parts or (".",):
            shutil.rmtree(self.store.path / part)
            shutil.copytree(self.before / part, self.store.path / part)

    def report(self, policy: Policy | None = None, *, audited: bool = False) -> Report:
        """Verify with the fingerprint, and with what else there is."""
        with open_store(self.store.path) as directory:
            return verify_store(
                directory,
                self.store.audit if audited else None,
                fingerprint=self.store.fingerprint,
                policy=policy,
            )

    def layers(self) -> tuple[Verdict, Verdict, Verdict]:
        """Return the verdicts with the fingerprint, with the audit secret too, and with the witness's key."""
        return self.report().verdict, self.report(audited=True).verdict, self.report(self.vault.policy).verdict

    def said(self, policy: Policy | None = None) -> str:
        """Return what verify says with the witness's key."""
        return "\n".join(finding.text for finding in everything(self.report(policy or self.vault.policy)))

    def age(self) -> None:
        """Date the cosignature in the store back, as if it had been signed long ago: only time makes it stale."""
        key, seed = self.vault.state.key()
        path = self.store.path / "ledger" / "witnessed"
        if path.exists():
            note = parse_note(path.read_bytes(), MAX_CHECKPOINT)
            head = path.read_bytes().partition(b"\n\n")[2].partition(b"\n")[0]
            path.write_bytes(note.text + b"\n" + head + b"\n" + cosign(note.text, key, seed, STALE))

    def leaves(self) -> list[bytes]:
        """Return the hashes of the entries."""
        return [leaf_hash(entry) for entry in split_entries(self.store.entries.read_bytes())[0]]

    def checkpoint(self, leaves: list[bytes]) -> bytes:
        """Sign any checkpoint: the log key is root's."""
        name = log_key_name(self.store.audit.store_id)
        seed = parse_log_key((self.store.path / "keys" / "log").read_bytes()).seed
        return sign(format_checkpoint(Checkpoint(name, len(leaves), tree(leaves).root())), name, seed)


def tree(leaves: list[bytes]) -> Tree:
    """Return the tree over these."""
    found = Tree()
    for leaf in leaves:
        found.append(leaf)
    return found


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A store that was witnessed, copied, and then went on and was witnessed again; every attack gets a copy of it."""
    place = tmp_path_factory.mktemp("template")
    store = make_template(place / "store")
    vault = Vault(place / "witness")
    vault.begin(log_key(store))
    scene = Scene(store, vault, place / "before")
    assert scene.ask() == ""
    shutil.copytree(store.path, scene.before)
    for _ in range(3):
        scene.go_on()
    assert scene.ask() == ""
    return scene


@pytest.fixture
def scene(template: Scene, tmp_path: Path) -> Scene:
    """A copy of all three."""
    shutil.copytree(template.vault.state.path, tmp_path / "witness")
    shutil.copytree(template.before, tmp_path / "before")
    return Scene(copy(template.store, tmp_path / "store"), Vault(tmp_path / "witness"), tmp_path / "before")


def test_untouched(scene: Scene) -> None:
    """All layers agree, and nothing is said of the witness but how far it is."""
    assert scene.layers() == (INTACT, INTACT, INTACT)
    assert "witness" not in scene.said()
    report = scene.report(scene.vault.policy)
    assert report.witness
    assert report.witness.entries == scene.vault.size() == len(scene.leaves())
    assert scene.vault.checks(scene.store) == 0


def test_rollback_of_the_logs_only(scene: Scene) -> None:
    """The ledger names what is missing: two layers find it without a witness."""
    scene.roll_back("live", "sealed")
    assert scene.layers() == (DAMAGED, DAMAGED, DAMAGED)
    assert scene.ask() == ""  # the ledger did not go back


def test_rollback_of_the_keys_only(scene: Scene) -> None:
    """The ledger's head names another key than the one in hand."""
    scene.roll_back("keys")
    assert scene.layers() == (DAMAGED, DAMAGED, DAMAGED)


def test_rollback_of_everything(scene: Scene) -> None:
    """A perfect store of then: only the witness knows more. `verify` says since when; asked, the witness refuses."""
    scene.roll_back()
    scene.age()
    assert scene.layers() == (INTACT, INTACT, INTACT)
    assert "not witnessed since 2023-11-14" in scene.said()
    assert "this is an older copy, or the newest were removed" in scene.ask()
    assert scene.vault.checks(scene.store) == 1
    assert scene.vault.state.refused(scene.vault.origin)


def test_rollback_of_everything_but_the_cosignature(scene: Scene) -> None:
    """Whoever keeps the newest cosignature, so that it looks fresh, is found by it."""
    fresh = (scene.store.path / "ledger" / "witnessed").read_bytes()
    scene.roll_back()
    (scene.store.path / "ledger" / "witnessed").write_bytes(fresh)
    assert scene.layers() == (INTACT, INTACT, DAMAGED)
    assert "the newest were removed" in scene.said()


def test_rollback_of_the_whole_machine(scene: Scene) -> None:
    """With clock and boot of then: what the LogVM believes of time makes no difference to the witness."""
    scene.roll_back()
    scene.store.clock.now -= 7 * 86_400_000_000
    scene.store.clock.up -= 1_000_000_000
    scene.age()
    assert scene.layers() == (INTACT, INTACT, INTACT)
    assert "not witnessed since" in scene.said()
    assert "this is an older copy" in scene.ask()


def test_rollback_without_a_trace_of_witnesses(scene: Scene) -> None:
    """As if there had never been a witness: said, not passed over."""
    scene.roll_back()
    (scene.store.path / "ledger" / "witnessed").unlink()
    assert scene.layers() == (INTACT, INTACT, INTACT)
    assert "not witnessed: no cosignature" in scene.said()
    assert "this is an older copy" in scene.ask()


@pytest.mark.parametrize(
    ("rounds", "complaint", "checked"),
    [
        (1, "this is an older copy", 1),
        (3, "the witness signed another ledger", 1),
        (6, "it remembers another ledger", 3),
    ],
)
def test_truncation_and_then_going_on(scene: Scene, rounds: int, complaint: str, checked: int) -> None:
    """Shorter, as long, or longer than what was witnessed: never signed again, and so 'since' grows older."""
    size = scene.vault.size()
    scene.roll_back()
    for _ in range(rounds):
        scene.go_on()
    scene.age()
    assert scene.layers() == (INTACT, INTACT, INTACT)
    assert "not witnessed since" in scene.said()
    assert complaint in scene.ask()
    assert scene.vault.size() == size
    assert scene.vault.checks(scene.store) == checked


def test_two_ledgers_from_one(scene: Scene) -> None:
    """A fork: the witness signs one, and with its signature the other is damaged."""
    fresh = (scene.store.path / "ledger" / "witnessed").read_bytes()
    scene.roll_back()
    while len(scene.leaves()) <= scene.vault.size():
        session(scene.store, 2, "vault")
        scene.store.roll("vault")
        scene.store.seal("vault")
    assert scene.layers() == (INTACT, INTACT, INTACT)
    assert "it remembers another ledger" in scene.ask()
    (scene.store.path / "ledger" / "witnessed").write_bytes(fresh)
    assert scene.layers() == (INTACT, INTACT, DAMAGED)
    assert "the ledger was changed, or is a fork" in scene.said()


def test_two_witnesses_are_told_two_stories(scene: Scene, tmp_path: Path) -> None:
    """Each signs what it is shown; but one ledger is never complete for who asks for both."""
    other = Vault(tmp_path / "other")
    other.begin(log_key(scene.store), "friend/w")
    first = (scene.store.path / "ledger" / "witnessed").read_bytes()
    scene.roll_back()
    session(scene.store, 2, "vault")
    scene.store.list_heads()
    assert scene.ask(other) == ""
    second = (scene.store.path / "ledger" / "witnessed").read_bytes()
    witnesses = other.policy.witnesses | scene.vault.policy.witnesses
    both = Policy((), witnesses, {"both": (2, tuple(witnesses))}, "both")
    assert "not witnessed: no cosignature of the witnesses that were asked for, or not of enough" in scene.said(both)
    assert "witness" not in scene.said(other.policy)
    (scene.store.path / "ledger" / "witnessed").write_bytes(first)
    assert scene.report(both).verdict == DAMAGED
    lines = second.rpartition(b"\n\n")[2].splitlines(True)
    (scene.store.path / "ledger" / "witnessed").write_bytes(first + lines[-1])  # of another checkpoint
    assert scene.report(both).verdict == DAMAGED


def test_an_entry_that_was_witnessed_is_changed(scene: Scene) -> None:
    """And what follows made up anew, checkpoint included: the keys of then are gone, and the root is another."""
    entries = split_entries(scene.store.entries.read_bytes())[0]
    changed = [*entries[:-1], scene.store.forge(Config(bytes(32)))]
    scene.store.entries.write_bytes(b"".join(changed))
    leaves = [leaf_hash(entry) for entry in changed]
    (scene.store.path / "ledger" / "checkpoint").write_bytes(scene.checkpoint(leaves))
    assert scene.layers()[0] == DAMAGED
    question = format_add_checkpoint(len(leaves), [], scene.checkpoint(leaves))
    assert scene.vault.told(question) == 409
    longer = [*leaves, leaf_hash(b"more")]
    proof = consistency_proof(len(leaves), tree(leaves).peaks, longer[-1:])
    assert scene.vault.told(format_add_checkpoint(len(leaves), proof, scene.checkpoint(longer))) == 422


@pytest.mark.parametrize("wrong", ["old", "new", "short", "long", "none", "zeros"])
def test_a_proof_right_only_at_its_ends(scene: Scene, wrong: str) -> None:
    """It has to lead from the root that the witness remembers to the one that it is shown, and nothing else will do."""
    leaves, size = scene.leaves(), scene.vault.size()
    fork = [*leaves[: size - 2], leaf_hash(b"forged"), *leaves[size - 1 :]]
    true, forged = ([*base, *(leaf_hash(b"%d" % number) for number in range(5))] for base in (leaves, fork))
    right = consistency_proof(size, tree(true[:size]).peaks, true[size:])
    ends = consistency_proof(size, tree(forged[:size]).peaks, forged[size:])
    proofs = {
        "old": right,  # leads from what is remembered, not to the fork
        "new": ends,  # leads to the fork, not from what is remembered
        "short": ends[1:],
        "long": [*ends, bytes(32)],
        "none": [],
        "zeros": [bytes(32)] * len(ends),
    }
    assert scene.vault.told(format_add_checkpoint(size, proofs[wrong], scene.checkpoint(forged))) == 422
    assert scene.vault.size() == size
    assert scene.vault.told(format_add_checkpoint(size, right, scene.checkpoint(true))) == 200


def put_line(scene: Scene, line: bytes) -> None:
    """Put a cosignature on the checkpoint of now."""
    note = (scene.store.path / "ledger" / "checkpoint").read_bytes()
    (scene.store.path / "ledger" / "witnessed").write_bytes(note + line)


def replayed(scene: Scene) -> bytes:
    """Return the cosignature of the checkpoint before."""
    return (scene.before / "ledger" / "witnessed").read_bytes().splitlines(True)[-1]


def foreign(scene: Scene) -> bytes:
    """Return a cosignature of a key that root made, under the witness's name."""
    text = (scene.store.path / "ledger" / "checkpoint").read_bytes().partition(b"\n\n")[0] + b"\n"
    seed = b"\x66" * 32
    return cosign(text, Key("vault/w", public_key("vault/w", seed).key, COSIGNATURE), seed, int(time.time()))


def redated(scene: Scene) -> bytes:
    """Return the cosignature of now with another time in front."""
    words = (scene.store.path / "ledger" / "witnessed").read_bytes().splitlines()[-1].split(b" ")
    data = b64decode(words[2])
    return b" ".join([*words[:2], b64encode(data[:4] + int(time.time() + 60).to_bytes(8, "big") + data[12:])]) + b"\n"


def future(scene: Scene) -> bytes:
    """Return a cosignature of the witness's own, with a clock that is far ahead."""
    text = (scene.store.path / "ledger" / "checkpoint").read_bytes().partition(b"\n\n")[0] + b"\n"
    key, seed = scene.vault.state.key()
    return cosign(text, key, seed, int(time.time()) + 86_400)


@pytest.mark.parametrize(
    ("forged", "verdict", "words"),
    [
        (replayed, DAMAGED, "what a witness signed was changed"),
        (redated, DAMAGED, "what a witness signed was changed"),
        (foreign, INTACT, "not witnessed: no cosignature"),
        (future, INTACT, "a witness signed at a time to come"),
    ],
)
def test_cosignatures_that_are_not_of_here_and_now(
    scene: Scene, forged: Callable[[Scene], bytes], verdict: Verdict, words: str
) -> None:
    """Replayed on another checkpoint, dated anew, of another key, of the future: none counts, and none in silence."""
    put_line(scene, forged(scene))
    assert scene.layers() == (INTACT, INTACT, verdict)
    assert words in scene.said()


def test_the_cosigned_checkpoint_of_another_store(scene: Scene, tmp_path: Path) -> None:
    """A witness that has two stores signs for both; the one's signature says nothing of the other."""
    stranger = Pinned.make(tmp_path / "stranger")
    scene.vault.state.keep(Log(log_key(stranger), "sys-log"))
    assert Scene(stranger, scene.vault, scene.before).ask() == ""
    shutil.copy(stranger.path / "ledger" / "witnessed", scene.store.path / "ledger" / "witnessed")
    assert scene.layers() == (INTACT, INTACT, DAMAGED)
    assert "they are of another log" in scene.said()


def test_an_older_copy_under_another_origin(scene: Scene) -> None:
    """Whoever has another log at the witness has the old ledger signed there, and adds this log's signature to it."""
    scene.go_on()
    assert scene.ask() == ""
    scene.roll_back()
    root_of = tree(scene.leaves()).root()
    name, seed = "logchain/" + "66" * 16, b"\x66" * 32
    scene.vault.state.keep(Log(Key(name, public_key(name, seed).key, LOG), "evil"))
    text = format_checkpoint(Checkpoint(name, len(scene.leaves()), root_of))
    found, _ = answer(scene.vault.state, format_add_checkpoint(0, [], sign(text, name, seed)), "evil")
    assert found.startswith(b"200")
    stolen = log_key_name(scene.store.audit.store_id)
    own = parse_log_key((scene.store.path / "keys" / "log").read_bytes()).seed
    note = sign(text, stolen, own) + found.partition(b"\n")[2]
    (scene.store.path / "ledger" / "witnessed").write_bytes(note)
    assert scene.layers() == (INTACT, INTACT, DAMAGED)
    assert "they are of another log" in scene.said()


def test_a_restore_that_nobody_told_the_witness_of(scene: Scene) -> None:
    """Root signs `restored` in the ledger; the witness still refuses, and has no such thing on record."""
    scene.roll_back()
    with scene.store.ledger() as (store, ledger):
        restore(store, ledger)
    assert scene.report(scene.vault.policy).verdict == Verdict.CANNOT_TELL
    complaint = scene.ask()
    assert "older copy" in complaint or "another ledger" in complaint
    log = scene.vault.state.find(scene.vault.origin)
    assert log
    assert log.restored == 0


def test_a_restore_on_purpose(scene: Scene) -> None:
    """Told to both, it is on record in both, and the store is witnessed from there on."""
    scene.roll_back()
    with scene.store.ledger() as (store, ledger):
        restore(store, ledger)
    assert main(["--state", scene.vault.state.path, "restored", scene.vault.origin, "--yes"]) == 0
    assert "told to begin anew" in scene.ask()  # said once
    scene.store.clock.go(300)
    assert scene.ask() == ""
    assert "not witnessed" not in scene.said()
    report = scene.report(scene.vault.policy)
    log = scene.vault.state.find(scene.vault.origin)
    assert log
    assert (report.ledger.restored, log.restored) == (1, 1)


def test_a_witness_that_is_rolled_back_itself(scene: Scene, tmp_path: Path) -> None:
    """It cannot know. An honest LogVM says so; with root in both qubes nothing is left to tell (threat model)."""
    place = Path(scene.vault.state.path)
    shutil.copytree(place, tmp_path / "old")
    scene.go_on()
    assert scene.ask() == ""
    shutil.rmtree(place)
    shutil.copytree(tmp_path / "old", place)
    assert "it was taken back to an older state" in scene.ask()
    shutil.rmtree(place)
    shutil.copytree(tmp_path / "old", place)
    size = scene.vault.size()
    fork = [*scene.leaves()[:size], leaf_hash(b"a second story")]
    proof = consistency_proof(size, tree(fork[:size]).peaks, fork[size:])
    assert scene.vault.told(format_add_checkpoint(size, proof, scene.checkpoint(fork))) == 200

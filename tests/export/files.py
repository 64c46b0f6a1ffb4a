"""Evidence files as tests make, read, and spoil them."""

import io
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from logchain.format.ledger import fingerprint, open_genesis, split_entries
from logchain.format.ustar import END, format_header, padding
from logchain.read.evidence import EvidenceReport, check_evidence
from logchain.read.export import plan_evidence
from logchain.store.layout import open_store
from tests.read.archived import Archive

__all__ = [
    "ALL",
    "SECOND",
    "Part",
    "check",
    "copied",
    "make",
    "packed",
    "parts",
    "pinned",
    "readme_commands",
    "run_readme",
    "stocked",
    "texts",
]

SECOND = 1_000_000  # µs
ALL = (("vault", "journal"), ("work", "journal"))
Part = tuple[str, bytes]


def stocked(path: Path, tier: str = "") -> Archive:
    """Make a store: three sealed segments of `work`, of several blocks each, and two of `vault`.

    A line comes every second; a segment of `work` has twelve. Among them are bytes that no terminal should get.
    """
    store = Archive.make(path)
    for part in range(3):
        writer = store.open("work", "journal")
        writer.start_session(b"session" + bytes([part]), "logchain.Append")
        for number in range(12):
            line = b"\x00\x1b[2J\xff line %d of %d, which is long enough that blocks have few" % (number, part)
            writer.append(b"-", [line], store.clock.wall())
            store.clock.go(1)
        writer.end_session("eof", b"", 0)
        writer.close()
        store.roll("work", "journal")
        if part < 2:
            store.log(b"one line", vm="vault", stream="journal")
            store.roll("vault", "journal")
        store.clock.go(60)
    for vm, stream in ALL:
        store.seal(vm, stream, tier=tier)
    return store


def copied(store: Archive, path: Path) -> Archive:
    """Return a copy of a store, with a clock of its own."""
    shutil.copytree(store.path, path)
    return Archive(path, store.audit, replace(store.clock))


def pinned(store: Archive) -> str:
    """Return the store's fingerprint."""
    entries, _ = split_entries((store.path / "ledger" / "entries").read_bytes())
    return fingerprint(open_genesis(entries[0])[1].key)


def make(store: Archive, since: int = 0, until: int = 253_402_300_799_999_999, names: object = ALL) -> bytes:
    """Return the evidence of these streams and times."""
    with open_store(store.path) as directory:
        return b"".join(plan_evidence(directory, names, since, until).chunks())  # type: ignore[arg-type]


def check(data: bytes, fingerprint: str | None = None, most: int = 1 << 20) -> EvidenceReport:
    """Check an evidence file; no read gives more than `most` bytes."""
    file = io.BytesIO(data)
    return check_evidence(lambda size: file.read(min(size, most)), fingerprint)


def parts(data: bytes) -> list[Part]:
    """Return the files in it, in order, as tar has them."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        return [(member.name, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]


def packed(found: list[Part], change: Callable[[bytes], bytes] = bytes) -> bytes:
    """Put files together again; `change` is what becomes of each header."""
    made = [change(format_header(path, len(content))) + content + padding(len(content)) for path, content in found]
    return b"".join(made) + END


def texts(data: bytes) -> dict[str, bytes]:
    """Return the text of each stream."""
    return {
        path.split("/", 2)[2].removesuffix("/text"): content for path, content in parts(data) if path.endswith("/text")
    }


def readme_commands(text: str) -> str:
    """Return what a README tells to paste."""
    block = text[text.index("    (\n") : text.index("\n\nWhat this leaves out")]
    return "".join(line[4:] + "\n" for line in block.split("\n"))


def run_readme(data: bytes, place: Path) -> "subprocess.CompletedProcess[str]":
    """Do what the README says: unpack with tar, and paste its commands into bash."""
    place.mkdir()
    (place / "evidence.tar").write_bytes(data)
    subprocess.run(["tar", "-xf", "evidence.tar"], cwd=place, check=True)
    script = readme_commands((place / "evidence" / "README").read_text())
    return subprocess.run(["bash"], input=script, cwd=place / "evidence", capture_output=True, text=True, check=False)

"""Write the test vectors, or `--check` that they are what the pages say.

Beside this file there is one reading of each page of docs/spec, `reading_<page>.py`, made from the page alone
(`reading_entry.py` is a part of the ledger's, `reading_sources.py` of the line's; `ed25519.py` and `compressed.py` are
what pages refer to). Each gives good and bad vectors, and reads them: what is written here has been read back, so that
a good vector means what it says and a bad one is refused for its reason and no other.

    python tests/vectors/generate.py            write
    python tests/vectors/generate.py --check    compare; exit 1 on difference
"""

import json
import sys
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))  # run by its path, it has to find its neighbours by their names

from tests.vectors import (  # noqa: E402
    reading_checkpoint,
    reading_cosignature,
    reading_evidence,
    reading_files,
    reading_heads,
    reading_keystate,
    reading_ledger,
    reading_line,
    reading_manifest,
    reading_note,
    reading_policy,
    reading_ratchet,
    reading_record,
    reading_sealed,
    reading_segment_key,
    reading_tags,
    reading_wire,
    reading_witness,
)
from tests.vectors.reading_common import RefusedError  # noqa: E402

PAGES: dict[str, ModuleType] = {
    "checkpoint.json": reading_checkpoint,
    "cosignature.json": reading_cosignature,
    "evidence.json": reading_evidence,
    "files.json": reading_files,
    "heads.json": reading_heads,
    "keystate.json": reading_keystate,
    "ledger.json": reading_ledger,
    "line.json": reading_line,
    "manifest.json": reading_manifest,
    "note.json": reading_note,
    "policy.json": reading_policy,
    "ratchet.json": reading_ratchet,
    "record.json": reading_record,
    "sealed.json": reading_sealed,
    "segment-key.json": reading_segment_key,
    "tags.json": reading_tags,
    "wire.json": reading_wire,
    "witness.json": reading_witness,
}


def vectors_of(page: ModuleType) -> str:
    """Make one file's text, once every vector in it has been read back."""
    good, bad = page.good(), page.bad()
    for vectors in (good, bad):
        names = [(vector["what"], vector["name"]) for vector in vectors]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise SystemExit(f"{page.SPEC}: two vectors of one name: {sorted(twice)}")
    for vector in good:
        found = page.read(vector)
        wrong = sorted(key for key in found if found[key] != vector.get(key))
        if wrong or not found:
            raise SystemExit(f"{page.SPEC}: good vector {vector['name']!r} reads otherwise: {wrong}")
    for vector in bad:
        try:
            page.read(vector)
        except RefusedError as refusal:
            if (str(refusal), refusal.kind) != (vector["reason"], vector.get("class", refusal.kind)):
                told = f"{refusal}, {refusal.kind}"
                raise SystemExit(f"{page.SPEC}: bad vector {vector['name']!r} is refused as {told}") from None
        else:
            raise SystemExit(f"{page.SPEC}: bad vector {vector['name']!r} is not refused")
    return json.dumps({"spec": page.SPEC, "good": good, "bad": bad}, indent=1, sort_keys=True) + "\n"


def main(arguments: list[str]) -> int:
    """Write all files, or compare them."""
    if arguments not in ([], ["--check"]):
        raise SystemExit(__doc__)
    different = []
    for name, page in PAGES.items():
        text, path = vectors_of(page).encode("ascii"), HERE / name
        if not arguments:
            path.write_bytes(text)
        elif not path.is_file() or path.read_bytes() != text:
            different.append(name)
    for name in different:
        sys.stderr.write(f"{name} is not what {PAGES[name].SPEC} says\n")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

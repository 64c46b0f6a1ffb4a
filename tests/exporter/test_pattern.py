"""Which names a pattern finds: those that Python's glob finds, but through no link that a wildcard found."""

import glob
import os
import subprocess
from pathlib import Path

import pytest

from log_exporter.sources.pattern import find
from tests.exporter.bench import Bench

PATTERNS = ["*.log", "a/*.log", "*/*.log", "**/*.log", "a/**/x.log", "**", "**/**/b/*", "a/**", ".*/*"]
PATTERNS += ["?.l[oa]g", "a/b/x.log", "none/*", "none", "x.log/*", "a/b", "[[]x].log", "**/[!a]/*"]
NAMES = ["x.log", "a/x.log", "a/y.gz", "a/b/x.log", "a/b/c/x.log", "d/x.log", ".h/x.log", "a/.x.log", "[x].log"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Some files and directories, hidden ones among them, and names that are no text."""
    for name in (
        "x.log",
        "a/x.log",
        "a/y.gz",
        "a/b/x.log",
        "a/b/c/x.log",
        "d/x.log",
        ".h/x.log",
        "a/.x.log",
        "[x].log",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / os.fsdecode(b"\xff.log")).touch()
    return tmp_path


@pytest.mark.parametrize("pattern", PATTERNS)
def test_without_links_it_is_what_glob_finds(tree: Path, pattern: str) -> None:
    """Each file once or several times, as with overlapping patterns."""
    files = {path for path in glob.glob(f"{tree}/{pattern}", recursive=True) if os.path.isfile(path)}
    assert {path for path in find(f"{tree}/{pattern}") if os.path.isfile(path)} == files


def test_a_link_is_followed_only_where_it_is_named(tree: Path) -> None:
    """One that a wildcard finds is told of instead; so a loop of links is none."""
    (tree / "a" / "up").symlink_to("..")
    (tree / "a" / "link.log").symlink_to("x.log")
    link = str(tree / "a" / "up")
    assert link in find(f"{tree}/**/x.log")
    assert sorted(find(f"{tree}/a/**/x.log")) == [f"{tree}/a/b/c/x.log", f"{tree}/a/b/x.log", link, f"{tree}/a/x.log"]
    assert sorted(find(f"{tree}/a/*/x.log")) == [f"{tree}/a/b/x.log", link]
    assert list(find(f"{tree}/a/up/d/*.log")) == [f"{tree}/a/up/d/x.log"]
    assert f"{tree}/a/link.log" in find(f"{tree}/a/*.log")


def test_a_deep_tree_is_read_to_its_end(tmp_path: Path) -> None:
    """Deeper than Python calls itself."""
    path = str(tmp_path)
    for _ in range(1200):
        path += "/d"
        os.mkdir(path)
    try:
        Path(f"{path}/x.log").touch()
        assert list(find(f"{tmp_path}/**/x.log")) == [f"{path}/x.log"]
    finally:
        subprocess.run(["rm", "-r", f"{tmp_path}/d"], check=True)


def test_nothing_outside_of_the_tree_is_sent(bench: Bench) -> None:
    """A link to a directory that somebody put there shows nobody what the exporter may read elsewhere."""
    (bench.directory / "secret").mkdir()
    (bench.directory / "secret" / "a.log").write_bytes(b"secret\n")
    (bench.logs / "sub").mkdir()
    (bench.logs / "sub" / "a.log").write_bytes(b"1\n")
    (bench.logs / "link").symlink_to("../secret")
    (bench.logs / "loop").symlink_to(".")
    said = bench.end_of(bench.exporter("files", "**/*.log", "--plain", "--once", "--state-dir", str(bench.state)))
    assert bench.stored() == [b"1"]
    assert sorted(line.split("/")[-1] for line in said.splitlines()) == [
        "link: is a link, and not followed",
        "loop: is a link, and not followed",
    ]
    bench.end_of(bench.exporter("files", "link/*.log", "--plain", "--once", "--state-dir", str(bench.state)))
    assert bench.stored() == [b"1", b"secret"]

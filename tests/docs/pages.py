"""Reads the pages: README.md and docs/**/*.md."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["PAGES", "ROOT", "Example", "anchors", "examples", "links", "page_name"]

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]

_FENCE = re.compile(r"^(`{3,})([a-z]*)$")
_LINK = re.compile(r"\[[^]\n]*]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$")


class Example(NamedTuple):
    """A command of a page, the line it stands in, and what the page says that it prints."""

    line: int
    command: str
    output: str


def page_name(page: Path) -> str:
    """Return a page's path in the project."""
    return str(page.relative_to(ROOT))


def examples(page: Path) -> list[Example]:
    """Return the commands of a page's ```console blocks, in order.

    A command stands behind `$ `, and goes on in the next line where it ends with a backslash; what it prints stands
    below it.
    """
    found: list[Example] = []
    goes_on = False
    for number, language, line in _lines(page):
        if language != "console":
            goes_on = False
        elif goes_on:
            found[-1] = found[-1]._replace(command=f"{found[-1].command}\n{line}")
            goes_on = line.endswith("\\")
        elif line.startswith("$ "):
            found.append(Example(number, line[2:], ""))
            goes_on = line.endswith("\\")
        else:
            found[-1] = found[-1]._replace(output=f"{found[-1].output}{line}\n")
    return found


def links(page: Path) -> list[str]:
    """Return the targets of a page's links, those to other machines left out."""
    targets = [target for _, language, line in _lines(page) if not language for target in _LINK.findall(line)]
    return [target for target in targets if "://" not in target]


def anchors(page: Path) -> set[str]:
    """Return what a link may name behind `#`: the headings, as GitHub and GitLab write them."""
    headings = [match[1] for _, language, line in _lines(page) if not language and (match := _HEADING.match(line))]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _lines(page: Path) -> Iterator[tuple[int, str, str]]:
    """Yield number and text of the lines, with the language of the block they are in: empty outside of any."""
    fence, language = "", ""
    for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
        match = _FENCE.match(line)
        if match and not fence:
            fence, language = match[1], match[2] or "text"
        elif match and match[1] == fence:
            fence, language = "", ""
        else:
            yield number, language, line

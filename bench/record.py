"""When and where a run was, and its words put into docs/measured.md, between two marks."""

import os
import platform
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "measured.md"


def machine() -> Iterator[str]:
    """Say when and where this is."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    git = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    yield f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {git.stdout.strip() or 'unknown'}"
    yield f"{os.cpu_count()} cores, {cpu[1] if cpu else platform.machine()}, Linux {platform.release()}"
    yield f"Python {platform.python_version()}, load before {os.getloadavg()[0]:.1f}"


def record(name: str, text: str) -> None:
    """Put a text between `<!-- name -->` and `<!-- end of name -->`."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    head, _, rest = PAGE.read_text().partition(begin)
    _, _, tail = rest.partition(end)
    PAGE.write_text(f"{head}{begin}\n```text\n{text}\n```\n\n{end}{tail}")

"""Tells which share of mutmut's mutants was found; exit code 1 where it is less than has to be."""

import json
import sys
from pathlib import Path

LEAST = 90  # % of a room's mutants that have to be found


def main() -> int:
    """Read what `mutmut export-cicd-stats` wrote."""
    counts = json.loads(Path(sys.argv[1]).read_bytes())
    share = 100 * (counts["killed"] + counts["timeout"]) / counts["total"]
    print(f"{counts['total']:,} mutants of format/: {share:.1f} % found")
    return int(share < LEAST)


if __name__ == "__main__":
    sys.exit(main())

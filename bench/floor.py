"""What `show` cannot go below: all sealed blocks read, decompressed, hashed and written; no line is looked at.

`python -m bench.floor STORE PROCESSES > /dev/null`
"""

import os
import sys
from pathlib import Path

from logchain.read.sealed import open_sealed, read_manifest
from logchain.store.layout import SEALED, manifests, open_store, stream_directory, streams


def main(store: Path, processes: int) -> None:
    """Read every stream of a store, each by one of so many processes."""
    with open_store(store) as directory:
        names = sorted(streams(directory, SEALED))
        mine = next((place for place in range(1, processes) if not os.fork()), 0)
        for name in names[mine::processes]:
            with stream_directory(directory, *name, SEALED) as sealed:
                for number in manifests(sealed):
                    with open_sealed(sealed, read_manifest(sealed, number)) as text:
                        for block in text.blocks():
                            assert isinstance(block, bytes), block
                            os.write(1, block)
    while not mine and processes > 1:
        os.wait()
        processes -= 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

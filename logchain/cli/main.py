"""The program `logchain`: how it starts, and how it ends."""

import gc

__all__ = ["main"]


def main() -> None:
    """Run logchain with the arguments of the command line."""
    gc.disable()  # modules are no garbage, and looking for some took a tenth of the start; `commands` enables it again
    from logchain.cli.commands import run

    try:
        run()
    finally:
        gc.freeze()  # nor is it looked for at the end: all memory goes with the process

"""Writes what bash, zsh and fish need to complete `logchain`: `python packaging/completion.py DESTDIR`."""

import sys
from pathlib import Path

from click.shell_completion import get_completion_class

from logchain.cli.commands import logchain_group

FILES = {
    "bash": ("usr/share/bash-completion/completions/logchain",),
    # Debian's zsh looks into the first, Fedora's into the second
    "zsh": ("usr/share/zsh/vendor-completions/_logchain", "usr/share/zsh/site-functions/_logchain"),
    "fish": ("usr/share/fish/vendor_completions.d/logchain.fish",),
}


def main() -> None:
    """Write the files below a directory."""
    for shell, places in FILES.items():
        kind = get_completion_class(shell)
        assert kind
        text = kind(logchain_group, {}, "logchain", "_LOGCHAIN_COMPLETE").source()
        for place in places:
            path = Path(sys.argv[1]) / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()

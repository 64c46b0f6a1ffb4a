"""The program: `run` alone is the daemon, and loads no more than it needs; all else is in command.py."""

import os
import sys
from collections.abc import Sequence

from log_exporter.call import Timing
from log_exporter.config import DEFAULT
from log_exporter.daemon import loaded, serve
from log_exporter.errors import ExporterError
from log_exporter.messages import printable, say
from log_exporter.stop import Stop


def main(arguments: Sequence[str] | None = None, timing: Timing = Timing()) -> int:  # noqa: B008  (it is frozen)
    """Run the command; return its exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        _open_standard_descriptors()
        stop = Stop()
        stop.listen()
        if arguments == ["run"] or (arguments[:2] == ["run", "--config"] and len(arguments) == 3):
            serve(loaded(arguments[2] if len(arguments) == 3 else DEFAULT), stop, timing)
        else:
            from log_exporter.command import run  # argparse and more, which the daemon does not carry

            run(arguments, stop, timing)
    except ExporterError as error:
        say(str(error))
        return error.exit_code
    except OSError as error:
        say(printable(str(error)))
        return ExporterError.exit_code
    return 0


def _open_standard_descriptors() -> None:
    """Let nothing that is opened later pass for standard input or output, where those are closed."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main())

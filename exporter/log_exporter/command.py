"""The command line of the exporter."""

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from log_exporter import __version__, loop, status
from log_exporter.call import Timing
from log_exporter.check import check
from log_exporter.config import DEFAULT, TRANSPORT, load, stream_name
from log_exporter.daemon import carrier, serve
from log_exporter.delivery import Delivery
from log_exporter.errors import NotDelivered, NotInOrder, UsageError
from log_exporter.line import Form, Plain, Rfc5424
from log_exporter.messages import printable, say, show
from log_exporter.qubesdb import narrow, read
from log_exporter.sources import Source
from log_exporter.sources.files import Files
from log_exporter.sources.stdin import Stdin
from log_exporter.state import State
from log_exporter.stop import Stop

_EPILOG = """\
exit status: 0 all went well, or it was stopped; 2 the command or the configuration is wrong;
3 lines could not be delivered, or check found something, or status no exporter

examples:
  journalctl -f | log-exporter stdin --stream journal --plain
  log-exporter files '/var/log/apache2/*.log*' --stream web --state-dir /var/lib/log-exporter
  log-exporter run --config /etc/log-exporter.toml
"""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, like all others."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{printable(message)} (see log-exporter --help)")

    def print_help(self, file: object = None) -> None:  # noqa: ARG002 (argparse's signature)
        """Print the help."""
        show(self.format_help())


def run(arguments: Sequence[str], stop: Stop, timing: Timing) -> None:
    """Do what the arguments say; raises ExporterError."""
    options = _parser().parse_args(arguments)
    if options.command in ("run", "check", "status"):
        _whole(options, stop, timing)
    else:
        _one(options, stop, timing)


def _one(options: argparse.Namespace, stop: Stop, timing: Timing) -> None:
    """Ship one source."""
    command = _command(options)
    source = _source(options)
    try:
        loop.run([Delivery(source, command, stop, timing, options.give_up).run()])
    finally:
        undelivered = source.close()
        if undelivered:
            say(undelivered)
    if undelivered:
        raise NotDelivered("stopped with lines left")


def _whole(options: argparse.Namespace, stop: Stop, timing: Timing) -> None:
    """Do what is done with the whole configuration."""
    config = load(options.config)
    if options.command == "run":
        serve(narrow(config, read), stop, timing)
    elif options.command == "status":
        found = status.load(config.status)
        show(json.dumps(found) + "\n" if options.json else status.table(found))
    else:
        findings = list(check(narrow(config, read), carrier))
        show("".join(f"{finding}\n" for finding in findings))
        if any(finding.advice for finding in findings):
            raise NotInOrder("something is wrong: see above")


def _source(options: argparse.Namespace) -> Source:
    host = os.uname().nodename
    form: Form = Plain() if options.plain else Rfc5424(host, options.app)
    if options.command == "stdin":
        if sys.stdin is None:  # so it was when Python started; now there is something else in its place
            raise UsageError("standard input is closed")
        return Stdin(form, host)
    if options.give_up is not None and not options.once:
        raise UsageError("--give-up needs --once: following files has no end")
    return Files(options.patterns, form, host, State(options.state_dir, options.stream), once=options.once)


def _command(options: argparse.Namespace) -> list[str]:
    try:
        return carrier(options.transport or TRANSPORT, options.stream)
    except UsageError as error:
        raise UsageError(f"--{error}") from error


def _parser() -> argparse.ArgumentParser:
    common = _Parser(add_help=False)
    common.add_argument("--stream", required=True, type=_stream, help="the stream's name in the LogVM")
    common.add_argument("--plain", action="store_true", help="send each line as it is, not as RFC 5424")
    common.add_argument("--app", default="", metavar="NAME", help="the program's name in RFC 5424 lines")
    common.add_argument(
        "--transport",
        metavar="COMMAND",
        help=f"what carries the stream on its standard input and output, split as a shell does (default: {TRANSPORT})",
    )
    common.add_argument(
        "--give-up", type=_seconds, metavar="SECONDS", help="exit with 3 when nothing was acknowledged for so long"
    )

    parser = _Parser(
        prog="log-exporter",
        description="Ships lines to logchain's LogVM, and keeps at it until each is stored there.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"log-exporter {__version__}")
    sources = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    sources.add_parser("stdin", parents=[common], help="standard input", description="Ships standard input.")
    files = sources.add_parser(
        "files",
        parents=[common],
        help="files that match patterns, each line exactly once",
        description="Ships files, and follows them through rotation, truncation and restarts.",
    )
    files.add_argument("patterns", nargs="+", metavar="PATTERN", help="a path; *, ?, [] and ** are expanded (quote it)")
    files.add_argument(
        "--state-dir", required=True, metavar="DIR", help="where the cursor is kept; must outlive a restart"
    )
    files.add_argument("--once", action="store_true", help="ship the whole lines that are there now, then exit")
    whole = _Parser(add_help=False)
    help_text = "the configuration (default: %(default)s)"
    whole.add_argument("--config", default=DEFAULT, metavar="FILE", help=help_text)
    sources.add_parser(
        "run",
        parents=[whole],
        help="all streams of the configuration: the daemon",
        description="Ships all streams of the configuration, until it is stopped.",
    )
    sources.add_parser(
        "check",
        parents=[whole],
        help="say in plain words what is wrong",
        description="Looks at configuration, rights and directories, and calls the LogVM once for each stream.",
    )
    shown = sources.add_parser(
        "status",
        parents=[whole],
        help="how far each stream is",
        description="Shows lines, bytes, lag, spool and the last acknowledgement of each stream that `run` ships.",
    )
    shown.add_argument("--json", action="store_true", help="as JSON, for programs")
    return parser


def _stream(text: str) -> str:
    try:
        return stream_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,3})?", text):
        raise argparse.ArgumentTypeError("a number of seconds")
    return float(text)

"""logchain: the command. Finds the subcommand, and turns every error into one line and an exit code."""

import gc
import importlib
import os
import signal
import sys

import click

from logchain.format.errors import LogchainError

__all__ = ["logchain_group", "run"]

_COMMANDS = (  # each a module of this room with a `command`
    "audit-key",
    "catalog",
    "decrypt",
    "delete",
    "export",
    "forget",
    "gui",
    "init",
    "keygen",
    "list",
    "open",
    "recipient",
    "restored",
    "seal",
    "sessions",
    "show",
    "status",
    "timeline",
    "verify",
)


class _Commands(click.Group):
    """Loads a command's module when it is called for: `show` shall not wait for what `keygen` imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (the same)
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"logchain.cli.{cmd_name.replace('-', '_')}").command
        gc.freeze()  # what modules are made of is not looked at again
        gc.enable()
        return command


@click.command(cls=_Commands, no_args_is_help=False)
@click.version_option(package_name="logchain")
@click.option("--frontend", is_flag=True, help="A program runs this: progress, and questions, as JSON on stderr.")
def logchain_group(frontend: bool) -> None:
    """Look at, and verify, the logs that logchain has collected.

    Exit codes: 0 good, 1 evidence of tampering or loss, 2 wrong usage, 3 cannot tell.
    """
    if frontend:
        from logchain.cli.frontend import begin

        begin()


def run() -> None:
    """Run logchain with the arguments of the command line."""
    _open_standard_files()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `logchain show | head` ends as `cat | head` does
    code = _run()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is over
    frontend = sys.modules.get("logchain.cli.frontend")
    if frontend and frontend.is_frontend():
        frontend.tell(done=code)
    sys.exit(code)


def _run() -> int:
    """Run the command; return the exit code, with every error told in one line."""
    try:
        return int(logchain_group.main(prog_name="logchain", standalone_mode=False) or 0)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f" (see {context.command_path} --help)" if context else ""
        return _fail(error.format_message().rstrip(".") + hint, 2)
    except (click.Abort, KeyboardInterrupt):
        return 130
    except LogchainError as error:
        return _fail(str(error), error.exit_code)
    except OSError as error:
        return _fail(f"{error.filename or 'the system'}: {error.strerror or error}", 3)
    except Exception as error:
        if os.environ.get("LOGCHAIN_DEBUG"):
            raise
        return _fail(f"internal fault ({type(error).__name__}); please report it, with what LOGCHAIN_DEBUG=1 shows", 3)


def _open_standard_files() -> None:
    """Where one was closed (`>&-`), have /dev/null there: else a file of ours would get its number, and its output."""
    for number, mode in ((0, "r"), (1, "w"), (2, "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
            name = ("stdin", "stdout", "stderr")[number]
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 (it stays open)


def _fail(message: str, exit_code: int) -> int:
    from logchain.read.display import escape_text

    click.echo(f"logchain: {escape_text(message)}", err=True)
    return exit_code

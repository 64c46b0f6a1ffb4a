"""The Windows exporter where there is no Windows: its C# compiled and run by Mono; an event log is a directory there.

What this cannot run: EventLogs.cs (it is compiled against a stub) and the three .ps1 files.
"""

import atexit
import functools
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from log_exporter.line import unescape

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).with_name("windows")
CODE = ROOT / "exporter" / "windows"
EDGE = CODE / "EventLogs.cs"
OPTIONS = ["-langversion:5", "-warn:4", "-warnaserror", "-r:System.Core.dll", "-r:System.Xml.dll"]

needs_mono = pytest.mark.skipif(
    not (shutil.which("mono") and shutil.which("mcs")), reason="Mono is missing: apt install mono-mcs mono-runtime"
)

_LINE = re.compile(
    rb'<(\d+)>1 (\S+) (\S+) (\S+) (\S+) (\S+) (-|(?:\[[^ =\]"]+(?: [^ =\]"]+="(?:[^"\\\]]|\\["\\\]])*")*\])+) (.*)\n'
)
_ELEMENT = re.compile(rb'\[([^ =\]"]+)((?: [^ =\]"]+="(?:[^"\\\]]|\\["\\\]])*")*)\]')
_PARAM = re.compile(rb' ([^ =\]"]+)="((?:[^"\\\]]|\\["\\\]])*)"')


@functools.cache
def driver() -> Path:
    """Compile the exporter with the tests' edge, once in a process; return the program."""
    directory = Path(tempfile.mkdtemp(prefix="logchain-mono-"))
    atexit.register(shutil.rmtree, directory)
    program = directory / "driver.exe"
    code = sorted(set(CODE.glob("*.cs")) - {EDGE})
    _compile(program, [*code, HERE / "Driver.cs"])
    return program


def compile_edge(directory: Path) -> None:
    """Compile what Windows compiles, against a stub of its event log."""
    _compile(directory / "all.dll", [*sorted(CODE.glob("*.cs")), HERE / "EventingStub.cs"], "-target:library")


def _compile(out: Path, code: Iterable[Path], *more: str) -> None:
    done = subprocess.run(["mcs", *OPTIONS, *more, f"-out:{out}", *code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def run(mode: str, rows: Sequence[str]) -> bytes:
    """Return what the driver says to so many rows."""
    text = "".join(f"{row}\n" for row in rows)
    return subprocess.run(["mono", driver(), mode], input=text.encode(), capture_output=True, check=True).stdout


def line_of(xml: str, message: str = "", number: int = 7, channel: str = "System") -> bytes:
    """Return the line that is sent for an event."""
    return lines_of([(xml, message, number, channel)])[0]


def lines_of(events: Iterable[tuple[str, str, int, str]]) -> list[bytes]:
    """Return the line that is sent for each event: XML, message, number, channel."""
    rows = [
        " ".join(_utf16(field) for field in (str(number), channel, "time", xml, message))
        for xml, message, number, channel in events
    ]
    return run("lines", rows).splitlines(keepends=True)


def _utf16(text: str) -> str:
    return text.encode("utf-16-be", "surrogatepass").hex()


@dataclass(frozen=True)
class Parsed:
    """A line taken apart by RFC 5424, its values unescaped: what a reader of the store gets."""

    priority: int
    time: str
    host: str
    app: str
    process: str
    id: str
    data: dict[str, list[tuple[str, bytes]]]
    message: bytes


def parse(line: bytes) -> Parsed:
    """Take a line apart; it must be of RFC 5424's form, and every value one that escape() makes."""
    match = _LINE.fullmatch(line)
    assert match, line
    priority, time, host, app, process, event, data, message = match.groups()
    elements = {name.decode(): _params(params) for name, params in _ELEMENT.findall(data)}
    return Parsed(
        int(priority),
        time.decode(),
        host.decode(),
        app.decode(),
        process.decode(),
        event.decode(),
        elements,
        unescape(message),
    )


def _params(data: bytes) -> list[tuple[str, bytes]]:
    return [(name.decode(), unescape(re.sub(rb'\\(["\\\]])', rb"\1", value))) for name, value in _PARAM.findall(data)]

"""Windows: the line of an event has all that the event has, whatever is in it."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from log_exporter.line import escape
from tests.exporter.mono import CODE, HERE, Parsed, compile_edge, line_of, lines_of, needs_mono, parse

pytestmark = needs_mono

EVENTS = sorted((HERE / "events").glob("*.xml"))
NAMESPACE = "{http://schemas.microsoft.com/win/2004/08/events/event}"
EVENT = (
    '<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System><Provider Name="p"/>'
    '<EventID>1</EventID><TimeCreated SystemTime="2026-11-23T03:45:01.1234567Z"/><Channel>System</Channel>'
    "<Computer>win10</Computer></System>%s</Event>"
)


def recorded(name: str) -> tuple[str, Parsed]:
    """Return a recorded event, and what a reader gets of it."""
    xml = (HERE / "events" / f"{name}.xml").read_bytes().decode()
    return xml, parse(line_of(xml))


def text_of(element: ET.Element) -> bytes:
    """Return an element's text."""
    return (element.text or "").encode()


@pytest.mark.parametrize("path", EVENTS, ids=[path.stem for path in EVENTS])
def test_the_head_and_every_system_field_are_there(path: Path) -> None:
    """Each field of System, with each attribute, stands in the line; what RFC 5424 has a place for also there."""
    xml, line = recorded(path.stem)
    expected: list[tuple[str, bytes]] = []
    system = ET.fromstring(xml)[0]
    for element in system:
        name = element.tag.removeprefix(NAMESPACE)
        expected += [(f"{name}.{key}", value.encode()) for key, value in element.attrib.items()]
        expected += [(name, text_of(element))] if element.text else []
    assert line.data["event@32473"] == expected
    fields = dict(expected)
    assert line.id.encode() == fields["EventID"]
    assert line.host == "win10"
    assert line.time == fields["TimeCreated.SystemTime"].decode()[:26] + "Z"
    assert line.app == fields["Provider.Name"].decode().replace(" ", "_")
    assert line.process.encode() == fields.get("Execution.ProcessID", b"-")


@pytest.mark.parametrize("name", ["logon-4624", "process-4688", "service-7036", "unnamed-data", "failed-logon-4625"])
def test_names_and_values_of_the_data_are_there(name: str) -> None:
    """EventData becomes names and values, in order, the empty and the unnamed ones too."""
    xml, line = recorded(name)
    data = ET.fromstring(xml)[1]
    assert len(data) > 2
    assert line.data["data@32473"] == [
        (element.get("Name", element.tag.removeprefix(NAMESPACE)), text_of(element)) for element in data
    ]


def test_a_script_of_several_lines_is_one_line() -> None:
    """A script block of PowerShell comes back with its own line ends, tabs, quotes, brackets and emoji."""
    xml, line = recorded("powershell-4104")
    script = re.search('"ScriptBlockText">(.*?)</Data>', xml, re.DOTALL)
    assert script
    assert "\r\n\t" in script[1]
    assert "😀" in script[1]
    assert dict(line.data["data@32473"])["ScriptBlockText"] == script[1].replace("&lt;", "<").encode()


@pytest.mark.parametrize("name", ["cleared-1102", "odd-names"])
def test_what_is_no_list_of_names_goes_as_it_stands(name: str) -> None:
    """UserData, rendering information and names that RFC 5424 does not allow are sent as the XML that they were."""
    xml, line = recorded(name)
    rest = xml.partition("</System>")[2].removesuffix("</Event>")
    assert line.data["xml@32473"] == [("rest", rest.encode())]


def test_an_event_without_data() -> None:
    """An event that has only its System part has a line without data."""
    assert list(recorded("no-data")[1].data) == ["event@32473"]


@pytest.mark.parametrize(
    ("name", "priority"),
    [("logon-4624", 110), ("failed-logon-4625", 108), ("service-7036", 14), ("no-data", 11), ("powershell-4104", 12)],
)
def test_priorities(name: str, priority: int) -> None:
    """Security is facility 13, all else 1; levels become severities, and an audit that failed is a warning."""
    assert recorded(name)[1].priority == priority


def test_the_words_of_the_event_are_the_message() -> None:
    """What Windows says of the event is the message, of several lines too."""
    line = parse(line_of(EVENT % "", "The system has\r\nstarted.\n\x1b[31m"))
    assert line.message == b"The system has\r\nstarted.\n\x1b[31m"


def test_characters_that_xml_cannot_hold() -> None:
    """Windows renders control characters and halves of surrogate pairs as they are: they come back, and as one line."""
    value = "a\x00b\x01\x1b]0;title\x07\x7f\x85 \ufffe \ud800 \udc00\ud800 end\r\rx"
    line = parse(line_of(EVENT % f'<EventData><Data Name="n">{value}</Data></EventData>'))
    assert line.data["data@32473"] == [("n", value.encode("utf-8", "surrogatepass"))]


@pytest.mark.parametrize("xml", ["", "no XML\n\x1b[31m at all", "<a/>", "<Event><System>", EVENT % "<unclosed>"])
def test_what_is_no_event_is_sent_as_it_is(xml: str) -> None:
    """Text that is no event's XML is the message, with the number and the channel that it is known by."""
    line = parse(line_of(xml, number=12, channel="odd ]channel"))
    assert line.message == xml.encode()
    assert line.data == {"event@32473": [("Channel", b"odd ]channel"), ("EventRecordID", b"12")]}


def test_a_huge_event() -> None:
    """An event of a megabyte is one line, whole."""
    value = "\\€😀\r\n" * 100_000
    line = parse(line_of(EVENT % f'<EventData><Data Name="n">{value}</Data></EventData>'))
    assert line.data["data@32473"] == [("n", value.encode())]


def test_nothing_outside_the_event_is_read() -> None:
    """A document type, and what it wants to bring in, is refused: such a text is sent as it is."""
    xml = (
        '<!DOCTYPE Event [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
        + EVENT % "<EventData><Data>&x;</Data></EventData>"
    )
    assert parse(line_of(xml)).message == xml.encode()


TEXTS = st.text(st.characters(exclude_characters="<>&"))  # surrogates too: what an attacker can log


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=50))
def test_any_text_comes_back(texts: list[tuple[str, str]]) -> None:
    """Any value and any message come back, and the message is escaped as log-exporter escapes it."""
    events = [
        (EVENT % f'<EventData><Data Name="n">{value}</Data></EventData>', words, 7, "c") for value, words in texts
    ]
    for (value, words), line in zip(texts, lines_of(events), strict=True):
        parsed = parse(line)
        assert parsed.data["data@32473"] == [("n", _bytes(value))]
        assert parsed.message == _bytes(words)
        assert line.endswith(b"] " + escape(_bytes(words)) + b"\n")


def _bytes(text: str) -> bytes:
    joined = text.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "surrogatepass")  # as UTF-16 has it
    return joined.encode("utf-8", "surrogatepass")


def test_what_windows_compiles_is_c_sharp_5(tmp_path: Path) -> None:
    """All files, the Windows edge too (against a stub), are C# 5 without a warning: what Windows compiles."""
    compile_edge(tmp_path)


def test_the_scripts_are_what_windows_reads() -> None:
    """Scripts and code are ASCII with LF, and none makes powershell.exe eat our standard input."""
    for path in [*CODE.glob("*.ps*1"), *CODE.glob("*.cs")]:
        text = path.read_bytes().decode("ascii")
        assert "\r" not in text
        assert "$input" not in text.lower(), path


def test_the_call_reaches_qrexec_without_quotes() -> None:
    """No part of the call has a space, for which PowerShell would put quotes around it; the service's name is short."""
    script = (CODE / "start.ps1").read_text()
    [call] = re.findall(r"^\$call = ((?:.*,\n)*.*)$", script, re.MULTILINE)
    tokens = re.findall(r"""['"]([^'"]*)['"]""", call)
    assert tokens[0].split("|")[:2] == ["@default", "logchain.Append+eventlog"]
    assert tokens[-1].endswith("export.ps1")
    assert not [token for token in tokens if " " in token]
    assert "C:\\logchain'" in (CODE / "install.ps1").read_text()  # what $PSScriptRoot is: no space in it

"""docs/spec/evidence.md: every vector, and the texts of the page itself."""

import io
import re
from pathlib import Path

import pytest

from logchain.format.errors import FormatError, LogchainError
from logchain.format.evidence import format_index, parse_index
from logchain.format.evidence_readme import README_TEXT
from logchain.format.ledger import parse_fingerprint
from logchain.format.recipient import format_recipient, parse_recipient
from logchain.format.ustar import check_header, format_header
from logchain.read.evidence import check_evidence
from logchain.read.verify import Verdict
from tests.export.files import texts
from tests.format.vectors import Vector, raw, vectors

PAGE = (Path(__file__).parents[2] / "docs/spec/evidence.md").read_text("utf-8")


def test_the_readme_is_that_of_the_page() -> None:
    """The page has the README byte for byte."""
    (shown,) = re.findall(r"^```text\n(EVIDENCE.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert shown.encode() == README_TEXT


@vectors("evidence.json", "good", "header")
def test_headers(vector: Vector) -> None:
    """A header is made of path and size, and read as no other."""
    header = format_header(vector["path"], vector["size"])
    assert header == raw(vector, "header")
    assert check_header(header, vector["path"]) == vector["size"]
    with pytest.raises(FormatError):
        check_header(header, vector["path"] + "x")


@vectors("evidence.json", "good", "index")
def test_good_indexes(vector: Vector) -> None:
    """An index says what its page says, and prints the same again."""
    index = parse_index(raw(vector, "text"))
    assert (index.store_id, index.since, index.until) == (raw(vector, "store"), vector["since_us"], vector["until_us"])
    assert index.entries == vector["entries"]
    streams = [
        {
            "vm": stream.vm,
            "stream": stream.stream,
            "id": stream.stream_id.hex(),
            "salt": stream.salt.hex() if stream.salt else "",
            "segments": [list(segment) for segment in stream.segments],
        }
        for stream in index.streams
    ]
    assert streams == vector["streams"]
    assert format_index(index) == raw(vector, "text")


@vectors("evidence.json", "bad", "index")
def test_bad_indexes(vector: Vector) -> None:
    """An index that breaks one rule of its page is refused."""
    with pytest.raises(FormatError):
        parse_index(raw(vector, "text"))


@vectors("evidence.json", "good", "recipient")
def test_good_recipients(vector: Vector) -> None:
    """A recipient's key is that of the page, and prints the same again."""
    recipient = parse_recipient(vector["text"])
    assert recipient.key == raw(vector, "key")
    assert format_recipient(recipient) == vector["text"]


@vectors("evidence.json", "bad", "recipient")
def test_bad_recipients(vector: Vector) -> None:
    """A slip of the pen is found."""
    with pytest.raises(LogchainError):
        parse_recipient(vector["text"])


@vectors("evidence.json", "good", "file")
@pytest.mark.parametrize("most", [1, 1 << 20])
def test_good_files(vector: Vector, most: int) -> None:
    """A whole file is intact, if its names are proven, and has the text that the page gives it; read in any pieces."""
    data = raw(vector, "file")
    file = io.BytesIO(data)
    report = check_evidence(lambda size: file.read(min(size, most)), parse_fingerprint(vector["fingerprint"]))
    named = vector["name"] != "without a salt"
    assert (report.verdict, report.findings) == (Verdict.INTACT if named else Verdict.CANNOT_TELL, [])
    assert (report.entries, report.checkpoint) == (vector["entries"], vector["size"])
    assert {name: text.decode() for name, text in texts(data).items()} == vector["texts"]
    assert report.records == sum(text.count("\n") for text in vector["texts"].values())
    assert report.streams[0].named == named


@vectors("evidence.json", "bad", "file")
def test_bad_files(vector: Vector) -> None:
    """What has another form is refused; what has the form and does not fit is damage."""
    file = io.BytesIO(raw(vector, "file"))
    fingerprint = parse_fingerprint(vector["fingerprint"])
    if vector["class"] == "malformed":
        with pytest.raises(FormatError):
            check_evidence(file.read, fingerprint)
    else:
        assert check_evidence(file.read, fingerprint).verdict == Verdict.DAMAGED

"""The first bytes of a connection, as pure text: what is a call, and what is not."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logchain.collect.descriptor import APPEND, STOCK, Descriptor, parse_descriptor
from logchain.format.errors import UsageError
from logchain.format.names import check_stream, check_vm

GOOD = [
    (b"logchain.Append+journal work", Descriptor(APPEND, "work", "journal")),
    (b"logchain.Append+ work", Descriptor(APPEND, "work", "main")),
    (b"logchain.Append dom0", Descriptor(APPEND, "dom0", "main")),
    (b"logchain.Append+9..-_ A", Descriptor(APPEND, "A", "9..-_")),
    (b"logchain.Append+" + b"s" * 48 + b" " + b"v" * 31, Descriptor(APPEND, "v" * 31, "s" * 48)),
    (b"qubes.Log work", Descriptor(STOCK, "work", STOCK)),
    (b"qubes.Log+ work", Descriptor(STOCK, "work", STOCK)),
]
BAD = [
    (b"", "not a service descriptor"),
    (b" ", "not a VM name"),
    (b" work", "no such service"),
    (b"logchain.Append+journal", "not a service descriptor"),
    (b"logchain.Append+journal work extra", "not a service descriptor"),
    (b"logchain.Append+journal  work", "not a service descriptor"),
    (b"logchain.Append+journal work ", "not a service descriptor"),
    (b"logchain.Append+journal\twork", "not a service descriptor"),
    (b"logchain.Append+j\xc3\xb6urnal work", "not a service descriptor"),
    (b"logchain.Append+journal work\n", "not a VM name"),
    (b"logchain.Append+journal ", "not a VM name"),
    (b"logchain.Append+journal ..", "not a VM name"),
    (b"logchain.Append+journal .", "not a VM name"),
    (b"logchain.Append+journal a/b", "not a VM name"),
    (b"logchain.Append+journal 1work", "not a VM name"),
    (b"logchain.Append+journal " + b"v" * 32, "not a VM name"),
    (b"logchain.Append+.. work", "not a stream name"),
    (b"logchain.Append+. work", "not a stream name"),
    (b"logchain.Append+../../etc work", "not a stream name"),
    (b"logchain.Append+a/b work", "not a stream name"),
    (b"logchain.Append+a+b work", "not a stream name"),
    (b"logchain.Append+journal\n work", "not a stream name"),
    (b"logchain.Append+" + b"s" * 49 + b" work", "not a stream name"),
    (b"logchain.Append+qubes.Log work", "stream qubes.Log belongs"),
    (b"qubes.Log+other work", "no such service"),
    (b"qubes.log work", "no such service"),
    (b"logchain.append+journal work", "no such service"),
    (b"+journal work", "no such service"),
]


@pytest.mark.parametrize(("data", "call"), GOOD, ids=range(len(GOOD)))
def test_what_is_a_call(data: bytes, call: Descriptor) -> None:
    """With and without `+`, ours and Qubes' own, and names as long as they may be."""
    assert parse_descriptor(data) == call


@pytest.mark.parametrize(("data", "words"), BAD, ids=range(len(BAD)))
def test_what_is_not(data: bytes, words: str) -> None:
    """Each is refused with its reason, which repeats nothing that was sent."""
    with pytest.raises(UsageError, match=f"^{words}"):
        parse_descriptor(data)


NAMES = st.one_of(
    st.text("abzAZ09_.-+/ \n\0\u00e9", max_size=52),
    st.from_regex(r"\A[A-Za-z][A-Za-z0-9_.-]{0,33}\Z"),
    st.sampled_from(["", ".", "..", "dom0", "main", STOCK]),
)
SERVICES = st.sampled_from([APPEND, STOCK, "", "qubes.Logs", "qubes.VMShell"])


@given(st.builds("{}{}{} {}".format, SERVICES, st.sampled_from(["+", "", "++"]), NAMES, NAMES).map(str.encode))
@example(b"logchain.Append+main work")
def test_a_call_says_the_same_written_back(data: bytes) -> None:
    """What is accepted has names that may be part of a path, and is the call that was asked for."""
    try:
        call = parse_descriptor(data)
    except UsageError:
        return
    assert (check_vm(call.vm), check_stream(call.stream)) == (call.vm, call.stream)
    argument = "" if call.service == STOCK else call.stream
    assert parse_descriptor(f"{call.service}+{argument} {call.vm}".encode()) == call
    asked = data.decode().replace("+ ", " ")
    assert asked in (f"{call.service}+{argument} {call.vm}", f"{call.service} {call.vm}")


@given(st.binary(max_size=600))
def test_any_bytes(data: bytes) -> None:
    """They are a call or an error, and nothing else is raised."""
    try:
        call = parse_descriptor(data)
    except UsageError:
        return
    assert call.service in (APPEND, STOCK)

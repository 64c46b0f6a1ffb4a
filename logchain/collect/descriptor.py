"""The first bytes of a socket service's connection: which service is called, with what argument, by whom."""

from typing import NamedTuple

from logchain.format.errors import UsageError
from logchain.format.names import DEFAULT_STREAM, check_stream, check_vm

__all__ = ["APPEND", "MAX_DESCRIPTOR", "STOCK", "Descriptor", "check_call", "parse_descriptor"]

APPEND, STOCK = "logchain.Append", "qubes.Log"  # our service, and the one that Qubes itself has
MAX_DESCRIPTOR = 512  # bytes, NUL included: qrexec's own limit for names is 255


class Descriptor(NamedTuple):
    """A call that may be served: the service, the VM that dom0 says is calling, and the stream to write."""

    service: str
    vm: str
    stream: str


def parse_descriptor(untrusted_data: bytes) -> Descriptor:
    """Take `service+argument vm` apart, given without its NUL; from dom0 the `+` may be missing. Raises UsageError."""
    try:
        untrusted_call, untrusted_vm = untrusted_data.decode("ascii").split(" ")
    except ValueError as error:
        raise UsageError("not a service descriptor") from error
    untrusted_service, _, untrusted_argument = untrusted_call.partition("+")
    return check_call(untrusted_service, untrusted_vm, untrusted_argument)


def check_call(untrusted_service: str, untrusted_vm: str, untrusted_argument: str) -> Descriptor:
    """Return the call if it may be served, or raise UsageError."""
    vm = check_vm(untrusted_vm)
    if untrusted_service == STOCK and not untrusted_argument:
        return Descriptor(STOCK, vm, STOCK)
    if untrusted_service != APPEND:
        raise UsageError("no such service")
    stream = check_stream(untrusted_argument or DEFAULT_STREAM)
    if stream == STOCK:
        raise UsageError(f"stream {STOCK} belongs to the service of that name")
    return Descriptor(APPEND, vm, stream)

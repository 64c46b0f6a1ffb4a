"""What goes over an instance's control socket, a byte each.

Down: how the VM stands to its quota, how many streams share what it may have, and the demand to make way for another.
Up: that it does not. The number of a signal, below 65, comes down too, by `signal.set_wakeup_fd`: it is the end.
"""

from logchain.collect.allowance import Quota

__all__ = ["STAYS", "SUPERSEDE", "format_standing", "parse_standing"]

SUPERSEDE, STAYS = b"d", b"b"
_QUOTA = 0x70  # and the Quota
_STREAMS, _MOST = 0x80, 0x7F  # and the number of streams


def format_standing(quota: Quota, streams: int) -> bytes:
    """Return the words for how a VM stands, and among how many streams it is shared."""
    return bytes([_QUOTA + quota, _STREAMS + min(streams, _MOST)])


def parse_standing(word: int) -> tuple[Quota | None, int | None]:
    """Return what a word says of the quota, or of the number of streams; of neither where it is a demand."""
    if word >= _STREAMS:
        return None, word - _STREAMS
    if word - _QUOTA in list(Quota):
        return Quota(word - _QUOTA), None
    return None, None

"""How wide the columns of a table are at first: so many digits of its font."""

from collections.abc import Sequence

from PySide6.QtWidgets import QHeaderView

__all__ = ["set_widths"]


def set_widths(header: QHeaderView, digits: Sequence[int]) -> None:
    """Give each column room for so many digits."""
    digit, between = header.fontMetrics().horizontalAdvance("0"), header.fontMetrics().height()
    for column, count in enumerate(digits):
        header.resizeSection(column, count * digit + between)

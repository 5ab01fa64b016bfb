"""How a table of numbers reads: digits alike within a column, the best marked, a dash for none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard

from fastdis.reports.comparison import MISSING
from fastdis.reports.table import Table, Value

MOST_DIGITS = 6  # after the point; what is smaller still is written with a power of ten


@dataclass(frozen=True)
class TableCell:
    """A value as text, whether it is one of numbers, and whether it is the best of its column."""

    text: str
    number: bool = False
    best: bool = False


@dataclass(frozen=True)
class TableView:
    """``columns`` are (title, whether it holds numbers); ``rows`` are lists of cells."""

    caption: str
    note: str
    columns: list[tuple[str, bool]]
    rows: list[list[TableCell]]


def view(table: Table) -> TableView:
    """A table as the page shows it."""
    by_column = [
        _cells([row[i] for row in table.rows], table.best.get(title, ""))
        for i, title in enumerate(table.columns)
    ]
    columns = [
        (title, any(cell.number for cell in cells))
        for title, cells in zip(table.columns, by_column, strict=True)
    ]
    rows = [list(row) for row in zip(*by_column, strict=True)]
    return TableView(table.caption, table.note, columns, rows)


def _is_number(value: Value) -> TypeGuard[float]:
    return value is not None and not isinstance(value, (str, bool))


def _cells(values: Sequence[Value], side: str) -> list[TableCell]:
    numbers = {
        i: float(value)
        for i, value in enumerate(values)
        if _is_number(value) and math.isfinite(value)
    }
    digits = _digits(list(numbers.values()))
    among_numbers = any(_is_number(value) for value in values)
    best = ""
    if side and len({_text(x, digits) for x in numbers.values()}) > 1:
        best = _text((max if side == "high" else min)(numbers.values()), digits)
    cells = []
    for i, value in enumerate(values):
        if i in numbers:
            text = _text(numbers[i], digits)
            cells.append(TableCell(text, True, text == best))
        elif isinstance(value, bool):
            cells.append(TableCell("yes" if value else "no"))
        elif isinstance(value, str):
            cells.append(TableCell(value))
        else:
            cells.append(TableCell(MISSING, among_numbers))
    return cells


def _digits(values: Sequence[float]) -> int | None:
    """Digits after the point for a column: three in all for its largest value, two for half of it.

    None where that would be too many.
    """
    if all(value == round(value) and abs(value) < 1e15 for value in values):
        return 0
    sizes = sorted(abs(value) for value in values if value)
    largest, middle = (math.floor(math.log10(x)) for x in (sizes[-1], sizes[len(sizes) // 2]))
    digits = max(0, min(3, 3 - largest), 1 - middle)
    return digits if digits <= MOST_DIGITS else None


def _text(value: float, digits: int | None) -> str:
    text = f"{value:.3g}" if digits is None else f"{value:,.{digits}f}"
    if float(text.replace(",", "")) == 0.0:
        text = text.removeprefix("-")
    return text.replace("-", "−") if text.startswith("-") else text

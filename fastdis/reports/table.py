"""One table for every report: values under named columns, and how they read as text.

``text`` renders a table for a terminal and in Markdown, ``templates/macros.html`` in HTML.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Integral, Real
from typing import Any, TypeGuard

from fastdis import _validation

MISSING = "–"
MOST_DIGITS = 6  # after the point; a smaller number is written with a power of ten
SIDES = ("high", "low")
_BEST = {"high": max, "higher": max, "low": min, "lower": min}


@dataclass(frozen=True)
class Cell:
    """A cell, a heading or a caption as text.

    ``detail`` is small print beside the text (a deviation, an interval, a range), ``note`` small
    print below it, ``problem`` the error shown in place of results. ``number`` aligns the cell
    right, ``best`` marks it, and a ``hidden`` heading is there for screen readers only.
    """

    text: str
    detail: str = ""
    note: str = ""
    problem: str = ""
    number: bool = False
    best: bool = False
    hidden: bool = False


Value = str | float | None | Cell  # of a table: text, a number, nothing, or a finished cell


@dataclass(frozen=True)
class Table:
    """Rows of text and numbers under named columns.

    Parameters
    ----------
    caption
        What the table shows; also its name for screen readers.
    columns
        One distinct title per column. The first column names the rows.
    rows
        One value per column: text, or a number. The numbers of a column are shown with equally many
        digits, None and numbers that are not finite as a dash, True and False as yes and no.
    note
        Small print below the table.
    best
        Column -> which of its numbers is good, ``"high"`` or ``"low"``: that number is marked.
    groups
        Index of a row -> the heading of the rows from this one to the next heading.

    Raises
    ------
    TypeError, ValueError
        If a row does not have one value per column, a value is neither text nor a number, two
        columns share a title, or ``best`` names an unknown column or side.

    Examples
    --------
    >>> table = Table("Errors", ["network", "error"], [["MLP", 0.12], ["CNN", 0.08]])
    >>> table.rows[1][0]
    'CNN'
    """

    caption: str | Cell
    columns: Sequence[str | Cell]
    rows: Sequence[Sequence[Value]]
    note: str = ""
    best: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[int, Cell] = field(default_factory=dict)

    def __post_init__(self) -> None:
        named, width = f"of table {_cell(self.caption).text!r}", len(self.columns)
        if not width or len(set(self.columns)) != width:
            raise ValueError(f"columns {named} takes distinct titles, got {list(self.columns)}")
        titles = [_cell(column).text for column in self.columns]
        for i, row in enumerate(self.rows):
            if isinstance(row, str) or len(row) != width:
                raise ValueError(
                    f"rows {named} takes {width} values per row ({', '.join(titles)}), "
                    f"got {_validation.describe(row)} in row {i}"
                )
            for value in row:
                if value is not None and not isinstance(value, (str, Real, Cell)):
                    raise TypeError(
                        f"rows {named} takes texts and numbers, "
                        f"got {_validation.describe(value)} in row {i}"
                    )
        for column, side in self.best.items():
            _validation.choice(f"a column in best {named}", column, titles)
            _validation.choice(f"best {named}", side, SIDES)

    @property
    def title(self) -> Cell:
        """The caption."""
        return _cell(self.caption)

    @cached_property
    def headings(self) -> list[Cell]:
        """One per column; those of numbers are aligned as numbers are."""
        columns = zip(*self.cells, strict=True) if self.rows else [()] * len(self.columns)
        return [
            replace(_cell(title), number=any(cell.number for cell in cells))
            for title, cells in zip(self.columns, columns, strict=True)
        ]

    @cached_property
    def cells(self) -> list[list[Cell]]:
        """The rows as text."""
        columns = [
            _column([row[i] for row in self.rows], self.best.get(_cell(title).text, ""))
            for i, title in enumerate(self.columns)
        ]
        return [list(row) for row in zip(*columns, strict=True)]

    @property
    def sections(self) -> list[tuple[Cell | None, list[list[Cell]]]]:
        """The groups: (heading, rows); a single one without a heading where there are none."""
        starts = sorted({0, *self.groups})
        ends = [*starts[1:], len(self.rows)]
        return [
            (self.groups.get(start), self.cells[start:end])
            for start, end in zip(starts, ends, strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: numbers as they are, None where they are not finite."""
        titles = [heading.text for heading in self.headings]
        rows = [[_plain(value) for value in row] for row in self.rows]
        return {"caption": self.title.text, "columns": titles, "rows": rows, "note": self.note}

    @property
    def has_missing(self) -> bool:
        """Whether a cell is a dash."""
        return any(cell.text == MISSING for row in self.cells for cell in row)


def compared(
    values: Sequence[float | None],
    better: str,
    text: Callable[[float], str],
    details: Sequence[str] | None = None,
) -> list[Cell]:
    """The cells of numbers that are compared with each other, the best of them marked.

    Numbers that read the same are equally good; without two that read differently there is no best.
    What is not finite is never the best, and None and NaN are a dash without its detail.
    ``better`` is ``"high"`` or ``"higher"``, ``"low"`` or ``"lower"``, or empty.
    """
    texts = [MISSING if value is None or math.isnan(value) else text(value) for value in values]
    finite = [
        (value, shown)
        for value, shown in zip(values, texts, strict=True)
        if value is not None and math.isfinite(value)
    ]
    best = ""
    if better and len({shown for _, shown in finite}) > 1:
        best = _BEST[better](finite)[1]
    return [
        Cell(shown, "" if shown == MISSING else detail, number=True, best=shown == best)
        for shown, detail in zip(texts, details or [""] * len(texts), strict=True)
    ]


def decimals(value: float, digits: int = 3) -> str:
    """A number with this many digits after the point, a true minus sign, and no negative zero."""
    return _signed(f"{value:,.{digits}f}".replace("inf", "∞"))


def _signed(text: str) -> str:
    if text.startswith("-") and not any(digit in text for digit in "123456789∞"):
        text = text[1:]
    return text.replace("-", "−") if text.startswith("-") else text


def _cell(title: str | Cell) -> Cell:
    return title if isinstance(title, Cell) else Cell(title)


def _is_number(value: Value) -> TypeGuard[float]:
    return value is not None and not isinstance(value, (str, bool, Cell))


def _plain(value: Value) -> str | float | int | bool | None:
    if isinstance(value, Cell):
        return value.text
    if not _is_number(value):
        return value
    if not math.isfinite(value):
        return None
    return int(value) if isinstance(value, Integral) else float(value)


def _column(values: Sequence[Value], side: str) -> list[Cell]:
    numbers = [float(v) if _is_number(v) and math.isfinite(v) else None for v in values]
    digits = _digits([number for number in numbers if number is not None])

    def text(value: float) -> str:
        return _signed(f"{value:.3g}") if digits is None else decimals(value, digits)

    dash = Cell(MISSING, number=any(_is_number(value) for value in values))
    cells = []
    for value, cell in zip(values, compared(numbers, side, text), strict=True):
        if isinstance(value, Cell):
            cells.append(value)
        elif isinstance(value, bool):
            cells.append(Cell("yes" if value else "no"))
        elif isinstance(value, str):
            cells.append(Cell(value))
        else:
            cells.append(dash if cell.text == MISSING else cell)
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

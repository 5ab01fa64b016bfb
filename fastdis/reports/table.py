"""What a study asked and found: questions with their answers, tables of numbers, figures.

Plain data, checked where it is made.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

from fastdis import _validation

Value = str | float | None  # of a table: text, a number, or none

SIDES = ("high", "low")


@dataclass(frozen=True)
class Table:
    """Rows of text and numbers under named columns.

    Parameters
    ----------
    caption
        What it shows; its name for readers without a screen, too.
    columns
        A title each. The first column names the rows.
    rows
        A value a column: text, or a number. The numbers of a column are shown with equally many
        digits, None and what is not finite as a dash, True and False as yes and no.
    note
        Small print below.
    best
        Column -> which of its numbers is good, ``"high"`` or ``"low"``: that one is marked.

    Raises
    ------
    TypeError, ValueError
        If a row has not one value a column, a value is neither text nor a number, two columns share
        a title, or ``best`` names a column that is not there or another side.

    Examples
    --------
    >>> table = Table("Errors", ["network", "error"], [["MLP", 0.12], ["CNN", 0.08]])
    >>> table.rows[1][0]
    'CNN'
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Value]]
    note: str = ""
    best: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        named, width = f"of table {self.caption!r}", len(self.columns)
        if not width or len(set(self.columns)) != width:
            raise ValueError(f"columns {named} takes distinct titles, got {list(self.columns)}")
        for i, row in enumerate(self.rows):
            if isinstance(row, str) or len(row) != width:
                raise ValueError(
                    f"rows {named} takes {width} values a row ({', '.join(self.columns)}), "
                    f"got {_validation.describe(row)} in row {i}"
                )
            for value in row:
                if value is not None and not isinstance(value, (str, Real)):
                    raise TypeError(
                        f"rows {named} takes texts and numbers, "
                        f"got {_validation.describe(value)} in row {i}"
                    )
        for column, side in self.best.items():
            _validation.choice(f"a column in best {named}", column, self.columns)
            _validation.choice(f"best {named}", side, SIDES)


@dataclass(frozen=True)
class Figure:
    """A line drawing on white; a page in the dark turns its lightness and keeps its hues.

    Parameters
    ----------
    caption
        What it shows.
    uri
        The picture itself, ``data:image/...``, as ``reports.media`` makes it.
    alt
        The same for readers without a screen: what can be seen in it.

    Raises
    ------
    ValueError
        If ``uri`` is no picture, so that the page would need another file, or ``alt`` is empty.
    """

    caption: str
    uri: str
    alt: str

    def __post_init__(self) -> None:
        if not self.uri.startswith("data:image/"):
            raise ValueError(f"uri takes a picture as data:image/..., got {self.uri[:40]!r}")
        if not self.alt.strip():
            raise ValueError(f"alt of figure {self.caption!r} takes a text that is not empty")


@dataclass(frozen=True)
class Answer:
    """A question, its answer in a sentence, and what the answer stands on.

    Parameters
    ----------
    question, answer
        Plain text; the answer is shown in bold below the question.
    paragraphs, tables, figures
        Shown below the answer, in this order.
    """

    question: str
    answer: str
    paragraphs: Sequence[str] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()


def plain_table(table: Table) -> dict[str, Any]:
    """A table as JSON takes it; what is not finite is None."""
    rows = [[_plain_value(value) for value in row] for row in table.rows]
    return {
        "caption": table.caption, "columns": list(table.columns), "rows": rows, "note": table.note
    }  # fmt: skip


def plain_answer(answer: Answer) -> dict[str, Any]:
    """An answer as JSON takes it, without its figures."""
    return {
        "question": answer.question,
        "answer": answer.answer,
        "paragraphs": list(answer.paragraphs),
        "tables": [plain_table(table) for table in answer.tables],
    }


def _plain_value(value: Value) -> str | float | int | bool | None:
    if value is None or isinstance(value, (str, bool)):
        return value
    if not math.isfinite(value):
        return None
    return int(value) if isinstance(value, Integral) else float(value)

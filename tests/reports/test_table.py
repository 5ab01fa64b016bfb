"""Tables: how numbers read, which is marked as the best, and what a table refuses."""

from __future__ import annotations

import numpy as np
import pytest

from fastdis.reports import Table
from fastdis.reports.table import Cell, compared, decimals
from fastdis.reports.text import markdown_table, text_table


def column(*values, best=None):
    table = Table("t", ["x"], [[v] for v in values], best={"x": best} if best else {})
    return [row[0] for row in table.cells]


def texts(*values):
    return [cell.text for cell in column(*values)]


def test_numbers_of_a_column_have_the_same_digits():
    assert texts(0.5, 0.25, 0.125) == ["0.500", "0.250", "0.125"]
    assert texts(12.25, 3.1) == ["12.25", "3.10"]
    assert texts(5321.6, 12.3) == ["5,322", "12"]
    assert texts(1.0, 4, np.float32(8)) == ["1", "4", "8"]
    assert texts(20000) == ["20,000"]
    assert texts(-0.25, -0.0001, 0.3) == ["−0.250", "0.000", "0.300"]


def test_small_numbers_keep_two_digits():
    assert texts(0.02, 0.0003, 0.0004) == ["0.02000", "0.00030", "0.00040"]
    assert texts(1e-9, 2.5e-9) == ["1e-09", "2.5e-09"]


def test_what_is_no_number_reads_as_itself():
    assert texts("MLP", None, float("nan"), -np.inf, True, False, 0.5) == [
        "MLP", "–", "–", "–", "yes", "no", "0.500",
    ]  # fmt: skip
    assert [cell.number for cell in column("MLP", None, 0.5)] == [False, True, True]
    assert [cell.number for cell in column("MLP", None)] == [False, False]


def test_the_best_of_a_column_is_marked_on_its_side_and_never_alone():
    def marks(*values, best):
        return [cell.best for cell in column(*values, best=best)]

    assert marks(0.5, 0.2, np.nan, best="high") == [True, False, False]
    assert marks(0.5, 0.2, None, best="low") == [False, True, False]
    assert marks(0.50001, 0.49999, 0.2, best="high") == [True, True, False]
    assert marks(0.5, 0.5, best="high") == [False, False]
    assert marks(0.5, "–", best="high") == [False, False]
    assert not any(cell.best for cell in column(0.5, 0.2))


def test_an_empty_table_has_its_columns():
    shown = Table("none", ["a", "b"], [])
    assert [(heading.text, heading.number) for heading in shown.headings] == [
        ("a", False), ("b", False),
    ]  # fmt: skip
    assert shown.cells == []


@pytest.mark.parametrize(
    ("columns", "rows", "best", "error", "message"),
    [
        ([], [], {}, ValueError, "columns of table 'T' takes distinct titles"),
        (["a", "a"], [], {}, ValueError, "columns of table 'T' takes distinct titles"),
        (["a", "b"], [["x", 1], ["y"]], {}, ValueError, r"2 values per row \(a, b\).* in row 1"),
        (["a"], ["x"], {}, ValueError, "1 values per row"),
        (["a"], [[[1.0]]], {}, TypeError, "takes texts and numbers, got .* in row 0"),
        (["a"], [[1j]], {}, TypeError, "takes texts and numbers"),
        (["error"], [], {"eror": "low"}, ValueError, "did you mean 'error'"),
        (["a"], [], {"a": "lowest"}, ValueError, "did you mean 'low'"),
    ],
)
def test_tables_that_cannot_be_shown_are_named(columns, rows, best, error, message):
    with pytest.raises(error, match=message):
        Table("T", columns, rows, best=best)


def test_numbers_that_are_compared_may_be_infinite_or_missing():
    cells = compared([0.2, float("inf"), None, np.nan], "higher", decimals, ["a", "b", "c", "d"])
    assert [(cell.text, cell.detail) for cell in cells] == [
        ("0.200", "a"), ("∞", "b"), ("–", ""), ("–", ""),
    ]  # fmt: skip
    assert not any(cell.best for cell in cells)  # alone among finite numbers
    assert decimals(-np.inf) == "−∞"


def test_groups_of_rows_in_text_and_markdown():
    best = Cell("0.9", "± 0.1", number=True, best=True)
    rows = [["MLP", best], ["CNN", 0.5], ["MLP", Cell("2", number=True)]]
    groups = {0: Cell("MIG ↑"), 2: Cell("SAP ↑")}
    table = Table("", [Cell("Model", hidden=True), Cell("sine", "seed 0")], rows, groups=groups)
    assert [(heading.text, len(cells)) for heading, cells in table.sections] == [
        ("MIG ↑", 2), ("SAP ↑", 1),
    ]  # fmt: skip
    assert text_table(table).splitlines() == [
        "             sine",
        "           seed 0",
        "MIG ↑",
        "  MLP  0.9 ± 0.1*",
        "  CNN      0.500",
        "SAP ↑",
        "  MLP          2",
    ]
    assert markdown_table(table, "Score").splitlines() == [
        "| Score | Model | sine, seed 0 |",
        "| --- | --- | ---: |",
        "| MIG ↑ | MLP | **0.9 ± 0.1** |",
        "| MIG ↑ | CNN | 0.500 |",
        "| SAP ↑ | MLP | 2 |",
    ]

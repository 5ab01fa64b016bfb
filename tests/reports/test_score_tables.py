"""The score table of a report: its columns, marks and dashes."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from fastdis import reports
from fastdis.reports import model_view, score_tables
from tests.reports.report_data import fake_results


@pytest.fixture(scope="module")
def results():
    return fake_results()


def with_scores(results, **scores):
    """One metric for each model title, standard convention, sound protocol only."""
    sound = next(m for m in results.models if m.protocol == "sound")
    models = [
        replace(sound, title=title, scores={"standard": {"mig": score}})
        for title, score in scores.items()
    ]
    return replace(results, models=models, reference_table={})


def test_columns_stand_in_the_order_of_the_argument(results):
    columns, tables = score_tables.score_tables(results)
    assert [(c.protocol, c.convention) for c in columns] == [
        (None, ""), ("published", "published"), ("published", "standard"), ("sound", "standard"),
    ]  # fmt: skip
    assert [metric.title for metric, _ in tables] == [
        "MIG", "SAP", "DCIMIG", "JEMMIG", "Modularity",
    ]  # fmt: skip
    (first,) = [cells for name, *cells in tables[0][1].cells if name.text == "VAE"]
    vae = [m for m in results.models if m.title == "VAE"]
    expected = [
        results.reference_table["VAE"]["MIG"],
        vae[0].scores["published"]["mig"],
        vae[0].scores["standard"]["mig"],
        vae[1].scores["standard"]["mig"],
    ]
    assert [f"{c.text} {c.detail}" for c in first] == [f"{m:.3f} ± {s:.3f}" for m, s in expected]


def test_best_of_a_column_is_marked_ties_included_and_never_alone(results):
    def marks(**scores):
        (_, ((_, table),)) = score_tables.score_tables(with_scores(results, **scores))
        return [name.text for name, cell in table.cells if cell.best]

    assert marks(A=(0.2, 0.0), B=(0.5, 0.0), C=(0.3, 0.0)) == ["B"]
    assert marks(A=(0.5, 0.0), B=(0.5, 0.1), C=(0.3, 0.0)) == ["A", "B"]
    assert marks(A=(0.5001, 0.0), B=(0.4999, 0.1), C=(0.3, 0.0)) == ["A", "B"]  # both read 0.500
    assert marks(A=(0.5, 0.0)) == []
    assert marks(A=(0.5, 0.0), B=(0.5, 0.1)) == []  # no best where all are alike
    assert marks(A=(np.nan, 0.0), B=(0.1, 0.0), C=(0.05, 0.0)) == ["B"]


def test_metric_that_is_better_low_marks_the_lowest():
    cells = score_tables._cells([(0.2, 0.0), (0.5, 0.0)], "lower")
    assert [cell.best for cell in cells] == [True, False]


@pytest.mark.parametrize("style", ["text", "markdown"])
def test_missing_scores_are_a_dash_with_a_note(results, style):
    shown = with_scores(results, A=(np.nan, 0.1), B=(0.25, np.nan), C=(-np.inf, np.inf))
    table = reports.score_table(shown, style)
    assert table.count("–") == 3
    assert score_tables.MISSING_NOTE in table
    assert "0.250" in table
    assert not re.search(r"\b(nan|inf)\b", table, re.IGNORECASE)


def test_text_table_lines_up(results):
    lines = reports.score_table(results).splitlines()
    rows = [line for line in lines if "±" in line]
    assert len(rows) == 5 * 2
    places = {tuple(m.start() for m in re.finditer("±", row)) for row in rows}
    assert len(places) == 1
    assert max(map(len, lines)) <= 100


def test_markdown_table_has_even_rows_and_keeps_pipes_out(results):
    shown = with_scores(results, **{"a | b <i>": (0.5, 0.0), "c": (0.2, 0.0)})
    table = reports.score_table(shown, "markdown")
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {4}
    assert "**0.500 ± 0.000**" in table
    assert "<i>" not in table


def test_unknown_style_and_empty_scores(results):
    with pytest.raises(ValueError, match="markdown"):
        reports.score_table(results, "markdwn")
    nothing = [replace(m, scores={}) for m in results.models]
    assert "No scores" in reports.score_table(replace(results, models=nothing, reference_table={}))


def test_numbers_read_well():
    shown = [model_view.significant(x) for x in (2691.4, 13.42, 1.7e-16, 0.0, np.nan, -np.inf)]
    assert shown == ["2,691", "13.4", "1.7e-16", "0", "–", "–"]

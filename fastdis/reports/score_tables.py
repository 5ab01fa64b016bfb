"""The score table: one table per metric, a row per model, a column per way to train and score.

The columns follow the argument of a study: the figures of the paper, the same protocol repeated and
scored as published, the same models scored by the definitions of the metrics, and the corrected
protocol.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from fastdis import _validation
from fastdis.metrics._catalogue import CATALOGUE, Entry
from fastdis.reports.results import PROTOCOLS, MeanAndDeviation, Results, protocols_of
from fastdis.reports.table import MISSING, Cell, Table, compared, decimals
from fastdis.reports.text import markdown_table, text_table

ARROWS = {"higher": "↑", "lower": "↓", "": ""}
MISSING_NOTE = f"{MISSING} stands for a score that was not made or is not a finite number."


@dataclass(frozen=True)
class Column:
    """A way to train and to score; ``protocol`` is None for the paper's own table."""

    title: str
    subtitle: str
    protocol: str | None
    convention: str
    meaning: str


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


_KNOWN = {_plain(name): entry for name, entry in CATALOGUE.items()}


def known_metric(name: str) -> Entry:
    """The catalogue's entry of a score, however its name is written: ``"MIG"``, ``"mig_sup"``.

    A score that the catalogue does not have, such as one of another version, has its name alone.
    """
    return _KNOWN.get(_plain(name)) or unknown_metric(name)


def unknown_metric(name: str) -> Entry:
    """A score of which the name alone is known."""
    return Entry(name, name, "", "none", "", "", low=None, high=None, better="")


def direction(metric: Entry) -> str:
    """``"higher is better"``; empty where neither direction is."""
    return f"{metric.better} is better" if metric.better else ""


def _columns(results: Results) -> list[Column]:
    trained = "trained as published"
    columns = [
        Column(results.reference_name, "as printed", None, "", "The figures of the paper."),
        Column(
            "Published protocol", "published scoring", "published", "published",
            f"The models of this run, {trained} and scored as published.",
        ),
        Column(
            "Published protocol", "standard scoring", "published", "standard",
            "The same models, scored by the definitions of the metrics.",
        ),
        Column(
            "Corrected protocol", "standard scoring", "sound", "standard",
            "Models trained by the corrected protocol, scored by the definitions of the metrics.",
        ),
    ]  # fmt: skip
    columns += [
        Column(group, f"{convention} scoring", group, convention, f"The models of “{group}”.")
        for group in protocols_of(results)
        if group not in PROTOCOLS
        for convention in ("published", "standard")
    ]
    return [column for column in columns if _scores(results, column)]


def _scores(results: Results, column: Column) -> dict[str, dict[str, MeanAndDeviation]]:
    """Model title -> plain metric name -> score, without models that have none here."""
    if column.protocol is None:
        found = results.reference_table
    else:
        found = {
            result.title: result.scores.get(column.convention, {})
            for result in results.models
            if result.protocol == column.protocol
        }
    return {
        title: {_plain(metric): score for metric, score in scores.items()}
        for title, scores in found.items()
        if scores
    }


def _metrics(results: Results) -> dict[str, Entry]:
    """Plain name -> entry of every metric that has a score, in the order of the catalogue."""
    names = [name for result in results.models for s in result.scores.values() for name in s]
    names += [name for scores in results.reference_table.values() for name in scores]
    found = {_plain(name): known_metric(name) for name in names}
    order = [plain for plain in _KNOWN if plain in found]
    return {plain: found[plain] for plain in [*order, *(p for p in found if p not in _KNOWN)]}


def _cells(scores: list[MeanAndDeviation | None], better: str) -> list[Cell]:
    """The cells of one column."""
    means = [score[0] if score and math.isfinite(score[0]) else None for score in scores]
    deviations = [
        f"± {decimals(score[1])}" if score and math.isfinite(score[1]) else "" for score in scores
    ]
    return compared(means, better, decimals, deviations)


def score_tables(results: Results) -> tuple[list[Column], list[tuple[Entry, Table]]]:
    """The ways to train and score, and the table of each metric, as the page shows them."""
    columns = _columns(results)
    by_column = [_scores(results, column) for column in columns]
    titles = list(dict.fromkeys([r.title for r in results.models] + list(results.reference_table)))
    headings = [Cell("Model", hidden=True), *(Cell(c.title, c.subtitle) for c in columns)]
    tables = []
    for key, metric in _metrics(results).items():
        shown = [t for t in titles if any(key in scores.get(t, {}) for scores in by_column)]
        cells = [
            _cells([scores.get(title, {}).get(key) for title in shown], metric.better)
            for scores in by_column
        ]
        better = f"{ARROWS[metric.better]} {direction(metric)}".strip()
        caption = Cell(metric.title, better, metric.rewards)
        tables.append((metric, Table(caption, headings, list(zip(shown, *cells, strict=True)))))
    return columns, tables


def score_table(results: Results, style: str = "text") -> str:
    """The score table of a report as text: mean ± deviation, the best of each column marked.

    Parameters
    ----------
    results
        What :func:`fastdis.reports.write` takes.
    style
        ``"text"`` for a terminal (the best is marked by ``*``), ``"markdown"`` for a file (bold).

    Returns
    -------
    str
        The table, ended by a newline; a score that is not finite is shown as ``–``.

    Raises
    ------
    ValueError
        If ``style`` is neither of the two.
    """
    _validation.choice("style", style, ["text", "markdown"])
    _, tables = score_tables(results)
    if not tables:
        return "No scores.\n"
    markdown = style == "markdown"
    names = [
        f"{m.title} {ARROWS[m.better]}".rstrip() if markdown
        else f"{m.title} ({direction(m)})".removesuffix(" ()") for m, _ in tables
    ]  # fmt: skip
    table = _joined(names, [table for _, table in tables])
    text = (
        f"{markdown_table(table, 'Metric')}\n\n"
        "↑ higher is better, ↓ lower is better; bold: best of its column.\n"
        if markdown else f"{text_table(table)}\n\n* the best of its column\n"
    )  # fmt: skip
    return text + (f"\n{MISSING_NOTE}\n" if table.has_missing else "")


def _joined(names: list[str], tables: list[Table]) -> Table:
    """Tables of the same columns as one, a group of rows for each."""
    groups: dict[int, Cell] = {}
    rows: list[list[Cell]] = []
    for name, table in zip(names, tables, strict=True):
        groups[len(rows)] = Cell(name)
        rows += table.cells
    return Table("", tables[0].columns, rows, groups=groups)

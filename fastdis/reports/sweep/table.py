"""The table of a sweep: a row a combination, a column a score, mean ± deviation over the seeds."""

from __future__ import annotations

from dataclasses import dataclass

from fastdis.reports.comparison import ARROW, MISSING, Cell, Metric, best_of, known_metric
from fastdis.reports.sweep.results import Combination, Row, Spread, SweepResults, in_words

_LARGE = 10.0  # no score is


@dataclass(frozen=True)
class SweepRow:
    """One combination as text; ``seeds`` says how many ended well, and of how many if not all."""

    title: str
    options: str
    latent_dim: int
    seeds: str
    cells: list[Cell]


@dataclass(frozen=True)
class SweepTable:
    """The columns, each a score's way of being shown, and the rows."""

    columns: list[Metric]
    rows: list[SweepRow]

    @property
    def has_missing(self) -> bool:
        """Whether a cell is without a score."""
        return any(cell.mean == MISSING for row in self.rows for cell in row.cells)


def columns_of(results: SweepResults) -> list[Metric]:
    """The reconstruction, of the held-out clips if there are any, then the metrics."""
    found = {name for each in results.summary for name in each.values}
    for part, of in (("validation", "held out"), ("train", "trained on")):
        if (name := f"{part}_reconstruction") in found:
            about = f"The cost of a clip's reconstruction, {of}."
            first = [Metric(name, "Reconstruction", higher_is_better=False, question=about)]
            break
    else:
        first = []
    return first + [known_metric(name) for name in results.metrics]


def sweep_table(results: SweepResults) -> SweepTable:
    """The table as the page and :func:`text_table` show it; the best of a column is marked."""
    columns = columns_of(results)
    by_column = [_cells(metric, results.summary) for metric in columns]
    rows = [
        SweepRow(
            results.titles.get(each.objective, each.objective), in_words(each.options),
            each.latent_dim, _seeds(each), [cells[i] for cells in by_column],
        )
        for i, each in enumerate(results.summary)
    ]  # fmt: skip
    return SweepTable(columns, rows)


def text_table(results: SweepResults) -> str:
    """The table for a terminal, a block a score and a column a latent size, ended by a newline.

    The best of a score, over all its columns, has a ``*``; cells that failed are told below.
    """
    table = sweep_table(results)
    sizes = sorted({row.latent_dim for row in table.rows})
    lines = [["", *(f"latent {size} " for size in sizes)]]
    models: dict[str, dict[int, SweepRow]] = {}
    for row in table.rows:
        models.setdefault(", ".join(filter(None, (row.title, row.options))), {})[row.latent_dim] = (
            row
        )
    for i, metric in enumerate(table.columns):
        lines.append([f"{metric.title} {ARROW[metric.higher_is_better].strip()}".rstrip()])
        for name, rows in models.items():
            cells = [rows[size].cells[i] if size in rows else Cell("") for size in sizes]
            lines.append([f"  {name}", *(c.text + ("*" if c.best else " ") for c in cells)])
    widths = [max(len(line[i]) for line in lines if len(line) > i) for i in range(len(sizes) + 1)]
    text = ""
    for line in lines:
        rest = [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=False)]
        text += "  ".join([line[0].ljust(widths[0]), *rest]).rstrip() + "\n"
    return text + "\nmean ± standard deviation over seeds; * the best\n" + _failures(results)


def _failures(results: SweepResults) -> str:
    """A line a combination, with the first of its errors."""
    found: dict[str, list[Row]] = {}
    for row in results.failed:
        found.setdefault(name_of(row, results), []).append(row)
    return "".join(
        f"failed: {name}, seed {', '.join(str(row['seed']) for row in rows)}: {rows[0]['error']}\n"
        for name, rows in found.items()
    )


def name_of(row: Row, results: SweepResults) -> str:
    """A cell in words, but for its seed."""
    title = results.titles.get(row["objective"], row["objective"])
    return ", ".join(filter(None, (title, in_words(row["options"]), f"latent {row['latent_dim']}")))


def _seeds(each: Combination) -> str:
    return (
        f"{each.finished} of {each.finished + each.failed}" if each.failed else f"{each.finished}"
    )


def _cells(metric: Metric, summary: list[Combination]) -> list[Cell]:
    spreads = [each.values.get(metric.key) for each in summary]
    best = best_of([_read(s.mean) for s in spreads if s is not None], metric.higher_is_better)
    return [_cell(each, best) for each in spreads]


def _cell(spread: Spread | None, best: float | None) -> Cell:
    if spread is None:
        return Cell(MISSING)
    deviation = "" if spread.deviation is None else f"± {_digits(spread.deviation)}"
    return Cell(_digits(spread.mean), deviation, _read(spread.mean) == best)


def _digits(value: float) -> str:
    """Three decimals, or one of what is far above a score."""
    return f"{value:.3f}" if abs(value) < _LARGE else f"{value:,.1f}"


def _read(value: float) -> float:
    """The number as it reads."""
    return round(value, 3 if abs(value) < _LARGE else 1)

"""The tables of a sweep: means and deviations over the seeds, and a row per trained model."""

from __future__ import annotations

from fastdis.metrics._catalogue import Entry
from fastdis.reports import text
from fastdis.reports.score_tables import ARROWS, known_metric
from fastdis.reports.sweep.results import Combination, Row, Spread, SweepResults, in_words
from fastdis.reports.table import MISSING, Cell, Table, Value, compared, decimals

_LARGE = 10.0  # no score is as large, but a reconstruction is
_MODEL = Cell("Model", hidden=True)


def scores_of(results: SweepResults) -> list[Entry]:
    """The reconstruction, of the held-out clips if there are any, then the metrics."""
    found = {name for each in results.summary for name in each.values}
    metrics = [known_metric(name) for name in results.metrics]
    for part, clips in (("validation", "held-out"), ("train", "training")):
        if (name := f"{part}_reconstruction") in found:
            about = f"The reconstruction term of the loss, mean over the {clips} clips."
            cost = Entry(name, "Reconstruction", "", "", about, "", high=None, better="lower")
            return [cost, *metrics]
    return metrics


def heading(score: Entry) -> str:
    """Its title with the arrow of its direction."""
    return f"{score.title} {ARROWS[score.better]}".rstrip()


def sweep_table(results: SweepResults) -> Table:
    """One row per combination, one column per score; the best of a column is marked."""
    scores = scores_of(results)
    columns = [_cells(score, results.summary) for score in scores]
    rows: list[list[Value]] = [
        [Cell(results.title_of(each.objective), in_words(each.options)), each.latent_dim,
         _seeds(each), *(cells[i] for cells in columns)]
        for i, each in enumerate(results.summary)
    ]  # fmt: skip
    return Table("", [_MODEL, "Latent size", "Seeds", *map(heading, scores)], rows)


def models_table(results: SweepResults) -> Table:
    """One row per trained model; its error below its name where it failed."""
    scores = [known_metric(name).title for name in results.metrics]
    columns = ["Latent size", "Seed", "Epochs", "Loss ↓", *scores]
    return Table("", [_MODEL, *columns], [_model(row, results) for row in results.rows])


def _model(row: Row, results: SweepResults) -> list[Value]:
    name = Cell(results.title_of(row["objective"]), in_words(row["options"]),
                problem=row["error"] or "")  # fmt: skip
    loss = row["validation"].get("loss", row["train"].get("loss"))
    scores = [row["scores"].get(metric) for metric in results.metrics]
    return [name, str(row["latent_dim"]), str(row["seed"]), str(row["epochs"]),
            MISSING if loss is None else decimals(loss, 2),
            *(MISSING if score is None else decimals(score) for score in scores)]  # fmt: skip


def text_table(results: SweepResults) -> str:
    """The scores for a terminal: a group of rows per score, a column per latent size.

    The best of a score, over all its columns, has a ``*``; the cells that failed follow, each with
    its error. Ended by a newline.
    """
    sizes = sorted({each.latent_dim for each in results.summary})
    models: dict[str, dict[int, int]] = {}
    for i, each in enumerate(results.summary):
        models.setdefault(results.name_of(each.objective, each.options), {})[each.latent_dim] = i
    groups: dict[int, Cell] = {}
    rows: list[list[Value]] = []
    for score in scores_of(results):
        groups[len(rows)] = Cell(heading(score))
        cells = _cells(score, results.summary)
        for name, found in models.items():
            rows.append([name, *(cells[found[size]] if size in found else "" for size in sizes)])
    table = Table("", [_MODEL, *(f"latent {size}" for size in sizes)], rows, groups=groups)
    about = "mean ± standard deviation over seeds; * the best"
    return f"{text.text_table(table)}\n\n{about}\n{_failures(results)}"


def _failures(results: SweepResults) -> str:
    """A line per combination, with the first of its errors."""
    found: dict[str, list[Row]] = {}
    for row in results.failed:
        size = f"latent {row['latent_dim']}"
        name = results.name_of(row["objective"], row["options"], size)
        found.setdefault(name, []).append(row)
    return "".join(
        f"failed: {name}, seed {', '.join(str(row['seed']) for row in rows)}: {rows[0]['error']}\n"
        for name, rows in found.items()
    )


def _seeds(each: Combination) -> str:
    """How many seeds finished, and of how many if not all."""
    return (
        f"{each.finished} of {each.finished + each.failed}" if each.failed else str(each.finished)
    )


def _cells(score: Entry, summary: list[Combination]) -> list[Cell]:
    spreads = [each.values.get(score.name) for each in summary]
    means = [None if spread is None else spread.mean for spread in spreads]
    return compared(means, score.better, _text, [_deviation(spread) for spread in spreads])


def _deviation(spread: Spread | None) -> str:
    return "" if spread is None or spread.deviation is None else f"± {_text(spread.deviation)}"


def _text(value: float) -> str:
    """Three decimals, or one of what is far above a score."""
    return decimals(value, 3 if abs(value) < _LARGE else 1)

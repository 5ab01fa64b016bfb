"""The results of a sweep: a row per cell, a summary over the seeds of each combination, files.

A cell is one trained model: an objective with its options, a latent size and a seed.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, TypedDict

from fastdis import _files
from fastdis.reports.results import versions


class Row(TypedDict):
    """One cell: what was trained, its losses after the last epoch, and its scores.

    ``options`` are those that the settings name; ``train`` and ``validation`` are losses by term,
    ``scores`` and ``intervals`` by metric; ``error`` is a text where the cell failed.
    """

    objective: str
    options: dict[str, Any]
    latent_dim: int
    seed: int
    epochs: int
    train: dict[str, float]
    validation: dict[str, float]
    scores: dict[str, float]
    intervals: dict[str, Any]
    warnings: list[str]
    error: str | None


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over n seeds (``ddof=1``; None for one seed)."""

    mean: float
    deviation: float | None
    n: int


@dataclass(frozen=True)
class Combination:
    """The cells that differ in the seed alone: how many finished, and their numbers by name."""

    objective: str
    options: dict[str, Any]
    latent_dim: int
    finished: int
    failed: int
    values: dict[str, Spread]


@dataclass(frozen=True)
class SweepResults:
    """The results of a sweep.

    Attributes
    ----------
    title
        The heading.
    titles
        Name of an objective -> the name it is shown by.
    rows
        One per cell.
    metrics
        Names of scores, in the order they are shown.
    text
        The settings of the sweep, as YAML.
    settings
        The settings in words, name -> value.
    """

    title: str
    titles: Mapping[str, str]
    rows: list[Row]
    metrics: list[str]
    text: str
    settings: dict[str, str]

    def title_of(self, objective: str) -> str:
        """The name that an objective is shown by."""
        return self.titles.get(objective, objective)

    def name_of(self, objective: str, options: Mapping[str, Any], *more: str) -> str:
        """A combination in words: ``"β-VAE, beta 4"``."""
        return ", ".join(filter(None, (self.title_of(objective), in_words(options), *more)))

    @property
    def failed(self) -> list[Row]:
        """The rows of the cells that failed."""
        return [row for row in self.rows if row["error"]]

    @property
    def option_names(self) -> list[str]:
        """The options of all objectives that the settings name."""
        return list(dict.fromkeys(key for row in self.rows for key in row["options"]))

    @cached_property
    def summary(self) -> list[Combination]:
        """Means and deviations over the seeds of each combination."""
        groups: dict[tuple[Any, ...], list[Row]] = {}
        for row in self.rows:
            key = (row["objective"], row["latent_dim"], *sorted(row["options"].items()))
            groups.setdefault(key, []).append(row)
        return [_combination(rows) for rows in groups.values()]


def numbers(row: Row) -> dict[str, float]:
    """The losses and scores of a cell by the names of their columns."""
    parts = {f"{part}_{term}": value for part in ("train", "validation")
             for term, value in row[part].items()}  # fmt: skip
    return {**parts, **row["scores"]}


def _combination(rows: Sequence[Row]) -> Combination:
    finished = [numbers(row) for row in rows if not row["error"]]
    names = dict.fromkeys(name for each in finished for name in each)
    return Combination(
        rows[0]["objective"], rows[0]["options"], rows[0]["latent_dim"], len(finished),
        len(rows) - len(finished),
        {name: _spread([each[name] for each in finished if name in each]) for name in names},
    )  # fmt: skip


def _spread(values: Sequence[float]) -> Spread:
    return Spread(fmean(values), stdev(values) if len(values) > 1 else None, len(values))


def write_tables(results: SweepResults, folder: Path) -> None:
    """``results.json``, ``results.csv`` (a row per cell), ``summary.csv`` (one per combination).

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    summary = [_plain(each) for each in results.summary]
    values = {"settings": results.settings, "versions": versions(), "rows": results.rows,
            "summary": summary}  # fmt: skip
    _files.write_json(folder / "results.json", values)
    _write_csv(folder / "results.csv", [_cell_line(row) for row in results.rows], results)
    _write_csv(folder / "summary.csv", [_summary_line(each) for each in results.summary], results)


def _plain(each: Combination) -> dict[str, Any]:
    return {
        "objective": each.objective, "options": each.options, "latent_dim": each.latent_dim,
        "finished": each.finished, "failed": each.failed,
        "mean": {name: value.mean for name, value in each.values.items()},
        "deviation": {name: value.deviation for name, value in each.values.items()},
        "n": {name: value.n for name, value in each.values.items()},
    }  # fmt: skip


def _cell_line(row: Row) -> dict[str, Any]:
    return {
        "objective": row["objective"], **row["options"], "latent_dim": row["latent_dim"],
        "seed": row["seed"], "epochs": row["epochs"], **numbers(row), "error": row["error"],
    }  # fmt: skip


def _summary_line(each: Combination) -> dict[str, Any]:
    line = {"objective": each.objective, **each.options, "latent_dim": each.latent_dim,
            "finished": each.finished, "failed": each.failed}  # fmt: skip
    for name, value in each.values.items():
        line |= {f"{name}_mean": value.mean, f"{name}_deviation": value.deviation}
    return line


def _write_csv(file: Path, lines: Sequence[dict[str, Any]], results: SweepResults) -> None:
    """One column per key of any line; empty where a line does not have it."""
    found = dict.fromkeys(name for line in lines for name in line)
    columns = ["objective", *results.option_names]
    columns += [name for name in found if name not in (*columns, "error")]
    columns += ["error"] if "error" in found else []
    with _files.replacing(file) as partial, partial.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def text_of(value: Any) -> str:
    """A value of an option, short."""
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:g}"
    return str(value)


def in_words(options: Mapping[str, Any]) -> str:
    """Options as they are shown: ``"beta 4, estimator mws"``."""
    return ", ".join(f"{key} {text_of(value)}" for key, value in options.items())

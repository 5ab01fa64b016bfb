"""A sweep's results: a row a cell, a summary over the seeds of each combination, their files."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from fastdis import _files
from fastdis.reports.page import versions

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over n seeds (``ddof=1``; None for one seed)."""

    mean: float
    deviation: float | None
    n: int


@dataclass(frozen=True)
class Combination:
    """Cells that differ in the seed alone: how many ended well, and their numbers by name."""

    objective: str
    options: dict[str, Any]
    latent_dim: int
    finished: int
    failed: int
    values: dict[str, Spread]


@dataclass(frozen=True)
class SweepResults:
    """What a sweep came to.

    Attributes
    ----------
    title
        The heading.
    titles
        The names that objectives are shown by.
    rows
        A dict a cell: ``objective``, ``options`` (those that were written down), ``latent_dim``,
        ``seed``, ``epochs``, the last ``train`` and ``validation`` losses by term, ``scores`` and
        ``intervals`` by metric, the metrics' ``warnings``, and ``error``, a text where the cell
        failed.
    metrics
        Names of scores, in the order they are shown.
    text
        What was asked for, as YAML.
    settings
        The same in words, as a table of key and value.
    """

    title: str
    titles: Mapping[str, str]
    rows: list[dict[str, Any]]
    metrics: list[str]
    text: str
    settings: dict[str, str]

    def title_of(self, objective: str) -> str:
        """The name that an objective is shown by."""
        return self.titles.get(objective, objective)

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The rows of cells that came to nothing."""
        return [row for row in self.rows if row["error"]]

    @property
    def option_names(self) -> list[str]:
        """Every option of any objective that was written down."""
        return list(dict.fromkeys(key for row in self.rows for key in row["options"]))

    @cached_property
    def summary(self) -> list[Combination]:
        """Over the seeds of each combination."""
        alike: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
        for row in self.rows:
            key = (row["objective"], row["latent_dim"], *sorted(row["options"].items()))
            alike.setdefault(key, []).append(row)
        return [_combination(rows) for rows in alike.values()]


def numbers(row: Row) -> dict[str, float]:
    """The losses and scores of a cell by the names of their columns."""
    parts = {f"{part}_{term}": value for part in ("train", "validation")
             for term, value in row[part].items()}  # fmt: skip
    return {**parts, **row["scores"]}


def _combination(rows: Sequence[dict[str, Any]]) -> Combination:
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
    """``results.json``, ``results.csv`` (a row a cell) and ``summary.csv`` (a row a combination).

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    summary = [_plain(each) for each in results.summary]
    told = {"settings": results.settings, "versions": versions(), "rows": results.rows,
            "summary": summary}  # fmt: skip
    _files.write_json(folder / "results.json", told)
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
    """A column for whatever a line has; empty where another has none."""
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

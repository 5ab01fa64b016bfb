"""Rows of the additive toy study's grid as tables: chosen, averaged, held against each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from fastdis.reports import Table
from fastdis.studies.additive_toy.grid import IMAGE_SYSTEMS, IMAGES, SYSTEMS

Row = Mapping[str, Any]
Measure = tuple[str, Callable[[Row], float]]  # its title, and what it takes of a row
TOLD, MIG, ACTIVE = "factors told (linear probe)", "MIG", "active codes"
EXPLAINED_KEY = "explained_expected"  # of what the factors determine, noise left out
EXPLAINED: Measure = ("variance explained", itemgetter(EXPLAINED_KEY))
# What a comparison looks at.
MEASURES: list[Measure] = [
    EXPLAINED,
    (TOLD, lambda row: row["scores"]["probe"]),
    (MIG, lambda row: row["scores"]["mig"]),
]


def title_of(row: Row) -> str:
    """The network and the representation of a row."""
    return (IMAGE_SYSTEMS if row["condition"] == IMAGES else SYSTEMS)[row["system"]].title


def all_cells(rows: Sequence[Row]) -> Table:
    """Every model of the grid, a row each."""
    columns = ["network", "sounds", "codes", "β", "of the clip", "explained", "KL, nats",
               "active codes", "probe", "its chance", "MIG", "DCIMIG"]  # fmt: skip
    lines = [
        [title_of(row), row["condition"], row["latent_dim"], f"{row['beta']:g}", row["explained"],
         row[EXPLAINED_KEY], row["kl"], row["active"],
         row["scores"]["probe"], row["chance"]["probe"], row["scores"]["mig"],
         row["scores"]["dcimig"]]
        for row in rows
    ]  # fmt: skip
    return Table(f"{len(rows)} models", columns, lines)


def chosen(rows: Sequence[Row], **asked: Any) -> list[Row]:
    """The rows whose columns are as asked, or among those asked."""
    return [
        row
        for row in rows
        if all(
            row[key] in value if isinstance(value, tuple) else row[key] == value
            for key, value in asked.items()
        )
    ]


def mean(rows: Sequence[Row], of: Callable[[Row], float]) -> float:
    """The mean of a measure."""
    return float(np.mean([of(row) for row in rows]))


def means(rows: Sequence[Row]) -> dict[str, float]:
    """The mean of every measure, and of the number of active codes, by title."""
    every: list[Measure] = [*MEASURES, (ACTIVE, lambda row: row["active"])]
    return {title: mean(rows, of) for title, of in every}


def pairs(rows: Sequence[Row], first: str, second: str) -> list[tuple[Row, Row]]:
    """Rows of two systems that agree in all but the system."""
    key = ("condition", "latent_dim", "beta")
    there = {tuple(row[k] for k in key): row for row in chosen(rows, system=second)}
    return [
        (row, there[at])
        for row in chosen(rows, system=first)
        if (at := tuple(row[k] for k in key)) in there
    ]


def compared(
    rows: Sequence[Row], couples: Sequence[tuple[str, str, str]], names: tuple[str, str]
) -> Table:
    """Two systems beside each other, measure by measure, over all cells that both have."""
    lines: list[list[str | float]] = []
    for title, first, second in couples:
        both = pairs(rows, first, second)
        for measure, of in MEASURES:
            left, right = (np.array([of(pair[i]) for pair in both]) for i in (0, 1))
            change = right - left
            lines.append(
                [title, measure, float(left.mean()), float(right.mean()),
                 f"{change.mean():+.3f} ± {change.std():.3f}",
                 f"{int((change > 0).sum())} of {len(both)}"]
            )  # fmt: skip
    columns = ["network", "measure", *names, "difference", f"{names[1]} is higher in"]
    return Table(
        "Means over the cells that both have; ± is the deviation of the differences", columns, lines
    )

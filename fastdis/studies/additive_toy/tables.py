"""Cells of the additive toy study's grid as tables: chosen, averaged, compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fastdis.reports import Figure, Table, data_uris
from fastdis.studies.additive_toy import grid

Row = Mapping[str, Any]  # of a rows.json; see measure.measure
Measure = Callable[[Row], float]
EXPLAINED, PROBE, MIG, ACTIVE = "variance explained", "linear probe", "MIG", "active codes"
# Title -> what it takes of a row. The variance explained is of what the factors determine.
MEASURES: dict[str, Measure] = {
    EXPLAINED: lambda row: row["explained_expected"],
    PROBE: lambda row: row["scores"]["probe"],
    MIG: lambda row: row["scores"]["mig"],
    ACTIVE: lambda row: row["active"],
}
COMPARED = (EXPLAINED, PROBE, MIG)


def title_of(row: Row) -> str:
    """The network and the representation of a row."""
    return grid.Group(row["system"], row["condition"]).of.title


def all_cells(rows: Sequence[Row]) -> Table:
    """Every model of the grid, one row each."""
    columns = ["network", "sounds", "codes", "β", "variance explained, with noise", EXPLAINED,
               "KL, nats", ACTIVE, PROBE, "probe's chance", MIG, "DCIMIG"]  # fmt: skip
    lines = [
        [title_of(row), row["condition"], row["latent_dim"], f"{row['beta']:g}", row["explained"],
         row["explained_expected"], row["kl"], row["active"], row["scores"]["probe"],
         row["chance"]["probe"], row["scores"]["mig"], row["scores"]["dcimig"]]
        for row in rows
    ]  # fmt: skip
    return Table(f"{len(rows)} models", columns, lines)


def chosen(rows: Sequence[Row], **asked: Any) -> list[Row]:
    """The rows whose columns hold the given value, or one of a tuple of values."""
    return [
        row
        for row in rows
        if all(
            row[key] in value if isinstance(value, tuple) else row[key] == value
            for key, value in asked.items()
        )
    ]


def mean(rows: Sequence[Row], measure: str | Measure) -> float:
    """The mean over rows of one of ``MEASURES``, or of any other function of a row."""
    of = MEASURES[measure] if isinstance(measure, str) else measure
    return float(np.mean([of(row) for row in rows]))


def means(rows: Sequence[Row]) -> dict[str, float]:
    """The mean of each of ``MEASURES``."""
    return {title: mean(rows, title) for title in MEASURES}


def pairs(rows: Sequence[Row], first: str, second: str) -> list[tuple[Row, Row]]:
    """Rows of two systems that are equal in condition, code size and beta."""
    key = ("condition", "latent_dim", "beta")
    found = {tuple(row[k] for k in key): row for row in chosen(rows, system=second)}
    return [
        (row, found[at])
        for row in chosen(rows, system=first)
        if (at := tuple(row[k] for k in key)) in found
    ]


def changes(couples: Sequence[tuple[Row, Row]], measure: str) -> Any:
    """How much higher a measure is in the second of each two rows."""
    of = MEASURES[measure]
    return np.array([of(second) - of(first) for first, second in couples])


def compared(rows: Sequence[Row], couples: Sequence[tuple[str, str, str]]) -> Table:
    """Pairs of systems, each with a name for what changes, over all cells that both have."""
    lines: list[list[str | float]] = []
    for name, first, second in couples:
        both = pairs(rows, first, second)
        for measure in COMPARED:
            change = changes(both, measure)
            before, after = (mean([pair[i] for pair in both], measure) for i in (0, 1))
            lines.append(
                [name, measure, before, after, f"{change.mean():+.3f} ± {change.std():.3f}",
                 f"{int((change > 0).sum())} of {len(both)}"]
            )  # fmt: skip
    columns = ["change", "measure", "before", "after", "difference", "higher after in"]
    return Table("Means over models equal in all else; ± is the standard deviation", columns, lines)


def loss_curves(rows: Sequence[Row]) -> Figure:
    """Held-out losses of the report's networks, with and without noise; one panel per network."""
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(2.2 * len(grid.THEIRS), 1.9), dpi=150, layout="constrained")
    panels = canvas.subplots(1, len(grid.THEIRS), sharey=True)
    for axes, system in zip(panels, grid.THEIRS, strict=True):
        for condition, dashes in ((grid.CLEAN, "-"), (grid.NOISE, "--")):
            row = chosen(rows, system=system, condition=condition, beta=grid.SHOWN_BETA)[0]
            loss = np.array(row["validation"])
            span = max(loss[0] - loss.min(), 1e-12)
            epochs = np.arange(1, len(loss) + 1)
            axes.plot(epochs, (loss - loss.min()) / span, dashes, label=condition, linewidth=1.3)
        axes.set_title(grid.SYSTEMS[system].title, fontsize=8)
        axes.set_xlabel("epoch", fontsize=7)
        axes.tick_params(labelsize=7)
    panels[0].legend(fontsize=7, frameon=False)
    return Figure(
        f"Held-out loss, scaled from its first epoch (1) to its minimum (0); {grid.SHOWN_CAPTION}",
        data_uris.figure_uri(canvas, colors=32),
        "Loss of the report's networks over the epochs, with and without noise",
    )

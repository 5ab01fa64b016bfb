"""The cells of a sweep: trained, concurrently or alone, scored, and recorded in their folders.

A cell's folder is a run folder that also holds ``cell.json``, the cell's row of the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fastdis import _files, datasets, models, training
from fastdis.reports.sweep.results import Row as Row
from fastdis.studies.recipe import score
from fastdis.studies.sweep.plan import SweepCell, SweepSettings

CELLS, CELL = "cells", "cell.json"
TrainedOrReason = training.TrainResult | str  # a trained model, or the reason why there is none


@dataclass(frozen=True)
class SweepContext:
    """Where and how cells are trained; plain values, which can be sent to a worker."""

    settings: SweepSettings
    folder: str
    device: str
    progress: bool

    def path(self, cell: SweepCell) -> Path:
        """The cell's run folder."""
        return Path(self.folder, CELLS, cell.label)

    def recorded(self, cell: SweepCell) -> Row | None:
        """The cell's row, if one was recorded for the same epochs, metrics and bootstrap."""
        file = self.path(cell) / CELL
        if not file.exists():
            return None
        with _files.reading(file, "a cell of a sweep", (KeyError, TypeError)):
            record = _files.read_json(file, "a cell of a sweep")
            row: Row = record["row"]
            return row if record["asked"] == self._asked() else None

    def record(self, cell: SweepCell, row: Row) -> Row:
        """Keep the cell's row for a resumed sweep."""
        _files.write_json(self.path(cell) / CELL, {"asked": self._asked(), "row": row})
        return row

    def _asked(self) -> dict[str, Any]:
        """The settings that may change when a sweep is run again in its folder."""
        settings = self.settings
        return {
            "epochs": settings.config["epochs"], "metrics": settings.metrics,
            "bootstrap": settings.bootstrap,
        }  # fmt: skip

    def dataset(self) -> datasets.Dataset:
        """The data set, with stored features."""
        options = self.settings.dataset
        dataset = datasets.build(options)
        return dataset if options["name"] == "shards" else dataset.in_memory()


def make(
    context: SweepContext, cells: Sequence[SweepCell], dataset: datasets.Dataset
) -> Iterator[tuple[SweepCell, Row]]:
    """Train cells of one group concurrently, then score each; yields rows as they are recorded."""
    for cell, outcome in _Group(context, cells, dataset).train():
        yield cell, context.record(cell, _row(context, cell, outcome, dataset))


def failed(cell: SweepCell, error: str) -> Row:
    """The row of a cell that failed."""
    return {
        "objective": cell.objective, "options": cell.options, "latent_dim": cell.latent_dim,
        "seed": cell.seed, "epochs": 0, "train": {}, "validation": {}, "scores": {},
        "intervals": {}, "warnings": [], "error": error,
    }  # fmt: skip


@dataclass(frozen=True)
class _Group:
    """Cells that differ only in what concurrently trained models may differ in."""

    context: SweepContext
    cells: Sequence[SweepCell]
    dataset: datasets.Dataset

    def train(self) -> Iterator[tuple[SweepCell, TrainedOrReason]]:
        """Each cell with its model, or with the reason why there is none."""
        for axes in _products([_coordinates(cell) for cell in self.cells]):
            yield from self._train(axes)

    def _train(self, axes: list[list[Any]]) -> Iterator[tuple[SweepCell, TrainedOrReason]]:
        """The cells of a product of weights and seeds.

        If one of them fails, or they need too much memory, each half is trained separately, from
        its checkpoints, so that at most one epoch is repeated.
        """
        outcome = self._attempt(axes)
        several = [i for i, values in enumerate(axes) if len(values) > 1]
        if isinstance(outcome, list):
            by_path = {str(self.context.path(cell)): cell for cell in self.cells}
            yield from ((by_path[str(result.config.path)], result) for result in outcome)
        elif several:
            cut = several[0]  # a weight if there is one, else the seeds
            values, half = axes[cut], len(axes[cut]) // 2
            for part in (values[:half], values[half:]):
                yield from self._train([*axes[:cut], part, *axes[cut + 1 :]])
        else:
            point = tuple(values[0] for values in axes)
            yield next(cell for cell in self.cells if _coordinates(cell) == point), outcome

    def _attempt(self, axes: list[list[Any]]) -> list[training.TrainResult] | str:
        settings, first = self.context.settings, self.cells[0]
        config = settings.train_config(
            first.objective, device=self.context.device, progress=self.context.progress,
            path=str(self.context.path(first).parent),
        )  # fmt: skip
        shape = self.dataset.feature_shape
        model = models.build(settings.model, first.latent_dim, shape, seed=0)
        *weights, seeds = axes
        try:
            return training.train_many(
                model, settings.objective(first), self.dataset, config, seeds=seeds,
                grid=dict(zip(first.weights, weights, strict=True)),
            )  # fmt: skip
        except FloatingPointError as error:
            return str(error)
        except (MemoryError, torch.OutOfMemoryError) as error:
            if all(len(values) == 1 for values in axes):
                raise
            return str(error)


def _coordinates(cell: SweepCell) -> tuple[Any, ...]:
    return (*(cell.options[key] for key in cell.weights), cell.seed)


def _products(points: Iterable[tuple[Any, ...]]) -> list[list[list[Any]]]:
    """Points as a few products of lists, one list per coordinate.

    >>> _products([(1.0, 2), (4.0, 2), (16.0, 0), (16.0, 1), (16.0, 2)])
    [[[1.0, 4.0], [2]], [[16.0], [0, 1, 2]]]
    """
    rests: dict[Any, list[tuple[Any, ...]]] = {}
    for point in points:
        if not point:
            return [[]]
        rests.setdefault(point[0], []).append(point[1:])
    values_of: dict[tuple[tuple[Any, ...], ...], list[Any]] = {}
    for value, rest in rests.items():
        values_of.setdefault(tuple(rest), []).append(value)
    return [[values, *others] for rest, values in values_of.items() for others in _products(rest)]


def _row(
    context: SweepContext,
    cell: SweepCell,
    outcome: TrainedOrReason,
    dataset: datasets.Dataset,
) -> Row:
    if isinstance(outcome, str):
        return failed(cell, outcome)
    settings = context.settings
    try:
        scores = score(
            outcome.model, dataset, context.path(cell), runs=0, metrics=settings.metrics,
            bootstrap=settings.bootstrap,
        )["panel"]  # fmt: skip
    except (FloatingPointError, ValueError) as error:  # of codes that no metric takes
        return failed(cell, f"no scores: {error}")
    last = outcome.history[-1]
    return {
        **failed(cell, ""),
        "epochs": len(outcome.history),
        "train": last["train"],
        "validation": last["validation"],
        "scores": scores["scores"],
        "intervals": scores["intervals"],
        "warnings": scores["warnings"],
        "error": None,
    }

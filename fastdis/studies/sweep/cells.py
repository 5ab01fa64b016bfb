"""The cells of a sweep: trained, many in step or one alone, scored, and recorded in their folders.

A cell's folder is a run folder with ``cell.json``, its row of the table, beside what a run leaves.
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
from fastdis.studies.sweep.plan import Cell, Settings

CELLS, CELL = "cells", "cell.json"


@dataclass(frozen=True)
class Workplace:
    """Where and how cells are made; plain values, which can be sent."""

    settings: Settings
    folder: str
    device: str
    progress: bool

    def path(self, cell: Cell) -> Path:
        """The cell's run folder."""
        return Path(self.folder, CELLS, cell.label)

    def recorded(self, cell: Cell) -> Row | None:
        """Its row, if one was recorded for what is asked."""
        file = self.path(cell) / CELL
        if not file.exists():
            return None
        with _files.reading(file, "a cell of a sweep", (KeyError, TypeError)):
            told = _files.read_json(file, "a cell of a sweep")
            row: Row = told["row"]
            return row if told["asked"] == self._asked() else None

    def record(self, cell: Cell, row: Row) -> Row:
        """Keep its row, for a sweep that goes on."""
        _files.write_json(self.path(cell) / CELL, {"asked": self._asked(), "row": row})
        return row

    def _asked(self) -> dict[str, Any]:
        """What may change in the folder of a sweep, but for its cells."""
        settings = self.settings
        return {
            "epochs": settings.config["epochs"], "metrics": settings.metrics,
            "bootstrap": settings.bootstrap,
        }  # fmt: skip

    def dataset(self) -> datasets.Dataset:
        """What is trained on, with features that need not be computed twice."""
        options = self.settings.dataset
        dataset = datasets.build(options)
        return dataset if options["name"] == "shards" else dataset.in_memory()


def make(
    place: Workplace, cells: Sequence[Cell], dataset: datasets.Dataset
) -> Iterator[tuple[Cell, Row]]:
    """Train cells of one group in step, then score each; their rows, as they are recorded."""
    for cell, outcome in _Group(place, cells, dataset).train():
        yield cell, place.record(cell, _row(place, cell, outcome, dataset))


def failed(cell: Cell, error: str) -> Row:
    """The row of a cell that came to nothing."""
    return {
        "objective": cell.objective, "options": cell.options, "latent_dim": cell.latent_dim,
        "seed": cell.seed, "epochs": 0, "train": {}, "validation": {}, "scores": {},
        "intervals": {}, "warnings": [], "error": error,
    }  # fmt: skip


@dataclass(frozen=True)
class _Group:
    """Cells that differ in what models of one step may differ in."""

    place: Workplace
    cells: Sequence[Cell]
    dataset: datasets.Dataset

    def train(self) -> Iterator[tuple[Cell, training.TrainResult | str]]:
        """Each cell with its model, or with why there is none."""
        for axes in _products([_coordinates(cell) for cell in self.cells]):
            yield from self._train(axes)

    def _train(self, axes: list[list[Any]]) -> Iterator[tuple[Cell, training.TrainResult | str]]:
        """The cells of a product of weights and seeds.

        Where one of them fails, or they are too many for the memory, halves of them go on by
        themselves: from their checkpoints, so that at most an epoch is done twice.
        """
        outcome = self._attempt(axes)
        several = [i for i, values in enumerate(axes) if len(values) > 1]
        if isinstance(outcome, list):
            by_path = {str(self.place.path(cell)): cell for cell in self.cells}
            yield from ((by_path[str(result.config.path)], result) for result in outcome)
        elif several:
            cut = several[0]  # a weight rather than the seeds
            values, half = axes[cut], len(axes[cut]) // 2
            for part in (values[:half], values[half:]):
                yield from self._train([*axes[:cut], part, *axes[cut + 1 :]])
        else:
            point = tuple(values[0] for values in axes)
            yield next(cell for cell in self.cells if _coordinates(cell) == point), outcome

    def _attempt(self, axes: list[list[Any]]) -> list[training.TrainResult] | str:
        settings, first = self.place.settings, self.cells[0]
        config = settings.train_config(
            first.objective, device=self.place.device, progress=self.place.progress,
            path=str(self.place.path(first).parent),
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


def _coordinates(cell: Cell) -> tuple[Any, ...]:
    return (*(cell.options[key] for key in cell.weights), cell.seed)


def _products(points: Iterable[tuple[Any, ...]]) -> list[list[list[Any]]]:
    """Points as a few products of lists, one list a coordinate.

    >>> _products([(1.0, 2), (4.0, 2), (16.0, 0), (16.0, 1), (16.0, 2)])
    [[[1.0, 4.0], [2]], [[16.0], [0, 1, 2]]]
    """
    rests: dict[Any, list[tuple[Any, ...]]] = {}
    for point in points:
        if not point:
            return [[]]
        rests.setdefault(point[0], []).append(point[1:])
    alike: dict[tuple[tuple[Any, ...], ...], list[Any]] = {}
    for value, rest in rests.items():
        alike.setdefault(tuple(rest), []).append(value)
    return [[values, *others] for rest, values in alike.items() for others in _products(rest)]


def _row(
    place: Workplace, cell: Cell, outcome: training.TrainResult | str, dataset: datasets.Dataset
) -> Row:
    if isinstance(outcome, str):
        return failed(cell, outcome)
    settings = place.settings
    try:
        told = score(
            outcome.model, dataset, place.path(cell), runs=0, metrics=settings.metrics,
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
        "scores": told["scores"],
        "intervals": told["intervals"],
        "warnings": told["warnings"],
        "error": None,
    }

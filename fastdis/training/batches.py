"""Which clips a run trains on, which it holds out, and in which batches they come."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis import datasets
from fastdis.datasets import Dataset
from fastdis.training.config import TrainConfig

Indices = NDArray[np.int64]
_PARTNERS = 3  # apart from the streams of the noise


def split(n: int, validation: float, seed: int) -> tuple[Indices, Indices]:
    """``(training rows, held-out rows)`` of n, as scikit-learn's ``train_test_split`` has them."""
    order = np.random.RandomState(seed).permutation(n)
    held_out = math.ceil(n * validation)
    return order[held_out:], order[:held_out]


@dataclass(frozen=True)
class Clips:
    """The clips of a run, and how they are cut into batches.

    Attributes
    ----------
    training, held_out
        Rows of the data set.
    size, smallest
        Clips a batch, and the fewest that the objective takes.
    pairs, held_out_pairs
        What draws partners, where the objective takes pairs: among the training rows, and among
        all.
    """

    training: Indices
    held_out: Indices
    size: int
    smallest: int
    pairs: Any = None
    held_out_pairs: Any = None

    def epoch(self, seed: int, epoch: int) -> list[Indices]:
        """Every training row once, in the order of (seed, epoch)."""
        order = np.random.default_rng((seed, epoch)).permutation(self.training)
        return self._batches(order, self.pairs, (seed, epoch))

    def validation(self) -> list[Indices]:
        """The held-out rows, always the same."""
        return self._batches(self.held_out, self.held_out_pairs, (0, 0))

    def _batches(self, rows: Indices, pairs: Any, seed: Sequence[int]) -> list[Indices]:
        """Runs of ``size``; a last one too small for the objective is left out.

        Of pairs, a batch is half as many rows, then a partner for each.
        """
        size = self.size if pairs is None else self.size // 2
        smallest = self.smallest if pairs is None else -(-self.smallest // 2)
        runs = [rows[start : start + size] for start in range(0, len(rows), size)]
        runs = [run for run in runs if len(run) >= smallest]
        if pairs is None:
            return runs
        return [
            np.concatenate([run, pairs.partners(run, (*seed, _PARTNERS, number))])
            for number, run in enumerate(runs)
        ]


def clips_of(
    model: Any, objective: Any, dataset: Dataset, config: TrainConfig, processes: int
) -> Clips:
    """The clips of a run, and every check that can be made before the first step.

    Raises
    ------
    ValueError
        If the model does not fit the data set, or a batch not the clips, the objective, or the
        number of processes.
    """
    if tuple(model.input_shape) != tuple(dataset.feature_shape):
        raise ValueError(
            f"model takes input of shape {tuple(model.input_shape)}, "
            f"the data set has features of shape {tuple(dataset.feature_shape)}"
        )
    rows, held_out = split(len(dataset), config.validation, config.split_seed)
    smallest, name = objective.smallest_batch, objective.name
    if config.batch_size < smallest:
        raise ValueError(
            f"batch_size takes an integer >= {smallest} for objective {name!r}, "
            f"got {config.batch_size}"
        )
    if 0 < len(held_out) < smallest:
        raise ValueError(
            f"validation takes 0, or a share of at least {smallest} clips for "
            f"objective {name!r}, got {config.validation:g} of {len(dataset)}"
        )
    if len(rows) < config.batch_size:
        raise ValueError(
            f"batch_size takes at most the number of training clips, {len(rows)} "
            f"of {len(dataset)}, got {config.batch_size}"
        )
    if config.batch_size < processes:
        raise ValueError(
            f"batch_size takes at least a clip for each of {processes} processes, "
            f"got {config.batch_size}"
        )
    if config.patience is not None and objective.anneals:
        raise ValueError(
            f"patience takes None with objective {name!r} whose weights are annealed: its losses "
            f"at two steps do not compare, got {config.patience}"
        )
    pairs = held_out_pairs = None
    if objective.pairs:
        if config.batch_size % 2:
            raise ValueError(
                f"batch_size takes an even number for objective {name!r}, whose batches are "
                f"pairs, got {config.batch_size}"
            )
        changed = objective.options["changed"]
        pairs = datasets.Pairs(dataset, changed, np.sort(rows))
        held_out_pairs = datasets.Pairs(dataset, changed, None)
    return Clips(rows, held_out, config.batch_size, smallest, pairs, held_out_pairs)

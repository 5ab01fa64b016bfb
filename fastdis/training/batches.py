"""The split of a data set into training and held-out clips, and of each part into batches."""

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
_PARTNERS = 3  # a stream of random numbers, distinct from those of the noise


def split(n: int, validation: float, seed: int) -> tuple[Indices, Indices]:
    """``(training, held-out)`` clips of n, as scikit-learn's ``train_test_split`` draws them."""
    order = np.random.RandomState(seed).permutation(n)
    held_out = math.ceil(n * validation)
    return order[held_out:], order[:held_out]


@dataclass(frozen=True)
class BatchPlan:
    """The clips of a run by their indices in the data set, and how they are split into batches."""

    training: Indices
    held_out: Indices
    batch_size: int
    smallest_batch: int  # the fewest clips that the objective takes
    # Draw partners, where the objective takes pairs: among the training clips, and among all.
    pairs: Any = None
    held_out_pairs: Any = None

    def epoch(self, seed: int, epoch: int) -> list[Indices]:
        """Every training clip once, in the order of (seed, epoch)."""
        order = np.random.default_rng((seed, epoch)).permutation(self.training)
        return self._batches(order, self.pairs, (seed, epoch))

    def validation(self) -> list[Indices]:
        """The held-out clips, always in the same batches."""
        return self._batches(self.held_out, self.held_out_pairs, (0, 0))

    def _batches(self, clips: Indices, pairs: Any, seed: Sequence[int]) -> list[Indices]:
        """Batches of ``batch_size``; a last one too small for the objective is left out.

        A batch of pairs is half as many clips, then a partner for each.
        """
        size = self.batch_size if pairs is None else self.batch_size // 2
        smallest = self.smallest_batch if pairs is None else -(-self.smallest_batch // 2)
        batches = [clips[start : start + size] for start in range(0, len(clips), size)]
        batches = [batch for batch in batches if len(batch) >= smallest]
        if pairs is None:
            return batches
        return [
            np.concatenate([batch, pairs.partners(batch, (*seed, _PARTNERS, number))])
            for number, batch in enumerate(batches)
        ]


def plan_batches(
    model: Any, objective: Any, dataset: Dataset, config: TrainConfig, processes: int
) -> BatchPlan:
    """The batches of a run, after every check of sizes that can be made before the first step.

    A ValueError if the model does not fit the data set, or the batch size does not fit the number
    of clips, the objective or the number of processes.
    """
    if tuple(model.input_shape) != tuple(dataset.feature_shape):
        raise ValueError(
            f"model takes input of shape {tuple(model.input_shape)}, "
            f"the data set has features of shape {tuple(dataset.feature_shape)}"
        )
    training, held_out = split(len(dataset), config.validation, config.split_seed)
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
    if len(training) < config.batch_size:
        raise ValueError(
            f"batch_size takes at most the number of training clips, {len(training)} "
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
            f"at two steps are not comparable, got {config.patience}"
        )
    pairs = held_out_pairs = None
    if objective.pairs:
        if config.batch_size % 2:
            raise ValueError(
                f"batch_size takes an even number for objective {name!r}, whose batches are "
                f"pairs, got {config.batch_size}"
            )
        changed = objective.options["changed"]
        pairs = datasets.Pairs(dataset, changed, np.sort(training))
        held_out_pairs = datasets.Pairs(dataset, changed, None)
    return BatchPlan(training, held_out, config.batch_size, smallest, pairs, held_out_pairs)

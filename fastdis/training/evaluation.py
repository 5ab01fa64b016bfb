"""The terms of a loss without training: of held-out clips, or of any."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fastdis import datasets, objectives
from fastdis.datasets import Dataset
from fastdis.training.batches import Clips, Indices
from fastdis.training.config import TrainConfig
from fastdis.training.distributed import Processes, take_whole_batches
from fastdis.training.engines import Team, team
from fastdis.training.loader import Feed, feed_of
from fastdis.training.state import Trainee
from fastdis.training.step import Plan


def evaluate(
    model: Any, objective: objectives.Objective, dataset: Dataset, rows: NDArray[np.int64],
    batch_size: int = 64, *, seed: int = 0, step: int = 0,
) -> dict[str, float]:  # fmt: skip
    """The mean of each term over some clips, without training; empty if there are none.

    ``seed`` fixes the noise; ``step`` is what weights that are annealed depend on. The model is in
    evaluation mode afterwards.
    """
    weight = next(model.parameters())
    plan = Plan(dtype="float64" if weight.dtype == torch.float64 else "float32")
    run, alone = Trainee(model, objective, TrainConfig()), Processes(weight.device, alone=True)
    feed = feed_of(run, dataset, weight.device, plan, alone)
    nothing = np.zeros(0, np.int64)
    changed = objective.options["changed"] if objective.pairs else None
    pairs = datasets.Pairs(dataset, changed) if objective.pairs else None
    clips = Clips(nothing, rows, batch_size, objective.smallest_batch, None, pairs)
    together = team([run], plan, weight.device)
    return mean_terms(together, feed, clips.validation(), [seed], step, alone)[0]


def mean_terms(
    together: Team, feed: Feed, batches: list[Indices], seeds: list[int], step: int,
    processes: Processes,
) -> list[dict[str, float]]:  # fmt: skip
    """The mean of each term over some clips, for each of a team."""
    if not batches:
        return [{} for _ in seeds]
    together.train(False)
    take_whole_batches(together.trainees)
    done = step_on(step, feed)
    sums = torch.zeros((len(together.keys), len(seeds)), dtype=torch.float64, device=feed.device)
    with closing(feed.validation(batches, seeds)) as made:
        for batch in made:
            told = together.terms(batch.x, batch.noise, done) * len(batch)
            sums = told if sums.numel() == 0 else sums + told
    means = processes.sum(sums) / sum(map(len, batches))
    return [dict(zip(together.keys, each, strict=True)) for each in means.T.tolist()]


def step_on(step: int, feed: Feed) -> Tensor:
    """Without waiting for the device, as a copy from the host would."""
    return torch.full((), step, dtype=torch.int64, device=feed.device)

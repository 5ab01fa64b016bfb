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
from fastdis.training.batches import BatchPlan, Indices
from fastdis.training.config import TrainConfig
from fastdis.training.distributed import ProcessGroup, unshard_batches
from fastdis.training.engines import Engine, make_engine
from fastdis.training.loader import Loader, make_loader
from fastdis.training.state import TrainState
from fastdis.training.step import ExecutionPlan


def evaluate(
    model: Any, objective: objectives.Objective, dataset: Dataset, rows: NDArray[np.int64],
    batch_size: int = 64, *, seed: int = 0, step: int = 0,
) -> dict[str, float]:  # fmt: skip
    """The mean of each term of the loss over some clips, without training.

    Parameters
    ----------
    model, objective, dataset
        As in :func:`fastdis.training.train`. The model is in evaluation mode afterwards.
    rows
        The clips, by their indices in the data set; without any the result is empty.
    batch_size
        Clips per batch.
    seed
        Fixes the noise.
    step
        The number of steps on which annealed weights depend.
    """
    weight = next(model.parameters())
    plan = ExecutionPlan(dtype="float64" if weight.dtype == torch.float64 else "float32")
    state = TrainState(model, objective, TrainConfig())
    processes = ProcessGroup(weight.device, alone=True)
    changed = objective.options["changed"] if objective.pairs else None
    pairs = datasets.Pairs(dataset, changed) if objective.pairs else None
    no_clips = np.zeros(0, np.int64)
    batches = BatchPlan(no_clips, rows, batch_size, objective.smallest_batch, None, pairs)
    loader = make_loader(state, dataset, weight.device, plan, processes)
    engine = make_engine([state], plan, weight.device)
    return mean_terms(engine, loader, batches.validation(), [seed], step, processes)[0]


def mean_terms(
    engine: Engine, loader: Loader, batches: list[Indices], seeds: list[int], step: int,
    processes: ProcessGroup,
) -> list[dict[str, float]]:  # fmt: skip
    """The mean of each term over the clips of ``batches``, for each model of the engine."""
    if not batches:
        return [{} for _ in seeds]
    engine.train(False)
    unshard_batches(engine.states)
    number = step_tensor(step, loader)
    sums = torch.zeros((len(engine.keys), len(seeds)), dtype=torch.float64, device=loader.device)
    with closing(loader.validation(batches, seeds)) as made:
        for batch in made:
            terms = engine.terms(batch.x, batch.noise, number) * len(batch)
            sums = terms if sums.numel() == 0 else sums + terms
    means = processes.sum(sums) / sum(map(len, batches))
    return [dict(zip(engine.keys, of_model, strict=True)) for of_model in means.T.tolist()]


def step_tensor(step: int, loader: Loader) -> Tensor:
    """The number of a step on the device, filled there: a copy from the host would wait for it."""
    return torch.full((), step, dtype=torch.int64, device=loader.device)

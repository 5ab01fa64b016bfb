"""The rows of training: SynTone's reference model and loss on a CPU, an epoch of a few steps.

Each side begins every epoch with the same weights. Rows that need a GPU are in
``benchmarks/bench_training.py``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdis._bench.measure import Contestant, Row, Scale, Trial, check_peer, pick
from fastdis._bench.rows.synthesis import spread_over
from fastdis.datasets import Dataset, SynTone

if TYPE_CHECKING:  # torch comes with the rows, not with the list of them: see `load_first`
    from fastdis.training import TrainConfig, TrainResult

BATCH = 64  # clips per step, as SynTone's authors train
LATENT, BETA = 8, 4.0
SEEDS = 10
_AMPLITUDES = BATCH // 4  # with four waveforms a batch a frequency
_PIXELS = 128 * 32  # values of a clip's features
# Forward: a product for each weight and place, 9 x in x out of a convolution, whose places are a
# quarter from layer to layer; the decoder's transposed ones read a quarter of what they write.
_ENCODER = _PIXELS * 9 * (16 + 16 * 32 / 4 + 32 * 64 / 16)
_DECODER = _PIXELS * 9 * (16 / 4 + 32 * 16 / 16 + 64 * 32 / 64)
_LINEAR = 2 * (4096 * 128 + 128 * 64 + 64 * 8) + 64 * 8
WEIGHTS = 1_117_521
# Backward: the same again for the weights, and but for the first layer for the inputs.
MULTIPLY_ADDS = 3 * (_ENCODER + _DECODER + _LINEAR) - _PIXELS * 9 * 16
# Features; and a clip's part of the weights and Adam's averages, read and written once a batch.
BYTES_MOVED = 4 * _PIXELS + 2 * 3 * 4 * WEIGHTS / BATCH


def syntone(clips: int) -> SynTone:
    """The published SynTone with fewer frequencies, so many whole batches of it."""
    return SynTone(num_freqs=clips // BATCH, num_amps=_AMPLITUDES)


def three_batches() -> SynTone:
    """A set whose losses are compared; the last batch is half as large."""
    return SynTone(num_freqs=2)


def config(**options: Any) -> TrainConfig:
    """An epoch over all clips by a plan that is given: nothing is measured, nothing written."""
    from fastdis.training import TrainConfig

    plan = {"dtype": "float32", "memory_format": "channels_last", "compile": "never"}
    return TrainConfig(**{"epochs": 1, "validation": 0.0, "progress": False, **plan, **options})


def model_and_objective(seed: int = 0) -> tuple[Any, Any]:
    """The reference's three-layer VAE and its loss, from whose weights every epoch begins."""
    from fastdis import models, objectives

    return (
        models.build("conv3", LATENT, (1, 128, 32), seed=seed),
        objectives.build("beta_vae", protocol="published", beta=BETA),
    )


def epoch(dataset: Dataset, how: TrainConfig) -> Callable[[], TrainResult]:
    """Trains the model anew at each call."""
    from fastdis.training import train

    model, objective = model_and_objective()
    return lambda: train(copy.deepcopy(model), objective, dataset, how)


def seeds_together(
    dataset: Dataset, how: TrainConfig, seeds: int = SEEDS
) -> Callable[[], list[TrainResult]]:
    """Trains a model for each of so many seeds, on threads."""
    from fastdis.training import train_many

    model, objective = model_and_objective()
    return lambda: train_many(model, objective, dataset, how, seeds=range(seeds), engine="threads")


def loss_error(how: TrainConfig) -> float:
    """How far the mean loss of three steps is from the reference's, over it.

    The reference gets the same weights, batches and noise, on the CPU.
    """
    from benchmarks.peers.plain_torch import Reference
    from fastdis.training import check_device
    from fastdis.training.batches import plan_batches
    from fastdis.training.loader import Loader
    from fastdis.training.step import ExecutionPlan

    dataset = three_batches().in_memory()
    model, objective = model_and_objective()
    reference = Reference(model)
    plan, noise_shape = ExecutionPlan("contiguous"), (1, model.latent_dim)
    data_loader = Loader(dataset, check_device("cpu"), plan, noise_shape)
    batches = plan_batches(model, objective, dataset, how, 1).epoch(how.seed, 0)
    losses = [
        reference.step(batch.x[0], batch.noise[0, 0]) * len(batch)
        for batch in data_loader.training([batches], [how.seed], epoch=0, first=0)
    ]
    expected = sum(losses) / len(dataset)
    found: float = epoch(dataset, how)().history[0]["train"]["loss"]
    return abs(found - expected) / expected


def _ready(scale: Scale, dtype: str = "float32") -> Trial:
    from benchmarks.peers.plain_torch import Reference, of_features

    dataset = syntone(pick(scale, 64, 320, 3200)).in_memory()
    how, loader = config(dtype=dtype), of_features(dataset.array, dataset.table().values)
    model, _ = model_and_objective()
    return _trial(
        Contestant(epoch(dataset, how), len(dataset)),
        Contestant(lambda: Reference(model).epoch(loader), len(dataset), "float32"),
        lambda: loss_error(how),
    )


def _rendered(scale: Scale) -> Trial:
    """Features made in the epoch, here by a thread of their own."""
    from benchmarks.peers.plain_torch import Reference, of_clips

    dataset, few = syntone(pick(scale, 64, 320, 3200)), pick(scale, 16, 64, 256)
    how = config()
    loader: Any = of_clips(dataset, few)
    model, _ = model_and_objective()

    def error() -> float:
        rows = spread_over(few, len(dataset))[:16]
        found = np.stack([loader.dataset[i][0][0].numpy() for i in range(len(rows))])
        check_peer(found, dataset.features(rows)[:, 0])
        return loss_error(how)

    return _trial(
        Contestant(epoch(dataset, how), len(dataset)),
        Contestant(lambda: Reference(model).epoch(loader), few),
        error,
    )


def _many(scale: Scale) -> Trial:
    from fastdis.training import train

    dataset = syntone(pick(scale, 64, 128, 640)).in_memory()
    seeds = pick(scale, 2, SEEDS, SEEDS)
    together = seeds_together(dataset, config(), seeds)

    def in_turn() -> list[TrainResult]:
        return [train(*model_and_objective(s), dataset, config(seed=s)) for s in range(seeds)]

    def error() -> float:
        found, alone = (
            np.array([result.history[0]["train"]["loss"] for result in results])
            for results in (together(), in_turn())
        )
        return float((np.abs(found - alone) / alone).max())

    units = len(dataset) * seeds
    return _trial(Contestant(together, units), Contestant(in_turn, units), error)


def _trial(ours: Contestant, peer: Contestant, error: Callable[[], float]) -> Trial:
    return Trial([ours], [peer], error, bytes_moved=BYTES_MOVED, multiply_adds=MULTIPLY_ADDS)


_EPOCH = "training SynTone's reference VAE, batches of 64, {}"
_READY = _EPOCH.format("features in memory")
_LOOP = "the reference model, loss and loop in eager PyTorch"
_OF_LOSS = "of the loss, three steps"
_HELD_BACK = (
    "layers of 1 to 64 channels do little with each value that they read and write: pooling, leaky "
    "ReLU and the squared error multiply next to nothing, and go through memory as often as the "
    "convolutions do"
)

ROWS = (
    Row(
        _READY, _LOOP, _ready, 1.3, 1e-5, _OF_LOSS, needs="torch", own_peer=True,
        held_back=_HELD_BACK,
    ),
    Row(
        f"{_READY}, bfloat16", _LOOP, partial(_ready, dtype="bfloat16"), None, 2e-2, _OF_LOSS,
        needs="torch", own_peer=True, held_back=_HELD_BACK,
    ),
    Row(
        _EPOCH.format("features made in the epoch"), "the same with its own data path: the "
        "generator and librosa, a clip at a time", _rendered, 3, 1e-5, _OF_LOSS, needs="librosa",
        own_peer=True, held_back=_HELD_BACK,
    ),
    Row(
        f"{_READY}, 10 seeds in one process", "ten runs in turn, each on all threads", _many, 1.2,
        1e-4, "of the loss", needs="torch", held_back=_HELD_BACK,
    ),
)  # fmt: skip

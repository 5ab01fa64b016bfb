"""Train one model per objective on the same data: the same architecture, batches and steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fastdis import _validation, models, objectives
from fastdis.datasets import Dataset
from fastdis.training.config import TrainConfig
from fastdis.training.loop import train
from fastdis.training.many import train_many
from fastdis.training.trained import TrainResult


def train_all(
    dataset: Dataset, folder: Path, names: Sequence[str], *, protocol: str, epochs: int,
    batch_size: int = 64, latent_dim: int = 8, seed: int = 0, model: str = "conv3",
    device: str = "cpu", progress: bool = True, say: Callable[[str], None] = print, **config: Any,
) -> dict[str, TrainResult]:  # fmt: skip
    """Train a model for each objective; returns the results by the objectives' names.

    Each resumes from its own run folder, ``folder`` / its name. ``epochs`` and ``batch_size`` are
    of all objectives except FactorVAE, see :func:`equal_budget`; ``say`` is called with one line
    before each model. The other arguments are those of :func:`fastdis.models.build`,
    :func:`fastdis.objectives.build` and :class:`fastdis.TrainConfig`.
    """
    results = {}
    for name in names:
        say(f"{_validation.protocol_title(protocol)}: training {name}")
        results[name] = train(
            models.build(model, latent_dim, dataset.feature_shape, seed=seed),
            objectives.build(name, protocol=protocol),
            dataset,
            TrainConfig(
                **equal_budget(name, epochs, batch_size), seed=seed, device=device,
                progress=progress, path=str(folder / name), **config,
            ),
        )  # fmt: skip
    return results


def train_seeds(
    dataset: Dataset, folder: Path, names: Sequence[str], seeds: Sequence[int], *,
    protocol: str, epochs: int, batch_size: int = 64, latent_dim: int = 8, model: str = "conv3",
    say: Callable[[str], None] = print, **config: Any,
) -> dict[str, list[TrainResult]]:  # fmt: skip
    """As :func:`train_all`, with one model per seed, trained at once by :func:`train_many`.

    Run folders are named as ``vae/seed=0``; the results of an objective are in the order of
    ``seeds``.
    """
    results = {}
    for name in names:
        shown = _validation.protocol_title(protocol)
        say(f"{shown}: training {name}, seeds {', '.join(map(str, seeds))}")
        results[name] = train_many(
            models.build(model, latent_dim, dataset.feature_shape, seed=0),
            objectives.build(name, protocol=protocol),
            dataset,
            TrainConfig(
                **equal_budget(name, epochs, batch_size), path=str(folder / name), **config
            ),
            seeds=seeds,
        )
    return results


def equal_budget(name: str, epochs: int, batch_size: int) -> dict[str, Any]:
    """Epochs and batch size with which the VAE of every objective gets the same training.

    FactorVAE splits its batch: it gets twice the batch size and twice the epochs, so that its VAE
    takes as many steps of as many clips as the others. SynTone's reference code does so, too.
    """
    twice = 2 if name == "factor_vae" else 1
    return {"epochs": twice * epochs, "batch_size": twice * batch_size}

"""Train many models: objectives in turn; seeds, options and architectures at once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastdis import _validation, models, objectives
from fastdis.datasets import Dataset
from fastdis.training.autotune import AUTO
from fastdis.training.config import MEASURE, TrainConfig
from fastdis.training.loop import train, train_runs
from fastdis.training.run_folder import Run, folder_name
from fastdis.training.trained import TrainResult


def train_many(
    model: Any,
    objective: objectives.Objective,
    dataset: Dataset,
    config: TrainConfig | None = None,
    *,
    seeds: Iterable[int] = range(10),
    grid: Mapping[str, Sequence[Any]] | None = None,
    engine: str = AUTO,
) -> list[TrainResult]:
    """Train one model for every seed and every combination of an objective's options, at once.

    Each run gives the same result as :func:`train` alone, up to rounding: it has its own weights,
    order of clips and noise, and its own run folder, such as ``path/beta=4.0_seed=0``, from which
    it goes on.

    Parameters
    ----------
    model, objective
        The architecture and the objective; both are built anew for each run. For several
        architectures, a dict of models with one input shape and one size of the code; its keys name
        their folders below ``path``.
    dataset, config
        As in :func:`train`; ``config.seed`` is replaced by each seed.
    seeds
        Seeds of the initial weights, the order of the clips, and the noise.
    grid
        Values of options of the objective, such as ``{"beta": [1, 4, 8]}``.
    engine
        ``"threads"``: each model by itself, on :func:`fastdis.get_num_threads` threads of a CPU, or
        on one stream per model of a GPU. ``"stacked"``: one batched model, by ``torch.func.vmap``.
        ``"auto"``: threads on a CPU; on a GPU a stack, or threads for models that cannot be
        stacked; with ``config.tune`` as ``"measure"``. ``"measure"``: the faster of the two.
        Runs that go on keep their engine with both of the last two.

    Returns
    -------
    list of TrainResult
        For each architecture and each combination of the grid, all seeds.

    Raises
    ------
    TypeError, ValueError
        As :func:`train`; if ``model`` is an empty dict, or architectures differ in input shape or
        size of the code; if ``seeds`` or a list of the grid is empty or holds a value twice, an
        option is unknown, or the engine cannot stack the models.
    """
    config, grid = config or TrainConfig(), grid or {}
    options = [_distinct(f"grid[{key!r}]", given) for key, given in grid.items()]
    combinations = [dict(zip(grid, each, strict=True)) for each in itertools.product(*options)]
    runs = []
    for (folder, each), values, seed in itertools.product(
        _architectures(model), combinations, _distinct("seeds", seeds)
    ):
        own = folder_name({**values, "seed": seed})
        path = None if config.path is None else str(Path(config.path, folder, own))
        runs.append(
            Run(
                models.build(**each.options(), seed=seed),
                objectives.build(
                    objective.name, protocol=objective.protocol, **{**objective.options, **values}
                ),
                replace(config, seed=seed, path=path),
            )
        )
    _validation.choice("engine", engine, ("stacked", "threads", AUTO, MEASURE))
    return train_runs(runs, dataset, config, engine)


def _architectures(model: Any) -> list[tuple[str, Any]]:
    """Each architecture with the name of its folder, which is empty for a single one."""
    if not isinstance(model, Mapping):
        return [("", model)]
    if not model:
        raise ValueError("model takes one or more architectures, got none")
    sizes = {name: (each.input_shape, each.latent_dim) for name, each in model.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(
            f"model takes architectures of one input shape and one size of the code, got {sizes}"
        )
    return list(model.items())


def _distinct(name: str, values: Iterable[Any]) -> list[Any]:
    takes = f"{name} takes one or more different values, got"
    try:
        result = list(values)
        different = len(set(result))
    except TypeError:  # a single value, or lists
        raise TypeError(f"{takes} {_validation.describe(values)}") from None
    if not result or different < len(result):
        raise ValueError(f"{takes} {result}")
    return result


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

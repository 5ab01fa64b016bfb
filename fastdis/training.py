"""The training loop: one function, readable from top to bottom.

A run folder holds ``config.json`` (what was trained, on what, how), ``log.jsonl`` (a row an epoch),
``best.safetensors`` (the weights of the best validation loss) and ``last.safetensors`` (everything
needed to go on). A run that was stopped goes on where it stopped and ends with the same weights.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from fastdis import _checkpoints, _files, _validation, models, objectives
from fastdis._interrupt import stop_requests
from fastdis._runs import CONFIG, LAST, Progress, RunFolder, describe
from fastdis._train_config import TrainConfig
from fastdis.datasets import Dataset

__all__ = [
    "TrainConfig", "TrainResult", "check_device", "dataset_options", "encode", "evaluate", "load",
    "split", "train",
]  # fmt: skip

# Steps between two looks at the losses. A look waits for a GPU; on a CPU it costs nothing.
_READ_BACK = {"cpu": 1, "cuda": 20}


@dataclass(frozen=True)
class TrainResult:
    """What came out.

    Attributes
    ----------
    model, objective
        With the weights after the last epoch.
    history
        A row an epoch: ``epoch``, ``train`` and ``validation`` (mean of each term over the clips),
        ``seconds``, ``clips_per_second``.
    best_epoch
        Whose weights ``best.safetensors`` holds; 0 if nothing was trained.
    config
        As it was given.
    """

    model: Any
    objective: objectives.Objective
    history: list[dict[str, Any]]
    best_epoch: int
    config: TrainConfig


def split(n: int, validation: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """``(training rows, held-out rows)`` of n, as scikit-learn's ``train_test_split`` has them."""
    order = np.random.RandomState(seed).permutation(n)
    held_out = math.ceil(n * validation)
    return order[held_out:], order[:held_out]


def train(
    model: Any,
    objective: objectives.Objective,
    dataset: Dataset,
    config: TrainConfig | None = None,
) -> TrainResult:
    """Train a model, or go on with a run that was stopped.

    Ctrl-C, SIGTERM, a kill or a full disk leave a run folder from which the same call goes on;
    on a CPU it ends with the weights of the unbroken run, bit for bit.

    Parameters
    ----------
    model
        As :func:`fastdis.models.build` makes it; trained in place.
    objective
        As :func:`fastdis.objectives.build` makes it.
    dataset
        Any data set of :mod:`fastdis.datasets`; ``dataset.in_memory()`` computes each feature once.
    config
        How; see :class:`TrainConfig`.

    Raises
    ------
    ValueError
        If the model does not fit the data set, a batch does not fit the training clips, or the
        run folder holds another run.
    RuntimeError
        If the device is not there.
    FloatingPointError
        If a term of the loss stops being finite; the last good checkpoint stays.
    KeyboardInterrupt
        After Ctrl-C, once the checkpoint is written.
    """
    config = config or TrainConfig()
    rows, held_out = _check(model, objective, dataset, config)
    device = torch.device(config.device)
    lock = _files.only_writer(config.path) if config.path is not None else nullcontext()
    with lock, _seeded(config.seed, device), stop_requests() as stop:
        objective.prepare(model.latent_dim, len(rows))
        _place(model, device)
        objective.to(device)
        optimizers = _optimizers(model, objective, config)
        folder = RunFolder(config.path)
        told = describe(model, objective, dataset, config)
        at = folder.resume(told, model, objective, optimizers, device)
        look = _READ_BACK.get(device.type, 1)
        writer = _tensorboard(config.path) if config.tensorboard else None

        while at.epoch < config.epochs and not _out_of_patience(at, config):
            order = np.random.default_rng((config.seed, at.epoch)).permutation(rows)
            batches = _batches(order, config.batch_size, objective.smallest_batch)
            model.train()
            with _bar(len(order), at, config) as bar:
                sums: list[Tensor] = []
                started = time.perf_counter()
                for number in range(at.step, len(batches)):
                    x = _to_device(dataset.features(batches[number]), device)
                    terms = objective(model, x)
                    for optimizer in optimizers:
                        optimizer.zero_grad(set_to_none=True)
                    (terms["loss"] + terms.get("discriminator", 0.0)).backward()
                    for optimizer in optimizers:
                        optimizer.step()
                    sums.append(torch.stack(list(terms.values())).detach().double() * len(x))
                    at.step, at.clips = number + 1, at.clips + len(x)
                    bar.update(len(x))
                    if stop or at.step % look == 0 or at.step == len(batches):
                        _read_back(list(terms), sums, at, bar)
                    if stop:
                        at.seconds += time.perf_counter() - started
                        folder.save_last(model, objective, optimizers, at)
                        raise stop[0]
                at.seconds += time.perf_counter() - started

            row: dict[str, Any] = {
                "epoch": at.epoch + 1,
                "train": {key: value / at.clips for key, value in at.sums.items()},
                "validation": evaluate(model, objective, dataset, held_out, config.batch_size),
                "seconds": at.seconds,
                "clips_per_second": at.clips / at.seconds,
            }
            at.history.append(row)
            at.epoch, at.step, at.seconds, at.clips, at.sums = at.epoch + 1, 0, 0.0, 0, {}
            loss = (row["validation"] or row["train"])["loss"]
            if not math.isfinite(loss):
                raise FloatingPointError(f"validation loss is {loss} after epoch {at.epoch}")
            if loss < at.best_loss:
                at.best_loss, at.best_epoch = loss, at.epoch
                folder.save_best(model, at)
            folder.save_last(model, objective, optimizers, at)
            folder.log(row)
            if writer is not None:
                _write_events(writer, row)
            if stop:
                raise stop[0]

        if writer is not None:
            writer.close()
        if stop:  # asked for while a finished run was loading
            raise stop[0]
    return TrainResult(model, objective, at.history, at.best_epoch, config)


def evaluate(
    model: Any, objective: objectives.Objective, dataset: Dataset, rows: NDArray[np.int64],
    batch_size: int = 64,
) -> dict[str, float]:  # fmt: skip
    """The mean of each term over some clips, without training; empty if there are none."""
    device = next(model.parameters()).device
    sums: dict[str, float] = {}
    count = 0
    model.eval()
    with torch.no_grad():
        for indices in _batches(rows, batch_size, objective.smallest_batch):
            x = _to_device(dataset.features(indices), device)
            for key, value in objective(model, x).items():
                sums[key] = sums.get(key, 0.0) + float(value) * len(x)
            count += len(x)
    return {key: value / count for key, value in sums.items()}


def encode(
    model: Any, dataset: Dataset, rows: NDArray[np.int64], *, batch_size: int = 256
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and log-variance of the codes of some clips, each ``(N, D)``."""
    device = next(model.parameters()).device
    means, logvars = [np.empty((0, model.latent_dim), np.float32)], []
    logvars.append(means[0])
    model.eval()
    with torch.no_grad():
        for start in range(0, len(rows), batch_size):
            x = _to_device(dataset.features(rows[start : start + batch_size]), device)
            mean, logvar = model.encode(x)
            means.append(mean.float().cpu().numpy())
            logvars.append(logvar.float().cpu().numpy())
    return np.concatenate(means), np.concatenate(logvars)


def load(path: str | Path, *, which: str = "last", device: str = "cpu") -> TrainResult:
    """A trained model from its run folder.

    Parameters
    ----------
    path
        The run folder.
    which
        ``"last"`` or ``"best"``.
    device
        Where to put the model.

    Raises
    ------
    FileNotFoundError
        If the folder holds no run, or no such checkpoint.
    ValueError
        If a file is truncated, foreign, or of another architecture or version.
    """
    folder = Path(path)
    _validation.choice("which", which, ("last", "best"))
    told = _files.read_json(folder / CONFIG, "a run's config.json")
    with _files.reading(folder / CONFIG, "a run's config.json", (KeyError, TypeError)):
        model = models.build(**told["model"], seed=0)
        objective = objectives.build(
            told["objective"]["name"],
            protocol=told["objective"]["protocol"],
            **told["objective"]["options"],
        )
        config = TrainConfig(**{**told["config"], "path": str(folder), "device": device})
        with _seeded(0, torch.device("cpu")):
            objective.prepare(model.latent_dim, told["n_train"])
    tensors, state = _checkpoints.load(folder / f"{which}.safetensors")
    _checkpoints.into_module("model", model, tensors, folder / f"{which}.safetensors")
    if which == "last":
        _checkpoints.into_module("objective", objective, tensors, folder / LAST)
    _place(model, torch.device(device))
    model.eval()
    objective.to(device)
    return TrainResult(model, objective, state["history"], state["best_epoch"], config)


def dataset_options(path: str | Path) -> dict[str, Any]:
    """What a run folder was trained on, as :func:`fastdis.datasets.build` takes it.

    Raises
    ------
    FileNotFoundError, ValueError
        If the folder holds no run, or its ``config.json`` is damaged.
    """
    config = Path(path) / CONFIG
    told = _files.read_json(config, "a run's config.json")
    with _files.reading(config, "a run's config.json", (KeyError, TypeError)):
        options: dict[str, Any] = dict(told["dataset"])
    return options


def _check(
    model: Any, objective: objectives.Objective, dataset: Dataset, config: TrainConfig
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Everything that could go wrong, before the first step."""
    if tuple(model.input_shape) != tuple(dataset.feature_shape):
        raise ValueError(
            f"model takes input of shape {tuple(model.input_shape)}, "
            f"the data set has features of shape {tuple(dataset.feature_shape)}"
        )
    rows, held_out = split(len(dataset), config.validation, config.split_seed)
    if config.batch_size < objective.smallest_batch:
        raise ValueError(
            f"batch_size takes an integer >= {objective.smallest_batch} for objective "
            f"{objective.name!r}, got {config.batch_size}"
        )
    if 0 < len(held_out) < objective.smallest_batch:
        raise ValueError(
            f"validation takes 0, or a share of at least {objective.smallest_batch} clips for "
            f"objective {objective.name!r}, got {config.validation:g} of {len(dataset)}"
        )
    if len(rows) < config.batch_size:
        raise ValueError(
            f"batch_size takes at most the number of training clips, {len(rows)} "
            f"of {len(dataset)}, got {config.batch_size}"
        )
    check_device(config.device)
    return rows, held_out


def check_device(device: str) -> torch.device:
    """``device`` for torch.

    Raises
    ------
    RuntimeError
        If it is unknown, or no CUDA device where one is asked for.
    """
    found = torch.device(device)
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise RuntimeError(
            f"device {device!r} was asked for; there are {torch.cuda.device_count()} CUDA devices"
        )
    return found


def _place(model: Any, device: torch.device) -> None:
    """Channels-last is up to three times faster for these convolutions on a CPU."""
    model.to(device, memory_format=torch.channels_last)


def _to_device(features: NDArray[np.float32], device: torch.device) -> Tensor:
    return torch.from_numpy(features).to(device)


def _batches(order: NDArray[np.int64], size: int, smallest: int) -> list[NDArray[np.int64]]:
    """The rows in runs of ``size``; a last one too small for the objective is left out."""
    runs = [order[start : start + size] for start in range(0, len(order), size)]
    return [run for run in runs if len(run) >= smallest]


def _optimizers(
    model: Any, objective: objectives.Objective, config: TrainConfig
) -> list[torch.optim.Optimizer]:
    cls = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
    result: list[torch.optim.Optimizer] = [
        cls(
            model.parameters(),
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            fused=True,
        )
    ]
    own = list(objective.parameters())
    if own:
        rate = config.discriminator_learning_rate
        result.append(torch.optim.Adam(own, lr=rate, betas=(0.5, 0.9), fused=True))
    return result


def _read_back(keys: list[str], sums: list[Tensor], at: Progress, bar: Any) -> None:
    """Move the sums to the host, hold them against infinity and NaN, and show them."""
    for key, value in zip(keys, torch.stack(sums).sum(dim=0).tolist(), strict=True):
        at.sums[key] = at.sums.get(key, 0.0) + value
    sums.clear()
    for key, total in at.sums.items():
        if not math.isfinite(total):
            raise FloatingPointError(
                f"term {key!r} of the loss is {total} by step {at.step} of epoch {at.epoch + 1}"
            )
    shown = {key: f"{total / at.clips:.4g}" for key, total in at.sums.items()}
    bar.set_postfix(shown, refresh=False)


def _out_of_patience(at: Progress, config: TrainConfig) -> bool:
    return config.patience is not None and at.epoch - at.best_epoch >= config.patience


def _bar(total: int, at: Progress, config: TrainConfig) -> Any:
    return tqdm(
        total=total, initial=at.clips, desc=f"epoch {at.epoch + 1}/{config.epochs}",
        unit=" clips", disable=not config.progress, mininterval=0.5,
    )  # fmt: skip


def _write_events(writer: Any, row: dict[str, Any]) -> None:
    for part in ("train", "validation"):
        for key, value in row[part].items():
            writer.add_scalar(f"{key}/{part}", value, row["epoch"])
    writer.add_scalar("clips_per_second", row["clips_per_second"], row["epoch"])


def _tensorboard(path: str | None) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ImportError("tensorboard=True needs: pip install 'fastdis[tensorboard]'") from error
    return SummaryWriter(path)


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Torch's generators seeded inside, and afterwards as they were outside."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield

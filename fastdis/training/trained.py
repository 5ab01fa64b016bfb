"""Load a trained model from its run folder, and encode clips with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fastdis import _files, _validation, models, objectives
from fastdis._devices import check_device
from fastdis.datasets import Dataset
from fastdis.training import checkpoints
from fastdis.training.autotune import Choice
from fastdis.training.config import TrainConfig
from fastdis.training.run_folder import BEST, CONFIG, LAST, PLAN, PREVIOUS


@dataclass(frozen=True)
class TrainResult:
    """A trained model, and the history of its training.

    Attributes
    ----------
    model, objective
        With the weights after the last epoch.
    history
        One row per epoch: ``epoch``, ``train`` and ``validation`` (mean of each term over the
        clips), ``seconds``, ``waiting`` (the share of them spent waiting for batches),
        ``clips_per_second``.
    best_epoch
        The epoch of the weights in ``best.safetensors``; 0 if nothing was trained.
    config
        As it was given.
    choice
        How the steps were computed: ``choice.plan``, ``choice.why``, and ``choice.tried`` with the
        seconds per step of every plan that was tried, or the reason why it was not used.
    """

    model: Any
    objective: objectives.Objective
    history: list[dict[str, Any]]
    best_epoch: int
    config: TrainConfig
    choice: Choice


def encode(
    model: Any, dataset: Dataset, rows: NDArray[np.int64], *, batch_size: int = 256
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and log-variance of the codes of some clips, each ``(N, D)``.

    The model is in evaluation mode afterwards.
    """
    weight = next(model.parameters())
    nothing = np.empty((0, model.latent_dim), np.float32)
    means, logvars = [nothing], [nothing]
    model.eval()
    with torch.no_grad():
        for start in range(0, len(rows), batch_size):
            x = torch.from_numpy(dataset.features(rows[start : start + batch_size]))
            mean, logvar = model.encode(x.to(weight.device, weight.dtype))
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
    RuntimeError
        If the device is not there.
    """
    folder = Path(path)
    _validation.choice("which", which, ("last", "best"))
    saved = _files.read_json(folder / CONFIG, "a run's config.json")
    with _files.reading(folder / CONFIG, "a run's config.json", (KeyError, TypeError)):
        model: Any = models.build(**saved["model"], seed=0)
        objective = objectives.build(
            saved["objective"]["name"],
            protocol=saved["objective"]["protocol"],
            **saved["objective"]["options"],
        )
        config = TrainConfig(**{**saved["config"], "path": str(folder), "device": device})
        with torch.random.fork_rng(devices=[]):
            objective.prepare(model.latent_dim, saved["n_train"])
    file, tensors, state = _newest(folder, which)
    dtype = next(t.dtype for key, t in tensors.items() if key.startswith("model."))
    model.to(dtype)
    checkpoints.into_module("model", model, tensors, file)
    objective.to(dtype)
    if which == "last":
        checkpoints.into_module("objective", objective, tensors, file)
    choice = Choice.from_dict(_files.read_json(folder / PLAN, "a run's plan.json"))
    model.to(check_device(device), memory_format=choice.plan.torch_memory_format)
    model.eval()
    objective.to(device)
    return TrainResult(model, objective, state["history"], state["best_epoch"], config, choice)


def _newest(folder: Path, which: str) -> tuple[Path, dict[str, torch.Tensor], Any]:
    """The best checkpoint, or of the last ones the newest that is whole."""
    if which == "best":
        return folder / BEST, *checkpoints.load(folder / BEST)
    for found in checkpoints.load_newest(folder / LAST, folder / PREVIOUS):
        return found
    raise FileNotFoundError(f"no such file: {folder / LAST} (wanted a fastdis checkpoint)")


def dataset_options(path: str | Path) -> dict[str, Any]:
    """The options of the data set of a run, as :func:`fastdis.datasets.build` takes them.

    Raises
    ------
    FileNotFoundError, ValueError
        If the folder holds no run, or its ``config.json`` is damaged.
    """
    config = Path(path) / CONFIG
    saved = _files.read_json(config, "a run's config.json")
    with _files.reading(config, "a run's config.json", (KeyError, TypeError)):
        options: dict[str, Any] = dict(saved["dataset"])
    return options

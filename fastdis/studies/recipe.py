"""Steps that studies share: train a model an objective, score it by protocols and the panel."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fastdis import _files, _validation, datasets, models, objectives, training
from fastdis.metrics import METRICS, SCORED_BY, code_information, evaluate_model, panel
from fastdis.metrics.evaluation import names_of
from fastdis.reports import Results, summary
from fastdis.training.run_folder import LAST

BOOTSTRAP = 1000  # resamples for the confidence intervals of the panel
# Not left to the clock, so that a study comes out alike each time.
PLAIN: dict[str, Any] = {"compile": "never", "memory_format": "channels_last", "dtype": "float32"}


STUDY, SUMMARY = "study.json", "results.json"


def preset_of(preset: Any, presets: Mapping[str, Any]) -> Any:
    """The size of a run, by its name or as it is."""
    if isinstance(preset, str):
        return presets[_validation.choice("preset", preset, presets)]
    return preset


def repeat(study: str, size: Any, presets: Mapping[str, Any], seed: int, **options: Any) -> str:
    """The command that repeats a run; options that are None are left out."""
    named = [name for name, preset in presets.items() if preset == size]
    given = {key: value for key, value in options.items() if value is not None}
    if named:
        flags = "".join(f" --{key} {shlex.quote(str(value))}" for key, value in given.items())
        return f"fastdis run {study} --preset {named[0]} --seed {seed}{flags}"
    rest = "".join(f", {key}={value!r}" for key, value in given.items())
    module = study.replace("-", "_")
    code = f"s.run('again', preset=s.{size!r}, seed={seed}{rest})"
    return f"python -c {shlex.quote(f'from fastdis.studies import {module} as s; {code}')}"


def start(folder: Path, told: dict[str, Any], device: str) -> None:
    """Say in the run folder what the study is of; it goes on from there alone.

    Raises
    ------
    RuntimeError
        If the device is not there.
    TypeError, ValueError
        If the seed is out of its range, or the folder holds a run of other options.
    """
    _validation.integer("seed", told["seed"], 0, 2**32 - 1)
    training.check_device(device)
    file = folder / STUDY
    if file.exists() and _files.read_json(file, "a study") != told:
        raise ValueError(f"path {folder} holds a run of other options; name another folder")
    _files.write_json(file, told)


def finish(folder: Path, results: Results, device: str) -> None:
    """Keep the figures of a study where other runs and machines are compared with them."""
    name = f"CPU, {os.cpu_count()} cores"
    if device.startswith("cuda"):
        name = torch.cuda.get_device_name(device)
    _files.write_json(folder / SUMMARY, {"device": name, **summary(results)})


def train_all(
    dataset: datasets.Dataset, folder: Path, names: Sequence[str], *, protocol: str, epochs: int,
    batch_size: int = 64, latent_dim: int = 8, seed: int = 0, model: str = "conv3",
    device: str = "cpu", progress: bool = True, say: Callable[[str], None] = print, **config: Any,
) -> dict[str, training.TrainResult]:  # fmt: skip
    """Train a model for each objective, each in its own run folder, each resumable."""
    results = {}
    for name in names:
        say(f"{_validation.protocol_title(protocol)}: training {name}")
        results[name] = training.train(
            models.build(model, latent_dim, dataset.feature_shape, seed=seed),
            objectives.build(name, protocol=protocol),
            dataset,
            training.TrainConfig(
                **alike(name, epochs, batch_size), seed=seed, device=device, progress=progress,
                path=str(folder / name), **config,
            ),
        )  # fmt: skip
    return results


def train_seeds(
    dataset: datasets.Dataset, folder: Path, names: Sequence[str], seeds: Sequence[int], *,
    protocol: str, epochs: int, batch_size: int = 64, latent_dim: int = 8, model: str = "conv3",
    say: Callable[[str], None] = print, **config: Any,
) -> dict[str, list[training.TrainResult]]:  # fmt: skip
    """As :func:`train_all`, a model for every seed, in step; run folders such as ``vae/seed=0``."""
    results = {}
    for name in names:
        shown = _validation.protocol_title(protocol)
        say(f"{shown}: training {name}, seeds {', '.join(map(str, seeds))}")
        results[name] = training.train_many(
            models.build(model, latent_dim, dataset.feature_shape, seed=0),
            objectives.build(name, protocol=protocol),
            dataset,
            training.TrainConfig(
                **alike(name, epochs, batch_size), path=str(folder / name), **config
            ),
            seeds=seeds,
        )
    return results


def alike(name: str, epochs: int, batch_size: int) -> dict[str, Any]:
    """Epochs and batch with which an objective's model learns as much as the others'.

    FactorVAE gets twice the batch, as it splits it, and twice the epochs, so that its VAE takes as
    many steps of as many clips as the others; so does the reference.
    """
    twice = 2 if name == "factor_vae" else 1
    return {"epochs": twice * epochs, "batch_size": twice * batch_size}


def score(
    model: Any, dataset: datasets.Dataset, folder: Path, runs: int, seed: int = 0,
    *, metrics: Iterable[str] | None = None, bootstrap: int = BOOTSTRAP,
    file_name: str = "scores.json",
) -> dict[str, Any]:  # fmt: skip
    """Score the model of a run folder and write the scores into it.

    By both protocols over several ``runs`` (:func:`fastdis.metrics.evaluate_model`; none for 0),
    and once by the whole ``"panel"``, or by ``metrics`` of it (:func:`fastdis.metrics.panel`).
    Scores that are there are returned as they are, if the same was asked of the same weights.
    """
    file = folder / file_name
    names = list(METRICS) if metrics is None else names_of(metrics)
    asked = {
        "runs": runs, "seed": seed, "dataset": dataset.options(),
        "weights": _files.digest(folder / LAST), "metrics": names, "bootstrap": bootstrap,
    }  # fmt: skip
    if file.exists():
        before = _files.read_json(file, "a model's scores")
        if isinstance(before, dict) and before.get("asked") == asked:
            return before
    codes = training.encode(model, dataset, np.arange(len(dataset)))
    told: dict[str, Any] = {
        convention: evaluate_model(codes, dataset, convention=convention, runs=runs, seed=seed)
        for convention in (SCORED_BY if runs else ())
    }
    told["panel"] = panel(codes, dataset, metrics=names, seed=seed, bootstrap=bootstrap).to_dict()
    told["mutual_information"] = code_information(codes, dataset).tolist()
    told["asked"] = asked
    _files.write_json(file, told)
    return told

"""Steps that studies share: begin and finish a run folder, audit data, score and show a model."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fastdis import _files, _validation, datasets, training
from fastdis.metrics import METRICS, SCORED_BY, Scores, code_information, evaluate_model, panel
from fastdis.metrics.evaluation import names_of
from fastdis.reports import ModelResult, Results, summary
from fastdis.training.run_folder import LAST

BOOTSTRAP = 1000  # resamples for the confidence intervals of the panel

STUDY, SUMMARY = "study.json", "results.json"


def preset_of(preset: Any, presets: Mapping[str, Any]) -> Any:
    """The preset of that name, or ``preset`` itself if it is none."""
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


def start(folder: Path, options: dict[str, Any], device: str) -> None:
    """Write the study's options to its run folder; only the same options resume it.

    Raises
    ------
    RuntimeError
        If the device is not available.
    TypeError, ValueError
        If the seed is out of its range, or the folder holds a run of other options.
    """
    _validation.integer("seed", options["seed"], 0, 2**32 - 1)
    training.check_device(device)
    file = folder / STUDY
    if file.exists() and _files.read_json(file, "a study") != options:
        raise ValueError(f"path {folder} holds a run of other options; name another folder")
    _files.write_json(file, options)


def audited(file: Path, dataset: datasets.Dataset | None = None, seed: int = 0) -> datasets.Audit:
    """The audit in a file; where there is none, that of ``dataset``, which is written to it."""
    if dataset is not None and not file.exists():
        _files.write_json(file, datasets.audit(dataset, seed=seed).to_dict())
    return datasets.Audit.from_dict(_files.read_json(file, "an audit"))


def shown(
    name: str, title: str, protocol: str, folder: Path, dataset: datasets.Dataset
) -> ModelResult:
    """A trained and scored model from its run folder, as a report shows it."""
    result = training.load(folder)
    scores = _files.read_json(folder / "scores.json", "a model's scores")
    return ModelResult(
        name, title, protocol, result.model, dataset, result.history,
        {convention: scores[convention] for convention in SCORED_BY if convention in scores},
        np.array(scores["mutual_information"]),
        Scores.from_dict(scores["panel"]) if "panel" in scores else None,
    )  # fmt: skip


def finish(folder: Path, results: Results, device: str) -> None:
    """Write the numbers of a study as JSON, to compare runs and machines."""
    name = f"CPU, {os.cpu_count()} cores"
    if device.startswith("cuda"):
        name = torch.cuda.get_device_name(device)
    _files.write_json(folder / SUMMARY, {"device": name, **summary(results)})


def score(
    model: Any, dataset: datasets.Dataset, folder: Path, runs: int, seed: int = 0,
    *, metrics: Iterable[str] | None = None, bootstrap: int = BOOTSTRAP,
    file_name: str = "scores.json",
) -> dict[str, Any]:  # fmt: skip
    """Score the model of a run folder and write the scores into it.

    By both protocols over ``runs`` evaluation runs (:func:`fastdis.metrics.evaluate_model`; none
    for 0), and once by the whole panel, or by ``metrics`` of it (:func:`fastdis.metrics.panel`).
    Scores of the same weights by the same options are read from the folder, if it has them.
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
    scores: dict[str, Any] = {
        convention: evaluate_model(codes, dataset, convention=convention, runs=runs, seed=seed)
        for convention in (SCORED_BY if runs else ())
    }
    scores["panel"] = panel(codes, dataset, metrics=names, seed=seed, bootstrap=bootstrap).to_dict()
    scores["mutual_information"] = code_information(codes, dataset).tolist()
    scores["asked"] = asked
    _files.write_json(file, scores)
    return scores

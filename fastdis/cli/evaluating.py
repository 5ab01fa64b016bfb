"""``fastdis eval``: score trained models, or files of factors and codes; write the scores."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastdis import _files
from fastdis.datasets import registry
from fastdis.metrics import Bins, Scores
from fastdis.metrics._heat_map import picture_format


@dataclass(frozen=True)
class Outputs:
    """The files to write; None for a file that is not asked for."""

    json: str | None = None
    parquet: str | None = None
    heat_map: str | None = None

    def check(self, labels: Sequence[str]) -> None:
        """Check before minutes of work that the files can be written.

        Raises
        ------
        ValueError
            If the heat map's suffix is not one of a picture.
        OSError
            If a file cannot be written.
        """
        if self.heat_map:
            picture_format(self.heat_map)
        for label in labels:
            for flag, file in self._files(label):
                _files.check_writable(f"--{flag}", file)

    def write(self, scores: Scores, label: str) -> list[Path]:
        """Write the scores of one model; returns the files."""
        writers = {
            "json": scores.to_json, "parquet": scores.to_parquet, "heat_map": scores.heat_map,
        }  # fmt: skip
        files = list(self._files(label))
        for flag, file in files:
            writers[flag](file)
        return [file for _, file in files]

    def _files(self, label: str) -> Iterator[tuple[str, Path]]:
        for flag in ("json", "parquet", "heat_map"):
            if given := getattr(self, flag):
                path = Path(given)
                yield flag, path.with_stem(f"{path.stem}-{label}") if label else path


def labels_of(paths: Sequence[str]) -> list[str]:
    """The label of each model's files: its path below the folder that all models share.

    A single model has an empty label.

    >>> labels_of(["runs/a/sound/vae", "runs/a/published/vae"])
    ['sound-vae', 'published-vae']

    Raises
    ------
    ValueError
        If a folder is named twice.
    """
    full = [Path(path).resolve() for path in paths]
    if len(set(full)) < len(full):
        raise ValueError(f"--model takes each run folder once, got {' '.join(paths)}")
    if len(full) == 1:
        return [""]
    shared = os.path.commonpath(full)
    labels = ["-".join(path.relative_to(shared).parts) or path.name for path in full]
    if len(set(labels)) < len(labels):  # a-b/c and a/b-c
        labels = [f"{number}-{label}" for number, label in enumerate(labels)]
    return labels


def models(
    paths: Sequence[str], *, dataset: str | None, runs: int, seed: int,
    metrics: Sequence[str] | None, bootstrap: int, outputs: Outputs,
) -> Iterator[str]:  # fmt: skip
    """Score trained models by both protocols and the panel; yields texts to print.

    Raises
    ------
    ValueError, OSError
        If a folder holds no model or a data set does not fit it, or an output cannot be written.
    """
    from fastdis import datasets, training
    from fastdis.studies import score

    labels = labels_of(paths)
    outputs.check(labels)
    sets: dict[str, Any] = {}  # each opened once: most models share one
    for path, label in zip(paths, labels, strict=True):
        result = training.load(path)
        options = training.dataset_options(path)
        key = f"{dataset} {result.objective.protocol}" if dataset else str(options)
        if key not in sets:
            if dataset:
                source, _ = registry.open_stored(dataset, result.objective.protocol)
            else:
                source = datasets.build(options)
            sets[key] = source.in_memory()
        scores = score(
            result.model, sets[key], Path(path), runs, seed,
            metrics=metrics, bootstrap=bootstrap, file_name="eval.json",
        )  # fmt: skip
        panel = Scores.from_dict(scores["panel"])
        written = outputs.write(panel, label)
        yield "\n".join(["", path, _table(scores), "", str(panel), *map(str, written)])


def files(
    factors: str, codes: str, *, how: Mapping[str, Any], seed: int,
    metrics: Sequence[str] | None, bootstrap: int, outputs: Outputs,
) -> Iterator[str]:  # fmt: skip
    """Score plain files; yields texts to print.

    Raises
    ------
    TypeError, ValueError, OSError
        As :func:`evaluate_files`, or if an output cannot be written.
    """
    from fastdis.metrics.files import evaluate_files

    outputs.check([""])
    bins: Any = how["bins"]
    if how["binning"] == "quantile":
        bins = Bins.quantile() if bins is None else Bins.quantile(bins)
    scores = evaluate_files(
        factors, codes, metrics, bins=bins, seed=seed, bootstrap=bootstrap,
        discrete=None if how["discrete"] is None else how["discrete"] == "yes",
        convention=how["convention"] or "standard", estimator=how["estimator"] or "plugin",
        active=how["active"],
    )  # fmt: skip
    written = outputs.write(scores, "")
    yield "\n".join([str(scores), *map(str, written)])


def _table(scores: dict[str, Any]) -> str:
    lines = [f"{'':<22}{'as published':>18}{'standard':>18}"]
    for name in {**scores["standard"], **scores["published"]}:
        cells = [scores[convention].get(name) for convention in ("published", "standard")]
        texts = [f"{c[0]:.3f} ± {c[1]:.3f}" if c else "–" for c in cells]
        lines.append(f"{name:<22}{texts[0]:>18}{texts[1]:>18}")
    return "\n".join(lines)

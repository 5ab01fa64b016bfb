"""The cells of the additive toy study: trained three betas at a time, measured, kept as rows.

Shares of variance are of clips held out from training, against the mean feature of all clips: a
network that gives back the same picture for every clip scores 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fastdis import _files, datasets, metrics, models, objectives, training
from fastdis._clips import split
from fastdis.studies._additive_toy_grid import BETAS, IMAGES, Group
from fastdis.studies._common import PLAIN

Row = dict[str, Any]
Array = NDArray[np.float32]

ROWS = "rows.json"
# The panel without what takes seconds a model: boosted trees, and interventions.
QUICK = ("mig", "dcimig", "modularity", "sap", "knn_accuracy", "probe")
# What a reconstruction of everything gains over the mean feature, whatever the representation: so
# one beta weighs the same against a share of the variance for all of them.
NATS = 500.0
LEARNING_RATE = 2e-3
# A bin belongs to a partial from half a semitone below it to half a semitone above.
_HALF_SEMITONE = 2 ** (1 / 24)
_DRAWS = 8
_BATCH = 256


@dataclass(frozen=True)
class Sounds:
    """A data set as the cells see it.

    Attributes
    ----------
    source
        As it is made.
    dataset
        Its features standardised, as networks see them, and kept.
    expected
        What the factors determine: the mean over other draws of the noise. Not the features of the
        clean sound, which has no noise floor: in decibels those are far from any noisy clip's.
    """

    source: Any
    dataset: datasets.InMemory
    expected: Array

    @property
    def features(self) -> Array:
        """Of all clips."""
        return self.dataset.array

    @property
    def variance(self) -> float:
        """Of the likelihood: all that the mean feature leaves unexplained is worth ``NATS``."""
        return float(self.features.var(axis=0, dtype=np.float64).sum()) / (2.0 * NATS)


def sounds_of(dataset: Any) -> Sounds:
    """Every feature computed once; several times where there is noise."""
    seen = datasets.Standardised(dataset.in_memory())
    kept = seen.in_memory()
    if "snr_db" not in dataset.space.names:
        return Sounds(dataset, kept, kept.array)
    rows, table = np.arange(len(dataset)), dataset.table()
    expected = np.zeros_like(kept.array)
    for draw in range(1, _DRAWS + 1):  # 0 is the clips' own
        expected += seen.standardise(dataset.features_at(table, rows, draw=draw))
    expected /= _DRAWS
    return Sounds(dataset, kept, expected)


def make(
    groups: Sequence[Group], sounds: Sounds, folder: Path, *, epochs: int, batch_size: int,
    seed: int, device: str, keep: bool,
) -> None:  # fmt: skip
    """Train and measure the models of groups with one data set and one size of the code, in step.

    Those whose rows are there are left out. ``keep`` their weights, in run folders: of all of them
    it would be gigabytes.
    """
    groups = [group for group in groups if not (folder / group.label / ROWS).exists()]
    if not groups:
        return
    trained = training.train_many(
        {
            group.label: models.build(
                group.of.model, group.latent_dim, sounds.dataset.feature_shape, seed=seed,
                output="linear", **group.of.options,
            )
            for group in groups
        },
        objectives.build("beta_vae", variance=sounds.variance),
        sounds.dataset,
        training.TrainConfig(
            epochs=epochs, batch_size=batch_size, learning_rate=LEARNING_RATE, device=device,
            progress=False, path=str(folder) if keep else None, **PLAIN,
        ),
        seeds=[seed], grid={"beta": list(BETAS)}, engine="threads",
    )  # fmt: skip
    for number, group in enumerate(groups):
        of_group = trained[number * len(BETAS) : (number + 1) * len(BETAS)]
        rows = [
            measure(group, beta, each, sounds) for beta, each in zip(BETAS, of_group, strict=True)
        ]
        _files.write_json(folder / group.label / ROWS, rows)


def read(folder: Path, group: Group) -> list[Row]:
    """The rows of a group that was made before."""
    rows: list[Row] = _files.read_json(folder / group.label / ROWS, "a group's rows")
    return rows


def run_folder(folder: Path, group: Group, beta: float, seed: int) -> Path:
    """Where the model of a cell is kept."""
    return folder / group.label / f"beta={beta}_seed={seed}"


def measure(group: Group, beta: float, result: training.TrainResult, sounds: Sounds) -> Row:
    """What is known of one model, as plain values."""
    model, dataset = result.model, sounds.dataset
    codes = training.encode(model, dataset, np.arange(len(dataset)))
    scored = metrics.panel(codes, dataset, metrics=QUICK)
    information = metrics.code_information(codes, dataset)
    held_out = split(len(dataset), result.config.validation, result.config.split_seed)[1]
    given, expected = sounds.features[held_out], sounds.expected[held_out]
    mean = sounds.features.mean(axis=0)
    x_hat = _decoded(model, *(part[held_out] for part in codes))
    last = result.history[-1]
    return {
        "system": group.system, "condition": group.condition, "latent_dim": group.latent_dim,
        "beta": beta, "seconds": sum(row["seconds"] for row in result.history),
        "epochs": len(result.history),
        "validation": [row["validation"]["loss"] for row in result.history],
        "explained": explained(given, x_hat, mean),
        "explained_expected": explained(expected, x_hat, mean),
        "ceiling": explained(given, expected, mean),
        "kl": last["validation"]["kl"] / beta,
        "active": int((codes[0].var(axis=0) > 0.01).sum()),
        "scores": dict(scored),
        "names": list(dataset.space.names),
        "information": information.max(axis=1).tolist(),
        "carriers": information.argmax(axis=1).tolist(),
        "gaps": _gaps(information).tolist(),
        **_parts(group, sounds, held_out, expected, x_hat, mean),
    }  # fmt: skip


def explained(given: Array, x_hat: Array, mean: Array, where: Any = True) -> float:
    """The share of the variance of the features that a reconstruction explains, ``where`` asked.

    1 - sum (x - x_hat)^2 / sum (x - mean)^2; NaN has no place in a file, so 0 of nothing is 0.
    """
    error = np.sum(np.square(given - x_hat, dtype=np.float64), where=where)
    spread = np.sum(np.square(given - mean, dtype=np.float64), where=where)
    return float(1.0 - error / spread) if spread > 0.0 else 0.0


def _decoded(model: Any, mean: Array, logvar: Array) -> Array:
    """Features of a code drawn for each clip, in batches.

    Drawn, as the loss has it: a decoder whose codes are nearly closed never sees their means.
    """
    noise = np.random.default_rng(0).standard_normal(mean.shape, np.float32)
    codes = mean + noise * np.exp(0.5 * logvar)
    parts = []
    weight = next(model.parameters())
    with torch.no_grad():
        for start in range(0, len(codes), _BATCH):
            z = torch.from_numpy(codes[start : start + _BATCH]).to(weight.device, weight.dtype)
            parts.append(model.decode(z).float().cpu().numpy())
    return np.concatenate(parts)


def _gaps(information: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much more of each factor its best code holds than the second best; MIG is their mean."""
    best = np.sort(information, axis=1)[:, ::-1]
    gaps: NDArray[np.float64] = best[:, 0] - (best[:, 1] if best.shape[1] > 1 else 0.0)
    return gaps


def _parts(
    group: Group, sounds: Sounds, rows: NDArray[np.int64], expected: Array, x_hat: Array,
    mean: Array,
) -> Row:  # fmt: skip
    """How well each decay is reconstructed, and the fundamental beside the other partials."""
    if group.condition == IMAGES:
        return {}
    table = sounds.dataset.table(rows)
    parts: Row = {}
    if "decay" in table.names:
        parts["by_decay"] = {
            f"{value:g}": explained(expected[same], x_hat[same], mean)
            for value in np.unique(table["decay"])
            if (same := table["decay"] == value).any()
        }
    if group.of.representation == "cqt":
        first, others = _partial_bins(sounds.source, rows)
        parts["fundamental"] = explained(expected, x_hat, mean, first)
        parts["partials"] = explained(expected, x_hat, mean, others)
    return parts


def _partial_bins(
    toy: datasets.AdditiveToy, rows: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which bins of the CQT ``(B, 1, F, 1)`` hold a clip's lowest partial, which another one."""
    partials = toy.partials(rows)
    ratio = partials.frequency[:, :, None] / toy.frequencies
    near = (ratio < _HALF_SEMITONE) & (ratio >= 1.0 / _HALF_SEMITONE)
    near &= (partials.amplitude > 0.0)[:, :, None]
    lowest = np.argmax(partials.amplitude > 0.0, axis=1)
    first = near[np.arange(len(rows)), lowest]
    others = near.any(axis=1) & ~first
    return first[:, None, :, None], others[:, None, :, None]

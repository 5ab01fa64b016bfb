"""The cells of the additive toy study: trained for all betas at once, measured, kept as rows.

Shares of variance are of clips held out from training, against the mean feature of all clips: a
network that gives that mean image for every clip scores 0.
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
from fastdis.datasets.representations import DYNAMIC_RANGE_DB
from fastdis.studies.additive_toy.grid import BETAS, IMAGES, LEARNING_RATE, NATS, Group
from fastdis.training.batches import split
from fastdis.training.run_folder import folder_name

Row = dict[str, Any]
Array = NDArray[np.float32]

ROWS = "rows.json"
# The panel without what takes seconds per model: boosted trees, and interventions.
QUICK = ("mig", "dcimig", "modularity", "sap", "knn_accuracy", "probe")
ACTIVE = 0.01  # variance of a code's mean over the clips, above which the code is active
# A bin belongs to a partial from half a semitone below it to half a semitone above.
_HALF_SEMITONE = 2 ** (1 / 24)
_DRAWS = 8  # of the noise, half of them for each mean
_BATCH = 256


@dataclass(frozen=True)
class Prepared:
    """A data set as networks see it, and what the factors determine of its features.

    Attributes
    ----------
    source
        The data set itself.
    dataset
        The same with standardised features, in memory.
    scale
        What the features were divided by.
    expected
        What the factors determine, twice: means over other draws of the noise, each over its own
        draws, so that the noise cancels in a product of the two. Not the features of the clean
        sound: it has no noise floor, so in decibels it is far from any noisy clip.
    """

    source: Any
    dataset: datasets.InMemory
    scale: float
    expected: tuple[Array, Array]

    @property
    def features(self) -> Array:
        """The standardised features of all clips."""
        return self.dataset.array

    @property
    def variance(self) -> float:
        """Of the likelihood: what the factors determine beyond the mean is worth ``NATS``."""
        mean = self.features.mean(axis=0)
        return _square(*self.expected, mean) / (len(self.features) * 2.0 * NATS)


def standardised(dataset: datasets.Dataset) -> tuple[datasets.InMemory, datasets.Standardised]:
    """The data set with standardised features in memory, and the set that standardises them."""
    seen = datasets.Standardised(dataset.in_memory())
    return seen.in_memory(), seen


def prepared(dataset: Any) -> Prepared:
    """Compute every feature once, and with several draws of the noise if there is any."""
    kept, seen = standardised(dataset)
    if "snr_db" not in dataset.space.names:
        return Prepared(dataset, kept, seen.scale, (kept.array, kept.array))
    one, other = np.zeros_like(kept.array), np.zeros_like(kept.array)
    rows, table = np.arange(len(dataset)), dataset.table()
    for draw in range(1, 1 + _DRAWS, 2):  # draw 0 is that of the clips
        one += seen.standardise(dataset.features_at(table, rows, draw=draw))
        other += seen.standardise(dataset.features_at(table, rows, draw=draw + 1))
    for half in (one, other):
        half /= _DRAWS / 2
    return Prepared(dataset, kept, seen.scale, (one, other))


def make(
    groups: Sequence[Group], data: Prepared, folder: Path, *, epochs: int, batch_size: int,
    seed: int, device: str, keep: bool,
) -> None:  # fmt: skip
    """Train concurrently, then measure, models of one data set and one code size.

    Groups with rows in the folder are skipped. ``keep`` keeps the weights in run folders: for the
    whole grid they would be gigabytes.
    """
    groups = [group for group in groups if not (folder / group.label / ROWS).exists()]
    if not groups:
        return
    trained = training.train_many(
        {
            group.label: models.build(
                group.of.model, group.latent_dim, data.dataset.feature_shape, seed=seed,
                output="linear", **group.of.options,
            )
            for group in groups
        },
        objectives.build("beta_vae", variance=data.variance),
        data.dataset,
        training.TrainConfig(
            epochs=epochs, batch_size=batch_size, learning_rate=LEARNING_RATE, device=device,
            progress=False, path=str(folder) if keep else None,
        ),
        seeds=[seed], grid={"beta": list(BETAS)}, engine="threads",
    )  # fmt: skip
    for number, group in enumerate(groups):
        of_group = trained[number * len(BETAS) : (number + 1) * len(BETAS)]
        rows = [
            measure(group, beta, each, data) for beta, each in zip(BETAS, of_group, strict=True)
        ]
        _files.write_json(folder / group.label / ROWS, rows)


def read(folder: Path, group: Group) -> list[Row]:
    """The rows of a finished group."""
    rows: list[Row] = _files.read_json(folder / group.label / ROWS, "a group's rows")
    return rows


def run_folder(folder: Path, group: Group, beta: float, seed: int) -> Path:
    """The run folder of a cell's model."""
    return folder / group.label / folder_name({"beta": beta, "seed": seed})


def measure(group: Group, beta: float, result: training.TrainResult, data: Prepared) -> Row:
    """The measurements of one model, as plain values."""
    model, dataset = result.model, data.dataset
    codes = training.encode(model, dataset, np.arange(len(dataset)))
    held_out = split(len(dataset), result.config.validation, result.config.split_seed)[1]
    x_hat = _decoded(model, *(part[held_out] for part in codes))
    given, mean = data.features[held_out], data.features.mean(axis=0)
    one, other = (half[held_out] for half in data.expected)
    return {
        "system": group.system, "condition": group.condition, "latent_dim": group.latent_dim,
        "beta": beta, "data": data.source.options()["name"], "clips": len(dataset),
        "validation": [row["validation"]["loss"] for row in result.history],
        "kl": result.history[-1]["validation"]["kl"] / beta,
        "active": int((codes[0].var(axis=0) > ACTIVE).sum()),
        "explained": explained(given, given, x_hat, mean),
        "explained_expected": explained(one, other, x_hat, mean),
        "ceiling": _square(one, other, mean) / _square(given, given, mean),
        **_scores(codes, dataset),
        **_errors(group, data, held_out, x_hat, mean),
    }  # fmt: skip


def explained(one: Array, other: Array, x_hat: Array, mean: Array) -> float:
    """The share of the variance that a reconstruction explains, of features given twice.

    1 - sum (x - x_hat)(x' - x_hat) / sum (x - mean)(x' - mean), with independent noise in x and x'.
    """
    return 1.0 - _square(one, other, x_hat) / _square(one, other, mean)


def _square(one: Array, other: Array, x_hat: Array, where: Any = True) -> float:
    """The sum of squared errors, without what the independent noise of the two would add."""
    error = (one - x_hat).astype(np.float64) * (other - x_hat)
    return float(error.sum(where=where))


def _scores(codes: tuple[Array, Array], dataset: datasets.InMemory) -> Row:
    """Scores of the codes; and of the same codes permuted across clips, as the chance level."""
    permuted = tuple(part[np.random.default_rng(0).permutation(len(part))] for part in codes)
    information = metrics.code_information(codes, dataset)
    return {
        "scores": dict(metrics.panel(codes, dataset, metrics=QUICK)),
        "chance": dict(metrics.panel(permuted, dataset, metrics=["probe"])),
        "names": list(dataset.space.names),
        "information": information.max(axis=1).tolist(),
        "chance_information": metrics.code_information(permuted, dataset).max(axis=1).tolist(),
        "carriers": information.argmax(axis=1).tolist(),
        "gaps": _gaps(information).tolist(),
        "holds": information.argmax(axis=0).tolist(),
        "shares": information.max(axis=0).tolist(),
    }


def _decoded(model: Any, mean: Array, logvar: Array) -> Array:
    """Features decoded from a sampled code of each clip, in batches.

    Sampled, as in the loss: a decoder of nearly collapsed codes has never seen their means.
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
    """Mutual information of each factor with its best code minus the second; MIG is the mean."""
    best = np.sort(information, axis=1)[:, ::-1]
    gaps: NDArray[np.float64] = best[:, 0] - (best[:, 1] if best.shape[1] > 1 else 0.0)
    return gaps


def _errors(
    group: Group, data: Prepared, rows: NDArray[np.int64], x_hat: Array, mean: Array
) -> Row:  # fmt: skip
    """Root mean square errors in dB, of the model and of the mean image.

    By decay rate; for the CQT also in the bins of a clip's lowest partial, and of its others.
    """
    if group.condition == IMAGES or group.of.representation == "waveform":
        return {}
    one, other = (half[rows] for half in data.expected)

    def both(where: Any) -> list[float]:
        cells = np.broadcast_to(where, one.shape)
        squares = (_square(one, other, each, cells) / cells.sum() for each in (x_hat, mean))
        return [float(data.scale * DYNAMIC_RANGE_DB * np.sqrt(max(s, 0.0))) for s in squares]

    table = data.dataset.table(rows)
    found: Row = {}
    if "decay" in table.names:
        found["by_decay"] = {
            f"{value:g}": both((table["decay"] == value)[:, None, None, None])
            for value in np.unique(table["decay"])
        }
    if group.of.representation == "cqt":
        first, others = _partial_bins(data.source, rows)
        found |= {"fundamental": both(first), "partials": both(others)}
    return found


def _partial_bins(
    toy: datasets.AdditiveToy, rows: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Masks ``(B, 1, F, 1)``: the CQT bins of a clip's lowest partial, and of its others."""
    partials = toy.partials(rows)
    ratio = partials.frequency[:, :, None] / toy.frequencies
    near = (ratio < _HALF_SEMITONE) & (ratio >= 1.0 / _HALF_SEMITONE)
    near &= (partials.amplitude > 0.0)[:, :, None]
    lowest = np.argmax(partials.amplitude > 0.0, axis=1)
    first = near[np.arange(len(rows)), lowest]
    others = near.any(axis=1) & ~first
    return first[:, None, :, None], others[:, None, :, None]

"""Scores of a trained model: over several runs by either protocol, or once by the whole panel."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis import _validation
from fastdis.metrics._catalogue import METRICS
from fastdis.metrics._counts.histogram import MetricWarning
from fastdis.metrics.counting import joint_histogram
from fastdis.metrics.evaluation import evaluate, names_of
from fastdis.metrics.scores import Scores

# The conventions that a model is scored by: the metrics' definitions, or the published code.
SCORED_BY = ("standard", "published")
# What the runs of both protocols score: the metrics of the published table, and DCI.
_TABLE = ("mig", "sap", "dcimig", "jemmig", "modularity", "dci")
# Share of the clips that a run of the standard scoring draws.
_DRAW = 0.8


def evaluate_model(
    model: Any,
    dataset: Any,
    *,
    convention: str = "standard",
    runs: int = 10,
    seed: int = 0,
    metrics: Iterable[str] | None = None,
) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation of each metric over several runs.

    ``"standard"`` scores the *means* of q(z|x), each run on its own random 80% of the clips. The
    ``"published"`` protocol of SynTone scores codes *sampled* from q(z|x), on all clips, roles
    swapped and in 10 bins (see :func:`fastdis.metrics.evaluate`), so that its deviation is that of
    the sampling noise alone.

    Parameters
    ----------
    model
        A VAE of :mod:`fastdis.models`; or ``(mean, logvar)``, as :func:`fastdis.training.encode`
        gives them of all clips, so that several scores share one encoding.
    dataset
        The clips to encode, with their factors.
    convention
        ``"standard"`` or ``"published"``.
    runs, seed
        How many, and what fixes them.
    metrics
        Names, as :func:`evaluate` takes them; None for the metrics of the published table, and
        DCI where the convention has it. :func:`panel` gives all metrics, once.

    Returns
    -------
    dict
        ``(mean, deviation)`` by the name of the metric; the deviation is that of the runs
        themselves, divided by their number (``ddof=0``).

    Raises
    ------
    TypeError, ValueError
        If the data set has fewer than 2 clips, ``runs`` or ``seed`` is out of its range, or a name
        is unknown.
    """
    _validation.choice("convention", convention, SCORED_BY)
    _validation.integer("runs", runs)
    _validation.integer("seed", seed, 0)
    if metrics is None:
        metrics = [name for name in _TABLE if convention in METRICS[name].formulas]
    names = names_of(metrics)
    table = dataset.table()
    mean, logvar = _encoded(model, dataset)
    scores: dict[str, list[float]] = {}
    notes: dict[str, None] = {}  # what the runs remark, each remark once
    for run in range(runs):
        rng = np.random.default_rng((seed, run))
        if convention == "published":
            noise = rng.standard_normal(mean.shape, dtype=np.float32)
            codes, factors = mean + np.exp(0.5 * logvar) * noise, table
        else:
            rows = rng.permutation(len(table))[: max(2, round(_DRAW * len(table)))]
            codes, factors = mean[rows], table[rows]
        result = evaluate(factors, codes, names, convention=convention)
        for name, value in result.items():
            scores.setdefault(name, []).append(value)
        notes |= dict.fromkeys(result.warnings)
    for note in notes:
        warnings.warn(note, MetricWarning, stacklevel=2)
    return {name: (float(np.mean(v)), float(np.std(v))) for name, v in scores.items()}


def panel(
    model: Any,
    dataset: Any,
    *,
    metrics: Iterable[str] | None = None,
    seed: int = 0,
    bootstrap: int = 0,
    confidence: float = 0.95,
) -> Scores:
    """The whole panel of metrics on one model, by their own definitions.

    Scores the means of q(z|x) of all clips, once. Their spread is that of the bootstrap, where it
    is asked for: another draw of clips, not another training.

    Metrics that intervene (hold a factor, vary the others) draw their batches among these clips.
    On a set that holds every combination of levels, as a grid does, each clip that an intervention
    could render is there, so that encoding all of them once is the same as rendering.

    Parameters
    ----------
    model, dataset
        As in :func:`evaluate_model`.
    metrics
        Names or groups, as :func:`evaluate` takes them; None for all.
    seed, bootstrap, confidence
        As in :func:`evaluate`.

    Raises
    ------
    TypeError, ValueError
        As :func:`evaluate`.
    """
    names = None if metrics is None else names_of(metrics)
    mean, _ = _encoded(model, dataset)
    return evaluate(
        dataset.table(), mean, names, seed=seed, bootstrap=bootstrap, confidence=confidence
    )


def code_information(model: Any, dataset: Any) -> NDArray[np.float64]:
    """How much of each factor each code holds, by the means of q(z|x) over all clips.

    The quantity whose gap MIG takes (Chen et al. 2018, eq. 6): I(z, v) / H(v), with the bins of
    :func:`joint_histogram`.

    Parameters
    ----------
    model, dataset
        As in :func:`evaluate_model`.

    Returns
    -------
    ndarray of float64, shape (K, D)
        Factors by codes, 0 to 1; 0 for a constant factor.

    Raises
    ------
    ValueError
        If the data set has no clips, or a code is not finite.
    """
    mean, _ = _encoded(model, dataset)
    histogram = joint_histogram(dataset.table(), mean)
    entropy = np.maximum(histogram.factor_entropy, np.finfo(float).tiny)
    result: NDArray[np.float64] = np.clip(histogram.mutual_information / entropy[:, None], 0.0, 1.0)
    return result


def _encoded(model: Any, dataset: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and log-variance of the codes of all clips."""
    from fastdis.training import encode

    if not isinstance(model, tuple):
        return encode(model, dataset, np.arange(len(dataset)))
    mean, logvar = model
    return mean, logvar

"""Explicitness: how well linear classifiers find every level of a factor.

One logistic regression a level, and the area under its ROC curve, scaled so that chance is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Unpack

import numpy as np

from fastdis.metrics._counts.columns import Data
from fastdis.metrics._counts.conventions import counted_as
from fastdis.metrics._evidence import Evidence
from fastdis.metrics._fits import predictors as fits
from fastdis.metrics._fits.fitting import fitting
from fastdis.metrics._metric import Entry, Score, Seeded, metric, metric_of

Classifier = Callable[[fits.Matrix, fits.Labels, fits.Matrix], fits.Matrix]


@fitting()
def _standard(evidence: Evidence) -> Score:
    auc = _held_out_auc(evidence, _each_level)
    return fits.mean_score({name: max(0.0, 2.0 * area - 1.0) for name, area in auc.items()})


@fitting()
def _disentanglement_lib(evidence: Evidence) -> Score:
    return fits.mean_score(_held_out_auc(evidence, _softmax))


@fitting()
def _ubisoft(evidence: Evidence) -> Score:
    data = _levelled(evidence)
    x = fits.inputs(data.codes)
    x = (x - x.min(axis=0)) / np.maximum(np.ptp(x, axis=0), 1e-300)
    auc = {
        target.name: _mean_auc(target.values, _each_balanced(x, target.values))
        for target in fits.targets(evidence, data, fits.KEPT)
    }
    return fits.mean_score({name: 2.0 * area - 1.0 for name, area in auc.items()})


def _levelled(evidence: Evidence) -> Data:
    """The samples drawn, their continuous factors cut into bins."""
    data, _, edges = counted_as(evidence.sample(fits.ROWS), evidence.cut, evidence.convention)
    factors = data.factors.astype(np.float64)
    for k, kind in enumerate(data.kinds):
        if kind == "continuous":
            factors[:, k] = np.digitize(factors[:, k], edges[k, 1:-1])
    kinds = tuple("ordinal" if kind == "continuous" else kind for kind in data.kinds)
    return replace(data, factors=factors, kinds=kinds)


def _held_out_auc(evidence: Evidence, classifier: Classifier) -> dict[str, float]:
    """The mean AUC over levels of each factor, on the samples that were not fitted."""
    data = _levelled(evidence)
    x, result = fits.inputs(data.codes), {}
    for target in fits.targets(evidence, data, fits.KEPT):
        labels = target.values
        test = fits.held_out(len(x), labels, evidence.seed)
        result[target.name] = _mean_auc(labels[test], classifier(x[~test], labels[~test], x[test]))
        missing = np.count_nonzero(np.bincount(labels) == 1)
        if missing:
            evidence.note(f"{missing} levels of {target.name!r} occur once, and are left out")
    return result


def _mean_auc(labels: fits.Labels, scores: fits.Matrix) -> float:
    """The mean over the levels that occur of the AUC of ``scores (N, L)``."""
    from sklearn.metrics import roc_auc_score

    levels = np.unique(labels)
    return float(roc_auc_score(labels[:, None] == levels, scores[:, levels]))


def _each_level(x: fits.Matrix, labels: fits.Labels, to_rank: fits.Matrix) -> fits.Matrix:
    """Scores ``(N, L)`` of one classifier per level."""
    levels = range(int(labels.max()) + 1)
    of_each = [
        fits.logistic(x, (labels == level).astype(np.intp)).decision_function(to_rank)
        for level in levels
    ]
    return np.stack(of_each, axis=1)


def _softmax(x: fits.Matrix, labels: fits.Labels, to_rank: fits.Matrix) -> fits.Matrix:
    """The probabilities ``(N, L)`` of one classifier of all levels."""
    result: fits.Matrix = fits.logistic(x, labels).predict_proba(to_rank)
    return result


def _each_balanced(x: fits.Matrix, labels: fits.Labels) -> fits.Matrix:
    """The probabilities ``(N, L)`` of one balanced classifier per level, over their sum."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    classifier = LogisticRegression(class_weight="balanced")
    result: fits.Matrix = OneVsRestClassifier(classifier).fit(x, labels).predict_proba(x)
    return result


@metric(
    Entry(
        "explicitness", "Explicitness", "Ridgeway & Mozer 2018", "explicitness",
        "A linear classifier finds each level of each factor.",
        "Where factors are held; a perfect code of an ordered factor does not reach 1.",
    ),
    group="predictors", standard=_standard, disentanglement_lib=_disentanglement_lib,
    ubisoft=_ubisoft,
)  # fmt: skip
def explicitness(factors: Any, codes: Any = None, **shared: Unpack[Seeded]) -> float:
    """Explicitness: can a linear classifier find every level of every factor in the codes?

    For each level of a factor, a logistic regression of all codes tells it from the other levels;
    AUC is the area under its ROC curve, the chance that it ranks a sample of the level above
    another (Ridgeway & Mozer 2018, "Learning Deep Disentangled Embeddings with the F-Statistic
    Loss", section 3). The score is the mean over factors of the mean over levels of 2 AUC - 1, 0
    where a factor falls below it: 0 to 1, higher is better. A level in the middle of a single code
    is on no end of any line, so that even a perfect code of an ordered factor stays below 1.

    The classifiers are fitted on three quarters of the samples of each level and ranked on the
    rest; of more than 10,000 samples, 10,000 are drawn. Both are drawn by ``seed``, so the score
    depends on the order of the samples, a little. The order of the codes and dead codes change
    nothing. With dead codes alone, the score is 0.

    A discrete factor has the levels that it keeps; a continuous one is cut into bins, as for a
    histogram. A level that occurs once cannot be ranked; it, a factor without two levels that
    occur twice or with over 1,000 levels, and a constant factor are left out.

    disentanglement_lib fits one softmax of all levels and leaves the mean AUC as it is, so that
    chance is 0.5; a dead code makes it crash. Ubisoft scales codes to 0 to 1, weights levels
    equally, divides the probabilities of the levels by their sum, and ranks the samples that it
    fitted, so that more codes score higher; chance is 0.

    Parameters
    ----------
    bins
        How continuous factors are cut, as for :func:`joint_histogram`.

    Raises
    ------
    TypeError, ValueError
        As :func:`mig`; also if no factor is left.

    Examples
    --------
    >>> import numpy as np
    >>> v = np.arange(400)[:, None] % 2
    >>> explicitness(v, 3.0 - v)
    1.0
    """
    return metric_of(explicitness).value(factors, codes, **shared)

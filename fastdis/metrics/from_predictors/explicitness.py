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
from fastdis.metrics._fits.fitting import fitting
from fastdis.metrics._fits.predictors import (
    KEPT,
    ROWS,
    Labels,
    Matrix,
    held_out,
    inputs,
    logistic,
    mean_score,
    targets,
)
from fastdis.metrics._metric import Entry, Score, Seeded, metric, metric_of

Classifier = Callable[[Matrix, Labels, Matrix], Matrix]


@fitting()
def _standard(evidence: Evidence) -> Score:
    auc = _held_out_auc(evidence, _each_level)
    return mean_score({name: max(0.0, 2.0 * area - 1.0) for name, area in auc.items()})


@fitting()
def _disentanglement_lib(evidence: Evidence) -> Score:
    return mean_score(_held_out_auc(evidence, _softmax))


@fitting()
def _ubisoft(evidence: Evidence) -> Score:
    data = _levelled(evidence)
    x = inputs(data.codes)
    x = (x - x.min(axis=0)) / np.maximum(np.ptp(x, axis=0), 1e-300)
    auc = {
        target.name: _mean_auc(target.values, _each_balanced(x, target.values))
        for target in targets(evidence, data, KEPT)
    }
    return mean_score({name: 2.0 * area - 1.0 for name, area in auc.items()})


def _levelled(evidence: Evidence) -> Data:
    """The rows drawn, their continuous factors cut into bins."""
    data, _, edges = counted_as(evidence.sample(ROWS), evidence.cut, evidence.convention)
    factors = data.factors.astype(np.float64)
    for k, kind in enumerate(data.kinds):
        if kind == "continuous":
            factors[:, k] = np.digitize(factors[:, k], edges[k, 1:-1])
    kinds = tuple("ordinal" if kind == "continuous" else kind for kind in data.kinds)
    return replace(data, factors=factors, kinds=kinds)


def _held_out_auc(evidence: Evidence, classifier: Classifier) -> dict[str, float]:
    """The mean AUC over levels of each factor, on the rows that were not fitted."""
    data = _levelled(evidence)
    x, result = inputs(data.codes), {}
    for target in targets(evidence, data, KEPT):
        labels = target.values
        test = held_out(len(x), labels, evidence.seed)
        result[target.name] = _mean_auc(labels[test], classifier(x[~test], labels[~test], x[test]))
        missing = np.count_nonzero(np.bincount(labels) == 1)
        if missing:
            evidence.note(f"{missing} levels of {target.name!r} occur once, and are left out")
    return result


def _mean_auc(labels: Labels, scores: Matrix) -> float:
    """The mean over the levels that occur of the AUC of ``scores (N, L)``."""
    from sklearn.metrics import roc_auc_score

    levels = np.unique(labels)
    return float(roc_auc_score(labels[:, None] == levels, scores[:, levels]))


def _each_level(x: Matrix, labels: Labels, to_rank: Matrix) -> Matrix:
    """Scores ``(N, L)`` of one classifier per level."""
    levels = range(int(labels.max()) + 1)
    of_each = [
        logistic(x, (labels == level).astype(np.intp)).decision_function(to_rank)
        for level in levels
    ]
    return np.stack(of_each, axis=1)


def _softmax(x: Matrix, labels: Labels, to_rank: Matrix) -> Matrix:
    """The probabilities ``(N, L)`` of one classifier of all levels."""
    result: Matrix = logistic(x, labels).predict_proba(to_rank)
    return result


def _each_balanced(x: Matrix, labels: Labels) -> Matrix:
    """The probabilities ``(N, L)`` of one balanced classifier per level, over their sum."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    classifier = LogisticRegression(class_weight="balanced")
    result: Matrix = OneVsRestClassifier(classifier).fit(x, labels).predict_proba(x)
    return result


@metric(
    Entry(
        "explicitness", "Explicitness", "Ridgeway & Mozer 2018", "explicitness",
        "A linear classifier finds each level of each factor.",
        "Where factors are held; a perfect code of an ordered factor does not reach 1.",
    ),
    group="predictors",
    standard=_standard,
    disentanglement_lib=_disentanglement_lib,
    ubisoft=_ubisoft,
)  # fmt: skip
def explicitness(factors: Any, codes: Any = None, **shared: Unpack[Seeded]) -> float:
    """Explicitness: can a linear classifier find every level of every factor in the codes?

    For each level of a factor, a logistic regression of all codes tells it from the other levels;
    AUC is the area under its ROC curve, the chance that it ranks a row of the level above another
    (Ridgeway & Mozer 2018, "Learning Deep Disentangled Embeddings with the F-Statistic Loss",
    section 3). The score is the mean over factors of the mean over levels of 2 AUC - 1, 0 where
    a factor falls below it: 0 to 1, higher is better. A level in the middle of a single code is
    on no end of any line, so that even a perfect code of an ordered factor stays below 1.

    The classifiers are fitted on three quarters of the rows of each level and ranked on the rest;
    of more than 10,000 rows, 10,000 are drawn. Both are drawn by ``seed``, so the score depends
    on the order of the rows, a little. The order of the codes and dead codes change nothing. With
    dead codes alone, the score is 0.

    A discrete factor has the levels that it keeps; a continuous one is cut into bins, as for a
    histogram. A level that occurs once cannot be ranked; it, a factor without two levels that
    occur twice or with over 1,000 levels, and a constant factor are left out.

    disentanglement_lib fits one softmax of all levels and leaves the mean AUC as it is, so that
    chance is 0.5; a dead code makes it crash. Ubisoft scales codes to 0 to 1, weights levels
    equally, divides the probabilities of the levels by their sum, and ranks the rows that it
    fitted, so that more codes score higher; chance is 0.

    Parameters
    ----------
    seed
        Draws the rows.

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

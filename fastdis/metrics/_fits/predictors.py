"""What the metrics that fit predictors share: inputs, targets, a part held out, and logistic fits.

What reads ``inputs`` does not depend on the order, offset or scale of codes, nor on dead ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis.metrics._counts.columns import Data
from fastdis.metrics._evidence import Evidence, constant_factors
from fastdis.metrics._metric import Score

ROWS = 10_000
MAX_LEVELS = 1000
KEPT = ("categorical", "ordinal")  # the kinds that keep their levels

_STEPS = 100
_DEPENDENT = 1e-10  # of the largest deviation: what a sum of other codes leaves, by rounding
_WIDTHS = (1e-6, 1e-4, 1e-2)  # variances added to those within a level; a code's own is 1

Matrix = NDArray[np.float64]
Mask = NDArray[np.bool_]
Labels = NDArray[np.intp]


@dataclass(frozen=True)
class Target:
    """What is to be predicted of a factor: levels 0, 1, ..., or numbers of variance 1."""

    name: str
    values: NDArray[Any]
    classified: bool


def inputs(codes: NDArray[Any]) -> Matrix:
    """The codes that vary, with mean 0 and variance 1, in an order that is not theirs.

    One column of zeros stands for codes that are all dead.
    """
    alive = codes.min(axis=0) < codes.max(axis=0)
    if not alive.any():
        return np.zeros((len(codes), 1))
    x = codes[:, alive].astype(np.float64)
    # Scaled first, so that the squares of very large and small values stay finite.
    x = (x - x.min(axis=0)) / np.ptp(x, axis=0)
    x = x[:, np.lexsort(x[::-1])]
    x -= x.mean(axis=0)
    result: Matrix = x / x.std(axis=0)
    return result


def whitened(x: Matrix) -> Matrix:
    """Uncorrelated mixtures, as many as ``inputs`` has linearly independent columns.

    A linear model is the same for both, but L-BFGS goes further in a step.
    """
    left, size, _ = np.linalg.svd(x, full_matrices=False)
    result: Matrix = left[:, size > _DEPENDENT * size[0]] * np.sqrt(len(x))
    return result if result.shape[1] else x


def targets(evidence: Evidence, data: Data, classified: tuple[str, ...]) -> list[Target]:
    """The factors that can be predicted; those of the ``classified`` kinds as levels.

    Raises
    ------
    ValueError
        If there is none.
    """
    evidence.note(*constant_factors(evidence))
    result, reasons = [], []
    for k in evidence.varying:
        name, column = data.names[k], data.factors[:, k]
        _, labels, counts = np.unique(column, return_inverse=True, return_counts=True)
        as_levels = data.kinds[k] in classified
        reason = _unclassifiable(counts) if as_levels else _unmeasurable(counts)
        if reason:
            reasons.append(f"{name!r} {reason} in {len(column)} rows, and is left out")
        else:
            result.append(Target(name, labels if as_levels else _unit(column), as_levels))
    if not result:
        raise ValueError(f"factors takes one that can be predicted: {'; '.join(reasons)}")
    evidence.note(*reasons)
    return result


def held_out(rows: int, labels: Labels | None, seed: int) -> Mask:
    """A quarter of the samples, drawn by the seed; at least one, but never all of a level.

    With ``labels``, it is a quarter of each level, and one sample at least if the level has two.
    """
    order = np.random.default_rng(seed).permutation(rows)
    if labels is None:
        labels = np.zeros(rows, np.intp)
    order = order[np.argsort(labels[order], kind="stable")]
    sizes = np.bincount(labels)
    place = np.arange(rows) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    share = np.where(sizes > 1, np.maximum(sizes // 4, 1), 0)
    result = np.zeros(rows, bool)
    result[order[place < np.repeat(share, sizes)]] = True
    return result


def explained(values: Matrix, predicted: Matrix, constant: float) -> float:
    """R^2 against always saying ``constant``; at least 0."""
    error, worst = ((values - predicted) ** 2).sum(), ((values - constant) ** 2).sum()
    return max(0.0, float(1.0 - error / worst)) if worst > 0 else float(error == 0)


def logistic(x: Matrix, labels: Labels, c: float = 1.0) -> Any:
    """A fitted ``LogisticRegression`` of labels that all occur; ``c`` = inf does not shrink.

    It starts at the best of no weights and linear discriminants of several widths. These are the
    solution for Gaussian levels of one covariance, and tell levels apart that the codes separate,
    towards which L-BFGS from no weights would take hundreds of steps.
    """
    from sklearn.linear_model import LogisticRegression

    def loss(start: tuple[Matrix, Matrix]) -> float:
        weights, bias = start
        penalty = float((weights**2).sum()) / (2 * c * len(x))
        return cross_entropy(x @ weights.T + bias, labels) + penalty

    weights, bias = min(_discriminants(x, labels), key=loss)
    if len(bias) == 2:  # which is a single column in scikit-learn
        weights, bias = weights[1:] - weights[:1], bias[1:] - bias[:1]
    model = LogisticRegression(C=c, max_iter=_STEPS, tol=1e-6, warm_start=True)
    model.coef_, model.intercept_ = weights, bias
    return model.fit(x, labels)


def cross_entropy(logits: Matrix, labels: Labels) -> float:
    """-mean log p(label), in nats."""
    from scipy.special import log_softmax

    if logits.ndim == 1:
        logits = np.stack([np.zeros(len(logits)), logits], axis=1)
    return float(-log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean())


def mean_score(per_factor: Mapping[str, float]) -> Score:
    """The mean over factors."""
    return Score(float(np.mean(list(per_factor.values()))), per_factor)


def _unclassifiable(counts: NDArray[np.intp]) -> str:
    """Why levels of such counts cannot be classified, if so."""
    if np.count_nonzero(counts > 1) < 2:
        return "has no two levels that occur twice"
    if len(counts) > MAX_LEVELS:
        return f"has {len(counts)} levels, over the {MAX_LEVELS} that are classified,"
    return ""


def _unmeasurable(counts: NDArray[np.intp]) -> str:
    """Why numbers of such counts cannot be predicted, if so."""
    return "does not vary" if len(counts) == 1 else ""


def _unit(column: NDArray[Any]) -> Matrix:
    x = column.astype(np.float64)
    x = (x - x.min()) / np.ptp(x)
    result: Matrix = (x - x.mean()) / x.std()
    return result


def _discriminants(x: Matrix, labels: Labels) -> Iterator[tuple[Matrix, Matrix]]:
    """Weights (L, D) and biases (L,) of Gaussian levels of one covariance, and of no weights."""
    sizes = np.bincount(labels)
    prior: Matrix = np.log(sizes / len(x))
    means: Matrix = np.stack([np.bincount(labels, z) for z in x.T], axis=1) / sizes[:, None]
    centred = x - means[labels]
    within = centred.T @ centred / len(x)
    yield np.zeros_like(means), prior
    for width in _WIDTHS:
        solved = np.linalg.solve(within + width * np.eye(x.shape[1]), means.T)
        weights = np.asarray(solved.T, np.float64)
        yield weights, np.asarray(prior - (weights * means).sum(axis=1) / 2)

"""UDR: models that disentangle find the same codes, so rank them by how alike they are.

Duan et al. 2020, "Unsupervised Model Selection for Variational Disentangled Representation
Learning". With R (A, B) the similarities of the informative codes of two models,

    UDR_ij = [ sum_b max_a R(a, b)^2 / sum_a R(a, b)
             + sum_a max_b R(a, b)^2 / sum_b R(a, b) ] / (A + B)

is 1 where R is a permutation; the score of a model is its median over the others.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis import _validation
from fastdis._threads import parallel_for
from fastdis.metrics._counts.columns import plain
from fastdis.metrics._fits.fitting import fitting
from fastdis.metrics._metric import Entry, describe, warn
from fastdis.metrics.from_codes.codes import Codes, correlation, covariance, read_codes

Matrix = NDArray[np.float64]
Masks = list[NDArray[np.bool_]]

_PENALTY = 0.1  # of the lasso
_INFORMATIVE = 0.01  # nats


@dataclass(frozen=True, eq=False)
class UDR:
    """The scores of M models.

    Attributes
    ----------
    scores : (M,) float64
        Of each model, the median of its row of ``pairwise`` without the diagonal.
    pairwise : (M, M) float64
        How alike models i and j are, i being predicted from j under the lasso; 0 on the diagonal.
    informative : M arrays (D,) of bool
        The codes that were looked at.
    """

    scores: Matrix
    pairwise: Matrix
    informative: tuple[NDArray[np.bool_], ...]


@describe(
    Entry(
        "udr", "UDR", "Duan et al. 2020",
        "none of them (agreement of models)",
        "Models that differ in their seeds alone find the same codes.",
        "Models that agree on codes that mix factors; needs several models.",
        high=None,
    ),
)  # fmt: skip
def udr(
    codes: Sequence[Any],
    *,
    kl: Sequence[Any] | None = None,
    logvar: Sequence[Any] | None = None,
    similarity: str = "lasso",
    convention: str = "standard",
) -> UDR:
    """Unsupervised disentanglement ranking: which of several models disentangles best?

    The models are trained alike except for their seeds. R(a, b) is the absolute weight of code b of
    model j in a lasso (penalty 0.1) that predicts code a of model i, both standardized, or the
    absolute Spearman correlation of the two. Higher is better, from 0; the highest score is 1 with
    ``"spearman"`` and, as the lasso takes 0.1 off every weight, about 0.9 with ``"lasso"`` (a
    weight can exceed 1, and so then can the score, where codes of one model are correlated).

    Codes whose KL divergence from the prior, a mean over x, is at most 0.01 nats hold nothing and
    are left out. Without ``kl`` and ``logvar`` that is known of constant codes alone. A model with
    no code left scores 0, with a warning.

    Parameters
    ----------
    codes
        One array ``(N, D)`` a model, the means of q(z|x) of the same inputs in the same order; the
        models may have different D.
    kl
        One array ``(D,)`` a model: the KL divergence of each code.
    logvar
        One array ``(N, D)`` a model: the log-variances of q(z|x), from which the KL is computed.
    similarity
        ``"lasso"`` or ``"spearman"``.
    convention
        ``"standard"``, or ``"disentanglement_lib"``: its code takes the mean over b and the mean
        over a and halves their sum, which differs where models keep different numbers of codes.
        (It gives no score to a model that keeps none, and takes models of one D alone.)

    Raises
    ------
    TypeError, ValueError
        For fewer than two models, of different numbers of rows; for codes that are not finite
        real numbers of two dimensions; for a KL or log-variances of another shape; or for both.

    Examples
    --------
    >>> import numpy as np
    >>> z = np.random.default_rng(0).normal(size=(500, 3))
    >>> mixed = z @ np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    >>> udr([z, -z[:, [2, 0, 1]], mixed], similarity="spearman").pairwise.round(1).tolist()
    [[0.0, 1.0, 0.6], [1.0, 0.0, 0.6], [0.6, 0.6, 0.0]]
    """
    _validation.choice("similarity", similarity, ("lasso", "spearman"))
    _validation.choice("convention", convention, ("standard", "disentanglement_lib"))
    tables = _models(codes)
    masks = _informative(tables, kl, logvar)
    alike = _similarities(tables, masks, similarity)
    pairwise = np.zeros((len(tables), len(tables)))
    for i, j in zip(*np.nonzero(~np.eye(len(tables), dtype=bool)), strict=True):
        pairwise[i, j] = _relative_strength(alike[i][j], convention)
    others = pairwise[~np.eye(len(tables), dtype=bool)].reshape(len(tables), -1)
    warn("udr", [f"no code of model {i} is informative; it scores 0"
                 for i, mask in enumerate(masks) if not mask.any()])  # fmt: skip
    return UDR(np.median(others, axis=1), pairwise, tuple(masks))


def _models(codes: Sequence[Any]) -> list[Codes]:
    if isinstance(codes, str) or not hasattr(codes, "__len__"):
        raise TypeError(f"codes takes a list of arrays, got {_validation.describe(codes)}")
    if len(codes) < 2:
        raise ValueError(f"codes takes the codes of at least 2 models, got {len(codes)}")
    tables = [read_codes(z, f"codes[{i}]") for i, z in enumerate(codes)]
    rows = [len(table.values) for table in tables]
    if len(set(rows)) > 1:
        raise ValueError(f"codes takes arrays of the same inputs, got {rows} rows")
    return tables


def _informative(
    tables: list[Codes], kl: Sequence[Any] | None, logvar: Sequence[Any] | None
) -> Masks:
    """Which codes of each model vary, and hold something where that is known."""
    if kl is not None and logvar is not None:
        raise ValueError("kl and logvar say the same, got both; take one of them")
    name, given = ("kl", kl) if logvar is None else ("logvar", logvar)
    masks = [table.span[0] < table.span[1] for table in tables]
    if given is None:
        return masks
    if not hasattr(given, "__len__") or len(given) != len(tables):
        raise ValueError(
            f"{name} takes one array for each of {len(tables)} models, got "
            f"{_validation.describe(given)}"
        )
    for i, (table, value) in enumerate(zip(tables, given, strict=True)):
        shape = table.values.shape[1:] if logvar is None else table.values.shape
        each = _validation.array(f"{name}[{i}]", plain(value), (1, 2), np.float64)
        if each.shape != shape:
            raise ValueError(f"{name}[{i}] takes shape {shape}, got {each.shape}")
        _validation.finite(f"{name}[{i}]", each)
        masks[i] &= (each if logvar is None else _divergence(table.values, each)) > _INFORMATIVE
    return masks


def _divergence(mean: NDArray[Any], logvar: Matrix) -> Matrix:
    """KL(N(mean, exp(logvar)) || N(0, 1)) of each code, a mean over the rows."""
    with np.errstate(over="ignore"):  # beyond the floats is informative
        square = mean.astype(np.float64) ** 2
        result: Matrix = 0.5 * (square + np.expm1(logvar) - logvar).mean(axis=0)
    return result


def _similarities(tables: list[Codes], masks: Masks, similarity: str) -> list[list[Matrix]]:
    """Of every model i with every model j: R transposed, (B, A), which changes no score."""
    if similarity == "spearman":
        tables = [_ranked(table) for table in tables]
    keep = np.concatenate(masks)
    bounds = np.cumsum([0, *(mask.sum() for mask in masks)])
    parts = [slice(a, b) for a, b in itertools.pairwise(bounds)]
    r = correlation(covariance(*tables)[np.ix_(keep, keep)])
    # Row j holds what the codes of model j say about those of all models.
    weights = [_lasso(r, part) if similarity == "lasso" else r[part] for part in parts]
    return [[np.abs(weights[j][:, part]) for j in range(len(parts))] for part in parts]


def _ranked(table: Codes) -> Codes:
    """The codes' ranks, ties sharing their mean: Spearman's correlation is that of ranks."""
    from scipy.stats import rankdata

    ranks: Matrix = np.empty(table.values.shape)

    def work(start: int, stop: int) -> None:
        for d in range(start, stop):
            ranks[:, d] = rankdata(np.asarray(table.values[:, d]))

    parallel_for(work, ranks.shape[1])
    return replace(table, values=ranks, span=np.stack([ranks.min(axis=0), ranks.max(axis=0)]))


def _lasso(r: Matrix, sources: slice) -> Matrix:
    """The weights ``(B, all)`` with which the codes ``sources`` predict all codes.

    A lasso sees its data only by their products. Any F with F'F = r has the same ones as the
    standardized codes, and as few rows as r.
    """
    from sklearn.linear_model import Lasso

    if sources.start == sources.stop:
        return np.zeros((0, len(r)))
    values, vectors = np.linalg.eigh(r)
    f = np.sqrt(np.maximum(values, 0.0) * len(r))[:, None] * vectors.T
    model = Lasso(_PENALTY, fit_intercept=False, tol=1e-8, max_iter=100_000)
    with fitting():
        weights: Matrix = np.atleast_2d(model.fit(f[:, sources], f).coef_)
    return weights.T


def _relative_strength(r: Matrix, convention: str) -> float:
    """How near R is to a permutation: the largest of each row and column, by its share."""
    if not r.size:
        return 0.0
    found = []
    for axis in (0, 1):
        total = r.sum(axis=axis)
        found.append(r.max(axis=axis) ** 2 / np.where(total > 0, total, 1.0))
    if convention == "standard":
        return float(np.mean(np.concatenate(found)))
    return float(np.mean([each.mean() for each in found]))

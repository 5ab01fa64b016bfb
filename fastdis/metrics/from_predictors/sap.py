"""SAP: how far the best single-code predictor of a factor is ahead of the second best.

R^2 of a line for ordered factors; balanced accuracy of thresholds for categorical ones.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from fastdis.metrics._counts.columns import Data
from fastdis.metrics._counts.conventions import counted_as
from fastdis.metrics._evidence import Evidence, constant_factors
from fastdis.metrics._fits.single_code import (
    Labels,
    Matrix,
    labels_of,
    r_squared,
    svm_accuracies,
    threshold_accuracies,
    tree_accuracies,
)
from fastdis.metrics._information import gaps
from fastdis.metrics._metric import Entry, Score, Seeded, metric, metric_of

PEER_ROWS = 15_000
_MOST_LEVELS = 1000


def _standard(evidence: Evidence) -> Score:
    evidence.note(*constant_factors(evidence))
    data, varying = evidence.data, evidence.varying
    categorical = np.array([k for k in varying if data.kinds[k] == "categorical"], np.intp)
    matrix = np.zeros((len(data.names), data.codes.shape[1]))
    if len(categorical) < len(varying):
        matrix[varying] = r_squared(data)[varying]
    second = np.zeros(len(matrix))
    if len(categorical):
        targets = [labels_of(data.factors[:, k]) for k in categorical]
        matrix[categorical] = threshold_accuracies(data.codes, targets)
        second[categorical] = [1 / levels for _, levels in targets]
    return _scored(evidence, matrix, second)


def _disentanglement_lib(evidence: Evidence) -> Score:
    if not any(evidence.data.discrete):
        return _lines(evidence)
    data = evidence.sample(PEER_ROWS)
    order = np.random.default_rng(evidence.seed).permutation(len(data.codes))
    targets = [labels[order] for labels in _levelled(evidence, data)]
    train = max(len(order) * 2 // 3, 1)
    return _classified(evidence, svm_accuracies(_with_second(data.codes[order]), targets, train))


def _ubisoft(evidence: Evidence) -> Score:
    if "categorical" not in evidence.data.kinds:
        return _lines(evidence)
    data = evidence.sample(PEER_ROWS)
    # Scaled to 0 to 1: trees compare in float32, where a large offset would drown the code.
    low, high = data.code_range
    codes = (data.codes.astype(np.float64) - low) / np.where(high > low, high - low, 1.0)
    targets = _levelled(evidence, data)
    return _classified(evidence, tree_accuracies(_with_second(codes), targets))


def _published(evidence: Evidence) -> Score:
    matrix = r_squared(evidence.data)
    each = gaps(matrix, 0)
    return Score(float(each.mean()), per_code=evidence.by_code(each), matrix=matrix)


def _lines(evidence: Evidence) -> Score:
    evidence.note(*constant_factors(evidence))
    matrix = np.zeros((len(evidence.data.names), evidence.data.codes.shape[1]))
    matrix[evidence.varying] = r_squared(evidence.data)[evidence.varying]
    return _scored(evidence, matrix, np.zeros(len(matrix)))


def _classified(evidence: Evidence, accuracy: Matrix) -> Score:
    """The score of the varying factors' accuracies; that of a dead second code comes last."""
    factors, codes = len(evidence.data.names), evidence.data.codes.shape[1]
    matrix, second = np.zeros((factors, codes)), np.zeros(factors)
    matrix[evidence.varying], second[evidence.varying] = accuracy[:, :codes], accuracy[:, -1]
    return _scored(evidence, matrix, second)


def _scored(evidence: Evidence, matrix: Matrix, second: Matrix) -> Score:
    """The mean gap; ``second (K,)`` is what a single code is held against."""
    alone = matrix.shape[1] == 1
    each = (np.abs(matrix[:, 0] - second) if alone else gaps(matrix, 1))[evidence.varying]
    return Score(float(each.mean()), evidence.by_factor(each), matrix=matrix)


def _with_second(codes: NDArray[Any]) -> NDArray[Any]:
    """A single code, and a dead one beside it."""
    return codes if codes.shape[1] > 1 else np.hstack([codes, np.zeros_like(codes)])


def _levelled(evidence: Evidence, data: Data) -> list[Labels]:
    """The levels of each varying factor; continuous ones, and those of too many, are cut."""
    evidence.note(*constant_factors(evidence))
    kinds = list(data.kinds)
    for k in evidence.varying:
        if kinds[k] != "continuous" and labels_of(data.factors[:, k])[1] > _MOST_LEVELS:
            kinds[k] = "continuous"
            evidence.note(
                f"{data.names[k]!r} has over {_MOST_LEVELS} levels and is cut into bins; "
                "discrete=False takes R^2 of every factor"
            )
    cut = replace(data, kinds=tuple(kinds))
    data, _, edges = counted_as(cut, evidence.cut, evidence.convention)
    columns = [
        np.digitize(data.factors[:, k], edges[k, 1:-1]) if kinds[k] == "continuous"
        else data.factors[:, k]
        for k in evidence.varying
    ]  # fmt: skip
    return [labels_of(column)[0] for column in columns]


@metric(
    Entry(
        "sap", "SAP", "Kumar et al. 2017", "compactness",
        "One code predicts each factor far better than the next one does.",
        "A code that holds two factors; of an ordered factor it sees lines alone.",
    ),
    group="predictors", standard=_standard, disentanglement_lib=_disentanglement_lib,
    ubisoft=_ubisoft, published=_published,
)  # fmt: skip
def sap(factors: Any, codes: Any = None, **shared: Unpack[Seeded]) -> float:
    """Separated attribute predictability: does one code alone predict each factor?

    The mean over factors of the gap between the two best scores of a single code (Kumar et al.
    2017, "Variational Inference of Disentangled Latent Concepts from Unlabeled Observations",
    section 3). 0 to 1, higher is better.

    An ordinal or continuous factor is predicted by a line; its score is R^2, the squared
    correlation. A categorical factor of C levels is predicted by C - 1 thresholds on the code,
    the levels in the order of their mean rank, rising or falling; its score is the largest
    balanced accuracy that thresholds reach on these samples, found exactly: no sampling, no seed,
    and the same for any monotone transform of the code. A code that tells nothing scores R^2 0
    or accuracy 1/C, and so does the missing second of a single code; the best a categorical
    factor can reach is therefore 1 - 1/C. A constant factor is left out.

    disentanglement_lib has one switch for all factors. If all are continuous, it takes R^2 of each.
    Else it takes the accuracy of a linear SVM (balanced, C = 0.01), one level against the rest, on
    samples that it was not fitted on. That depends on the scale of the code, for its weight is
    penalised, and loses levels in the middle of a code: a perfect code of 4 levels in a row scores
    1, of 8 one half, of 20 a tenth. Rare levels count little.

    Ubisoft's code has that switch, too. If no factor is categorical, it takes R^2 of each. Else it
    takes the accuracy of a decision tree on the samples that it was fitted on, its depth, 1 to 9,
    that of the best accuracy in ten folds of the samples as they stand; continuous factors are cut
    into bins.

    Of more than 15,000 samples, both fit 15,000, drawn by ``seed``; disentanglement_lib's two
    thirds for fitting are drawn, too. So these scores depend on the order of the samples, a little.
    A factor of over 1,000 levels is cut into bins, with a warning, and the missing second of a
    single code is a dead one; there, both libraries crash.

    The published convention swaps the roles and takes R^2 throughout.

    Parameters
    ----------
    bins
        Only decides which factors are discrete, or cuts those that a library's classifier needs as
        classes.
    seed
        Draws the samples; not for the standard and the published convention, which read all.

    Examples
    --------
    >>> import numpy as np
    >>> v = np.linspace(0, 1, 50)[:, None]
    >>> round(sap(v, np.hstack([3 - v, np.zeros((50, 1))])), 9)
    1.0
    """
    return metric_of(sap).value(factors, codes, **shared)

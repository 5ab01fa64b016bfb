"""The rows of the scores that predict factors from codes: SAP and DCI, against scikit-learn.

The peers are what disentanglement_lib calls, on the same rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastdis._bench.measure import Contestant, Row, Scale, Trial, pick
from fastdis.metrics import METRICS
from fastdis.metrics._fits.predictors import held_out

CODES = 8
_DISCRETE = [True, True, False]  # 4 classes, 20 levels, 400 values

Matrix = NDArray[np.float64]


def mixed(rows: int) -> tuple[Matrix, NDArray[np.float32]]:
    """A factor of each kind, and 8 codes: some tell one of them well, some a part, three nothing.

    A linear SVM, one class against the rest, can cut the codes of the classes where thresholds can:
    well apart, or in two. Where classes in a row overlap, it finds up to 0.05 less.
    """
    rng = np.random.default_rng(0)
    classes, level, value = (rng.integers(0, n, rows) for n in (4, 20, 400))
    factors = np.stack([classes, 0.1 + level * 0.9 / 19, 440.0 + 17.9 * value], axis=1)
    z = rng.standard_normal((rows, CODES))
    z[:, 0] = classes - 1.5 + 0.1 * z[:, 0]
    z[:, 1] = (classes > 1) + 0.6 * z[:, 1]
    z[:, 2] = (classes == 3) + 0.1 * z[:, 2]
    z[:, 3] += 0.2 * level
    z[:, 4] += 0.01 * value
    return factors, z.astype(np.float32)


def classes(rows: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Factors of 2, 3 and 4 classes, and 8 codes: one for each, two of mixtures, three of noise."""
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(0, n, rows) for n in (2, 3, 4)], axis=1)
    z = rng.standard_normal((rows, CODES))
    z[:, :3] = factors + 0.6 * z[:, :3]
    z[:, 3:5] = np.tanh(0.5 * factors @ rng.standard_normal((3, 2))) + 0.3 * z[:, 3:5]
    return factors, z.astype(np.float32)


def _peer_sap(factors: Matrix, codes: NDArray[np.float32]) -> Matrix:
    """The scores ``(K, D)``, a pair at a time: an SVM for the classes, else the correlation."""
    from sklearn.svm import LinearSVC

    columns = np.ascontiguousarray(codes.T, np.float64)
    labels = factors[:, 0].astype(int)
    scores = np.empty((factors.shape[1], len(columns)))
    for d, code in enumerate(columns):
        model = LinearSVC(C=0.01, class_weight="balanced").fit(code[:, None], labels)
        scores[0, d] = np.mean(model.predict(code[:, None]) == labels)
        for k in (1, 2):
            covariance = np.cov(code, factors[:, k])
            scores[k, d] = covariance[0, 1] ** 2 / (covariance[0, 0] * covariance[1, 1])
    return scores


def _sap(_: Scale) -> Trial:
    rows = 32_000  # of fewer, thresholds would fit the noise by over a hundredth
    factors, codes = mixed(rows)

    def error() -> float:
        found = METRICS["sap"].score(factors, codes, discrete=_DISCRETE).matrix
        return float(np.abs(found - _peer_sap(factors, codes)).max())

    return Trial(
        [Contestant(lambda: METRICS["sap"].score(factors, codes, discrete=_DISCRETE), rows)],
        [Contestant(lambda: _peer_sap(factors, codes), rows, "1 thread")],
        error,
        bytes_moved=2 * (4 * CODES + 8 * 3),  # read for the ranges, then for the scores
        multiply_adds=float("nan"),  # comparisons of sorts
    )


def _peer_importance(factors: NDArray[np.int64], codes: NDArray[np.float32]) -> Matrix:
    """The importances ``(K, D)`` from three quarters of the rows; predicts the others, too."""
    from sklearn.ensemble import GradientBoostingClassifier

    result = np.empty((factors.shape[1], CODES))
    for k, factor in enumerate(factors.T):
        test = held_out(len(factor), factor, 0)
        model = GradientBoostingClassifier(random_state=0).fit(codes[~test], factor[~test])
        result[k] = model.feature_importances_
        model.score(codes[test], factor[test])
    return result


def _dci(scale: Scale) -> Trial:
    rows = pick(scale, 500, 32_000, 32_000)
    # The peer sorts at every node: fewer rows are no disadvantage to it.
    fewer = pick(scale, 200, 500, 4000)
    factors, codes = classes(rows)

    def error() -> float:
        checked = slice(pick(scale, 500, 2000, 32_000))
        found = METRICS["dci"].score(factors[checked], codes[checked])["disentanglement"].matrix
        return float(np.abs(found - _peer_importance(factors[checked], codes[checked])).max())

    return Trial(
        [Contestant(lambda: METRICS["dci"].score(factors, codes), rows)],
        [Contestant(lambda: _peer_importance(factors[:fewer], codes[:fewer]), fewer, "1 thread")],
        error,
        bytes_moved=2 * 4 * (CODES + 3),
        # 100 rounds of 1, 3 and 4 trees: three levels, each adding to a sum and a count for every
        # code, of three quarters of the rows.
        multiply_adds=100 * 8 * 3 * 2 * CODES * 0.75,
    )


ROWS = (
    Row(
        "SAP of 4 classes, 20 levels, 400 values, 8 codes, float32 in",
        "scikit-learn's LinearSVC and np.cov, a pair at a time", _sap, 20, 0.01,
        "of a score, the largest difference from the peer's", "rows", needs="sklearn",
        held_back="half the time goes into sorting the codes, the rest into passes over the order",
    ),
    Row(
        "DCI importances of 3 factors of 2, 3 and 4 classes, 8 codes",
        "scikit-learn's GradientBoostingClassifier", _dci, 20, 0.05,
        "of an importance, the largest difference from the peer's", "rows", needs="sklearn",
        held_back="each row adds to a cell of its node and bin for every code: loads, additions "
        "and stores of single words",
    ),
)  # fmt: skip

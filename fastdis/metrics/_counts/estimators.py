"""Estimates of entropy and mutual information, and which codes tell anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastdis.metrics._counts.columns import Data
from fastdis.metrics._counts.histogram import JointHistogram
from fastdis.metrics._fits.fitting import fitting

Array = NDArray[np.float64]

ESTIMATORS = ("plugin", "miller_madow", "kraskov")
NEIGHBOUR_ROWS = 10_000  # rows that the nearest-neighbour estimates are made of
_NEIGHBOURS = 3
_SIGNIFICANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Estimates:
    """In nats: I(v, z) ``(K, D)``, H(v) ``(K,)``, H(z) ``(D,)`` and H(v, z) ``(K, D)``."""

    mutual: Array
    factor_entropy: Array
    code_entropy: Array
    joint_entropy: Array


def plugin(histogram: JointHistogram) -> Estimates:
    """The entropies of the observed shares themselves."""
    return Estimates(
        histogram.mutual_information,
        histogram.factor_entropy,
        histogram.code_entropy,
        histogram.joint_entropy,
    )


def miller_madow(histogram: JointHistogram) -> Estimates:
    """Each plug-in entropy plus (occupied cells - 1) / 2N (Miller 1955), and I from the three.

    It takes the first-order bias away: I of independent variables is near 0, not near
    (bins - 1)(levels - 1) / 2N. I is held between 0 and the smaller of the two entropies.
    """
    counts = [histogram.of_factor(k) for k in range(len(histogram.names))]
    cells = np.stack([(table > 0).sum(axis=(1, 2)) for table in counts])
    levels = np.array([(table[0].sum(axis=0) > 0).sum() for table in counts])
    bins = (counts[0].sum(axis=2) > 0).sum(axis=1)
    twice = 2 * histogram.n
    joint = histogram.joint_entropy + (cells - 1) / twice
    factor = histogram.factor_entropy + (levels - 1) / twice
    code = histogram.code_entropy + (bins - 1) / twice
    most = np.minimum(factor[:, None], code)
    return Estimates(np.clip(factor[:, None] + code - joint, 0.0, most), factor, code, joint)


def kraskov(
    histogram: JointHistogram, data: Data, seed: int, note: Callable[[str], None]
) -> Estimates:
    """I from the distances to the third nearest neighbour, entropies from the histogram.

    Kraskov, Stoegbauer and Grassberger (2004, algorithm 1) for a continuous factor, Ross (2014) for
    one that keeps its levels, as scikit-learn has them. No bins of the codes take part, so that
    outliers do not matter; I is held between 0 and H(v), and H(v, z) = H(v) + H(z) - I. Ties are
    broken by a little noise, which ``seed`` draws. Of levels that occur once there are no
    neighbours.

    Raises
    ------
    ValueError
        If there are no more rows than neighbours.
    """
    from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

    if len(data.codes) <= _NEIGHBOURS:
        raise ValueError(
            f"estimator takes over {_NEIGHBOURS} rows for 'kraskov', got {len(data.codes)}"
        )
    mutual = np.zeros((len(data.names), data.codes.shape[1]))
    low, high = data.code_range
    alive = np.flatnonzero(low < high)
    # scikit-learn adds a little noise against ties, to the scale of each column.
    codes = (data.codes[:, alive].astype(np.float64) - low[alive]) / (high - low)[alive]
    for k, kept in enumerate(data.discrete):
        if not histogram.factor_entropy[k] or not alive.size:
            continue
        estimate = mutual_info_classif if kept else mutual_info_regression
        factor = data.factors[:, k]
        target = np.unique(factor, return_inverse=True)[1] if kept else factor.astype(np.float64)
        if kept and np.bincount(target).max() < 2:
            note(f"no level of {data.names[k]!r} occurs twice: its information counts as 0")
            continue
        with fitting():
            for d, code in zip(alive, codes.T, strict=True):  # each with the same noise
                mutual[k, d] = estimate(
                    code[:, None], target, discrete_features=False, n_neighbors=_NEIGHBOURS,
                    random_state=seed,
                )[0]  # fmt: skip
    factor_entropy, code_entropy = histogram.factor_entropy, histogram.code_entropy
    mutual = np.clip(mutual, 0.0, factor_entropy[:, None])
    joint = np.maximum(factor_entropy[:, None] + code_entropy - mutual, 0.0)
    return Estimates(mutual, factor_entropy, code_entropy, joint)


def informative_codes(histogram: JointHistogram) -> NDArray[np.bool_]:
    """Which codes ``(D,)`` tell more about some factor than chance would.

    2 N I of independent variables follows a chi-squared distribution of (bins - 1)(levels - 1)
    degrees of freedom, by the bins and levels that occur (the G-test); a code is informative if one
    of its K tests rejects at 0.001 / K.
    """
    from scipy.stats import chi2

    statistic = 2 * histogram.n * histogram.mutual_information
    freedom = np.empty_like(statistic)
    for k in range(len(histogram.names)):
        counts = histogram.of_factor(k)
        bins, levels = ((counts.sum(axis=axis) > 0).sum(axis=1) for axis in (2, 1))
        freedom[k] = (bins - 1) * (levels - 1)
    limit = chi2.isf(_SIGNIFICANCE / len(freedom), np.maximum(freedom, 1))
    return np.asarray(((freedom > 0) & (statistic > limit)).any(axis=0))

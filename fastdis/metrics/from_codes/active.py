"""Active units: which codes does the encoder use at all?

Code d is active if the variance over x of its posterior mean, Cov_x(E[z_d | x]), exceeds a
threshold (Burda, Grosse & Salakhutdinov 2016, "Importance Weighted Autoencoders", section 5).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis import _validation
from fastdis.metrics._evidence import Evidence
from fastdis.metrics._metric import Entry, Score, metric
from fastdis.metrics.from_codes.codes import Codes, covariance, of_evidence, read_codes

_THRESHOLD = 0.01


def active_codes(codes: Any, *, threshold: float = _THRESHOLD) -> NDArray[np.bool_]:
    """Which codes vary by more than ``threshold``, ``(D,)``.

    Parameters
    ----------
    codes
        ``(N, D)`` numbers, the **means** of q(z|x): samples hold the posterior's own variance.
    threshold
        A variance (with N - 1 in its denominator), in the unit of a prior N(0, 1).

    Raises
    ------
    TypeError, ValueError
        If the codes are not finite real numbers of two dimensions, or of fewer than two rows, or
        the threshold is negative.

    Examples
    --------
    >>> import numpy as np
    >>> active_codes(np.array([[-1.0, 0.0, 0.5], [1.0, 0.1, 0.5]])).tolist()
    [True, False, False]
    """
    threshold = _validation.number("threshold", threshold, 0.0)
    return _active(read_codes(codes), threshold)


def _active(codes: Codes, threshold: float) -> NDArray[np.bool_]:
    with np.errstate(over="ignore", under="ignore"):  # beyond the floats is beyond the threshold
        variance = np.diag(covariance(codes)) * codes.unit * codes.unit
    return np.asarray(variance > threshold)


def _formula(evidence: Evidence, *, threshold: float = _THRESHOLD) -> Score:
    active = _active(of_evidence(evidence), threshold)
    return Score(float(active.sum()), per_code=evidence.by_code(active.astype(float)))


@metric(
    Entry(
        "active_units", "Active units", "Burda et al. 2016",
        "none of them (use of codes)",
        "It counts the codes that vary with the input.",
        "What the codes hold; the threshold has the unit of a prior N(0, 1).",
        high=None, better="",
    ),
    group="unlabelled", standard=_formula,
)  # fmt: skip
def active_units(codes: Any, *, threshold: float = _THRESHOLD) -> int:
    """The number of codes that vary by more than ``threshold``; 0 to D.

    See :func:`active_codes`, which says which ones, and takes and raises the same.

    Examples
    --------
    >>> import numpy as np
    >>> active_units(np.array([[-1.0, 0.0, 0.5], [1.0, 0.1, 0.5]]))
    1
    """
    return int(active_codes(codes, threshold=threshold).sum())

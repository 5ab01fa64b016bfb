"""How far codes are from independent, without labels: from their covariance, and in pairs.

disentanglement_lib's "unsupervised scores" (Locatello et al. 2019, "Challenging Common Assumptions
in the Unsupervised Learning of Disentangled Representations"): the distance of a Gaussian with the
codes' covariance C from the product of its marginals, and the mutual information of pairs. For all
of them 0 is best.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastdis import _validation
from fastdis.metrics._counts.bins import Bins, edges_of, outside, read_bins
from fastdis.metrics._counts.columns import Data
from fastdis.metrics._counts.histogram import counted_on
from fastdis.metrics._evidence import Evidence
from fastdis.metrics._metric import Entry, Score, metric, warn
from fastdis.metrics.from_codes.codes import (
    Codes,
    Note,
    correlation,
    covariance,
    note_dead,
    of_evidence,
    read_codes,
)

# Of the correlation matrix: single precision leaves about as much of an exact relation.
_LEAST = 1e-12
_LARGE_BIAS = 0.1  # of log(bins)


def _total_correlation(codes: Codes, note: Note) -> float:
    varying = codes.varying
    note_dead(codes, varying, note)
    if len(varying) < 2:
        return 0.0
    matrix = correlation(covariance(codes)[np.ix_(varying, varying)])
    eigenvalues = np.linalg.eigvalsh(matrix)
    if eigenvalues[0] < _LEAST:
        few = len(codes.values) <= len(varying)
        cause = f"{len(codes.values)} rows are too few for" if few else "one follows from others of"
        note(f"{cause} {len(varying)} codes; their total correlation is infinite, and cut here")
    return max(0.0, float(-0.5 * np.log(np.maximum(eigenvalues, _LEAST)).sum()))


def _wasserstein_correlation(codes: Codes, note: Note, normalized: bool) -> float:
    note_dead(codes, codes.varying, note)
    if not len(codes.varying):
        return 0.0
    largest = codes.unit.max()
    scale = codes.unit / largest
    matrix = covariance(codes) * np.outer(scale, scale)
    variance = np.diag(matrix)
    middle = matrix * np.sqrt(np.outer(variance, variance))
    eigenvalues = np.linalg.eigvalsh(middle)
    # The root of a rounding error would be a large one.
    floor = len(middle) * np.finfo(np.float64).eps * eigenvalues[-1]
    root = np.sqrt(np.where(eigenvalues > floor, eigenvalues, 0.0)).sum()
    distance = max(0.0, float(2 * variance.sum() - 2 * root))
    if normalized:
        return distance / float(variance.sum())
    with np.errstate(over="ignore"):
        result = distance * largest * largest
    if not np.isfinite(result):
        raise ValueError(
            f"codes takes columns whose variance fits a float64, got one of range {largest:g}; "
            "normalized=True has no such limit"
        )
    return float(result)


def _mutual_information(codes: Codes, cut: Bins, note: Note) -> float:
    d = codes.values.shape[1]
    data = Data(
        codes.values, codes.values, tuple(map(str, range(d))), ("continuous",) * d, (None,) * d,
        (False,) * d, codes.span, codes.span,
    )  # fmt: skip
    edges, _ = edges_of(data, cut)
    for text in outside(data, edges, edges)[:1]:
        note(text)
    histogram = counted_on(data, edges, edges)
    varying = np.flatnonzero(histogram.code_entropy > 0)
    note_dead(codes, varying, note)
    if len(varying) < 2:
        return 0.0
    bias = (cut.count - 1) ** 2 / (2 * histogram.n)
    if bias > _LARGE_BIAS * np.log(cut.count):
        note(
            f"{histogram.n} rows are few for {cut.count} bins: independent codes would score "
            f"up to {bias:.2g} nats"
        )
    mutual = histogram.mutual_information[np.ix_(varying, varying)]
    return float(mutual[~np.eye(len(varying), dtype=bool)].mean())


def _total_correlation_formula(evidence: Evidence) -> Score:
    return Score(_total_correlation(of_evidence(evidence), evidence.note))


def _wasserstein_formula(evidence: Evidence, *, normalized: bool = False) -> Score:
    return Score(_wasserstein_correlation(of_evidence(evidence), evidence.note, normalized))


def _mutual_information_formula(evidence: Evidence) -> Score:
    return Score(_mutual_information(of_evidence(evidence), evidence.cut, evidence.note))


@metric(
    Entry(
        "gaussian_total_correlation", "Gaussian total correlation", "Locatello et al. 2019",
        "none of them (independence of codes)",
        "Codes that are not correlated.",
        "Factors, and any dependence but correlation: of independent factors a rotation scores 0.",
        high=None, better="lower",
    ),
    group="unlabelled", standard=_total_correlation_formula,
)  # fmt: skip
def gaussian_total_correlation(codes: Any) -> float:
    """Total correlation of a Gaussian with the codes' covariance: are codes uncorrelated?

    -1/2 log det R in nats, R the correlation matrix: the KL divergence of N(0, C) from N(0,
    diag C) (Watanabe 1960; Locatello et al. 2019, appendix). 0 for uncorrelated codes; lower is
    better. Scaling a code changes nothing.

    A constant code is independent of all others: it is left out, with a warning, where
    disentanglement_lib gives NaN. With one varying code, or none, the score is 0.

    Codes of which one is a linear function of the others, such as a duplicate, have an infinite
    total correlation, of which rounding leaves some number. So that scores can be averaged and
    compared, eigenvalues of R count as 1e-12 at least, and a warning says that the true score is
    infinite: each code too many costs 13.8 nats, as one does that follows from the others to a
    millionth of its deviation. (disentanglement_lib gives what rounding leaves, or an infinity.)

    Parameters
    ----------
    codes
        ``(N, D)`` numbers: an array, a memory map or a torch tensor.

    Raises
    ------
    TypeError, ValueError
        If they are not finite real numbers of two dimensions, or of fewer than two rows.

    Examples
    --------
    >>> import numpy as np
    >>> z = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    >>> gaussian_total_correlation(z)
    0.0
    >>> round(gaussian_total_correlation(z @ [[1, 1], [0, 1]]), 4)  # a correlation of 1 / sqrt 2
    0.3466
    """
    notes: list[str] = []
    result = _total_correlation(read_codes(codes), notes.append)
    warn("gaussian_total_correlation", notes)
    return result


@metric(
    Entry(
        "gaussian_wasserstein_correlation", "Gaussian Wasserstein correlation",
        "Locatello et al. 2019", "none of them (independence of codes)",
        "Codes that are not correlated.",
        "As the total correlation; also, codes of a small scale score low.",
        high=None, better="lower",
    ),
    group="unlabelled", standard=_wasserstein_formula,
)  # fmt: skip
def gaussian_wasserstein_correlation(codes: Any, *, normalized: bool = False) -> float:
    """Squared 2-Wasserstein distance of a Gaussian with the codes' covariance from its marginals.

    W^2 = 2 tr C - 2 tr (S^1/2 C S^1/2)^1/2, S = diag C, for N(0, C) and N(0, S) (Dowson & Landau
    1982; Locatello et al. 2019, appendix). 0 for uncorrelated codes; lower is better. Unlike the
    total correlation it stays finite for dependent codes, and it depends on the codes' scale.

    ``normalized=True`` divides it by tr C, the summed variance: 0 to 2 - 2 / sqrt D, the bound
    being reached by D copies of one code, and the same for any common scale.

    Constant codes change nothing and draw a warning. With no varying code the score is 0.

    Parameters
    ----------
    codes
        ``(N, D)`` numbers: an array, a memory map or a torch tensor.
    normalized
        See above; disentanglement_lib reports both.

    Raises
    ------
    TypeError, ValueError
        As :func:`gaussian_total_correlation`; also if the score, which has the unit of a
        variance, is beyond the floats.

    Examples
    --------
    >>> import numpy as np
    >>> z = np.array([[-1.0, -1], [0, 0], [1, 1]])
    >>> print(f"{gaussian_wasserstein_correlation(z):.4f}")  # 4 - 2 sqrt 2
    1.1716
    >>> print(f"{gaussian_wasserstein_correlation(z, normalized=True):.4f}")
    0.5858
    """
    normalized = _validation.flag("normalized", normalized)
    notes: list[str] = []
    result = _wasserstein_correlation(read_codes(codes), notes.append, normalized)
    warn("gaussian_wasserstein_correlation", notes)
    return result


@metric(
    Entry(
        "mutual_information_score", "Mutual information score", "Locatello et al. 2019",
        "none of them (independence of codes)",
        "Codes that are independent of each other, in pairs.",
        "Factors; grows with the bins where samples are few.",
        high=None, better="lower",
    ),
    group="unlabelled", standard=_mutual_information_formula,
)  # fmt: skip
def mutual_information_score(codes: Any, *, bins: int | Bins | None = None) -> float:
    """The mean mutual information of two codes, in nats: do codes tell about each other?

    The mean of I(z_i, z_j) over all pairs i != j of codes cut into ``bins`` of equal width over
    their own range (Locatello et al. 2019, appendix). 0 to log(bins); lower is better. The
    estimate is the plug-in one, which for N rows of independent codes is about
    (bins - 1)^2 / 2N; where that is large, a warning says so.

    A constant code is left out, with a warning: disentanglement_lib counts its pairs as 0, so that
    dead codes lower the score. With fewer than two varying codes there is no pair, and the score
    is 0.

    Parameters
    ----------
    codes
        ``(N, D)`` numbers: an array, a memory map or a torch tensor.
    bins
        As in :func:`joint_histogram`.

    Raises
    ------
    TypeError, ValueError
        As :func:`gaussian_total_correlation`; also if the counts of all codes against all would
        take more than 512 MiB.

    Examples
    --------
    >>> import numpy as np
    >>> z = np.repeat([[0.0, 0.0], [1.0, 1.0]], 500, axis=0)
    >>> print(f"{mutual_information_score(z, bins=4) / np.log(2):.3f} bits")
    1.000 bits
    """
    notes: list[str] = []
    result = _mutual_information(read_codes(codes), read_bins(bins), notes.append)
    warn("mutual_information_score", notes)
    return result

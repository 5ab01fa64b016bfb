"""How much each code of a Gaussian posterior q(z|x) tells about x, and tells alone.

From Do & Tran (2020, "Theory and Evaluation Metrics for Learning Disentangled Representations"):
informativeness I(z_i, x), separability I(z_i, z_rest), where z_rest are the other codes, and what
they make together, WSEPIN. No factors are needed, but the posterior is: codes that are a function
of x would tell infinitely much.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis import _validation
from fastdis.metrics._counts.columns import real_columns, two_dimensional
from fastdis.metrics._metric import Entry, describe

Array = NDArray[np.float64]

MAX_ROWS = 10_000  # of the mixture that stands for q(z)
_BLOCK = 1 << 18  # densities at once
_LOGVAR = 100.0  # beyond it a density or its inverse would not fit a float64
_LOG_2_PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True, eq=False)
class Separation:
    """What each code tells about x, alone and beside the others; ``(D,)`` arrays in nats.

    Attributes
    ----------
    informativeness
        I(z_i, x).
    separability
        I(z_i, z_rest): 0 for a code that is independent of the others.
    sepin
        I(x, z_i | z_rest): what the code alone tells about x. As the codes are independent given
        x, it is I(z_i, x) - I(z_i, z_rest), which the paper calls INDIN.
    weights
        Each code's share of the sum of I(z_i, x); 0 where that is 0.
    wsepin
        The mean of ``sepin`` by those weights (WINDIN, too); higher is better.
    """

    informativeness: Array
    separability: Array
    sepin: Array
    weights: Array
    wsepin: float


@describe(
    Entry(
        "informativeness", "Informativeness", "Do & Tran 2020",
        "none of them (information about the input)",
        "A code depends on the input x, by its posterior.",
        "Factors; information that several codes share.",
    ),
)  # fmt: skip
def informativeness(
    mean: Any, logvar: Any, *, bins: int = 100, low: float = -4.0, high: float = 4.0
) -> Array:
    """What share of each code's entropy is about x: I(z_i, x) / H(z_i)?

    The codes are quantized as in the paper: ``bins`` of equal width from ``low`` to ``high``, the
    outermost without an end, hold the mass of q(z_i|x); H(z_i) is the entropy of its mean over
    x, and I(z_i, x) what is left of it after the mean entropy of q(z_i|x) is taken away.

    Parameters
    ----------
    mean, logvar
        ``(N, D)`` numbers, the mean and the log variance of q(z|x), a row for each x; log
        variances beyond -100 and 100 count as these.
    bins, low, high
        How z is quantized; the paper's 100 bins of N(0, 1).

    Returns
    -------
    ndarray of float64, shape (D,)
        0 to 1 for each code: 0 for one whose posterior does not depend on x, 1 for one without
        noise that varies with x by a bin or more.

    Raises
    ------
    TypeError, ValueError
        If the arrays are not finite real numbers of one two-dimensional shape, or ``high`` is not
        above ``low``.

    Examples
    --------
    >>> import numpy as np
    >>> sign = np.array([[-2.0], [2.0]] * 50)
    >>> mean, logvar = sign * [1, 0], np.full((100, 2), -4.0)
    >>> informativeness(mean, logvar).round(3).tolist()
    [0.261, 0.0]
    """
    from scipy.special import ndtr, xlogy

    centre, log_variance = _posterior(mean, logvar)
    bins = _validation.integer("bins", bins, 2)
    low, high = _validation.number("low", low), _validation.number("high", high)
    if not low < high:
        raise ValueError(f"high takes a number above low, {low:g}, got {high:g}")
    inner = np.linspace(low, high, bins + 1)[1:-1]
    rows, codes = centre.shape
    mass, noise = np.zeros((codes, bins)), np.zeros(codes)
    step = max(1, _BLOCK // (codes * bins))
    for start in range(0, rows, step):
        at = (slice(start, start + step), slice(None), None)
        with np.errstate(over="ignore"):  # far outside, all mass is in one bin
            below = ndtr((inner - centre[at]) * np.exp(-0.5 * log_variance[at]))
        share = np.diff(below, prepend=0.0, append=1.0, axis=-1)
        mass += share.sum(axis=0)
        noise -= xlogy(share, share).sum(axis=(0, 2))
    mass /= rows
    entropy = -xlogy(mass, mass).sum(axis=1)
    information = np.clip(entropy - noise / rows, 0.0, None)
    return np.asarray(np.divide(information, entropy, where=entropy > 0, out=np.zeros(codes)))


@describe(
    Entry(
        "wsepin", "WSEPIN (WINDIN)", "Do & Tran 2020",
        "none of them (information about the input)",
        "Codes have information about x that no other code has.",
        "Factors; a mixture of N samples has log N nats at most.",
        high=None,
    ),
)  # fmt: skip
def separation(mean: Any, logvar: Any, *, samples: int = 1000, seed: int = 0) -> Separation:
    """How much of what each code tells about x do the other codes tell as well?

    The entropies are means of log densities over ``samples`` draws of x and of z from q(z|x), as
    in the authors' code: q(z) is the mixture of q(z|x) over all rows, of more than 10,000 over
    10,000 drawn ones. A mixture of N rows tells at most log N of I. Mutual informations below 0,
    by chance, count as 0.

    Parameters
    ----------
    mean, logvar
        ``(N, D)`` numbers, the mean and the log variance of q(z|x), a row for each x; log
        variances beyond -100 and 100 count as these.
    samples
        The number of draws.
    seed
        Draws the rows and the codes.

    Raises
    ------
    TypeError, ValueError
        If the arrays are not finite real numbers of one two-dimensional shape, or ``samples`` or
        ``seed`` is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> bits = np.stack([np.arange(100) % 2, np.arange(100) // 2 % 2], axis=1) * 20.0
    >>> alone, twice = (separation(bits[:, c], np.zeros((100, 2))) for c in ([0, 1], [0, 0]))
    >>> print(f"{alone.wsepin / np.log(2):.2f} {twice.wsepin / np.log(2):.2f} bits")
    1.00 0.00 bits
    """
    centre, log_variance = _posterior(mean, logvar)
    samples = _validation.integer("samples", samples)
    rng = np.random.default_rng(_validation.integer("seed", seed, 0))
    if len(centre) > MAX_ROWS:
        rows = np.sort(rng.choice(len(centre), MAX_ROWS, replace=False))
        centre, log_variance = centre[rows], log_variance[rows]
    drawn = rng.integers(0, len(centre), samples)
    noise = rng.standard_normal((samples, centre.shape[1]))
    codes = centre[drawn] + np.exp(0.5 * log_variance[drawn]) * noise
    given_x = _log_normal(codes, centre[drawn], log_variance[drawn])
    single, rest, whole = _log_marginals(codes, centre, log_variance)

    information, shared, sepin = (
        np.maximum(logs.mean(axis=0), 0.0)
        for logs in (given_x - single, whole - single - rest, given_x + rest - whole)
    )
    total = information.sum()
    weights = information / total if total > 0 else np.zeros_like(information)
    return Separation(information, shared, sepin, weights, float(weights @ sepin))


def _posterior(mean: Any, logvar: Any) -> tuple[Array, Array]:
    arrays = []
    for name, value in (("mean", mean), ("logvar", logvar)):
        columns = real_columns(name, two_dimensional(name, value)).astype(np.float64)
        arrays.append(_validation.finite(name, np.ascontiguousarray(columns)))
    if arrays[0].shape != arrays[1].shape:
        raise ValueError(
            f"mean and logvar take the same shape, got {arrays[0].shape} and {arrays[1].shape}"
        )
    return arrays[0], np.clip(arrays[1], -_LOGVAR, _LOGVAR)


def _log_marginals(codes: Array, mean: Array, logvar: Array) -> tuple[Array, Array, Array]:
    """log q of each code ``(S, D)``, of all but each ``(S, D)``, and of all ``(S, 1)``."""
    parts = []
    step = max(1, _BLOCK // mean.size)
    for start in range(0, len(codes), step):
        each = _log_normal(codes[start : start + step, None], mean, logvar)  # (s, N, D)
        before, after = np.zeros_like(each), np.zeros_like(each)
        # The sum less one term would lose the others to a term that is large.
        np.cumsum(each[..., :-1], axis=-1, out=before[..., 1:])
        np.cumsum(each[..., :0:-1], axis=-1, out=after[..., -2::-1])
        all_codes = before[..., -1:] + each[..., -1:]
        parts.append([_log_mean(x) for x in (each, before + after, all_codes)])
    single, rest, whole = (np.concatenate(part) for part in zip(*parts, strict=True))
    return single, rest, whole


def _log_normal(z: Array, mean: Array, logvar: Array) -> Array:
    with np.errstate(over="ignore"):  # far away has the density 0
        square = ((z - mean) * np.exp(-0.5 * logvar)) ** 2
    return np.asarray(-0.5 * (square + logvar + _LOG_2_PI))


def _log_mean(logs: Array) -> Array:
    """log of the mean of exp(logs) over axis 1."""
    top = logs.max(axis=1, keepdims=True)
    return np.asarray(np.log(np.exp(logs - top).mean(axis=1)) + top[:, 0])

"""What a reconstruction costs: -log p(x|z), summed over an item and averaged over the batch.

``x_hat`` is the mean of p(x|z); for the Bernoulli its probability, for Laplace's its median, too.
Terms that depend on no parameter are left out, and named; a cost may therefore be negative.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fastdis.objectives.base import Reduction, at_least_float32

# Of features in [0, 1]; it sets what a nat of KL weighs. Picked from 0.01, 0.03, 0.1, 0.3 and 1 on
# SynTone (8 codes, 6 epochs, one seed): at 0.1 a VAE keeps every code open and beta = 4 closes
# some; at 0.01 beta = 4 closes none, at 1 it closes nearly all.
VARIANCE = 0.1
# A learned log-variance stays above it: a likelihood without a floor has no maximum where the
# reconstruction is perfect. Rybkin et al.'s code bounds log sigma by -6 in the same way.
FLOOR = -12.0
# The distance that float32 can have from 1, below it; what a sigmoid loses there cannot be found.
_SMALLEST = 2.0**-24


def reconstruction(
    x: Tensor,
    x_hat: Tensor,
    protocol: str,
    variance: float | Tensor = VARIANCE,
    rows: Reduction | None = None,
) -> Tensor:
    """The cost of the reconstruction, a scalar.

    ``"corrected"``: :func:`gaussian`. ``"published"``: the squared error summed over the batch.
    """
    rows = rows or Reduction()
    if protocol == "published":
        return rows.sum(_squared_errors(x, x_hat))
    return gaussian(x, x_hat, variance, rows)


def gaussian(x: Tensor, x_hat: Tensor, variance: float | Tensor, reduction: Reduction) -> Tensor:
    """Of N(x_hat, variance); without n log(2 pi variance) / 2, of n values an item."""
    return reduction.mean(_squared_errors(x, x_hat)) / (2.0 * variance)


def gaussian_learned(x: Tensor, x_hat: Tensor, raw: Tensor, reduction: Reduction) -> Tensor:
    """Of N(x_hat, v), v = exp(:func:`log_variance` of ``raw``) one number for all values.

    Without n log(2 pi) / 2 alone: n log(v) / 2 is what keeps v from growing. Its best v is the mean
    squared error (Rybkin et al. 2021, sigma-VAE, section 3).
    """
    logvar = log_variance(raw)
    n = math.prod(x_hat.shape[1:])
    return 0.5 * (reduction.mean(_squared_errors(x, x_hat)) * torch.exp(-logvar) + n * logvar)


def log_variance(raw: Tensor) -> Tensor:
    """The parameter of a learned variance -> log variance, which stays above ``FLOOR``."""
    return FLOOR + functional.softplus(raw - FLOOR)


def raw_of(variance: float) -> float:
    """The parameter whose :func:`log_variance` is that of ``variance > exp(FLOOR)``."""
    return FLOOR + math.log(math.expm1(math.log(variance) - FLOOR))


def bernoulli(x: Tensor, x_hat: Tensor, _: object, reduction: Reduction) -> Tensor:
    """The cross-entropy of x in [0, 1] and the probability ``x_hat`` in [0, 1].

    The likelihood of binary x; for values in between the bound that the field uses, without the
    normaliser of a continuous Bernoulli, which depends on ``x_hat`` (Loaiza-Ganem and Cunningham
    2019). Probabilities count as at least 2**-24, so a value costs at most 16.6 nats.
    """
    x, x_hat = at_least_float32(x), at_least_float32(x_hat)
    log_p, log_q = (p.clamp(min=_SMALLEST).log() for p in (x_hat, 1.0 - x_hat))
    return reduction.mean(-(x * log_p + (1.0 - x) * log_q).flatten(1).sum(dim=1))


def laplace(x: Tensor, x_hat: Tensor, variance: Tensor, reduction: Reduction) -> Tensor:
    """Of Laplace(x_hat, b), b = sqrt(variance / 2); without n log(2 b)."""
    errors = (at_least_float32(x_hat) - at_least_float32(x)).abs().flatten(1).sum(dim=1)
    return reduction.mean(errors) / torch.sqrt(0.5 * variance)


# By name: (x, x_hat, variance or its parameter, reduction) -> a scalar.
LIKELIHOODS: dict[str, Callable[[Tensor, Tensor, Any, Reduction], Tensor]] = {
    "gaussian": gaussian,
    "gaussian_learned": gaussian_learned,
    "bernoulli": bernoulli,
    "laplace": laplace,
}


def _squared_errors(x: Tensor, x_hat: Tensor) -> Tensor:
    """Summed over an item, ``(B,)``."""
    return (at_least_float32(x_hat) - at_least_float32(x)).square().flatten(1).sum(dim=1)

"""The gain of the additive toy: one amplitude for a whole set, so that no clip leaves [-1, 1].

The root mean square of a sum of sines is bounded by their Gram matrix: g^2 / 2 times the sum over
all pairs of |D(f_n - f_m)| + |D(f_n + f_m)|, where |D(f)| <= min(1, 1 / (N sin(pi f / rate))) is
the mean of exp(2 pi i f t) over N samples, or over a window that rises and falls but once.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fastdis.datasets.additive_toy.factors import ToyFactors

_PEAK = 0.5  # of a clean clip whose partials are all at full amplitude and in phase
_LOUDEST_NORMAL = 5.8  # of add_noise


def gain(factors: ToyFactors, n_partials: int, sample_rate: int, samples: int) -> float:
    """The amplitude with which signal and noise stay within [-1, 1], for any draw of the noise.

    P partials of amplitude g sum to at most P g; their root mean square sets the noise's.
    """
    rise = 1.0 + max(0.0, float(factors.values("slope").max()))
    noise = 10.0 ** (-float(factors.values("snr_db").min()) / 20.0)
    level = loudest(n_partials, float(factors.values("f0").min()), sample_rate, samples)
    reach = n_partials + _LOUDEST_NORMAL * level * noise
    return float(min(_PEAK / n_partials, 1.0 / reach) / rise)


def loudest(n_partials: int, f0: float, sample_rate: int, samples: int) -> float:
    """An upper bound of the root mean square of up to P partials of amplitude 1.

    They lie at least ``f0`` apart, and as much above 0; all but one of them ``f0`` or more below
    half the rate. About ``sqrt(P / 2)`` where the clip holds many periods of f0, P where it holds
    hardly one.
    """
    count = max(1, min(n_partials, math.ceil(sample_rate / 2 / f0) - 1))  # the others are silent

    def mean(steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """|D| at a distance of so many f0 from 0 or from the rate."""
        sine = np.sin(np.pi * np.minimum(steps * f0 / sample_rate, 0.5))
        result: NDArray[np.float64] = 1.0 / np.maximum(samples * sine, 1.0)
        return result

    apart = np.arange(1, count)  # n - m
    both = np.arange(2 * count - 1)  # (n - 1) + (m - 1), and the same counted from above
    pairs = count - np.abs(both - (count - 1))
    power = count + 2.0 * ((count - apart) * mean(apart)).sum()
    power += (pairs * (mean(both + 2) + mean(both))).sum()
    return math.sqrt(min(0.5 * power, float(count**2)))

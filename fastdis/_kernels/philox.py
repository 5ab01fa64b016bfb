"""Philox 4x32-10 (Salmon et al. 2011): counted random numbers, the same in C, NumPy and torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def philox(
    counter: tuple[NDArray[np.uint64], ...], key: tuple[int, int]
) -> tuple[NDArray[np.uint64], ...]:
    """The four 32-bit words of Philox 4x32-10 (Salmon et al., SC 2011) for each counter."""
    x0, x1, x2, x3 = counter
    k0, k1 = key
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        p, q = x0 * np.uint64(0xD2511F53), x2 * np.uint64(0xCD9E8D57)
        x0, x1 = (q >> half) ^ x1 ^ np.uint64(k0), q & low
        x2, x3 = (p >> half) ^ x3 ^ np.uint64(k1), p & low
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return x0, x1, x2, x3

"""What noise leaves of a factor: how often an observer mistakes a clip for its neighbour.

The observer knows all else of the clip, and has seen some draws of the noise on it at either of two
levels. It takes every feature for a normal variable by itself, with the mean m and the variance v
of those draws, and decides for the level with the larger sum of -log v - (x - m)^2 / v.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Moments = tuple[NDArray[np.float64], NDArray[np.float64]]

DRAWS = 16


def confused(a: Callable[[int], Array], b: Callable[[int], Array], least: float) -> float:
    """The share of clips ``(n, F)`` at two levels that are taken for the other; 1/2 is a guess.

    ``a`` and ``b`` render the same clips at either level with a draw of the noise, the same for
    both; draw 0 is judged by what draws 1 to ``DRAWS`` show. ``least`` is the smallest deviation
    that a feature is taken to have, so that one which never moves tells no more than it can.
    """
    at_a, at_b = _moments(a, least), _moments(b, least)
    wrong = [
        np.sign(_likelihood(x, theirs) - _likelihood(x, own))
        for x, own, theirs in ((a(0), at_a, at_b), (b(0), at_b, at_a))
    ]
    return float(0.5 + 0.5 * np.mean(wrong))  # a tie is half a mistake


def _moments(render: Callable[[int], Array], least: float) -> Moments:
    """Mean and variance of every feature of every clip over the draws."""
    first = render(1).astype(np.float64)
    total, squares = np.zeros_like(first), np.zeros_like(first)
    for draw in range(2, DRAWS + 1):
        difference = render(draw) - first  # so that squares lose no digits
        total += difference
        squares += np.square(difference)
    mean = total / DRAWS
    return first + mean, (squares - DRAWS * np.square(mean)) / (DRAWS - 1) + least**2


def _likelihood(x: Array, moments: Moments) -> NDArray[np.float64]:
    """Twice the logarithm, up to a constant, ``(n,)``."""
    mean, variance = moments
    told: NDArray[np.float64] = -(np.log(variance) + np.square(x - mean) / variance).sum(axis=1)
    return told

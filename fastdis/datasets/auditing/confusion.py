"""What noise leaves of a factor: how often a Bayes classifier confuses neighbouring levels.

The classifier is given all other factors of a clip, and n draws of the noise at either of two
levels. It is naive: it takes the features for independent, and each for a normal variable of which
only the draws' mean m and variance v are known, so that the next draw has Student's t distribution
of n - 1 degrees (Gelman et al., Bayesian Data Analysis, 3rd ed., section 3.2). With
s = v (1 + 1/n) it decides for the level with the larger sum of
-1/2 log s - n/2 log(1 + (x - m)^2 / ((n - 1) s)).

Features do depend on each other and n is small: a better classifier would confuse fewer. The tails
of the t distribution matter. A cell of a log magnitude that lay at its floor in all draws shows no
variance, and to a normal variable the first noise that lifts it would outweigh a thousand others.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Moments = tuple[NDArray[np.float64], NDArray[np.float64]]

DRAWS = 16


def confused(a: Callable[[int], Array], b: Callable[[int], Array], least: float) -> float:
    """The share of clips ``(n, F)`` at two levels that are classified as the other; 1/2 is chance.

    ``a`` and ``b`` render the same clips at either level with a draw of the noise, the same for
    both; draws 1 to ``DRAWS`` train the classifier, draw 0 tests it. ``least`` is the smallest
    standard deviation that a feature is taken to have, so that a feature which is constant over
    the draws keeps a finite weight. An upper bound, as the classifier is naive and has few draws.
    """
    at_a, at_b = _moments(a, least), _moments(b, least)
    wrong = [
        np.sign(_log_density(x, other) - _log_density(x, own))
        for x, own, other in ((a(0), at_a, at_b), (b(0), at_b, at_a))
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


def _log_density(x: Array, moments: Moments) -> NDArray[np.float64]:
    """The log predictive density, up to a constant, ``(n,)``."""
    mean, variance = moments
    spread = variance * (1.0 + 1.0 / DRAWS)
    far = np.log1p(np.square(x - mean) / ((DRAWS - 1) * spread))
    log_density: NDArray[np.float64] = -0.5 * (np.log(spread) + DRAWS * far).sum(axis=1)
    return log_density

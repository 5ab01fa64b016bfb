"""Pairs of clips that differ in one factor: found in a data set, or rendered by one that can.

A set drawn from a large grid holds hardly two neighbours, and one with noise no two clips that
differ in one factor alone. A set that renders any levels renders such pairs, with the same noise;
and what noise leaves of the factor is how often a classifier confuses their neighbouring levels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis.datasets.base import Dataset, Stored
from fastdis.factors import Factor, FactorTable

Array = NDArray[np.float32]
Rows = NDArray[np.int64]
Moments = tuple[NDArray[np.float64], NDArray[np.float64]]

STEP = 1 / 20  # of the range of a continuous factor
DRAWS = 16  # of the noise, at either of two levels
_CLASSIFIED = 120  # pairs rendered with many draws of noise


@runtime_checkable
class RendersAnyLevels(Protocol):
    """A data set that gives the features its clips would have with other factors."""

    def features_at(
        self, table: FactorTable, indices: ArrayLike, *, draw: int | None = 0
    ) -> NDArray[np.float32]:
        """Features ``(B, 1, F, frames)``; ``draw`` of the noise, None for none."""


@dataclass(frozen=True)
class Neighbours:
    """Clips that differ in one factor, by one level, or by any if the levels have no order.

    Attributes
    ----------
    a, b : (n, F * frames)
        Their features; without noise, where the set can render so and the factor changes more
        than the noise.
    rows
        Their indices in the data set; None for pairs that were rendered.
    confused
        Of pairs with noise, the share that a classifier given all other factors confuses; None
        where there is no noise, or the data set cannot render other draws of it.
    """

    a: Array
    b: Array
    rows: tuple[Rows, Rows] | None
    confused: float | None


def renderer(dataset: Dataset) -> RendersAnyLevels | None:
    """The set that renders any levels: ``dataset``, or the one whose features it stores."""
    while isinstance(dataset, Stored) and type(dataset).features_of is Stored.features_of:
        dataset = dataset.source
    return dataset if isinstance(dataset, RendersAnyLevels) else None


def flat(features: Array) -> Array:
    """Features as ``(n, F * frames)``."""
    return features.reshape(len(features), math.prod(features.shape[1:]))


class RowFinder:
    """Indices of clips by their levels, in a set that need not be a whole grid or in order."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset, self.space = dataset, dataset.space
        self.levels = dataset.table().levels
        flat_levels = self.space.index_of(self.levels)
        self._order = np.argsort(flat_levels, kind="stable")
        self._flat = flat_levels[self._order]

    def find(self, levels: Rows) -> Rows:
        """The row of each ``(n, K)`` levels, -1 where there is none."""
        wanted = self.space.index_of(levels)
        at = np.minimum(np.searchsorted(self._flat, wanted), len(self._flat) - 1)
        return np.where(self._flat[at] == wanted, self._order[at], -1)

    def neighbours(
        self, k: int, pairs: int, rng: np.random.Generator, tolerance: float
    ) -> Neighbours:
        """Up to ``pairs`` pairs that differ in factor k alone."""
        factor = self.space.factors[k]
        a = rows = np.zeros(0, np.int64)
        if factor.size > 1:
            rows = rng.integers(0, len(self.levels), 4 * pairs)
            other = self.levels[rows].astype(np.int64)
            other[:, k] = _moved(factor, other[:, k], rng)
            inside = other[:, k] < factor.size
            a, rows = rows[inside], self.find(other[inside])
        a, b = a[rows >= 0][:pairs], rows[rows >= 0][:pairs]
        x, y = (flat(self.dataset.features(each)) for each in (a, b))
        return Neighbours(x, y, (a, b), None)


class Rendered:
    """Pairs that a data set renders; their combinations of levels need not be in the set."""

    def __init__(self, dataset: Dataset, source: RendersAnyLevels) -> None:
        self.dataset, self.source = dataset, source

    def neighbours(
        self, k: int, pairs: int, rng: np.random.Generator, tolerance: float
    ) -> Neighbours:
        """Up to ``pairs`` pairs that differ in factor k alone, with the same phases and noise."""
        rows = rng.integers(0, len(self.dataset), 4 * pairs)
        here = self.dataset.table(rows)
        there, inside = _next(here, k, rng)
        keep = np.flatnonzero(inside)[:pairs]
        rows, here, there = rows[keep], here[keep], there[keep]

        def shown(table: FactorTable, draw: int | None) -> Array:
            return flat(self.source.features_at(table, rows[: len(table)], draw=draw))

        a, b = shown(here, None), shown(there, None)
        if not len(rows):
            return Neighbours(a, b, None, None)
        noisy_a, noisy_b = shown(here, 0), shown(there, 0)
        if np.array_equal(noisy_a, shown(here, 1)):
            return Neighbours(a, b, None, None)
        if np.abs(a - b).max() <= tolerance:
            a, b = noisy_a, noisy_b
        few = slice(0, _CLASSIFIED)
        here, there = here[few], there[few]
        mistaken = confused(partial(shown, here), partial(shown, there), tolerance)
        return Neighbours(a, b, None, mistaken)


def _next(
    table: FactorTable, k: int, rng: np.random.Generator
) -> tuple[FactorTable, NDArray[np.bool_]]:
    """The same clips with factor k moved, and whether it could be; the others stay as they are."""
    factor, values, levels = table.space.factors[k], table.values.copy(), table.levels.copy()
    if factor.kind == "continuous":
        low, high = factor.values
        moved = values[:, k] + STEP * (high - low)
        inside = (moved <= high) & (high > low)
        values[inside, k] = moved[inside]
    elif factor.size == 1:
        inside = np.zeros(len(table), bool)
    else:
        level = _moved(factor, levels[:, k].astype(np.int64), rng)
        inside = level < factor.size
        levels[inside, k], values[inside, k] = level[inside], factor.values[level[inside]]
    return FactorTable(table.space, values, levels), inside


def _moved(factor: Factor, levels: Rows, rng: np.random.Generator) -> Rows:
    """The next level, or any other where levels have no order; it may lie beyond the last."""
    if factor.kind == "categorical":
        moved: Rows = (levels + rng.integers(1, factor.size, len(levels))) % factor.size
        return moved
    return levels + 1


def confused(a: Callable[[int], Array], b: Callable[[int], Array], least: float) -> float:
    """The share of clips ``(n, F)`` at two levels that are classified as the other; 1/2 is chance.

    ``a`` and ``b`` render the same clips at either level with a draw of the noise, the same for
    both; draws 1 to ``DRAWS`` train the classifier, draw 0 tests it. ``least`` is the smallest
    standard deviation that a feature is taken to have, so that a feature which is constant over
    the draws keeps a finite weight.

    The Bayes classifier is given all other factors of a clip, and n draws of the noise at either
    level. It is naive: it takes the features for independent, and each for a normal variable of
    which only the draws' mean m and variance v are known, so that the next draw has Student's t
    distribution of n - 1 degrees (Gelman et al., Bayesian Data Analysis, 3rd ed., section 3.2).
    With s = v (1 + 1/n) it decides for the level with the larger sum of
    -1/2 log s - n/2 log(1 + (x - m)^2 / ((n - 1) s)).

    An upper bound: features do depend on each other and n is small, so a better classifier would
    confuse fewer. The tails of the t distribution matter. A cell of a log magnitude that lay at its
    floor in all draws shows no variance, and to a normal variable the first noise that lifts it
    would outweigh a thousand others.
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

"""Pairs of clips that share some of their factors, drawn from the grid of factor levels.

Locatello, Poole, Rätsch, Schölkopf, Bachem and Tschannen, "Weakly-Supervised Disentanglement
Without Compromises" (2020), section 5: k factors of a clip are drawn anew, all others kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _validation
from fastdis.datasets.base import Dataset

Indices = NDArray[np.int64]

_BLOCK = 1 << 20  # rows of a table that are read at once
# Draws per clip before all rows are searched; in a whole grid the first one succeeds.
_DRAWS = (1, 16, 256)
_LOOKS = 1 << 21  # pairs of a clip and a draw (or a row) that are compared at once


class Pairs:
    """Draws partners for clips, from the same data set.

    A partner differs in a known number of factors. Which of them, and their new levels, are drawn
    uniformly, or uniformly among the combinations that the data set holds if it lacks some. Clips
    that are equal in every factor are equally likely.

    Parameters
    ----------
    dataset
        Of discrete factors, a whole grid or any part or sample of one.
    changed
        In how many factors a partner differs, from 1 to K, where K counts the factors with more
        than one level in the data set. None draws it for every pair, uniformly from 1 to K - 1 (1
        if K is 1), or from those of these numbers that the clip has a partner for.
    among
        The rows that partners have to lie in, such as the training rows; all by default.

    Raises
    ------
    TypeError, ValueError
        If a factor is continuous, none has a second level, the grid has 2^63 combinations or more,
        ``changed`` is out of its range, or ``among`` is empty.
    IndexError
        If ``among`` leaves the data set.

    Examples
    --------
    >>> from fastdis.datasets import SynTone
    >>> data = SynTone("corrected", num_freqs=5, num_amps=4)
    >>> rows = Pairs(data, changed=2).partners([0, 1, 2], seed=0)
    >>> (data.table(rows).levels != data.table([0, 1, 2]).levels).sum(axis=1)
    array([2, 2, 2])
    """

    def __init__(
        self, dataset: Dataset, changed: int | None = None, among: ArrayLike | None = None
    ) -> None:
        self.dataset, self._shape = dataset, _shape(dataset)
        self._flat = _flat_levels(dataset)
        n, restricted = len(self._flat), among is not None
        rows = np.unique(_validation.indices("among", among, n)) if restricted else np.arange(n)
        if restricted and not len(rows):
            raise ValueError("among takes at least one row, got none")
        seen = _seen(self._flat, self._shape)
        self._varying = np.flatnonzero([levels.sum() > 1 for levels in seen])
        self._set_changed(changed)

        flat = self._flat[rows]
        order = np.argsort(flat, kind="stable")
        first = np.flatnonzero(np.diff(flat[order], prepend=-1))
        # Of each combination: its flat index, where its rows begin, and how many they are.
        self._rows, self._keys, self._starts = rows[order], flat[order][first], first
        self._counts = np.diff(first, append=len(rows))
        self._where = f" among the {len(rows):,} rows to choose from" if restricted else ""
        self._set_levels(_seen(self._keys, self._shape) if restricted else seen)

    def _set_changed(self, changed: int | None) -> None:
        most = len(self._varying)
        if most == 0:
            raise ValueError("dataset takes a factor with more than one level, got none")
        if changed is not None and _validation.integer("changed", changed) > most:
            names = ", ".join(self.dataset.space.names[k] for k in self._varying)
            raise ValueError(
                f"changed takes an integer from 1 to {most}, the number of factors with more than "
                f"one level ({names}), got {changed}"
            )
        self.changed = changed
        self._numbers = (
            np.arange(1, max(most - 1, 1) + 1) if changed is None else np.array([changed])
        )

    def _set_levels(self, seen: Sequence[NDArray[np.bool_]]) -> None:
        """For each varying factor (V of them): the levels there are to choose from."""
        widest = max(self._shape[k] for k in self._varying)
        self._there = np.zeros((len(self._varying), widest), bool)
        for there, k in zip(self._there, self._varying.tolist(), strict=True):
            there[: self._shape[k]] = seen[k]
        self._below = np.cumsum(self._there, axis=1) - self._there  # how many are lower
        self._sizes = self._there.sum(axis=1)
        self._levels = np.argsort(~self._there, axis=1, kind="stable")  # those, then the others
        strides = np.cumprod((1, *self._shape[:0:-1]), dtype=np.int64)[::-1]
        self._strides = strides[self._varying]

    def partners(self, indices: ArrayLike | slice, seed: int | Sequence[int]) -> Indices:
        """A partner for each clip, a function of ``indices`` and ``seed`` alone.

        Parameters
        ----------
        indices : (B,)
            Clips of the data set.
        seed
            A whole number of at least 0, or several.

        Returns
        -------
        ndarray of int64 (B,)
            Rows of the data set.

        Raises
        ------
        IndexError, TypeError
            If ``indices`` is not made of integers from 0 to ``len - 1``.
        TypeError, ValueError
            If ``seed`` is not made of whole numbers, or a clip has no partner at all.
        """
        rows = _validation.indices("indices", indices, len(self._flat))
        rng = np.random.default_rng(_seed(seed))
        numbers = self._numbers[rng.integers(0, len(self._numbers), len(rows))]
        found = np.full(len(rows), -1)
        left = np.arange(len(rows))
        for draws in _DRAWS:
            for part in _parts(left, draws):
                found[part] = self._draw(rows[part], numbers[part], draws, rng)
            left = np.flatnonzero(found < 0)
        for part in _parts(left, len(self._keys)):
            found[part] = self._choose(rows[part], numbers[part], rng)
        result: Indices = self._rows[self._starts[found] + rng.integers(0, self._counts[found])]
        return result

    def _own(self, rows: Indices) -> tuple[Indices, Indices]:
        """Of clips, the levels of the varying factors, and how many others each can get."""
        levels = np.stack(np.unravel_index(self._flat[rows], self._shape), axis=1)[:, self._varying]
        v = np.arange(len(self._varying))
        return levels, self._sizes - self._there[v, levels]

    def _draw(
        self, rows: Indices, numbers: Indices, draws: int, rng: np.random.Generator
    ) -> Indices:
        """The first of some draws for each clip that the data set has, as a place in the keys.

        -1 where it has none.
        """
        own, others = (each[:, None, :] for each in self._own(rows))
        shape = (len(rows), draws, len(self._varying))
        v = np.arange(shape[2])
        # A random permutation has its least values at places that are a random subset.
        picked = rng.random(shape).argsort(axis=2) < numbers[:, None, None]
        nth = rng.integers(0, np.maximum(others, 1), shape)
        nth += self._there[v, own] & (nth >= self._below[v, own])  # past the clip's own level
        drawn = np.where(picked, self._levels[v, np.minimum(nth, self._sizes - 1)], own)
        flat = self._flat[rows][:, None] + ((drawn - own) * self._strides).sum(axis=2)
        at = np.minimum(np.searchsorted(self._keys, flat), len(self._keys) - 1)
        # A level that cannot change was drawn as itself.
        good = (self._keys[at] == flat) & ((drawn != own).sum(axis=2) == numbers[:, None])
        first = good.argmax(axis=1)[:, None]
        at, good = (np.take_along_axis(each, first, axis=1)[:, 0] for each in (at, good))
        result: Indices = np.where(good, at, -1)
        return result

    @cached_property
    def _levels_of_keys(self) -> Indices:
        return np.stack(np.unravel_index(self._keys, self._shape))[self._varying]

    def _choose(self, rows: Indices, numbers: Indices, rng: np.random.Generator) -> Indices:
        """A choice among all combinations, with the probabilities of repeated draws."""
        own, others = self._own(rows)
        differ = np.zeros((len(rows), len(self._keys)), np.int64)
        weight = np.ones(differ.shape)
        for levels, mine, among in zip(self._levels_of_keys, own.T, others.T, strict=True):
            other = levels != mine[:, None]
            differ += other
            weight /= np.where(other, among[:, None], 1)
        numbers = self._possible(rows, differ, numbers, rng)
        total = np.cumsum(np.where(differ == numbers[:, None], weight, 0.0), axis=1)
        end = total[:, -1]
        place = np.minimum(rng.random(len(rows)) * end, np.nextafter(end, 0.0))
        result: Indices = (total > place[:, None]).argmax(axis=1)
        return result

    def _possible(
        self, rows: Indices, differ: Indices, numbers: Indices, rng: np.random.Generator
    ) -> Indices:
        """How many factors change, drawn again for clips without such a partner."""
        there = np.stack([(differ == number).any(axis=1) for number in self._numbers], axis=1)
        if not there.any(axis=1).all():
            row = int(rows[there.any(axis=1).argmin()])
            least, most = self._numbers[[0, -1]]
            how = f"exactly {most}" if least == most else f"{least} to {most}"
            raise ValueError(
                f"indices takes clips with a partner that differs in {how} of the factors, "
                f"clip {row} ({self.dataset.describe(row)}) has none{self._where}"
            )
        again = self._numbers[(there * (1.0 - rng.random(there.shape))).argmax(axis=1)]
        has = (there & (self._numbers == numbers[:, None])).any(axis=1)
        return np.where(has, numbers, again)


def _shape(dataset: Dataset) -> tuple[int, ...]:
    for factor in dataset.space.factors:
        if factor.kind == "continuous":
            raise ValueError(f"dataset takes discrete factors, got continuous {factor.name!r}")
    if dataset.space.size >= 2**63:
        raise ValueError(
            f"dataset takes a space of fewer than 2^63 combinations, got {dataset.space.size:.1e}"
        )
    return dataset.space.shape


def _flat_levels(dataset: Dataset) -> Indices:
    """Each clip's place in the grid of all levels."""
    flat = np.empty(len(dataset), np.int64)
    for start in range(0, len(flat), _BLOCK):
        rows = slice(start, min(start + _BLOCK, len(flat)))
        flat[rows] = dataset.space.index_of(dataset.table(rows).levels)
    return flat


def _seen(flat: Indices, shape: tuple[int, ...]) -> list[NDArray[np.bool_]]:
    """For each factor, which of its levels occur."""
    seen = [np.zeros(size, bool) for size in shape]
    for start in range(0, len(flat), _BLOCK):
        columns = np.unravel_index(flat[start : start + _BLOCK], shape)
        for levels, column in zip(seen, columns, strict=True):
            levels[column] = True
    return seen


def _parts(left: Indices, looks: int) -> list[Indices]:
    """Chunks of clips, for ``looks`` comparisons per clip."""
    size = max(1, _LOOKS // looks)
    return [left[start : start + size] for start in range(0, len(left), size)]


def _seed(seed: Any) -> int | list[int]:
    if isinstance(seed, Sequence | np.ndarray) and not isinstance(seed, str):
        return [_validation.integer("seed", each, 0) for each in seed]
    return _validation.integer("seed", seed, 0)

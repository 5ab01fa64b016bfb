"""The joint histogram of every code with every factor, on which the information metrics stand.

I(z, v) = sum n_zv / N log(n_zv N / (n_z n_v)), in nats, from integer counts. Counts add, so any
split over threads, shards or machines gives the same score to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis.metrics._counts import count as _count
from fastdis.metrics._counts.bins import Bins
from fastdis.metrics._counts.columns import Data
from fastdis.metrics._counts.entropies import Entropies, entropies

# Exact independence gives exactly zero; anything below is rounding.
NO_INFORMATION = 1e-12


class MetricWarning(UserWarning):
    """A score stands, but not on everything that was passed, or on little."""


@dataclass(frozen=True, eq=False)
class JointHistogram:
    """How often each bin of each code met each level of each factor.

    Attributes
    ----------
    table : (D, bins, S) int64
        The counts, the levels of all factors side by side: S = sum of the level counts.
    code_edges : (D, bins + 1) float64
        The edges of the bins. Equal edges mark a dead code: all its rows are in the first bin.
    factor_levels : K arrays
        The level values of a discrete factor; the edges of the bins of a binned one.
    discrete : K bools
        Which factors kept their levels.
    names : K texts
        The names of the factors.
    pairs : (S, S) int64, or None
        How often the levels of the factors met each other's, where that was counted.
    """

    table: NDArray[np.int64]
    code_edges: NDArray[np.float64]
    factor_levels: tuple[NDArray[Any], ...]
    discrete: tuple[bool, ...]
    names: tuple[str, ...]
    pairs: NDArray[np.int64] | None = None

    @property
    def bins(self) -> int:
        """The number of bins of a code."""
        return int(self.table.shape[1])

    @property
    def levels(self) -> tuple[int, ...]:
        """The number of levels, or bins, of each factor."""
        return tuple(_count.sizes_of(self.factor_levels, self.discrete))

    @property
    def cut(self) -> Bins:
        """The bins, so that other rows can be counted on the same."""
        factor_edges = [
            np.arange(self.bins + 1.0) if kept else edges
            for edges, kept in zip(self.factor_levels, self.discrete, strict=True)
        ]
        return Bins(self.bins, "given", self.code_edges, np.stack(factor_edges))

    @cached_property
    def n(self) -> int:
        """The number of rows counted."""
        return int(self.of_factor(0)[0].sum())

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """The counts as ``(D, K, bins, levels)``; factors of fewer levels are padded with 0."""
        sizes = self.levels
        result = np.zeros((len(self.table), len(sizes), self.bins, max(sizes)), np.int64)
        for k, size in enumerate(sizes):
            result[:, k, :, :size] = self.of_factor(k)
        return result

    @property
    def code_entropy(self) -> NDArray[np.float64]:
        """H(z) of each code, ``(D,)``, in nats."""
        return np.asarray(self._entropies.line[0])

    @property
    def factor_entropy(self) -> NDArray[np.float64]:
        """H(v) of each factor, ``(K,)``, in nats."""
        return np.asarray(self._entropies.column[0])

    @property
    def joint_entropy(self) -> NDArray[np.float64]:
        """H(z, v), ``(K, D)``, in nats."""
        return np.asarray(self._entropies.joint[0])

    @cached_property
    def mutual_information(self) -> NDArray[np.float64]:
        """I(z, v), ``(K, D)``, in nats: the plug-in estimate, without a bias correction."""
        mutual = self._entropies.mutual[0]
        return np.where(mutual < NO_INFORMATION, 0.0, mutual)

    @cached_property
    def _entropies(self) -> Entropies:
        codes, bins, size = self.table.shape
        table = np.ascontiguousarray(self.table).reshape(1, codes * bins, size)
        lines, columns = np.arange(codes + 1) * bins, _count.offsets([*self.levels, 0])
        return entropies(table, lines, columns, self.n)

    @property
    def active(self) -> NDArray[np.bool_]:
        """Which codes tell anything about any factor, ``(D,)``."""
        return np.asarray((self.mutual_information > NO_INFORMATION).any(axis=0))

    def __add__(self, other: object) -> JointHistogram:
        """The histogram of both sets of rows; discrete factors take the union of their levels.

        Raises
        ------
        ValueError
            If the two have other factors, levels of another kind or other bins; make one with
            ``like=`` the other.
        """
        if not isinstance(other, JointHistogram):
            return NotImplemented
        _check_addable(self, other)
        levels = tuple(
            np.union1d(a, b) if kept else a
            for a, b, kept in zip(
                self.factor_levels, other.factor_levels, self.discrete, strict=True
            )
        )
        sizes = _count.sizes_of(levels, self.discrete)
        _count.check_room(len(self.table), self.bins, sizes)
        table = np.zeros((len(self.table), self.bins, sum(sizes)), np.int64)
        pairs = np.zeros((sum(sizes), sum(sizes)), np.int64)
        for part in (self, other):
            places = [
                start + np.searchsorted(levels[k], part.factor_levels[k])
                if self.discrete[k]
                else start + np.arange(sizes[k])
                for k, start in enumerate(_count.offsets(sizes))
            ]
            cells = np.concatenate(places)
            table[:, :, cells] += part.table
            if part.pairs is not None:
                pairs[np.ix_(cells, cells)] += part.pairs
        counted = self.pairs is not None and other.pairs is not None
        return JointHistogram(
            table, self.code_edges, levels, self.discrete, self.names, pairs if counted else None
        )

    def __radd__(self, other: object) -> JointHistogram:
        """So that ``sum(histograms)`` works, which starts at 0."""
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def __repr__(self) -> str:
        codes, bins, _ = self.table.shape
        factors = ", ".join(self.names)
        return f"JointHistogram({self.n} rows, {codes} codes x {bins} bins, {factors})"

    def of_codes(self, columns: NDArray[np.intp]) -> JointHistogram:
        """The histogram of some of the codes."""
        if np.array_equal(columns, np.arange(len(self.table))):
            return self
        return replace(self, table=self.table[columns], code_edges=self.code_edges[columns])

    def of_factor(self, k: int) -> NDArray[np.int64]:
        """The counts of factor ``k``, ``(D, bins, levels)``."""
        start = int(_count.offsets(self.levels)[k])
        return self.table[:, :, start : start + self.levels[k]]


def counted_on(
    data: Data,
    code_edges: NDArray[np.float64],
    factor_edges: NDArray[np.float64],
    *,
    pairs: bool = False,
) -> JointHistogram:
    """The joint histogram on given edges ``(D, bins + 1)`` and ``(K, bins + 1)``.

    With ``pairs``, the factors are counted against each other as well.
    """
    table, levels = _count.count(data, code_edges, factor_edges)
    result = JointHistogram(table, code_edges, levels, data.discrete, data.names)
    return replace(result, pairs=pair_counts(data, result)) if pairs else result


def pair_counts(data: Data, histogram: JointHistogram) -> NDArray[np.int64]:
    """The counts ``(S, S)`` of the rows that ``histogram`` was made of, S its number of levels.

    The factors are counted as if they were codes. Cells are laid out as in a row of
    :attr:`JointHistogram.table`, so that the counts of chunks add in the same way.

    Raises
    ------
    ValueError
        If the counts would take more than 512 MiB.
    """
    sizes = histogram.levels
    widest = max(sizes)
    if len(sizes) * widest * sum(sizes) > _count.MAX_CELLS:
        raise ValueError(
            "factors takes levels whose pairs fit 512 MiB, got "
            f"{', '.join(map(str, sizes))} levels; discrete=False cuts a factor into bins"
        )
    lower = np.empty((len(sizes), widest + 1))
    edges = np.zeros((len(sizes), histogram.bins + 1))
    for k, levels in enumerate(histogram.factor_levels):
        if histogram.discrete[k]:
            labels = data.labels[k]
            values = levels if labels is None else np.searchsorted(labels, levels)
            starts = _count.between(values.astype(np.float64))
        else:
            edges[k] = levels
            starts = levels[:-1]
        # An edge that repeats ends the levels of a factor that has fewer than the widest.
        lower[k] = starts[np.minimum(np.arange(widest + 1), len(starts) - 1)]
    table, _ = _count.count(replace(data, codes=data.factors), lower, edges)
    return np.concatenate([table[k, :size] for k, size in enumerate(sizes)])


def _check_addable(a: JointHistogram, b: JointHistogram) -> None:
    """Raise unless the two count the same factors and codes on the same bins."""
    shapes = [(len(h.table), h.bins, h.names, h.discrete) for h in (a, b)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            "histograms add up if codes, bins, factor names and discrete agree, "
            f"got {shapes[0]} and {shapes[1]}"
        )
    for name, x, y in zip(a.names, a.factor_levels, b.factor_levels, strict=True):
        if (x.dtype.kind in "US") != (y.dtype.kind in "US"):
            raise ValueError(
                f"histograms add up if their levels are all text or all numbers, got {x.dtype} "
                f"and {y.dtype} for {name!r}"
            )
    same = np.array_equal(a.code_edges, b.code_edges) and all(
        kept or np.array_equal(x, y)
        for x, y, kept in zip(a.factor_levels, b.factor_levels, a.discrete, strict=True)
    )
    if not same:
        raise ValueError("histograms add up if their edges agree; make one with like= the other")


def summary_of(histogram: JointHistogram) -> Data:
    """The data without rows; ranges reach from the first occupied bin to the last one."""
    factors, codes = len(histogram.names), len(histogram.table)
    factor_range, code_range = np.zeros((2, factors)), np.zeros((2, codes))
    for d, bins in enumerate(histogram.of_factor(0).sum(axis=2)):
        code_range[:, d] = _ends(bins, histogram.code_edges[d])
    for k, kept in enumerate(histogram.discrete):
        levels = histogram.of_factor(k)[0].sum(axis=0)
        edges = np.arange(len(levels) + 1.0) if kept else histogram.factor_levels[k]
        factor_range[:, k] = _ends(levels, edges)
    return Data(
        factors=np.zeros((0, factors)),
        codes=np.zeros((0, codes)),
        names=histogram.names,
        kinds=tuple("ordinal" if kept else "continuous" for kept in histogram.discrete),
        labels=(None,) * factors,
        whole=histogram.discrete,
        factor_range=factor_range,
        code_range=code_range,
    )


def _ends(counts: NDArray[np.int64], edges: NDArray[np.float64]) -> tuple[float, float]:
    """The least and largest value that may have been; equal if all is in one bin."""
    occupied = np.flatnonzero(counts)
    if len(occupied) < 2:
        return 0.0, 0.0
    return float(edges[occupied[0]]), float(edges[occupied[-1] + 1])

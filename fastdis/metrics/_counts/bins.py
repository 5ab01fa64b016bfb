"""How codes and continuous factors are cut: equal widths, quantiles, or given edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _validation
from fastdis.metrics._counts.columns import Data
from fastdis.metrics._counts.mapped_files import row_blocks

DEFAULT_BINS = 20
MAX_BINS = 1 << 16  # bins and levels travel as uint16
_BLOCK = 1 << 18  # rows looked at together
_MOST_SORTED = 1 << 20  # rows that quantiles are taken from


@dataclass(frozen=True, eq=False)
class Bins:
    """Where codes, and factors that do not keep their levels, are cut.

    ``bins=20`` of a metric means ``Bins.equal_width(20)``. The other ways:

    - ``Bins.equal_width(20, low=-4, high=4)``: on a stated range, so that one pass over the rows
      is enough, and histograms of other rows can be added;
    - ``Bins.quantile(20)``: bins of equally many rows. No monotone transform of a code, and no
      outlier, changes a score;
    - ``Bins.given(edges)``: the edges themselves.

    Attributes
    ----------
    count
        The number of bins.
    kind
        ``"equal_width"``, ``"quantile"`` or ``"given"``.
    code_edges : (count + 1,) or (D, count + 1) float64, or None
        Stated edges, of all codes or of each; None where the rows decide.
    factor_edges : (count + 1,) or (K, count + 1) float64, or None
        The same for the factors that are cut.
    """

    count: int
    kind: str = "equal_width"
    code_edges: NDArray[np.float64] | None = None
    factor_edges: NDArray[np.float64] | None = None

    @classmethod
    def equal_width(
        cls,
        count: int = 20,
        low: ArrayLike | None = None,
        high: ArrayLike | None = None,
        *,
        factor_low: ArrayLike | None = None,
        factor_high: ArrayLike | None = None,
    ) -> Bins:
        """``count`` bins of equal width, over the columns' own ranges or stated ones.

        Parameters
        ----------
        count
            2 to 65,536.
        low, high
            The range of the codes: a number for all, or ``(D,)``.
        factor_low, factor_high
            The range of the factors that are cut: a number for all, or ``(K,)``.

        Raises
        ------
        TypeError, ValueError
            If one end is missing, not finite, or not below the other.
        """
        count = _validation.integer("count", count, 2, MAX_BINS)
        return cls(
            count, "equal_width", _stated(count, low, high, ""),
            _stated(count, factor_low, factor_high, "factor_"),
        )  # fmt: skip

    @classmethod
    def quantile(cls, count: int = 20) -> Bins:
        """``count`` bins of as equal a number of rows as ties allow.

        An edge is the value at rank ``N b / count``. Of more than 1,048,576 rows, every second,
        fourth, eighth, ... is ranked.

        Raises
        ------
        TypeError, ValueError
            If ``count`` is not an integer from 2 to 65,536.
        """
        return cls(_validation.integer("count", count, 2, MAX_BINS), "quantile")

    @classmethod
    def given(cls, edges: ArrayLike, factor_edges: ArrayLike | None = None) -> Bins:
        """Bins between stated edges; what lies beyond is counted in the end bins.

        Parameters
        ----------
        edges
            Rising, ``(bins + 1,)`` for all codes or ``(D, bins + 1)``.
        factor_edges
            The same for the factors that are cut, as many; None cuts them in equal widths.

        Raises
        ------
        TypeError, ValueError
            If edges are not finite and rising, or not 2 to 65,536 bins.
        """
        codes = _edges("edges", edges)
        factors = None if factor_edges is None else _edges("factor_edges", factor_edges)
        count = _validation.integer("edges less one", codes.shape[-1] - 1, 2, MAX_BINS)
        if factors is not None and factors.shape[-1] != count + 1:
            raise ValueError(
                f"factor_edges takes {count + 1} edges, as edges has, got {factors.shape[-1]}"
            )
        return cls(count, "given", codes, factors)

    def __post_init__(self) -> None:
        _validation.choice("kind", self.kind, ("equal_width", "quantile", "given"))
        if self.kind == "given" and self.code_edges is None:
            raise ValueError("code_edges takes the edges of given bins, got None")

    def __str__(self) -> str:
        if self.kind == "equal_width" and self.code_edges is not None:
            return f"{self.count} equal-width bins on a stated range"
        return f"{self.count} {self.kind.replace('_', '-')} bins"

    def needs_rows(self, cut_factors: bool) -> bool:
        """Whether the rows must be seen once before they can be counted."""
        return self.code_edges is None or (cut_factors and self.factor_edges is None)


def read_bins(bins: Any) -> Bins:
    """What a user passed as ``bins``."""
    if isinstance(bins, Bins):
        return bins
    count = DEFAULT_BINS if bins is None else _validation.integer("bins", bins, 2, MAX_BINS)
    return Bins.equal_width(count)


def stated(name: str, edges: NDArray[np.float64], columns: int) -> NDArray[np.float64]:
    """Stated edges as ``(columns, bins + 1)``."""
    if edges.ndim == 2 and len(edges) not in (1, columns):
        raise ValueError(f"bins takes edges for {columns} {name}, got {len(edges)}")
    return np.broadcast_to(edges, (columns, edges.shape[-1])).copy()


def equal_width_edges(column_range: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """The edges ``(C, count + 1)``, those of :func:`numpy.linspace` of each column by itself."""
    low, high = column_range
    step = (high - low) / count
    result: NDArray[np.float64] = np.arange(count + 1.0) * step[:, None] + low[:, None]
    result[:, -1] = high
    for c in np.flatnonzero(step == 0):  # equal ends, or denormal numbers
        result[c] = np.linspace(low[c], high[c], count + 1)
    return result


def quantile_edges(x: NDArray[Any], count: int) -> NDArray[np.float64]:
    """The edges ``(C, count + 1)``, values of ``x (N, C)`` themselves; ties leave fewer bins.

    The last edge repeats in place of those that are missing.
    """
    ranks = np.minimum(-(-np.arange(1, count) * len(x) // count), len(x) - 1)
    result = np.empty((x.shape[1], count + 1))
    for c in range(x.shape[1]):
        ordered = np.sort(x[:, c]).astype(np.float64)
        edges = np.unique(np.concatenate([ordered[:1], ordered[ranks]]))
        result[c, : len(edges)] = edges
        result[c, len(edges) :] = edges[-1]
        result[c, -1] = ordered[-1]
    return result


class Thinned:
    """Every 2^j-th row of all that were added, so that at most ``_MOST_SORTED`` are kept."""

    def __init__(self) -> None:
        self._kept: list[NDArray[Any]] = []
        self._step, self._seen = 1, 0

    def add(self, rows: NDArray[Any]) -> None:
        """Take notice of ``rows (n, C)``."""
        n = self._seen + len(rows)
        if n > self._step * _MOST_SORTED:
            before = self._step
            while n > self._step * _MOST_SORTED:
                self._step *= 2
            if self._kept:
                self._kept = [np.concatenate(self._kept)[:: self._step // before]]
        self._kept.append(np.array(rows[-self._seen % self._step :: self._step]))
        self._seen = n

    @property
    def rows(self) -> NDArray[Any]:
        """The rows that are kept."""
        return np.concatenate(self._kept)


def edges_of(data: Data, bins: Bins) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The edges of the codes ``(D, bins + 1)`` and of the factors ``(K, bins + 1)``."""
    result = []
    for name, x, column_range, given in (
        ("codes", data.codes, data.code_range, bins.code_edges),
        ("factors", data.factors, data.factor_range, bins.factor_edges),
    ):
        if given is not None:
            result.append(stated(name, given, x.shape[1]))
        elif bins.kind == "quantile":
            thinned = Thinned()
            for rows in row_blocks(0, len(x), _BLOCK, x):
                thinned.add(x[rows])
            result.append(quantile_edges(thinned.rows, bins.count))
        else:
            result.append(equal_width_edges(column_range, bins.count))
    return result[0], result[1]


def outside(
    data: Data, code_edges: NDArray[np.float64], factor_edges: NDArray[np.float64]
) -> list[str]:
    """What to say of columns that reach beyond their edges."""
    result = []
    for name, column_range, edges, binned in (
        ("codes", data.code_range, code_edges, np.ones(len(code_edges), bool)),
        ("factors", data.factor_range, factor_edges, ~np.array(data.discrete)),
    ):
        beyond = binned & ((column_range[0] < edges[:, 0]) | (column_range[1] > edges[:, -1]))
        if beyond.any():
            result.append(
                f"{name}: columns {', '.join(map(str, np.flatnonzero(beyond)))} reach beyond the "
                "stated edges; such values are counted in the end bins"
            )
    return result


def _stated(
    count: int, low: ArrayLike | None, high: ArrayLike | None, prefix: str
) -> NDArray[np.float64] | None:
    if low is None and high is None:
        return None
    if low is None or high is None:
        raise ValueError(f"{prefix}low and {prefix}high are stated together, got one of them")
    ends = [
        _validation.finite(name, _validation.array(name, value, (0, 1), np.float64))
        for name, value in ((f"{prefix}low", low), (f"{prefix}high", high))
    ]
    if not (ends[0] < ends[1]).all():
        raise ValueError(f"{prefix}low takes values below {prefix}high, got {low} and {high}")
    return np.linspace(ends[0], ends[1], count + 1, axis=-1)


def _edges(name: str, edges: ArrayLike) -> NDArray[np.float64]:
    result = _validation.finite(name, _validation.array(name, edges, (1, 2), np.float64))
    if not (np.diff(result, axis=-1) > 0).all():
        raise ValueError(f"{name} takes rising numbers, got {_validation.describe(edges)}")
    return result

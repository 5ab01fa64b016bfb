"""What each convention does to factors and codes before they are counted.

Some scale a column to 0 to 1 and cut it there. Scaling is monotone, in floating point too, so the
rows that reach 0.3 once scaled are those that reach the least number which does. Bisection finds
it; no row is scaled, or copied.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis.metrics._counts.bins import Bins, edges_of, read_bins
from fastdis.metrics._counts.columns import Data, Discrete

CONVENTIONS = ("standard", "disentanglement_lib", "ubisoft", "published")
SCALED = ("ubisoft", "published")  # which scale columns to 0 to 1 before they cut them
PUBLISHED_BINS = 10

Edges = NDArray[np.float64]


def settled(bins: Any, discrete: Discrete, convention: str) -> tuple[Bins, Discrete]:
    """Bins and ``discrete`` as the convention has them where the user left them open.

    Raises
    ------
    TypeError, ValueError
        If the convention does not leave a choice.
    """
    scaled = convention in SCALED
    if bins is None and scaled:
        bins = PUBLISHED_BINS
    result = read_bins(bins)
    if convention == "standard":
        return result, discrete
    if isinstance(bins, Bins) and (scaled or bins.kind != "equal_width"):
        raise ValueError(f"bins takes a number for the {convention} convention, got {bins}")
    if convention == "disentanglement_lib":
        return result, True if discrete is None else discrete
    if convention == "published":
        if result.count != PUBLISHED_BINS:
            raise ValueError(
                f"bins takes {PUBLISHED_BINS} for the published convention, got {bins}"
            )
        if discrete is not None and discrete is not False:
            raise ValueError(
                "discrete takes None or False for the published convention, which bins every "
                f"factor, got {discrete!r}"
            )
    return result, discrete


def counted_as(data: Data, bins: Bins, convention: str) -> tuple[Data, Edges, Edges]:
    """The rows, with the factor kinds of the convention, and the edges of codes and factors.

    Ubisoft's code scales each column to 0 to 1, as scikit-learn does it, and cuts it at 0.1, 0.2,
    ..., 0.9; the published evaluation did so with every factor.
    """
    if convention not in SCALED:
        code_edges, factor_edges = edges_of(data, bins)
        return data, code_edges, factor_edges
    if convention == "published":
        data = replace(data, kinds=("continuous",) * len(data.kinds))
    code_edges = unit_edges(data.code_range, bins.count, data.codes.dtype)
    return data, code_edges, unit_edges(data.factor_range, bins.count, np.float64)


Array = NDArray[np.float64]


def unit_edges(column_range: Array, bins: int, dtype: Any) -> Array:
    """The edges ``(C, bins + 1)`` of columns of a range at which, once scaled, they reach b / bins.

    Floats of ``dtype`` are scaled in their own precision, as x * scale + offset; a range below ten
    roundings counts as constant. Its edges are all equal; where a range has so few floats that two
    edges coincide, the last one before the end repeats.
    """
    if np.ptp(column_range, axis=0).max(initial=0.0) > np.finfo(dtype).max:
        dtype = np.float64
    low, high = (ends.astype(dtype)[:, None] for ends in column_range)
    span = high - low
    scale = 1 / np.where(span < 10 * np.finfo(dtype).eps, span.dtype.type(1), span)
    offset = 0 - low * scale
    goal = np.linspace(0.0, 1.0, bins + 1)[1:-1]
    # Of all floats from low to high: `before` does not reach the goal, `least` does or is beyond.
    rank, shape = _rank(np.concatenate([low, high], axis=1)), (len(low), len(goal))
    before, least = np.broadcast_to(rank[:, :1], shape), np.broadcast_to(rank[:, 1:] + 1, shape)
    while (least - before > 1).any():
        middle = before + (least - before) // 2
        reaches = _of_rank(middle, dtype) * scale + offset >= goal
        before, least = np.where(reaches, before, middle), np.where(reaches, middle, least)
    result = np.repeat(column_range[:1].T, bins + 1, axis=1)
    for edges, found, end in zip(result, _of_rank(least, dtype), column_range[1], strict=True):
        if found[0] <= end:
            inner = np.unique(found)
            edges[1 : 1 + len(inner)], edges[1 + len(inner) :], edges[-1] = inner, inner[-1], end
    return result


def _rank(x: NDArray[Any]) -> NDArray[Any]:
    """Unsigned integers in the order of finite floats, one apart where those are neighbours."""
    bits = x.view(f"u{x.itemsize}")
    return np.where(np.signbit(x), ~bits, bits | _sign(bits))


def _of_rank(rank: NDArray[Any], dtype: Any) -> NDArray[Any]:
    positive = (rank & _sign(rank)) != 0
    return np.where(positive, rank ^ _sign(rank), ~rank).view(dtype)


def _sign(bits: NDArray[Any]) -> Any:
    return bits.dtype.type(1 << (8 * bits.itemsize - 1))

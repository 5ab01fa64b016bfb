"""Where columns are cut that a convention scales to 0 to 1: as edges of the rows as they are.

Scaling is monotone, in floating point too. So the rows that reach 0.3 once scaled are those that
reach the least number which does. Bisection finds it; no row is scaled, or copied.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

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

"""NumPy twin of the kernel that orders a grid along a Hilbert curve."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def hilbert_order(rows: int, columns: int, order: NDArray[np.int64]) -> None:
    """The flat indices of the cells of ``rows x columns`` in the order of a Hilbert curve.

    From the first cell along the longer side, and every step but one at most to a cell beside;
    ``csrc/curve/curve.c`` says why.
    """
    # Rectangles in the order of the curve: the first cell, then the number and the step of cells
    # along the path and across it. All are cut at once, until each is a line.
    whole = [0, columns, 1, rows, columns] if columns >= rows else [0, rows, columns, columns, 1]
    parts = np.array([whole], np.int64)
    while (parts[:, [1, 3]].min(axis=1) > 1).any():
        parts = _cut(parts)
    first, w, along, h, across = parts.T
    cells, step = w * h, np.where(h == 1, along, across)
    place = np.arange(len(order)) - np.repeat(np.cumsum(cells) - cells, cells)
    order[:] = np.repeat(first, cells) + place * np.repeat(step, cells)


def _cut(parts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each rectangle that is no line in two where it is long, else in three."""
    first, w, along, h, across = parts.T
    none, line, long = np.zeros_like(w), np.minimum(w, h) == 1, 2 * w > 3 * h
    near = np.where(long, w, h)
    near = near // 2 + (near // 2 % 2) * (near > 2)  # even, but half of 2 is 1
    left, last = w // 2, first + (w - 1) * along + (near - 1) * across
    halves = [
        [first, near, along, h, across],
        [first + near * along, w - near, along, h, across],
        [none] * 5,
    ]
    thirds = [
        [first, near, across, left, along],
        [first + near * across, w, along, h - near, across],
        [last, near, -across, w - left, -along],
    ]
    cut = np.where(line, [list(parts.T), [none] * 5, [none] * 5], np.where(long, halves, thirds))
    cut = cut.transpose(2, 0, 1).reshape(-1, 5)
    return cut[cut[:, 1] > 0]

"""Rows of arrays a block at a time; pages of a mapped file are let go of once they were read.

The system keeps every page that was touched in a process's memory until it runs short. A reader
that goes through a file once gives them back, so that a file larger than the memory leaves room
for others. They stay in the system's cache, from which they are mapped again at once.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BEHIND = 1 << 22  # bytes that are let go of at once
_SHARED = ("r", "r+", "w+")  # modes in which a page holds nothing that the file does not


def row_blocks(start: int, stop: int, rows: int, *arrays: NDArray[Any]) -> Iterator[slice]:
    """The rows ``start`` to ``stop`` as slices of at most ``rows``.

    When the next one is asked for, the last has been read: its pages are let go of in those of
    ``arrays (N, C)`` that are mapped from files.
    """
    behind = [_Pages(x, start) for x in arrays if _map_of(x) is not None]
    for a in range(start, stop, rows):
        b = min(a + rows, stop)
        yield slice(a, b)
        for pages in behind:
            pages.release(b, _BEHIND if b < stop else 1)


class _Pages:
    """The pages that hold the rows of a mapped array, from one row on."""

    def __init__(self, x: NDArray[Any], start: int) -> None:
        found = _map_of(x)
        assert found is not None  # the caller has looked
        self._map, self._start = found, start
        self._row, column = x.strides
        # Whole rows lie in a line, or else each column.
        lines = x.shape[1] if column > self._row else 1
        first = x.ctypes.data - np.frombuffer(found, np.uint8).ctypes.data
        self._lines = [first + c * column for c in range(lines)]

    def release(self, stop: int, at_least: int) -> None:
        """Let go of the rows before ``stop``, if they are ``at_least`` so many bytes."""
        size = (stop - self._start) * self._row
        if size * len(self._lines) < at_least:  # so it is for rows that run backwards
            return
        for line in self._lines:
            low, high = line + self._start * self._row, line + stop * self._row
            low, high = (x - x % mmap.PAGESIZE for x in (low, high))
            if low < high:
                self._map.madvise(mmap.MADV_DONTNEED, low, high - low)
        self._start = stop


def _map_of(x: Any) -> mmap.mmap | None:
    """The map of a file that an array reads from; None if it has changes of its own, or is none."""
    shared = False
    while isinstance(x, np.ndarray):
        shared = shared or getattr(x, "mode", None) in _SHARED
        x = x.base
    known = hasattr(mmap, "MADV_DONTNEED")
    return x if known and shared and isinstance(x, mmap.mmap) else None

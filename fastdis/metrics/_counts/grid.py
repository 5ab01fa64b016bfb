"""The cells of a joint histogram: bins of codes, levels of factors, and factors counted as one.

Factors of few levels share a level for every combination of theirs and are parted again: exact,
with fewer additions per row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis import _kernels
from fastdis.metrics._counts.columns import Data, block


@dataclass(frozen=True)
class Grid:
    """Where rows are counted: by lower edges of the codes' bins and of the factors' levels."""

    code_edges: NDArray[np.float64]  # (D, bins)
    factor_edges: NDArray[np.float64]  # (K, most levels), beyond a factor's own infinite
    sizes: list[int]  # levels of each factor

    @cached_property
    def code_bins(self) -> NDArray[np.int64]:
        """The bins of each code that can be reached."""
        codes, bins = self.code_edges.shape
        return usable(self.code_edges, [bins] * codes)

    @cached_property
    def factor_bins(self) -> NDArray[np.int64]:
        """The levels of each factor that can be reached."""
        return usable(self.factor_edges, self.sizes)

    def bin(self, data: Data, rows: slice, z: NDArray[Any], v: NDArray[Any]) -> None:
        """The bins ``z (n, D)`` and levels ``v (n, K)``, uint16, of n ``rows``."""
        kernel = _kernels.get("bin_columns")
        kernel(block(data.codes, rows.start, rows.stop), self.code_edges, self.code_bins, z)
        kernel(block(data.factors, rows.start, rows.stop), self.factor_edges, self.factor_bins, v)


def usable(lower_edges: NDArray[np.float64], sizes: list[int]) -> NDArray[np.int64]:
    """The number of bins of each column: of edges that rise, before the last one repeats.

    1 where its range has no room for distinct edges.
    """
    steps = np.arange(1, lower_edges.shape[1]) < np.array(sizes)[:, None]
    rises = steps & (lower_edges[:, 1:] > lower_edges[:, :-1])
    first = np.logical_and.accumulate(rises, axis=1).sum(axis=1)
    return np.where(rises.sum(axis=1) == first, first + 1, 1)


_MOST_LEVELS = 1024  # of factors that are counted as one
_MOST_CELLS = 1 << 18  # 1 MiB of uint32 counts stays in the L2 cache


@dataclass(frozen=True)
class FactorGroups:
    """Factors counted as one: those of a group share a level for every combination of theirs.

    Factor ``k`` adds ``stride[k]`` a level to that of ``group[k]``, whose levels begin at
    ``offset[g]``, ``width[g]`` of them; a row of counts has ``pitch`` cells.
    """

    group: NDArray[np.int64]
    stride: NDArray[np.int64]
    offset: NDArray[np.int64]
    width: NDArray[np.int64]
    pitch: int

    def parted(self, counts: NDArray[np.int64], sizes: list[int]) -> NDArray[np.int64]:
        """Counts of the groups ``(D, bins, pitch)`` as counts of the factors ``(D, bins, S)``."""
        parts = []
        for k, size in enumerate(sizes):
            # Within its group a level of factor k comes again and again: before, k, after.
            width, after = self.width[self.group[k]], self.stride[k]
            start = self.offset[self.group[k]]
            block = counts[:, :, start : start + width]
            shape = (*counts.shape[:2], width // (size * after), size, after)
            parts.append(block.reshape(shape).sum(axis=(2, 4)))
        return np.concatenate(parts, axis=2)


def joined(sizes: list[int], cells_per_level: int, rows: int) -> FactorGroups:
    """Join neighbouring factors as long as their counts stay in cache and pay for many rows."""
    for most in (_MOST_LEVELS, 0):
        members: list[list[int]] = []
        for k, size in enumerate(sizes):
            if members and math.prod(sizes[j] for j in members[-1]) * size <= most:
                members[-1].append(k)
            else:
                members.append([k])
        widths = [math.prod(sizes[k] for k in group) for group in members]
        # An odd number of cache lines: rows a multiple of 4 kB apart would evict each other.
        pitch = 16 * (-(-sum(widths) // 16) | 1)
        if pitch * cells_per_level <= min(_MOST_CELLS, rows // 4):
            break
    stride = [math.prod(sizes[j] for j in group if j > k) for group in members for k in group]
    group = np.repeat(np.arange(len(members)), [len(group) for group in members])
    offset = np.cumsum([0, *widths[:-1]])
    return FactorGroups(group, np.array(stride), offset, np.array(widths), pitch)

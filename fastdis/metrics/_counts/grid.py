"""The grid of a joint histogram: how many bins each code and levels each factor has."""

from __future__ import annotations

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

"""Ranges, levels and joint counts of torch tensors, on their own device.

They are those of the kernels to the bit: a value is compared in float64 with the same edges, and
counts are integers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastdis.metrics._counts.grid import joined
from fastdis.metrics._counts.torch_columns import blocks

if TYPE_CHECKING:
    import torch

    from fastdis.metrics._counts.grid import Grid


def fill(factors: torch.Tensor, codes: torch.Tensor, grid: Grid) -> NDArray[np.int64]:
    """The counts ``(D, bins, S)``."""
    import torch

    (columns, bins), device = grid.code_edges.shape, codes.device
    groups = joined(grid.sizes, columns * bins, len(codes))
    total = torch.zeros(columns, bins * groups.pitch, dtype=torch.int64, device=device)
    code_edges = _inner(grid.code_edges, grid.code_bins, device)
    factor_edges = _inner(grid.factor_edges, grid.factor_bins, device)
    for rows in blocks(codes, factors):
        z, v = _reached(codes[rows], code_edges), _reached(factors[rows], factor_edges)
        level = torch.tensor(groups.offset, device=device)[:, None].repeat(1, z.shape[1])
        for k, (group, stride) in enumerate(zip(groups.group, groups.stride, strict=True)):
            level[group] += int(stride) * v[k]
        for d in range(columns):
            cells = (z[d] * groups.pitch + level).flatten()
            total[d] += torch.bincount(cells, minlength=total.shape[1])
    counts: NDArray[np.int64] = total.cpu().numpy().reshape(columns, bins, groups.pitch)
    return groups.parted(counts, grid.sizes)


def _inner(edges: NDArray[np.float64], bins: NDArray[np.int64], device: Any) -> torch.Tensor:
    """The edges between the bins that can be reached, ``(C, most bins - 1)``."""
    import torch

    reachable = np.arange(1, edges.shape[1]) < bins[:, None]
    return torch.from_numpy(np.where(reachable, edges[:, 1:], np.inf)).to(device)


def _reached(x: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
    """How many of its column's edges each value reaches, ``(C, n)``."""
    import torch

    return torch.searchsorted(edges, x.T.double().contiguous(), right=True)

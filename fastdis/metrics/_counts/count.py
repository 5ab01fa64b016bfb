"""From checked columns to counts (D, bins, S): edges, levels, and the one pass over the rows."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis import _kernels
from fastdis._threads import parallel_for
from fastdis.metrics._counts import torch_counts as _count_torch
from fastdis.metrics._counts.bins import MAX_BINS
from fastdis.metrics._counts.columns import EXACT, Data, distinct_columns
from fastdis.metrics._counts.grid import Grid, joined
from fastdis.metrics._counts.mapped_files import row_blocks

MAX_CELLS = 1 << 26  # 512 MiB of counts
_MAX_WHOLE_RANGE = 4096  # whole numbers closer together are counted without a sort
_FEW = 1000  # levels, which are quickly found
_CHUNK = 8192  # rows whose bins stay in the cache between the kernels
_MOST_ROWS = 1 << 31  # rows that uint32 counts hold


def count(
    data: Data, code_edges: NDArray[np.float64], factor_edges: NDArray[np.float64]
) -> tuple[NDArray[np.int64], tuple[NDArray[Any], ...]]:
    """The counts ``(D, bins, S)`` on given edges, and the levels or edges of each factor.

    A discrete factor keeps the levels that occur; its row of ``factor_edges`` is not looked at.
    """
    grid, levels = _grid(data, code_edges, factor_edges)
    codes, bins = grid.code_edges.shape
    check_room(codes, bins, grid.sizes)
    if isinstance(data.codes, np.ndarray):
        table = _fill(data, grid)
    else:
        table = _count_torch.fill(data.factors, data.codes, grid)
    occurs = np.split(table[0].sum(axis=0) > 0, offsets(grid.sizes)[1:])
    keep = [mask | (not kept) for mask, kept in zip(occurs, data.discrete, strict=True)]
    for k, kept in enumerate(data.discrete):
        if kept:
            levels[k] = levels[k][keep[k]]
            labels = data.labels[k]
            if labels is not None:
                levels[k] = labels[levels[k].astype(np.int64)]
    mask = np.concatenate(keep)
    return (table if mask.all() else table[:, :, mask]), tuple(levels)


def binned(
    data: Data, code_edges: NDArray[np.float64], factor_edges: NDArray[np.float64]
) -> tuple[NDArray[np.uint16], NDArray[np.uint16], list[int]]:
    """The bins ``(N, D)`` and levels ``(N, K)`` that ``count`` counts, and the number of levels.

    Levels that do not occur are not numbered.
    """
    grid, _ = _grid(data, code_edges, factor_edges)
    rows = len(data.codes)
    z, v = (np.empty((rows, len(x)), np.uint16) for x in (grid.code_edges, grid.factor_edges))

    def work(start: int, stop: int) -> None:
        for part in row_blocks(start, stop, _CHUNK, data.codes, data.factors):
            grid.bin(data, part, z[part], v[part])

    parallel_for(work, rows, 4 * _CHUNK)
    sizes = list(grid.sizes)
    for k, kept in enumerate(data.discrete):
        occurs = np.bincount(v[:, k], minlength=sizes[k]) > 0
        if kept and not occurs.all():
            v[:, k] = (np.cumsum(occurs) - 1).astype(np.uint16)[v[:, k]]
            sizes[k] = int(occurs.sum())
    return z, v, sizes


def _grid(
    data: Data, code_edges: NDArray[np.float64], factor_edges: NDArray[np.float64]
) -> tuple[Grid, list[NDArray[Any]]]:
    """The cells that rows may fall in, and the levels or edges of each factor."""
    own = _levels(data)
    levels = [own.get(k, edges) for k, edges in enumerate(factor_edges)]
    sizes = sizes_of(levels, data.discrete)
    lower = np.full((len(levels), max(sizes)), np.inf)
    for k, kept in enumerate(data.discrete):
        lower[k, : sizes[k]] = between(levels[k]) if kept else levels[k][:-1]
    return Grid(np.ascontiguousarray(code_edges[:, :-1]), lower, sizes), levels


def _levels(data: Data) -> dict[int, NDArray[np.float64]]:
    """The values each discrete factor may take: at least those that it does take."""
    result: dict[int, NDArray[np.float64]] = {}
    for k, (low, high) in enumerate(data.factor_range.T):
        near = high - low < _MAX_WHOLE_RANGE and max(-low, high) < EXACT
        if data.discrete[k] and data.whole[k] and near:
            result[k] = np.arange(low, high + 1)
    for limit in (_FEW, MAX_BINS):
        wanted = [k for k, kept in enumerate(data.discrete) if kept and k not in result]
        found = distinct_columns(data.factors, wanted, limit)
        result |= {k: x for k, x in zip(wanted, found, strict=True) if x is not None}
    for k, kept in enumerate(data.discrete):
        if kept and k not in result:
            raise ValueError(
                f"factors takes at most {MAX_BINS} levels for a discrete factor, got more "
                f"in {data.names[k]!r}; discrete=False cuts it into bins"
            )
    return result


def between(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges that part neighbouring levels; halfway, where rounding cannot reach them."""
    if len(values) == 1:
        return values
    middle = values[:-1] / 2 + values[1:] / 2
    middle = np.where(middle > values[:-1], middle, values[1:])
    # The first edge is never reached; there, it keeps evenly spaced levels evenly spaced.
    return np.concatenate([values[:1] - (middle[:1] - values[:1]), middle])


def _fill(data: Data, grid: Grid) -> NDArray[np.int64]:
    joint_levels, joint_counts = _kernels.get("joint_levels"), _kernels.get("joint_counts")
    (codes, bins), factors, rows = grid.code_edges.shape, len(grid.sizes), len(data.codes)
    groups = joined(grid.sizes, codes * bins, rows)
    total = np.zeros((codes, bins, groups.pitch), np.int64)
    lock = threading.Lock()
    # Of few rows, what Python does between blocks takes longer than what the cache saves.
    step = _CHUNK if rows > 4 * _CHUNK else rows

    def work(start: int, stop: int) -> None:
        z, v = np.empty((step, codes), np.uint16), np.empty((step, factors), np.uint16)
        joint = np.empty((step, len(groups.offset)), np.uint32)
        for first in range(start, stop, _MOST_ROWS):
            last = min(first + _MOST_ROWS, stop)
            counts = np.zeros(total.shape, np.uint32)
            for part in row_blocks(first, last, step, data.codes, data.factors):
                n = part.stop - part.start
                grid.bin(data, part, z[:n], v[:n])
                joint_levels(v[:n], groups.group, groups.stride, groups.offset, joint[:n])
                joint_counts(z[:n], joint[:n], counts)
            with lock:
                np.add(total, counts, out=total)

    # A task pays for counts of its own: it takes rows for several additions to each cell.
    parallel_for(work, rows, max(4 * _CHUNK, 8 * total.size // (codes * factors)))
    return groups.parted(total, grid.sizes)


def check_room(codes: int, bins: int, sizes: list[int]) -> None:
    """Raise where counts ``(codes, bins, S)`` would fill the memory."""
    cells = codes * bins * sum(sizes)
    if cells > MAX_CELLS:
        raise ValueError(
            f"bins takes a number for which the counts fit 512 MiB, got {bins}: {codes} codes x "
            f"{bins} bins x {sum(sizes)} levels need {cells / 2**17:,.0f} MiB; take fewer bins, or "
            "discrete=False for a factor of many levels"
        )


def sizes_of(levels: Sequence[NDArray[Any]], discrete: tuple[bool, ...]) -> list[int]:
    """The number of levels of each factor; a binned one is given by its edges."""
    return [len(v) if kept else len(v) - 1 for v, kept in zip(levels, discrete, strict=True)]


def offsets(sizes: Sequence[int]) -> NDArray[np.int64]:
    """Where the levels of each factor start."""
    return np.cumsum([0, *sizes[:-1]], dtype=np.int64)

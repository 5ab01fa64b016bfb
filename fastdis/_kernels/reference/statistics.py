"""NumPy twins of the kernels that count: columns, joint histograms, resampling, intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def column_range(
    x: NDArray[Any],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    whole: NDArray[np.bool_],
) -> float:
    """Widen ``low (C,)`` and ``high (C,)`` to hold ``x (n, C)``; 0.0 if x is finite, else NaN.

    ``whole (C,)`` becomes False where a value is not a whole number.
    """
    x = x.astype(np.float64)
    low[:] = np.fmin(low, np.fmin.reduce(x, axis=0, initial=np.inf))
    high[:] = np.fmax(high, np.fmax.reduce(x, axis=0, initial=-np.inf))
    whole &= (x == np.floor(x)).all(axis=0)
    return 0.0 if np.isfinite(x).all() else float("nan")


def distinct_values(
    bits: NDArray[Any],
    negative_zero: int,
    columns: NDArray[np.int64],
    limit: int,
    sets: NDArray[np.uint64],
    sizes: NDArray[np.int64],
) -> None:
    """Add the values of ``bits (n, C)``, the patterns of finite floats, to a set for each column.

    ``sets[m]`` holds those of column ``columns[m]``: its ``sizes[m]`` entries that are not all
    ones. It has a power of two of places, more than ``limit`` + 1 of them; of a set that exceeds
    ``limit`` nothing more is known. -0.0 is 0.0.
    """
    for known, c, m in zip(sets, columns, range(len(sizes)), strict=True):
        column = np.where(bits[:, c] == negative_zero, 0, bits[:, c])
        values = np.union1d(known[known != ~np.uint64(0)], column)[: limit + 1]
        known[: len(values)] = values
        sizes[m] = len(values)


def bin_columns(
    x: NDArray[Any],
    edges: NDArray[np.float64],
    bins: NDArray[np.int64],
    out: NDArray[np.uint16],
) -> None:
    """``out[i, c]`` is the number of inner edges ``edges[c, 1:bins[c]]`` that x[i, c] reaches."""
    for c, count in enumerate(bins):
        column = x[:, c].astype(np.float64)
        index = np.searchsorted(edges[c, 1:count], column, side="right")
        out[:, c] = np.where(np.isnan(column), 0, index)  # NaN reaches no edge


def joint_levels(
    levels: NDArray[np.uint16],
    group: NDArray[np.int64],
    stride: NDArray[np.int64],
    offset: NDArray[np.int64],
    out: NDArray[np.uint32],
) -> None:
    """Several factors as one: ``out[i, g] = offset[g] + sum of stride[k] levels[i, k]``.

    The sum runs over the factors k with ``group[k] == g``.
    """
    for g, start in enumerate(offset):
        mine = group == g
        out[:, g] = start + levels[:, mine].astype(np.int64) @ stride[mine]


def joint_counts(
    code_bins: NDArray[np.uint16],
    joint: NDArray[np.uint32],
    counts: NDArray[np.uint32],
) -> None:
    """Add the rows of ``code_bins (n, D)`` and ``joint (n, G)`` to ``counts (D, bins, S)``.

    Row i adds one to ``counts[d, code_bins[i, d], joint[i, g]]`` for every d and g.
    """
    _, bins, levels = counts.shape
    for table, column in zip(counts, code_bins.T, strict=True):
        for level in joint.T:
            cell = column.astype(np.int64) * levels + level
            table += np.bincount(cell, minlength=bins * levels).reshape(bins, levels).astype("u4")


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finalizer of splitmix64 (Steele, Lea & Flood 2014): every bit depends on every bit."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def resample(seed: int, index: int, weights: NDArray[np.uint32]) -> None:
    """How often each of n rows comes in n draws: ``weights (n,)``, a function of seed and index.

    Draw i takes row floor(n x_i / 2^64) of the splitmix64 stream x that begins at a key of the two.
    """
    golden = np.array([0x9E3779B97F4A7C15], np.uint64)  # an array's products may wrap around
    start = _mixed(np.array([seed], np.uint64) + golden)
    state = _mixed(start + (np.array([index], np.uint64) + np.uint64(1)) * golden)
    x = _mixed(state + np.arange(1, weights.size + 1, dtype=np.uint64) * golden)
    n, half = np.uint64(weights.size), np.uint64(32)
    rows = ((x >> half) * n + ((x & np.uint64(0xFFFFFFFF)) * n >> half)) >> half
    weights[:] = np.bincount(rows.astype(np.intp), minlength=weights.size)


def weighted_counts(
    lines: NDArray[np.uint32],
    columns: NDArray[np.uint32],
    weights: NDArray[np.uint32],
    counts: NDArray[np.int64],
) -> None:
    """Add ``weights[i]`` to ``counts[lines[i, d], columns[i, g]]`` for every i, d and g."""
    np.add.at(counts, (lines[:, :, None], columns[:, None, :]), weights[:, None, None])


def entropy_sums(
    counts: NDArray[np.int64],
    lines: NDArray[np.int64],
    columns: NDArray[np.int64],
    x_log_x: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> None:
    """The sums of x log x over the blocks of tables ``counts (R, L, S)``, and over their margins.

    Block ``(k, d)`` has the lines ``lines[d]`` to ``lines[d + 1]`` and the columns ``columns[k]``
    to ``columns[k + 1]``. ``sums (R, K + 1, D + 1)`` holds that of its cells in ``[:, k, d]``, of
    its lines together in ``[:, K, d]`` and of its columns together in ``[:, k, D]``. Small x log x
    are looked up.
    """

    def total(x: NDArray[np.int64], *axes: int) -> NDArray[np.float64]:
        terms: NDArray[np.float64] = (x * np.log(np.maximum(x, 1))).sum(axis=axes)
        return terms

    del x_log_x
    for k in range(len(columns) - 1):
        of_factor = counts[:, :, columns[k] : columns[k + 1]]
        sums[:, k, -1] = total(of_factor[:, lines[0] : lines[1]].sum(axis=1), 1)
        for d in range(len(lines) - 1):
            of_both = of_factor[:, lines[d] : lines[d + 1]]
            sums[:, k, d] = total(of_both, 1, 2)
            sums[:, -1, d] = total(of_both.sum(axis=2), 1)


def interval_accuracy(code: NDArray[Any], labels: NDArray[np.int32], levels: int) -> float:
    """The largest balanced accuracy of cutting the sorted ``code (N,)`` into an interval a level.

    The levels stand in the order of their mean rank, or in the opposite one. best[c][j] is the most
    that levels 0..c can win from the rows below the j-th distinct value: the max over i <= j of
    best[c-1][i] + W_c[j] - W_c[i], where W_c[j] is the share of level c below it.
    """
    position = np.concatenate([[0], np.cumsum(code[1:] != code[:-1])])
    counts, sizes = np.bincount(position), np.bincount(labels, minlength=levels)
    rank = (np.cumsum(counts) - counts / 2)[position]  # ties share their mean rank
    rising = np.argsort(np.bincount(labels, rank) / sizes, kind="stable")

    def won(in_order: NDArray[np.intp]) -> float:
        best = np.zeros(len(counts) + 1)
        for level in in_order:
            of_level = np.bincount(position[labels == level], minlength=len(counts))
            below = np.concatenate([[0], np.cumsum(of_level)]) / sizes[level]
            best = below + np.maximum.accumulate(best - below)
        return float(best[-1])

    return max(won(rising), won(rising[::-1])) / levels


def scaled_products(
    x: NDArray[np.float64],
    low: NDArray[np.float64],
    span: NDArray[np.float64],
    sums: NDArray[np.float64],
    squares: NDArray[np.float64],
    products: NDArray[np.float64],
) -> None:
    """Add up ``u = (x - low) / span`` of rows ``x (n, K + D)``: u, u^2 and, of pairs, u_k u_d.

    The first K columns are paired with the others, into ``products (K, D)``.
    """
    u = (x - low) / span
    factors = len(products)
    sums += u.sum(axis=0)
    squares += (u**2).sum(axis=0)
    # Not a matrix product: BLAS would take threads of its own.
    products += np.einsum("nk,nd->kd", u[:, :factors], u[:, factors:])

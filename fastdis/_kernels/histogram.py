"""numba kernels of the joint histogram: column ranges, distinct values, bins, counts.

One pass over the rows fills counts (D, bins, S), where S is the number of levels of all factors
together. Factors of few levels are counted as one of all their combinations: fewer additions, and
fewer that wait for the one before to the same place. Twins in reference.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis._kernels._jit import kernel

_BLOCK = 16  # rows; a block is one straight loop, which the compiler turns into vector code
_COLUMNS = ("float64", "float32", "int64", "int32", "int8", "uint8")  # types of columns


@kernel(*(f"float64({x}[:, ::1], float64[::1], float64[::1], boolean[::1])" for x in _COLUMNS))
def column_range(
    x: NDArray[Any],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    whole: NDArray[np.bool_],
) -> float:
    """Widen ``low (C,)`` and ``high (C,)`` to hold ``x (n, C)``; 0.0 if x is finite, else NaN.

    ``whole (C,)`` becomes False where a value is not a whole number.
    """
    columns = x.shape[1]
    width = _BLOCK * columns
    lows, highs, rests = np.full(width, np.inf), np.full(width, -np.inf), np.zeros(width)
    flat = x.reshape(x.size)
    bad = 0
    for begin in range(0, flat.size, width):
        length = min(width, flat.size - begin)
        values = flat[begin : begin + length]
        for j in range(length):
            value = np.float64(values[j])
            lows[j] = value if value < lows[j] else lows[j]
            highs[j] = value if value > highs[j] else highs[j]
            rests[j] += value - np.floor(value)
            bad += (value - value) != 0.0  # NaN where value is not finite
    for j in range(width):
        c = j % columns
        low[c] = min(low[c], lows[j])
        high[c] = max(high[c], highs[j])
        whole[c] &= rests[j] == 0.0
    return np.nan if bad else 0.0


@kernel(
    "void(uint64[:, ::1], uint64, int64[::1], int64, uint64[:, ::1], int64[::1])",
    "void(uint32[:, ::1], uint64, int64[::1], int64, uint64[:, ::1], int64[::1])",
)
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
    empty = ~np.uint64(0)
    last = np.uint64(sets.shape[1] - 1)
    for m in range(columns.size):
        c, known = columns[m], sets[m]
        for i in range(len(bits)):
            if sizes[m] > limit:
                break
            value = np.uint64(bits[i, c])
            if value == negative_zero:
                value = np.uint64(0)
            # The upper half of the product depends on all bits of the value.
            place = (value * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32) & last
            while known[place] != value:
                if known[place] == empty:
                    known[place] = value
                    sizes[m] += 1
                else:
                    place = (place + np.uint64(1)) & last


@kernel("UniTuple(float64, 2)(float64[::1], int64)")
def _line(edges: NDArray[np.float64], bins: int) -> tuple[float, float]:
    """The slope of t = slope (x - edges[0]), and the largest |t(edges[b]) - b| over the bins.

    Rounded subtraction and multiplication are monotone, so x and edges[b] stand in the order of
    their t wherever |t(x) - b| exceeds that margin: floor(t) is then the exact bin.
    """
    if bins == 1:
        return 0.0, -1.0
    slope = (bins - 1) / (edges[bins - 1] - edges[0])
    margin = 0.0
    for b in range(bins):
        error = abs((edges[b] - edges[0]) * slope - b)
        margin = max(margin, error if error < 1.0 else 1.0)  # 1.0 also where slope overflowed
    return slope, margin + 2.0**-48  # rounding of 1 - margin


@kernel("int64(float64, float64[::1], int64, int64)")
def _settle(value: float, edges: NDArray[np.float64], bins: int, guess: int) -> int:
    """The exact bin of ``value``; quick where ``guess`` is near."""
    if guess > 0 and value < edges[guess]:
        guess -= 1
    elif guess < bins - 1 and value >= edges[guess + 1]:
        guess += 1
    if (guess == 0 or value >= edges[guess]) and (guess == bins - 1 or value < edges[guess + 1]):
        return guess
    low, high = 0, bins - 1
    while low < high:
        middle = (low + high + 1) // 2
        if value >= edges[middle]:
            low = middle
        else:
            high = middle - 1
    return low


@kernel(*(f"void({x}[:, ::1], float64[:, ::1], int64[::1], uint16[:, ::1])" for x in _COLUMNS))
def bin_columns(
    x: NDArray[Any],
    edges: NDArray[np.float64],
    bins: NDArray[np.int64],
    out: NDArray[np.uint16],
) -> None:
    """``out[i, c]`` is the number of inner edges ``edges[c, 1:bins[c]]`` that x[i, c] reaches.

    A line through the edges guesses the bin; only where the guess is within rounding of an edge,
    or the edges are not equally spaced, is the value compared with the edges themselves.
    """
    columns = x.shape[1]
    width = _BLOCK * columns
    start, slope = np.empty(width), np.empty(width)
    margin, top = np.empty(width), np.empty(width)
    for c in range(columns):
        slope_c, margin_c = _line(edges[c], bins[c])
        for j in range(c, width, columns):
            start[j], slope[j], margin[j], top[j] = edges[c, 0], slope_c, margin_c, bins[c]
    flat, flat_out = x.reshape(x.size), out.reshape(out.size)
    for begin in range(0, flat.size, width):
        length = min(width, flat.size - begin)
        values, guesses = flat[begin : begin + length], flat_out[begin : begin + length]
        unsure = 0
        for j in range(length):
            t = (np.float64(values[j]) - start[j]) * slope[j]
            t = t if t > 0.0 else 0.0  # also where t is NaN
            t = t if t < top[j] else top[j]
            guess = np.int32(t)
            rest = t - guess
            unsure += (rest <= margin[j]) | (rest >= 1.0 - margin[j])
            guesses[j] = guess
        if unsure:
            for j in range(length):
                c = j % columns
                guess_j = min(np.int64(guesses[j]), bins[c] - 1)
                guesses[j] = _settle(np.float64(values[j]), edges[c], bins[c], guess_j)


@kernel("void(uint16[:, ::1], int64[::1], int64[::1], int64[::1], uint32[:, ::1])")
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
    n, factors = levels.shape
    if factors == offset.size:  # each is a group of its own: one straight loop over blocks of rows
        width = _BLOCK * factors
        starts = np.empty(width, np.uint32)
        for j in range(width):
            starts[j] = offset[j % factors]
        flat, flat_out = levels.reshape(levels.size), out.reshape(out.size)
        for begin in range(0, flat.size, width):
            length = min(width, flat.size - begin)
            values, sums = flat[begin : begin + length], flat_out[begin : begin + length]
            for j in range(length):
                sums[j] = starts[j] + values[j]
        return
    for g in range(offset.size):
        start = np.uint32(offset[g])
        for i in range(n):
            out[i, g] = start
    for k in range(factors):
        g, step = group[k], np.uint32(stride[k])
        for i in range(n):
            out[i, g] += step * np.uint32(levels[i, k])


@kernel("void(uint16[:, ::1], uint32[:, ::1], uint32[:, :, ::1])")
def joint_counts(
    code_bins: NDArray[np.uint16],
    joint: NDArray[np.uint32],
    counts: NDArray[np.uint32],
) -> None:
    """Add the rows of ``code_bins (n, D)`` and ``joint (n, G)`` to ``counts (D, bins, S)``.

    Row i adds one to ``counts[d, code_bins[i, d], joint[i, g]]`` for every d and g. Two or three
    at once leave the addresses in registers, which an inner loop over g does not.
    """
    n, codes = code_bins.shape
    groups = joint.shape[1]
    flat = counts.reshape(counts.size)
    # Unsigned, so that numba does not look for x[-1].
    bins, levels = np.uint64(counts.shape[1]), np.uint64(counts.shape[2])
    one = np.uint32(1)
    for first in range(0, groups - groups % 3, 3):
        for i in range(n):
            a, b, c = joint[i, first], joint[i, first + 1], joint[i, first + 2]
            for d in range(codes):
                row = (np.uint64(d) * bins + np.uint64(code_bins[i, d])) * levels
                flat[row + np.uint64(a)] += one
                flat[row + np.uint64(b)] += one
                flat[row + np.uint64(c)] += one
    if groups % 3 == 2:
        for i in range(n):
            a, b = joint[i, groups - 2], joint[i, groups - 1]
            for d in range(codes):
                row = (np.uint64(d) * bins + np.uint64(code_bins[i, d])) * levels
                flat[row + np.uint64(a)] += one
                flat[row + np.uint64(b)] += one
    if groups % 3 == 1:
        for i in range(n):
            a = joint[i, groups - 1]
            for d in range(codes):
                row = (np.uint64(d) * bins + np.uint64(code_bins[i, d])) * levels
                flat[row + np.uint64(a)] += one

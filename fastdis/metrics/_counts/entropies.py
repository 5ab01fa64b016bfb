"""Entropies and mutual informations of tables of counts, many at a time.

N H = N log N - sum of n log n, over the cells of a table or over its margins; I is what is left of
three such sums. Small n log n are looked up.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from fastdis import _kernels
from fastdis._threads import parallel_for

_LOOKED_UP = 1 << 16  # counts below
_GRAIN = 1 << 18  # cells worth a task

Array = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Entropies:
    """What tables ``(R, L, S)`` of D variables along lines and K along columns say, in nats.

    ``line (R, D)`` and ``column (R, K)`` are entropies, ``joint`` and ``mutual (R, K, D)`` those
    of pairs and their mutual informations.
    """

    line: Array
    column: Array
    joint: Array
    mutual: Array


def entropies(tables: Counts, lines: Counts, columns: Counts, rows: int) -> Entropies:
    """Entropies of tables that each count ``rows`` rows.

    Variable d has the lines ``lines[d]`` to ``lines[d + 1]``, variable k the columns ``columns[k]``
    to ``columns[k + 1]``. I of a constant variable is exactly 0.
    """
    sums = np.empty((len(tables), len(columns), len(lines)))
    kernel, x_log_x = _kernels.get("entropy_sums"), _x_log_x()

    def work(a: int, b: int) -> None:
        kernel(tables[a:b], lines, columns, x_log_x, sums[a:b])

    parallel_for(work, len(tables), max(1, _GRAIN // tables[0].size))
    whole = rows * np.log(rows)
    joint, line, column = sums[:, :-1, :-1], sums[:, -1, :-1], sums[:, :-1, -1]
    mutual = ((joint - column[..., None]) - (line[:, None] - whole)) / rows
    joint, line, column = (np.maximum((whole - x) / rows, 0.0) for x in (joint, line, column))
    most = np.minimum(column[..., None], line[:, None])
    return Entropies(line, column, joint, np.clip(mutual, 0.0, most))


def pair_information(counts: Counts, sizes: Sequence[int], estimator: str = "plugin") -> Array:
    """I(v_i, v_j) in nats from counts ``(..., S, S)``, and H(v_i) where i = j: ``(..., K, K)``."""
    cells = [slice(*ends) for ends in itertools.pairwise(np.cumsum([0, *sizes]))]
    result = np.empty((*counts.shape[:-2], len(sizes), len(sizes)))
    for i, rows in enumerate(cells):
        for j, columns in enumerate(cells[: i + 1]):
            result[..., i, j] = _mutual(counts[..., rows, columns], estimator == "miller_madow")
            result[..., j, i] = result[..., i, j]
    return result


def _mutual(counts: Counts, corrected: bool) -> Array:
    """I of the last two axes; the plug-in estimate of independent counts is exactly 0."""
    joint = counts.astype(np.float64)
    n = joint.sum(axis=(-2, -1), keepdims=True)
    product = joint.sum(axis=-1, keepdims=True) * joint.sum(axis=-2, keepdims=True)
    quotient = np.divide(joint * n, product, where=joint > 0, out=np.ones_like(joint))
    total = (joint * np.log(quotient)).sum(axis=(-2, -1))
    if corrected:  # each of the three entropies by (occupied cells - 1) / 2n
        met = joint > 0
        levels = met.any(axis=-1).sum(axis=-1) + met.any(axis=-2).sum(axis=-1)
        total += (levels - met.sum(axis=(-2, -1)) - 1) / 2
    return np.asarray(np.maximum(total / n[..., 0, 0], 0.0))


@cache
def _x_log_x() -> Array:
    x = np.arange(_LOOKED_UP, dtype=np.float64)
    return x * np.log(np.maximum(x, 1.0))

"""How often the levels of each factor met those of every other, and I(v_i, v_j) from it.

The factors are counted as if they were codes. Cells are laid out as in a row of
:attr:`JointHistogram.table`, so that the counts of chunks add in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fastdis.metrics._counts import count as _count
from fastdis.metrics._counts.columns import Data
from fastdis.metrics._counts.histogram import JointHistogram


def pair_counts(data: Data, histogram: JointHistogram) -> NDArray[np.int64]:
    """The counts ``(S, S)`` of the rows that ``histogram`` was made of, S its number of levels.

    Raises
    ------
    ValueError
        If the counts would take more than 512 MiB.
    """
    sizes = histogram.levels
    widest = max(sizes)
    if len(sizes) * widest * sum(sizes) > _count.MAX_CELLS:
        raise ValueError(
            "factors takes levels whose pairs fit 512 MiB, got "
            f"{', '.join(map(str, sizes))} levels; discrete=False cuts a factor into bins"
        )
    lower = np.empty((len(sizes), widest + 1))
    edges = np.zeros((len(sizes), histogram.bins + 1))
    for k, levels in enumerate(histogram.factor_levels):
        if histogram.discrete[k]:
            labels = data.labels[k]
            values = levels if labels is None else np.searchsorted(labels, levels)
            starts = _count.between(values.astype(np.float64))
        else:
            edges[k] = levels
            starts = levels[:-1]
        # An edge that repeats ends the levels of a factor that has fewer than the widest.
        lower[k] = starts[np.minimum(np.arange(widest + 1), len(starts) - 1)]
    table, _ = _count.count(replace(data, codes=data.factors), lower, edges)
    return np.concatenate([table[k, :size] for k, size in enumerate(sizes)])


def pair_information(
    counts: NDArray[np.int64], sizes: Sequence[int], estimator: str = "plugin"
) -> NDArray[np.float64]:
    """I(v_i, v_j) in nats from counts ``(..., S, S)``, and H(v_i) where i = j: ``(..., K, K)``."""
    starts = _count.offsets(sizes)
    cells = [slice(start, start + size) for start, size in zip(starts, sizes, strict=True)]
    result = np.empty((*counts.shape[:-2], len(sizes), len(sizes)))
    for i, rows in enumerate(cells):
        for j, columns in enumerate(cells[: i + 1]):
            result[..., i, j] = _mutual(counts[..., rows, columns], estimator == "miller_madow")
            result[..., j, i] = result[..., i, j]
    return result


def _mutual(counts: NDArray[np.int64], corrected: bool) -> NDArray[np.float64]:
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

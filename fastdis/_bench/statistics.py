"""The row of the statistics: the joint histogram of codes and factors, float32 in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastdis._bench.measure import Contestant, Row, Scale, Trial, pick
from fastdis.metrics import joint_histogram

CODES, FACTORS, BINS = 10, 5, 20


def columns(rows: int, codes: int = CODES) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Continuous factors ``(rows, 5)``, and codes that depend on them, float32."""
    rng = np.random.default_rng(0)
    factors = rng.standard_normal((rows, FACTORS), np.float32)
    z = rng.standard_normal((rows, codes), np.float32)
    z[:, :FACTORS] += factors[:, :codes]
    return factors, z


def _numpy_counts(factors: NDArray[np.float32], codes: NDArray[np.float32]) -> NDArray[np.float64]:
    """``(D, K, bins, bins)``, a pair at a time.

    Contiguous float64 columns are what it is fastest on; on float32 it also rounds its edges.
    """
    z_columns, v_columns = (np.ascontiguousarray(x.T, np.float64) for x in (codes, factors))
    pairs = [np.histogram2d(z, v, BINS)[0] for z in z_columns for v in v_columns]
    return np.stack(pairs).reshape(codes.shape[1], factors.shape[1], BINS, BINS)


def _histogram(scale: Scale) -> Trial:
    rows = pick(scale, 2000, 1_000_000, 1_000_000)
    factors, codes = columns(rows)
    # The peer's time is proportional to the rows; only the full form takes them all each time.
    fewer = pick(scale, 2000, 50_000, 1_000_000)

    def error() -> float:
        counts = joint_histogram(factors, codes, bins=BINS, discrete=False).counts
        return float((counts != _numpy_counts(factors, codes)).sum())

    return Trial(
        [Contestant(lambda: joint_histogram(factors, codes, bins=BINS, discrete=False), rows)],
        [Contestant(lambda: _numpy_counts(factors[:fewer], codes[:fewer]), fewer, "1 thread")],
        error,
        bytes_moved=2 * 4 * (CODES + FACTORS),  # read for the ranges, then for the counts
        multiply_adds=2 * (CODES + FACTORS) + CODES * FACTORS,
    )


ROWS = (
    Row(
        "joint histogram, 10 codes x 5 factors, 20 bins, float32 in",
        "np.histogram2d over the pairs", _histogram, 120, 0.0, "cells that differ", "rows",
        held_back="each row adds one to 50 counters: 50 loads, additions and stores of single "
        "words, which no vector instruction does at once",
    ),
)  # fmt: skip

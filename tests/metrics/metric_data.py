"""Data of the tests of metrics, and entropies by their definitions: loops, numpy.unique."""

from __future__ import annotations

import numpy as np

from fastdis.metrics._catalogue import CATALOGUE

HISTOGRAM_METRICS = ["mig", "dcimig", "jemmig", "modularity"]


FAST_METRICS = [*HISTOGRAM_METRICS, "sap"]


def out_of_range(scores):
    """The scores that are no number, or outside their stated range."""
    return {
        name: value
        for name, value in scores.items()
        if not (
            np.isfinite(value)
            and (CATALOGUE[name].low is None or value >= CATALOGUE[name].low)
            and (CATALOGUE[name].high is None or value <= CATALOGUE[name].high)
        )
    }


def grid(*sizes, repeat=1):
    """All combinations of levels, ``(N, K)`` integers."""
    rows = np.stack(np.meshgrid(*map(np.arange, sizes), indexing="ij"), axis=-1)
    return np.tile(rows.reshape(-1, len(sizes)), (repeat, 1))


def messy(rows=600, seed=0):
    """Factors of several kinds and codes that mix them."""
    rng = np.random.default_rng(seed)
    v = np.stack(
        [rng.integers(0, 4, rows), rng.integers(0, 7, rows) ** 2, rng.integers(0, 3, rows)]
    )
    z = np.tanh(rng.normal(size=(5, 3)) @ (v / [[4], [36], [3]])) + 0.1 * rng.normal(size=(5, rows))
    return v.T, z.T


def cells():
    """Factors, and codes of few values: ``(600, 3)`` each.

    What a classifier says of any row is far from a tie, which the tests check, so that no last
    digit of an iterative fit decides a score.
    """
    rng = np.random.default_rng(7)
    v = rng.integers(0, [2, 3, 4], (600, 3))
    z = np.where(rng.random(v.shape) < 0.7, v, rng.integers(0, [2, 3, 4], v.shape))
    return v, z[:, ::-1] * [1.0, -2.0, 0.5]


def entropy(*columns):
    _, n = np.unique(np.stack(columns, axis=1), axis=0, return_counts=True)
    return -sum(m / sum(n) * np.log(m / sum(n)) for m in n.tolist())


def information(a, b):
    return entropy(a) + entropy(b) - entropy(a, b)


def cut(column, bins):
    edges = np.histogram_bin_edges(column, bins)
    return np.digitize(column, edges[1:-1])

"""The joint histogram beside np.histogram2d, and metrics at the usual size."""

import numpy as np
import pytest

import fastdis as fd
from fastdis import metrics
from fastdis._bench import statistics


@pytest.mark.parametrize("side", ["fastdis", "peer"])
@pytest.mark.parametrize("row", statistics.ROWS, ids=str)
def test_row(contest, row, side):
    contest(row, side)


def test_histogram_metrics(benchmark):
    rng = np.random.default_rng(1)
    space = fd.FactorSpace(
        [
            fd.Factor("frequency", np.linspace(440, 8000, 400)),
            fd.Factor("amplitude", np.linspace(0.1, 1.0, 20)),
            fd.Factor("waveform", np.arange(4.0), "categorical"),
        ]
    )
    table = space.grid()
    codes = rng.normal(size=(len(table), 8)).astype(np.float32)
    names = ["mig", "jemmig", "dcimig", "modularity"]
    scores = benchmark(lambda: metrics.evaluate(table, codes, names))
    assert scores.n == 32_000


def test_dci(benchmark):
    rng = np.random.default_rng(2)
    factors = rng.integers(0, 6, (6000, 3))
    codes = np.hstack([factors + 0.3 * rng.normal(size=(6000, 3)), rng.normal(size=(6000, 5))])
    scores = benchmark.pedantic(lambda: metrics.dci(factors, codes), rounds=3, warmup_rounds=1)
    assert scores.disentanglement > 0.8


def test_sap(benchmark):
    rng = np.random.default_rng(3)
    factors = rng.integers(0, 6, (32_000, 3))
    codes = factors[:, [0, 1, 2, 0, 1, 2, 0, 1]] + rng.normal(size=(32_000, 8))
    assert 0 <= benchmark(lambda: metrics.sap(factors, codes)) <= 1

"""The joint histogram against numpy.histogram2d, and all histogram metrics at the usual size.

Counts are held against NumPy's before anything is timed.
"""

import time

import numpy as np
import pytest

import fastdis as fd
from fastdis import metrics

ROWS, CODES, FACTORS, BINS = 1_000_000, 10, 5, 20


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(ROWS, FACTORS))
    codes = rng.normal(size=(ROWS, CODES))
    codes[:, :FACTORS] += factors
    return factors, codes


def _numpy_counts(factors, codes):
    pairs = [np.histogram2d(z, v, BINS)[0] for z in codes.T for v in factors.T]
    return np.stack(pairs).reshape(codes.shape[1], factors.shape[1], BINS, BINS)


def test_joint_histogram(benchmark, data):
    start = time.perf_counter()
    expected = _numpy_counts(*data)
    numpy_seconds = time.perf_counter() - start
    np.testing.assert_array_equal(metrics.joint_histogram(*data, bins=BINS).counts, expected)
    benchmark.pedantic(
        lambda: metrics.joint_histogram(*data, bins=BINS), rounds=20, warmup_rounds=3
    )
    benchmark.extra_info["threads"] = fd.get_num_threads()
    benchmark.extra_info["numpy_histogram2d_s"] = round(numpy_seconds, 3)
    if benchmark.stats:  # None when benchmarks are disabled
        ratio = numpy_seconds / benchmark.stats.stats.median
        benchmark.extra_info["times_faster_than_numpy"] = round(ratio, 1)


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

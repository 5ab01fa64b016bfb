"""The joint histogram: numpy's counts, plain entropies, levels, and sums of shards."""

from __future__ import annotations

import numpy as np
import pytest

import fastdis as fd
from fastdis import metrics
from fastdis.metrics import MetricWarning
from tests.metrics.metric_data import cut, entropy, information, messy

# The small samples here rightly draw notes on bias; the tests on notes look for them by name.
pytestmark = pytest.mark.filterwarnings("ignore::fastdis.metrics.MetricWarning")


def test_threads_and_the_backend_change_no_bit(monkeypatch):
    rng = np.random.default_rng(4)
    v = rng.integers(0, 5, (200_000, 2))
    z = rng.normal(size=(200_000, 3)).astype(np.float32)
    before = fd.get_num_threads()
    tables = []
    try:
        for threads in (1, 2, 5):
            fd.set_num_threads(threads)
            tables.append(metrics.joint_histogram(v, z).table)
    finally:
        fd.set_num_threads(before)
    monkeypatch.setenv("FASTDIS_BACKEND", "numpy")
    tables.append(metrics.joint_histogram(v, z).table)
    assert all(np.array_equal(table, tables[0]) for table in tables)


def test_counts_are_those_of_numpy():
    rng = np.random.default_rng(5)
    v, z = rng.normal(size=(1000, 2)), rng.normal(size=(1000, 3))
    histogram = metrics.joint_histogram(v, z, bins=7)
    assert histogram.counts.shape == (3, 2, 7, 7)
    for d in range(3):
        for k in range(2):
            expected, *_ = np.histogram2d(z[:, d], v[:, k], bins=7)
            np.testing.assert_array_equal(histogram.counts[d, k], expected)


def test_levels_are_kept_and_their_entropies_are_plain():
    v, z = messy()
    histogram = metrics.joint_histogram(v, z, bins=11)
    assert histogram.n == 600
    assert histogram.levels == (4, 7, 3)
    assert histogram.factor_levels[1].tolist() == [0, 1, 4, 9, 16, 25, 36]
    for k, factor in enumerate(v.T):
        assert histogram.factor_entropy[k] == pytest.approx(entropy(factor))
        for d, code in enumerate(z.T):
            b = cut(code, 11)
            assert histogram.code_entropy[d] == pytest.approx(entropy(b))
            assert histogram.joint_entropy[k, d] == pytest.approx(entropy(factor, b))
            assert histogram.mutual_information[k, d] == pytest.approx(information(factor, b))


def test_sums_of_shards_are_one_pass_to_the_bit():
    rng = np.random.default_rng(6)
    v = np.stack([np.repeat([0.1, 5.0, 7.5, 100.0], 50), rng.normal(size=200)], axis=1)
    z = rng.normal(size=(200, 3))
    whole = metrics.joint_histogram(v, z, bins=8)
    # Sorted by level, so that no shard has seen them all.
    parts = [
        metrics.joint_histogram(v[rows], z[rows], like=whole)
        for rows in (slice(0, 30), slice(30, 110), slice(110, 200))
    ]
    assert parts[0].levels == (1, 8)
    total = sum(parts)
    np.testing.assert_array_equal(total.table, whole.table)
    np.testing.assert_array_equal(total.factor_levels[0], whole.factor_levels[0])
    np.testing.assert_array_equal(total.mutual_information, whole.mutual_information)


def test_text_levels_add_up_too():
    v, z = np.array([["b"], ["a"], ["c"], ["a"]]), np.array([[0.0], [1.0], [2.0], [3.0]])
    whole = metrics.joint_histogram(v, z, bins=2)
    parts = [metrics.joint_histogram(v[r], z[r], like=whole) for r in (slice(0, 2), slice(2, 4))]
    assert parts[1].factor_levels[0].tolist() == ["a", "c"]
    np.testing.assert_array_equal((parts[0] + parts[1]).table, whole.table)


def test_text_and_numbers_do_not_add():
    z = np.arange(4.0)[:, None]
    text = metrics.joint_histogram(np.array([["1"], ["2"]] * 2), z)
    with pytest.raises(ValueError, match=r"all text or all numbers.*'factor 0'"):
        text + metrics.joint_histogram(np.array([[1], [2]] * 2), z)


def test_factors_beyond_the_edges_of_like_are_named():
    v = np.stack([np.arange(40) % 3, np.linspace(0, 1, 40), np.linspace(0, 1, 40)], axis=1)
    like = metrics.joint_histogram(v, v, discrete=[True, False, False])
    with pytest.warns(MetricWarning, match="factors: columns 2 reach beyond"):
        metrics.joint_histogram(v * [5, 1, 2], v, like=like)


def test_histograms_on_other_bins_do_not_add():
    v, z = messy()
    one, other = metrics.joint_histogram(v, z), metrics.joint_histogram(v, 2 * z)
    with pytest.raises(ValueError, match="like="):
        one + other
    with pytest.raises(ValueError, match="agree"):
        one + metrics.joint_histogram(v, z, bins=5)
    with pytest.raises(ValueError, match="like takes"):
        metrics.joint_histogram(v, z[:, :2], like=one)
    with pytest.raises(TypeError):
        one + 1
    with pytest.warns(MetricWarning, match="end bins"):
        assert metrics.joint_histogram(v, 2 * z, like=one).n == len(z)


def test_the_kinds_of_a_table_decide():
    space = fd.FactorSpace(
        [
            fd.Factor("shape", [0, 1, 2], "categorical"),
            fd.Factor("pitch", np.linspace(100, 900, 50)),
            fd.Factor("gain", [0.0, 1.0], "continuous"),
        ]
    )
    table = space.sample(500, seed=0)
    histogram = metrics.joint_histogram(table, table.values, bins=50)
    assert histogram.names == ("shape", "pitch", "gain")
    assert histogram.discrete == (True, True, False)
    assert histogram.levels == (3, 50, 50)
    # No code of 10 bins could tell 50 levels, so an ordered factor is cut into as many.
    assert metrics.joint_histogram(table, table.values, bins=10).levels == (3, 10, 10)
    given_flags = metrics.joint_histogram(
        table, table.values, bins=10, discrete=[True, False, False]
    )
    assert given_flags.levels == (3, 10, 10)
    # A plain array: 50 distinct values are more than 10 bins.
    assert metrics.joint_histogram(table.values, table.values, bins=10).levels == (3, 10, 10)


def test_levels_beyond_a_byte_and_far_apart():
    v = np.repeat(np.arange(400), 3)[:, None] * 1_000_003 - 5
    histogram = metrics.joint_histogram(v, v * 1.0, bins=300)
    assert histogram.levels == (400,)
    assert histogram.factor_entropy[0] == pytest.approx(np.log(400))
    assert metrics.mig(v, v * 1.0, bins=5_000) == pytest.approx(1.0)


def test_levels_with_no_number_between_them_are_told_apart():
    for low in (1.0, -1.0, 0.0, 5e-324, 1e300):
        v = np.array([low, np.nextafter(low, np.inf)] * 8)[:, None]
        histogram = metrics.joint_histogram(v, v, discrete=True)
        assert histogram.counts.sum(axis=2).tolist() == [[[8, 8]]]


def test_whole_numbers_beyond_exact_floats_keep_their_levels():
    constant = np.full((100, 1), 1e17)
    assert metrics.joint_histogram(constant, constant, discrete=True).levels == (1,)
    v = np.array([2.0**60, 2.0**60 + 768] * 50)[:, None]
    histogram = metrics.joint_histogram(v, v - 2.0**60, bins=4, discrete=True)
    assert histogram.counts[0, 0].tolist() == [[50, 0], [0, 0], [0, 0], [0, 50]]
    assert metrics.mig(v, v - 2.0**60) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "sizes", [(2, 3, 4), (30, 40, 2, 2, 600), (400, 20, 4), (1, 5), (5, 1, 1, 4), (3,) + 90 * (1,)]
)
@pytest.mark.parametrize("rows", [50, 60_000])
def test_factors_counted_as_one_are_parted_exactly(sizes, rows):
    """Many rows of few levels are counted by their combinations; the counts may not show it."""
    rng = np.random.default_rng(4)
    factors = np.stack([rng.integers(0, size, rows) for size in sizes], axis=1)
    codes = rng.normal(size=(rows, 3)).astype(np.float32)
    counted = metrics.joint_histogram(factors, codes, bins=7)
    edges = counted.code_edges
    for k, column in enumerate(factors.T):
        levels = np.unique(column)
        for d, code in enumerate(codes.T):
            cut = np.clip(np.searchsorted(edges[d], code.astype(float), "right") - 1, 0, 6)
            expected = [[np.sum((cut == b) & (column == v)) for v in levels] for b in range(7)]
            np.testing.assert_array_equal(counted.counts[d, k, :, : len(levels)], expected)

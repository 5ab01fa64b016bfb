"""The histogram kernels against their NumPy twins, on what could tell them apart."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fastdis._kernels import _jit, histogram, reference


def _bins_of(module, x, edges, bins):
    out = np.full(x.shape, 999, np.uint16)
    module.bin_columns(x, edges, np.asarray(bins, np.int64), out)
    return out


def _assert_bins_agree(x, edges, bins):
    np.testing.assert_array_equal(
        _bins_of(histogram, x, edges, bins), _bins_of(reference, x, edges, bins)
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (15, 3), (16, 3), (17, 2), (100, 10)])
def test_bins_of_odd_shapes(dtype, shape):
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)
    edges = np.tile(np.linspace(-2.0, 2.0, 8)[:-1], (shape[1], 1))
    _assert_bins_agree(x, edges, [7] * shape[1])


def test_bins_of_values_on_and_beside_the_edges():
    for low, high, bins in [
        (0.0, 1.0, 10),
        (-0.1, 0.3, 7),
        (1e9, 1e9 + 1, 20),
        (1e-300, 1e-299, 9),
    ]:
        edges = np.linspace(low, high, bins + 1)
        x = np.concatenate([edges, np.nextafter(edges, -np.inf), np.nextafter(edges, np.inf)])
        _assert_bins_agree(x[:, None].copy(), edges[None, :-1].copy(), [bins])


@settings(max_examples=200, deadline=None)
@given(
    arrays(np.float64, st.integers(2, 40), elements=st.floats(-1e12, 1e12, allow_subnormal=True)),
    st.integers(2, 30),
)
def test_bins_of_any_values(column, bins):
    edges = np.linspace(column.min(), column.max(), bins + 1)[:-1]
    if (np.diff(edges) > 0).all():
        _assert_bins_agree(column[:, None], edges[None], [bins])


def test_bins_of_uneven_edges_and_ragged_counts():
    rng = np.random.default_rng(1)
    edges = np.full((3, 300), np.inf)
    edges[0, :5], edges[1, :300], edges[2, :1] = [0, 1, 1.5, 40, 1e6], np.geomspace(1, 9, 300), [0]
    x = np.concatenate([rng.uniform(-1, 50, (400, 3)), np.repeat(edges[1][:, None], 3, axis=1)])
    _assert_bins_agree(x, edges, [5, 300, 1])


def test_nan_and_infinity_fall_in_the_end_bins():
    x = np.array([[np.nan], [np.inf], [-np.inf], [1e308]])
    edges = np.linspace(0.0, 1.0, 5)[None, :-1].copy()
    assert _bins_of(histogram, x, edges, [4]).ravel().tolist() == [0, 3, 0, 3]
    _assert_bins_agree(x, edges, [4])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bad", [None, np.nan, np.inf, -np.inf])
def test_ranges_agree_and_tell_what_is_not_finite(dtype, bad):
    x = np.random.default_rng(2).normal(size=(50, 3)).astype(dtype)
    x[:, 0] = np.round(100 * x[:, 0])
    if bad is not None:
        x[20, 1] = bad
    results = []
    for module in (histogram, reference):
        low, high, whole = np.full(3, np.inf), np.full(3, -np.inf), np.ones(3, bool)
        verdict = module.column_range(x, low, high, whole)
        assert np.isnan(verdict) == (bad is not None)
        module.column_range(x[:0], low, high, whole)
        results.append((low, high))
        assert whole.tolist() == [True, False, False]
    np.testing.assert_array_equal(results[0], results[1])


@pytest.mark.parametrize("module", [histogram, reference])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_whole_numbers_of_any_size(module, dtype):
    largest = np.finfo(dtype).max
    x = np.array([[-0.0, 1e30, 0.5, 2], [-7, largest, 3, np.nextafter(2, 3, dtype=dtype)]], dtype)
    whole = np.array([True, True, True, True])
    assert module.column_range(x, *np.zeros((2, 4)), whole) == 0.0
    assert whole.tolist() == [True, True, False, False]
    x[1, 0] = np.nan
    module.column_range(x, *np.zeros((2, 4)), whole)
    assert not whole[0]


@pytest.mark.parametrize("module", [histogram, reference])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_distinct_values_and_no_more_than_asked_for(module, dtype):
    x = np.array([[0.0, 1, 5], [-0.0, 2, 5], [1e-40, 1, 5], [-3, 4, 5], [-3, 9, 5]], dtype)
    bits, first = (np.uint32, 1 << 31) if dtype == np.float32 else (np.uint64, 1 << 63)
    sets, sizes = np.full((3, 64), ~np.uint64(0)), np.zeros(3, np.int64)
    columns = np.array([2, 0, 1])
    for _ in range(3):
        module.distinct_values(x.view(bits), np.uint64(first), columns, 3, sets, sizes)
        x[:, 1] += 100  # a set of too many values takes no more
    known = [each[each != ~np.uint64(0)].astype(bits).view(dtype) for each in sets]
    assert sorted(known[0]) == [5]
    np.testing.assert_array_equal(np.sort(known[1]), np.array([-3, 0, 1e-40], dtype))
    assert sizes.tolist() == [1, 3, 4]


@pytest.mark.parametrize("rows", [0, 1, 1000])
def test_joint_levels_agree(rows):
    rng = np.random.default_rng(3)
    levels = rng.integers(0, 50, (rows, 4)).astype(np.uint16)
    group, stride, offset = np.array([[0, 1, 1, 2], [1, 50, 1, 1], [0, 50, 2550, 0]])
    got, expected = np.full((2, rows, 3), 9, np.uint32)
    histogram.joint_levels(levels, group, stride, offset[:3].copy(), got)
    reference.joint_levels(levels, group, stride, offset[:3].copy(), expected)
    np.testing.assert_array_equal(got, expected)
    assert (got[:, 1] == 50 + 50 * levels[:, 1].astype(int) + levels[:, 2]).all()


def test_joint_levels_of_factors_by_themselves_agree():
    levels = np.random.default_rng(3).integers(0, 60_000, (1001, 3)).astype(np.uint16)
    group, stride, offset = np.arange(3), np.ones(3, int), np.array([0, 60_000, 120_000])
    got, expected = np.full((2, 1001, 3), 9, np.uint32)
    histogram.joint_levels(levels, group, stride, offset, got)
    reference.joint_levels(levels, group, stride, offset, expected)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("rows", [0, 1, 1000])
@pytest.mark.parametrize("groups", [1, 2, 3, 4, 5, 6])
def test_counts_agree_and_add(rows, groups):
    rng = np.random.default_rng(3)
    bins, levels = 300, 70_000  # more than a byte holds, and than two
    z = rng.integers(0, bins, (rows, 2)).astype(np.uint16)
    joint = rng.integers(0, levels, (rows, groups)).astype(np.uint32)
    counts = np.ones((2, 2, bins, levels), np.uint32)
    for module, result in zip((histogram, reference), counts, strict=True):
        module.joint_counts(z, joint, result)
    np.testing.assert_array_equal(counts[0], counts[1])
    assert counts[0].sum(dtype=np.int64) == counts[0].size + rows * 2 * groups


def test_without_a_folder_to_write_to_a_kernel_is_compiled_all_the_same(monkeypatch):
    real = _jit.njit

    def read_only(*args, cache, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return real(*args, cache=cache, **options)

    monkeypatch.setattr(_jit, "njit", read_only)
    double = _jit.kernel("float64(float64)")(lambda x: 2 * x)
    assert double(1.5) == 3.0


def test_the_metrics_load_nothing_heavy():
    code = (
        "import sys, fastdis.metrics; "
        "print([m for m in ('numba', 'sklearn', 'scipy', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""Tensors counted on their device: the same integers as by the kernels, and no rows on the host."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from fastdis import metrics
from fastdis.metrics import Bins
from fastdis.metrics._counts import torch_rows as _on_device
from fastdis.metrics._counts.columns import column_facts, distinct_columns
from fastdis.metrics._counts.conventions import CONVENTIONS, settled
from fastdis.metrics._counts.histogram import pair_counts
from fastdis.metrics._evidence import gather
from tests.metrics.metric_data import messy
from tests.torch_devices import on


def counted(factors, codes, bins=20, discrete=None, convention="standard", pairs=False):
    cut, discrete = settled(bins, discrete, convention)
    data = _on_device.read_tensors(factors, codes, cut.count, discrete)
    return _on_device.counted_tensors(data, cut, convention, pairs)


def assert_equal(found, expected):
    np.testing.assert_array_equal(found.table, expected.table)
    np.testing.assert_array_equal(found.code_edges, expected.code_edges)
    assert (found.discrete, found.names) == (expected.discrete, expected.names)
    for got, levels in zip(found.factor_levels, expected.factor_levels, strict=True):
        np.testing.assert_array_equal(got, levels)


def on_the_edges(rows=3000):
    """Codes at multiples of 0.1 and beside them, and factors with a gap between their levels."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 11, (rows, 3)) / 10
    codes = np.nextafter(codes, rng.integers(-1, 3, (rows, 3)) - 0.5)
    return np.where(rng.random((rows, 2)) < 0.5, 1000, 3), codes


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("kind", ["i1", "i2", "i4", "i8", "u1", "f4", "f8", "?"])
def test_counts_are_those_of_the_kernels(device, kind, dtype):
    factors, codes = messy()
    factors, codes = factors.astype(kind), codes.astype(dtype)
    codes[:, 2] = 0.1
    _, found, notes = counted(*on(device, factors, codes))
    assert_equal(found, metrics.joint_histogram(factors, codes))
    assert notes == []


@pytest.mark.parametrize(
    "bins",
    [
        7,
        Bins.quantile(6),
        Bins.equal_width(9, low=-1, high=1),
        Bins.given([-1.0, 0, 0.1, 5], factor_edges=[0.0, 1, 2, 9]),
    ],
    ids=str,
)
@pytest.mark.parametrize("discrete", [None, False, [True, False, True]])
def test_bins_of_every_kind(device, bins, discrete):
    factors, codes = messy()
    _, found, notes = counted(*on(device, factors * 0.1, codes), bins=bins, discrete=discrete)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        expected = metrics.joint_histogram(factors * 0.1, codes, bins=bins, discrete=discrete)
    assert_equal(found, expected)
    assert notes == [str(each.message) for each in caught]


@pytest.mark.parametrize("values", [100, 2000, 1 << 24])
def test_blocks_change_nothing(device, monkeypatch, values):
    monkeypatch.setattr("fastdis.metrics._counts.torch_columns._VALUES", values)
    factors, codes = on_the_edges()
    _, found, _ = counted(*on(device, factors, codes), bins=10)
    assert_equal(found, metrics.joint_histogram(factors, codes, bins=10))


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_every_convention(device, convention):
    factors, codes = on_the_edges()
    for dtype in ("f4", "f8"):
        _, found, _ = counted(*on(device, factors, codes.astype(dtype)), None, None, convention)
        expected = gather(factors, codes.astype(dtype), convention=convention).histogram
        np.testing.assert_array_equal(found.table, expected.table)


def test_factors_against_factors(device):
    factors, codes = messy()
    _, found, _ = counted(*on(device, factors, codes), pairs=True)
    expected = pair_counts(gather(factors, codes).data, metrics.joint_histogram(factors, codes))
    np.testing.assert_array_equal(found.pairs, expected)


def test_the_summary_has_no_rows(device):
    factors, codes = messy()
    data, histogram, _ = counted(*on(device, factors, codes))
    expected = gather(factors, codes).data
    assert (data.factors.shape, data.codes.shape) == ((0, 3), (0, 5))
    assert (data.kinds, data.whole, data.names) == (expected.kinds, expected.whole, expected.names)
    np.testing.assert_array_equal(data.code_range, expected.code_range)
    np.testing.assert_array_equal(data.factor_range, expected.factor_range)
    assert histogram.n == 600


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_short_floats(device, dtype):
    factors, codes = messy()
    tensors = [x.to(dtype) for x in on(device, factors * 0.5, codes)]
    as_array = [x.float().cpu().numpy() for x in tensors]
    assert_equal(counted(*tensors)[1], metrics.joint_histogram(*as_array))


def test_views_and_gradients(device):
    factors, codes = messy()
    v, z = on(device, factors, codes)
    z.requires_grad_()
    _, found, _ = counted(v.T.contiguous().T[::2], z[::2, 1:])
    assert_equal(found, metrics.joint_histogram(factors[::2], codes[::2, 1:]))


def test_ranges_and_levels(device, monkeypatch):
    monkeypatch.setattr("fastdis.metrics._counts.torch_columns._VALUES", 400)
    rng = np.random.default_rng(1)
    x = np.stack([rng.integers(0, 9, 5000) / 7, rng.normal(size=5000), np.full(5000, -0.0)], 1)
    (y,) = on(device, x)
    for got, expected in zip(column_facts("x", y), column_facts("x", x), strict=True):
        np.testing.assert_array_equal(got, expected)
    for limit in (8, 9, 5000):
        found, expected = (distinct_columns(each, [2, 0, 1], limit) for each in (y, x))
        for got, known in zip(found, expected, strict=True):
            assert (got is None) == (known is None)
            np.testing.assert_array_equal(got, known)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_found(device, monkeypatch, bad):
    monkeypatch.setattr("fastdis.metrics._counts.torch_columns._VALUES", 500)
    factors, codes = messy()
    codes[431, 3] = bad
    with pytest.raises(ValueError, match=rf"^codes takes finite values, got {bad} at index \(431"):
        counted(*on(device, factors, codes))


def test_bad_tensors(device):
    v, z = on(device, *messy())
    for factors, codes, error, message in [
        (v[:, 0], z, ValueError, r"factors takes rows and columns, at least one each, got \(600,"),
        (v, z[:, :0], ValueError, r"codes takes rows and columns, at least one each, got \(600, 0"),
        (v, z.to(torch.complex64), TypeError, "codes takes real numbers, got dtype torch.complex"),
        (v[1:], z, ValueError, "same number of rows, got 599 factors and 600 codes"),
        (v + 2**60, z, ValueError, r"factors takes integers up to 2\*\*53"),
    ]:
        with pytest.raises(error, match=message):
            counted(factors, codes)


@pytest.fixture
def stays(device, monkeypatch):
    """A CPU, too, counts where the tensors are; holds that no more than a few values leave it."""
    monkeypatch.setattr(_on_device, "_ON_HOST", ())
    real = torch.Tensor.cpu

    def cpu(tensor):
        assert tensor.numel() < 1000, "rows are copied to the host"
        return real(tensor)

    monkeypatch.setattr(torch.Tensor, "cpu", cpu)
    monkeypatch.setattr(torch.Tensor, "numpy", lambda x: np.array(x.tolist(), str(x.dtype)[6:]))
    return device


def test_the_joint_histogram_stays_on_the_device(stays):
    factors, codes = messy(6000)
    expected = metrics.joint_histogram(factors, codes, bins=4)
    found = metrics.joint_histogram(*on(stays, factors, codes), bins=4)
    assert_equal(found, expected)
    assert_equal(metrics.joint_histogram(*on(stays, factors, codes), like=expected), expected)
    with pytest.raises(ValueError, match="like takes a histogram of the same factors and codes"):
        metrics.joint_histogram(*on(stays, factors, codes[:, 1:]), like=expected)


def test_where_tensors_stay():
    v, z = (torch.empty(5, 2, device="meta") for _ in range(2))
    assert _on_device.stay(v, z)
    assert not _on_device.stay(v, torch.empty(5, 2))
    assert not _on_device.stay(torch.empty(5, 2), torch.empty(5, 2))
    assert not _on_device.stay(v, np.empty((5, 2)))
    assert not _on_device.stay([[1]], [[2]])

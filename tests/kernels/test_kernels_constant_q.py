"""The constant-Q kernels against their NumPy twins."""

import numpy as np
import pytest

from fastdis import _kernels
from fastdis._kernels import reference

native = pytest.importorskip("fastdis._kernels._constant_q")

# N / 2, L, lines; then first and width of each band: usual; lines up to N / 2, N / 2 odd, and bands
# that begin and end anywhere; L of 1; L beyond all lines; runs of four, of one, and less than one.
CASES = [
    (1536, 24, 1200, [(3, 40), (500, 130), (0, 1200), (1199, 1)]),
    (45, 9, 46, [(0, 46), (45, 1), (7, 30), (0, 1)]),
    (64, 1, 65, [(0, 65), (5, 3)]),
    (100, 150, 101, [(0, 101), (99, 2), (40, 20)]),
    (2000, 80, 1900, [(80, 320), (79, 321), (81, 400), (160, 80), (1, 1899)]),
    (1, 1, 2, [(0, 2), (1, 1)]),
    (2, 2, 1, [(0, 1)]),
]


def _arguments(rng, half, lines, bands):
    packed = (rng.standard_normal(half) + 1j * rng.standard_normal(half)).astype(np.complex64)
    twiddle = (0.5 * np.exp(-1j * np.pi * np.arange(lines) / half)).astype(np.complex64)
    first, width = np.array(bands, np.int64).T.copy()
    offset = np.append(0, np.cumsum(width))
    return packed, twiddle, first, offset, rng.standard_normal(offset[-1]).astype(np.float32)


def test_every_kernel_has_a_twin():
    names = [name for name, module in _kernels.NATIVE.items() if module == "_constant_q"]
    assert sorted(names) == ["fill_period", "fold_bands"]
    for name in names:
        assert callable(getattr(native, name))
        assert callable(getattr(reference, name))


@pytest.mark.parametrize(("half", "length", "lines", "bands"), CASES)
def test_fold_bands(rng, half, length, lines, bands):
    arguments = _arguments(rng, half, lines, bands)
    wide = np.full((len(bands), length + 3), 7 + 7j, np.complex64)
    expected = np.empty((len(bands), length), np.complex64)
    native.fold_bands(*arguments, 0.25, wide[:, 1:-2])
    reference.fold_bands(*arguments, 0.25, expected)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(wide[:, 1:-2] / scale, expected / scale, rtol=0, atol=3e-6)
    assert (wide[:, [0, -2, -1]] == 7 + 7j).all()


def test_fold_bands_takes_some_of_the_bands(rng):
    packed, twiddle, first, offset, weight = _arguments(rng, *CASES[0][::2], CASES[0][3])
    every, some = np.empty((4, 24), np.complex64), np.empty((2, 24), np.complex64)
    native.fold_bands(packed, twiddle, first, offset, weight, 1.0, every)
    native.fold_bands(packed, twiddle, first[1:3], offset[1:4], weight, 1.0, some)
    np.testing.assert_array_equal(some, every[1:3])


def test_fold_bands_is_a_real_transform_folded(rng):
    half, length = 60, 12
    y = rng.standard_normal(2 * half)
    _, twiddle, first, offset, weight = _arguments(rng, half, half + 1, [(0, 61), (13, 5)])
    packed = np.fft.fft(y[::2] + 1j * y[1::2]).astype(np.complex64)
    found = np.empty((2, length), np.complex64)
    native.fold_bands(packed, twiddle, first, offset, weight, 1.0, found)
    expected = np.zeros((2, length), complex)
    for k in range(2):
        taps = weight[offset[k] : offset[k + 1]]
        for f, tap in enumerate(taps, start=first[k]):
            expected[k, f % length] += tap * np.fft.rfft(y)[f]
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("samples", "before", "half"), [(10, 0, 5), (9, 4, 8), (1, 0, 1), (3, 3, 4)]
)
def test_fill_period(rng, samples, before, half):
    y = rng.standard_normal(samples).astype(np.float32)
    found, expected = np.full((2, half), np.nan, np.complex64)
    assert native.fill_period(y, before, 1e12, found)
    assert reference.fill_period(y, before, 1e12, expected)
    np.testing.assert_array_equal(found, expected)
    period = found.view(np.float32)
    np.testing.assert_array_equal(np.roll(period, before)[:samples], y)
    assert (np.roll(period, before)[samples:] == 0).all()


@pytest.mark.parametrize("bad", [np.nan, -np.nan, np.inf, -np.inf, 2.0, -2.0])
@pytest.mark.parametrize("place", [0, 17, 39])
def test_fill_period_sees_what_is_too_loud(bad, place):
    y = np.ones(40, np.float32)
    packed = np.empty(32, np.complex64)
    for kernels in (native, reference):
        assert kernels.fill_period(y, 3, 1.0, packed) is True
    y[place] = bad
    for kernels in (native, reference):
        assert kernels.fill_period(y, 3, 1.0, packed) is False


def test_a_kernel_refuses_another_dtype_or_layout(rng):
    arguments = _arguments(rng, 45, 46, CASES[1][3])
    with pytest.raises(ValueError, match="dtype"):
        native.fill_period(np.zeros(8), 0, 1.0, np.empty(4, np.complex64))
    with pytest.raises(ValueError, match="contiguous"):
        native.fill_period(np.zeros(8, np.float32)[::2], 0, 1.0, np.empty(4, np.complex64))
    with pytest.raises(ValueError, match="contiguous"):
        native.fold_bands(*arguments, 1.0, np.empty((9, 4), np.complex64).T)

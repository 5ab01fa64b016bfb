"""The native oscillators against their NumPy twins, where rounding and jumps could part them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from fastdis._kernels import reference
from fastdis.synthesis import SHAPES

native = pytest.importorskip("fastdis._kernels._oscillator")

SAMPLE_RATE = 16000


def render(kernel, shape, frequency, t, *, phase=0.0, harmonics=None) -> NDArray[np.float32]:
    """One clip of each frequency."""
    frequency = np.atleast_1d(np.asarray(frequency, np.float64))
    batch = len(frequency)
    columns = [np.full(batch, SHAPES.index(shape), np.int32), frequency, np.ones(batch)]
    columns.append(np.full(batch, phase, np.float64))
    if harmonics is not None:
        columns.append(np.full(batch, harmonics, np.float64))
    out = np.full((batch, len(t)), np.nan, np.float32)
    kernel(*columns, t, out)
    return out


def assert_twins(name: str, tolerance: float, *arguments, **options) -> None:
    got = render(getattr(native, name), *arguments, **options)
    expected = render(getattr(reference, name), *arguments, **options)
    assert np.abs(got - expected).max(initial=0.0) <= tolerance


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("phase", [0.0, -1e-300, 2.5, -np.pi, 1e4, -7e8, 9e8, -1e11])
def test_naive_equals_its_twin(shape, phase):
    """Phases beyond 2^27 turns take another path; a jump missed by one rounding would show as 2."""
    t = np.arange(1021) / SAMPLE_RATE
    frequency = np.array([0.0, 1e-3, 440.0, SAMPLE_RATE / 3, 7981.0, SAMPLE_RATE / 2])
    # float32 rounding of the half turns; for the sine also how far 2 pi k is from the true one
    tolerance = 3e-7 + (abs(phase) * 1e-16 if shape == "sine" else 0.0)
    assert_twins("oscillator", tolerance, shape, frequency, t, phase=phase)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_remainder_is_exact_within_a_rounding_of_every_jump(shape):
    frequency = 0.5 / np.pi  # omega is 1, so that t is the phase
    assert 2 * np.pi * frequency == 1.0
    half_turns = np.r_[np.arange(-50, 50), 10 ** np.arange(2, 9), 2**28 - 1, 2**28 + 1] * np.pi
    for step in range(-3, 4):
        t = half_turns + step * np.spacing(half_turns)
        assert_twins("oscillator", 6e-7, shape, frequency, t)  # 2^28 sends all down the slow path
        assert_twins("oscillator", 6e-7, shape, frequency, t[t < 8e8])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("harmonics", [0, 1, 2, 3, 8, 11, 12, 13, 22, 23, 24, 25, 26, 60, 1999])
def test_band_limited_equals_the_sum_of_its_harmonics(shape, harmonics):
    """From 12 terms on (24 harmonics of the square) the closed form takes over."""
    t = np.arange(1500) / SAMPLE_RATE
    frequency = SAMPLE_RATE / 2 / (harmonics + 0.37)
    for phase in (0.0, -2.1, 1e9, -1e9):  # the last two by the path for large phases
        tolerance = 3e-6 + 3e-16 * abs(phase) * harmonics  # rounding of h x in the twin
        options = {"phase": phase, "harmonics": harmonics}
        assert_twins("oscillator_band_limited", tolerance, shape, frequency, t, **options)


@pytest.mark.parametrize("shape", ["triangle", "sawtooth", "square"])
def test_band_limited_at_a_very_low_frequency(shape):
    """200,000 harmonics, around both jumps, where the ripple is steepest."""
    t = np.r_[np.arange(-12, 13), 200_000 + np.arange(-12, 13)] / SAMPLE_RATE
    frequency = SAMPLE_RATE / 400_000
    assert_twins("oscillator_band_limited", 3e-6, shape, frequency, t, harmonics=199_999)


@pytest.mark.parametrize("name", ["oscillator", "oscillator_band_limited"])
@pytest.mark.parametrize("batch", [0, 2])
@pytest.mark.parametrize("length", [0, 1, 15, 513])
def test_every_sample_of_out_is_written_and_no_other(name, batch, length):
    harmonics = 30.0 if name.endswith("limited") else None
    whole = np.full((batch + 2, length), 7.0, np.float32)

    def into_the_middle(*arguments):
        getattr(native, name)(*arguments[:-1], whole[1:-1])

    render(into_the_middle, "sawtooth", [200.0] * batch, np.arange(length) / SAMPLE_RATE,
           harmonics=harmonics)  # fmt: skip
    assert (whole[[0, -1]] == 7.0).all()
    assert (np.abs(whole[1:-1]) <= 1.2).all()


def test_arguments_may_be_read_only():
    t = np.arange(8) / SAMPLE_RATE
    t.flags.writeable = False
    assert_twins("oscillator", 3e-7, "sine", 440.0, t)


def test_simd_level_is_named():
    assert native.simd_level() in ("x86-64-v4", "x86-64-v3", "baseline")

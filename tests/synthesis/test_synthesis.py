"""Oscillators: scipy.signal's waveforms, no alias, the same bits in every batch, clear errors."""

import numpy as np
import pytest
from scipy import signal

from fastdis.synthesis import SHAPES, oscillator

SCIPY = {
    "sine": np.sin,
    "triangle": lambda x: signal.sawtooth(x, 0.5),
    "sawtooth": signal.sawtooth,
    "square": signal.square,
}


def worst_alias(clip, frequency, sample_rate=16000.0):
    """The strongest spectral line that is no harmonic, in dB of the strongest that is one."""
    window = np.kaiser(len(clip), 22.0)  # sidelobes below -170 dB, 8 bins from the centre
    spectrum = np.abs(np.fft.rfft(clip.astype(np.float64) * window))
    bins = np.arange(len(spectrum)) * sample_rate / len(clip)
    harmonic = np.round(bins / frequency) * frequency
    is_harmonic = np.abs(bins - harmonic) <= 8 * sample_rate / len(clip)
    return 20 * np.log10(spectrum[~is_harmonic].max() / spectrum[is_harmonic].max())


@pytest.mark.parametrize("time_axis", ["sample", "linspace"])
@pytest.mark.parametrize("shape", SHAPES)
def test_naive_shapes_are_those_of_scipy(shape, time_axis):
    frequency = np.linspace(440, 8000, 400)[::19]  # the published grid; its last is Nyquist
    t = np.arange(16000) / 16000 if time_axis == "sample" else np.linspace(0, 1, 16000)
    got = oscillator(shape, frequency, time_axis=time_axis)
    assert got.shape == (22, 16000)
    assert got.dtype == np.float32
    error = np.abs(got - SCIPY[shape](2 * np.pi * frequency[:, None] * t))
    other_side = error > 1e-5  # of a jump; the remainder is exact, so there is none
    assert other_side.sum() == 0
    assert error.max() <= 3e-7


def test_phase_amplitude_duration_and_rate():
    got = oscillator("sine", 1000.5, 0.25, sample_rate=22050, duration=0.31, phase=-1.2)
    t = np.arange(round(22050 * 0.31)) / 22050
    np.testing.assert_allclose(got[0], 0.25 * np.sin(2 * np.pi * 1000.5 * t - 1.2), atol=1e-7)


def test_a_sawtooth_a_rounding_error_before_its_jump_is_one():
    """scipy.signal divides zero by zero there."""
    assert oscillator("sawtooth", 0.0, phase=-1e-20, duration=1e-4).tolist() == [[1.0, 1.0]]


def test_large_phases_keep_to_the_stated_error():
    phase = np.array([1e3, 1e9, -1e12])
    exact = np.sin(2 * np.pi * np.longdouble(440) * np.arange(100) / 16000 + phase[:, None])
    error = np.abs(oscillator("sine", 440.0, phase=phase, duration=100 / 16000) - exact)
    assert (error.max(axis=1) <= 1e-6 + 2e-16 * np.abs(phase)).all()


@pytest.mark.parametrize("shape", ["triangle", "sawtooth", "square"])
def test_band_limited_does_not_alias_on_the_published_time_axis(shape):
    options = {"duration": 4.096, "band_limited": True, "time_axis": "linspace"}
    clip = oscillator(shape, 1234.5, **options)[0]
    assert worst_alias(clip, 1234.5, (len(clip) - 1) / 4.096) < -110.0


@pytest.mark.parametrize("frequency", [55.3, 261.6, 440.0, 1234.5, 3000.0, 5333.4, 7919.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_band_limited_does_not_alias(shape, frequency):
    clip = oscillator(shape, frequency, duration=4.096, phase=0.3, band_limited=True)[0]
    assert worst_alias(clip, frequency) < -110.0


def test_the_alias_measure_sees_the_naive_one():
    clip = oscillator("triangle", 1234.5, duration=4.096)[0]
    assert worst_alias(clip, 1234.5) > -60.0


@pytest.mark.parametrize("shape", ["triangle", "sawtooth", "square"])
def test_band_limited_nears_the_naive_shape_away_from_jumps(shape):
    """Same sign and phase; what is left out, d from a jump, is below 1 / (H d)."""
    t = np.arange(16000) / 16000
    got = oscillator(shape, 1.0, band_limited=True)[0]
    from_jump = np.abs((2 * t + 0.5) % 1 - 0.5)
    away = from_jump > 0.02
    assert np.abs(got - oscillator(shape, 1.0)[0])[away].max() < 0.005


def test_the_overshoot_is_that_of_gibbs():
    peak = oscillator("square", 10.0, band_limited=True).max()
    assert peak == pytest.approx(1.17898, abs=2e-3)


def test_a_harmonic_at_nyquist_is_left_out():
    assert not oscillator(SHAPES, 8000.0, phase=0.3, band_limited=True).any()
    t = np.arange(16000) / 16000
    fundamental = 4 / np.pi * np.sin(2 * np.pi * 8000 / 3 * t)
    got = oscillator("square", 8000 / 3, band_limited=True)[0]
    np.testing.assert_allclose(got, fundamental, atol=1e-6)


def test_the_nyquist_limit_follows_the_time_axis():
    """Of 16,000 samples over one second, end included, there are 15,999 a second."""
    third = 7999.7 / 3  # its third harmonic lies between the two limits
    sample = oscillator("sawtooth", third, band_limited=True)[0]
    published = oscillator("sawtooth", third, band_limited=True, time_axis="linspace")[0]
    t = np.linspace(0, 1, 16000)
    two = sum(-2 / np.pi / h * np.sin(h * 2 * np.pi * third * t) for h in (1, 2))
    np.testing.assert_allclose(published, two, atol=1e-6)
    assert np.abs(sample).max() > np.abs(published).max() + 0.05
    assert not oscillator("sine", 8000.0, band_limited=True, time_axis="linspace").any()


def test_a_band_limited_sine_is_the_sine():
    frequency = np.linspace(0.5, 7999, 9)
    naive = oscillator("sine", frequency, phase=1.0)
    limited = oscillator("sine", frequency, phase=1.0, band_limited=True)
    np.testing.assert_allclose(naive, limited, atol=5e-7)


def test_shapes_by_name_and_by_index_mean_the_same():
    by_name = oscillator(SHAPES, 440.0)
    assert np.array_equal(by_name, oscillator(np.arange(4, dtype=np.uint8), 440.0))
    assert np.array_equal(by_name, oscillator(np.array(SHAPES), 440.0))
    assert np.array_equal(by_name, oscillator(np.array(SHAPES, object), 440.0))
    assert np.array_equal(by_name[2:3], oscillator(2, 440.0))


def test_any_real_array_is_a_column():
    frequency = np.array([440, 9, 1000, 9, 2500])[::2]
    expected = oscillator("square", [440.0, 1000.0, 2500.0], 0.5)
    assert np.array_equal(oscillator("square", frequency, [0.5]), expected)
    assert np.array_equal(oscillator("square", frequency.astype(np.float32), 0.5), expected)
    assert oscillator("square", 440).shape == (1, 16000)


@pytest.mark.parametrize("band_limited", [False, True])
def test_empty_batch_and_single_sample(band_limited):
    options = {"band_limited": band_limited}
    assert oscillator([], [], duration=0.5, **options).shape == (0, 8000)
    assert oscillator("sine", np.zeros(0, np.float32), **options).shape == (0, 16000)
    for time_axis in ("sample", "linspace"):
        one = oscillator("sine", 440.0, duration=1 / 16000, phase=0.5, time_axis=time_axis,
                         **options)  # fmt: skip
        assert one.shape == (1, 1)
        assert one[0, 0] == pytest.approx(np.sin(0.5), abs=2e-7)


read_only = np.zeros((1, 16000), np.float32)
read_only.flags.writeable = False


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"shape": "sinus"}, ValueError, "shape takes one of 'sine'.*did you mean 'sine'"),
        ({"shape": ["sine", "squared"]}, ValueError, "shape.*got 'squared'; did you mean 'square'"),
        ({"shape": None}, TypeError, "shape takes one of"),
        ({"shape": [0.5]}, TypeError, "shape takes one or a sequence of"),
        ({"shape": True}, TypeError, "shape takes one or a sequence of"),
        ({"shape": [0, 4]}, ValueError, "shape.*from 0 to 3, got 4 at index 1"),
        ({"shape": -1}, ValueError, "shape.*from 0 to 3, got -1 at index 0"),
        ({"shape": [["sine"]]}, ValueError, r"shape.*\(1, 1\)"),
        ({"shape": [["sine"], ["sine", "sine"]]}, ValueError, "shape.*ragged"),
        ({"frequency": -1.0}, ValueError, "frequency takes values in .*got -1"),
        ({"frequency": [440.0, np.nan]}, ValueError, "frequency takes finite.*nan at index 1"),
        ({"frequency": np.inf}, ValueError, "frequency takes finite values"),
        ({"frequency": [440.0, 8000.001]}, ValueError, "frequency.*8000 Hz, got 8000.001 at index"),
        ({"frequency": 0.0, "band_limited": True}, ValueError, "frequency takes values from 0.000"),
        ({"frequency": "440"}, TypeError, "frequency takes real numbers"),
        ({"frequency": [[440.0]]}, ValueError, r"frequency takes 0 or 1 dimension.*\(1, 1\)"),
        ({"frequency": 440j}, TypeError, "frequency takes real numbers"),
        ({"amplitude": 1.01}, ValueError, r"amplitude takes values in \[0, 1\], got 1.01"),
        ({"amplitude": -0.1}, ValueError, "amplitude"),
        ({"amplitude": np.nan}, ValueError, "amplitude takes finite"),
        ({"phase": np.inf}, ValueError, "phase takes finite"),
        ({"phase": [0.0, 1.0, 2.0], "amplitude": [1.0, 0.5]}, ValueError,
         r"frequency, amplitude and phase.*amplitude \(2,\), phase \(3,\)"),
        ({"frequency": [], "phase": [0.0, 1.0]}, ValueError, r"frequency \(0,\), phase \(2,\)"),
        ({"sample_rate": 0}, ValueError, "sample_rate takes a number > 0"),
        ({"sample_rate": np.nan}, ValueError, "sample_rate takes a finite"),
        ({"sample_rate": 10**400}, ValueError, "sample_rate takes a finite"),
        ({"sample_rate": "16k"}, TypeError, "sample_rate takes a number"),
        ({"duration": 0.0}, ValueError, "duration takes a number > 0"),
        ({"duration": -1.0}, ValueError, "duration takes a number > 0"),
        ({"duration": 3e-5}, ValueError, "duration takes a clip of at least one sample"),
        ({"duration": 1e300}, ValueError, "duration takes a clip of at least one sample"),
        ({"time_axis": "linspac"}, ValueError, "time_axis takes one of.*did you mean 'linspace'"),
        ({"band_limited": "no"}, TypeError, "band_limited takes True or False"),
        ({"out": np.zeros((1, 16000))}, TypeError, "out takes.*float32.*float64"),
        ({"out": np.zeros(16000, np.float32)}, ValueError, r"out takes.*\(1, 16000\).*\(16000,\)"),
        ({"out": np.zeros((1, 32000), np.float32)[:, ::2]}, ValueError, "out.*not contiguous"),
        ({"out": read_only}, ValueError, "out takes.*read-only"),
        ({"out": [0.0]}, TypeError, "out takes"),
    ],
)  # fmt: skip
def test_errors_name_the_argument(change, error, message):
    with pytest.raises(error, match=message):
        oscillator(**{"shape": "sine", "frequency": 440.0, **change})

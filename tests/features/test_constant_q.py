"""The constant-Q transform against librosa, against its definition in float64, and its edges."""

import librosa
import numpy as np
import pytest

from fastdis.features import cqt
from fastdis.features.constant_q import filters as filters_of
from fastdis.features.constant_q import transform
from fastdis.features.constant_q.filters import Shape, band, shape_of
from fastdis.features.constant_q.plan import ConstantQSettings, plan_for
from tests.ids import text_of

pytestmark = pytest.mark.filterwarnings("ignore:n_fft=.* is too large")

SMALL = {"sr": 8000, "fmin": 200.0, "n_bins": 24, "hop_length": 100}


def filters_for(samples, **options):
    return plan_for(ConstantQSettings(**options), samples, padded=False)


def tone(frequency, sr, seconds=2.0):
    return np.sin(2 * np.pi * frequency / sr * np.arange(round(seconds * sr)) + 0.4)


def by_hand(y, window="hann", norm=1, scale=True, analytic=True, **options):
    """The sum over the filters' samples in float64, of the positive frequencies of ``y``."""
    filters = filters_for(len(y), window=window, norm=norm, scale=scale, **options)
    side = filters.reach + 1
    padded = np.pad(y.astype(np.float64), 4 * side)
    if analytic:
        spectrum = np.fft.fft(padded, 4 * len(padded))
        spectrum[len(spectrum) // 2 + 1 :] = 0
        padded = np.fft.ifft(spectrum)
    result = np.empty((filters.bins, filters.frames), np.complex128)
    for k, (frequency, length) in enumerate(zip(filters.frequencies, filters.lengths, strict=True)):
        j = np.arange(-int(length // 2), int(length // 2) + 1)
        taps = shape_of(window).at(j / length)
        size = {None: 1, np.inf: taps.max(), 1: taps.sum(), 2: np.sqrt(taps @ taps)}[norm]
        taps = taps * (np.sqrt(length) if scale else length) / size
        kernel = taps * np.exp(-2j * np.pi * frequency / filters.sr * j)
        starts = 4 * side + filters.hop * np.arange(filters.frames)
        result[k] = padded[starts[:, None] + j] @ kernel
    return result


# Most are librosa's defaults but for what is named; with an odd hop it does not halve the rate.
LIBROSA = [
    {},
    {"sr": 16000, "n_bins": 60},
    {"sr": 16000, "n_bins": 72, "hop_length": 128},
    {"sr": 44100, "n_bins": 84, "hop_length": 441},
    {"sr": 8000, "fmin": 60.0, "n_bins": 60},
    {"bins_per_octave": 24, "n_bins": 120},
    {"filter_scale": 2.0},
    {"filter_scale": 0.5, "n_bins": 72, "hop_length": 331},
    {"scale": False},
    {"scale": False, "hop_length": 441},
    {"norm": 2, "hop_length": 441},
    {"norm": np.inf, "hop_length": 441},
    {"norm": None, "hop_length": 441, "scale": False},
    {"tuning": 0.3},
    {"window": "hamming"},
    {"n_bins": 1, "fmin": 440.0},
]


@pytest.mark.parametrize("options", LIBROSA, ids=str)
def test_magnitudes_are_librosas_within_one_percent_of_the_peak(options):
    sr, fmin = options.get("sr", 22050), options.get("fmin", librosa.note_to_hz("C1"))
    octaves = options.get("n_bins", 84) / options.get("bins_per_octave", 12)
    places = [0, 0.03] if octaves < 1 else [0.03, octaves / 2 + 0.04, octaves - 0.1]
    for place in places:
        y = tone(fmin * 2**place, sr, 3.0)
        expected, found = np.abs(librosa.cqt(y, **options)), np.abs(cqt(y, **options))
        frames = min(expected.shape[1], found.shape[1])
        steady = slice(frames // 3, 2 * frames // 3)
        error = np.abs(found - expected[:, : found.shape[1]])[:, steady].max()
        assert error <= 0.01 * expected.max()


@pytest.mark.parametrize("window", ["hann", "hamming", "blackman", ("kaiser", 8.0)], ids=str)
def test_they_are_librosas_more_closely_where_it_cuts_no_corners(window):
    """At the full rate, and with nothing left out of its filters."""
    options = {"sr": 16000, "n_bins": 48, "hop_length": 441, "window": window}
    for frequency in (33.4, 200.0, 460.0):
        y = tone(frequency, 16000, 3.0)
        found, expected = np.abs(cqt(y, **options)), np.abs(librosa.cqt(y, **options, sparsity=0))
        error = np.abs(found - expected)[:, 36:72].max()
        assert error <= 1e-3 * expected.max()


def test_short_filters_are_librosas_within_two_hundredths():
    """Those of the additive toy data set, which librosa rounds to whole samples."""
    options = {"sr": 8000, "fmin": 100.0, "n_bins": 60, "hop_length": 128}
    for bins in np.linspace(0.0, 58.0, 20):
        y = tone(100.0 * 2.0 ** (bins / 12), 8000)
        found, expected = np.abs(cqt(y, **options)), np.abs(librosa.cqt(y, **options))
        middle = slice(found.shape[1] // 3, 2 * found.shape[1] // 3)
        error = np.abs(found - expected)[:, middle].max()
        assert error <= 0.02 * expected[:, middle].max()


def test_phases_are_librosas():
    y = tone(442.0, 16000, 3.0)
    found, expected = (f(y, sr=16000, n_bins=60, hop_length=441) for f in (cqt, librosa.cqt))
    assert np.abs(found - expected)[:, 30:70].max() <= 0.01 * np.abs(expected).max()


@pytest.mark.parametrize("norm", [2, np.inf])
def test_other_norms_are_librosas_times_what_its_halved_rates_leave(norm):
    options = {"sr": 16000, "fmin": 100.0, "n_bins": 72, "hop_length": 256, "norm": norm}
    filters = filters_for(32000, **options)
    for k in (4, 16, 28, 40, 52, 64):  # once an octave
        y = tone(filters.frequencies[k], 16000)
        found, expected = np.abs(cqt(y, **options))[k, 62], np.abs(librosa.cqt(y, **options))[k, 62]
        halvings = 5 - k // 12
        assert expected / found == pytest.approx(2 ** (-halvings * (1 - 1 / norm)), rel=0.02)


@pytest.mark.parametrize("norm", [1, 2])
def test_no_bands_of_octaves_on_a_sweep(norm):
    sr, seconds, low, high = 16000, 12, 100.0, 6400.0
    rate = np.log(high / low) / seconds
    t = np.arange(sr * seconds) / sr
    y = np.sin(2 * np.pi * low * np.expm1(rate * t) / rate)
    options = {"sr": sr, "hop_length": 64, "fmin": 130.8, "n_bins": 60, "norm": norm}
    peaks = np.abs(cqt(y, **options)).max(axis=1)
    lengths = filters_for(sr, **options).lengths
    level = np.log(peaks / lengths ** (0.5 if norm == 1 else 1.0))
    assert np.abs(np.diff(level)).max() < 1e-3  # 0.01 dB from any bin to the next
    assert np.ptp(level) < 6e-3


def test_every_filter_answers_alike():
    options = {"sr": 16000, "fmin": 100.0, "n_bins": 60, "hop_length": 777}
    filters = filters_for(16000, **options)
    for off in (0.0, 0.5, 1.5):
        tones = [tone(f * 2 ** (off / 12), 16000, 1.0) for f in filters.frequencies]
        answers = np.abs(cqt(np.array(tones), **options))[np.arange(60), np.arange(60), 10]
        answers /= np.sqrt(filters.lengths)
        assert np.ptp(answers) < 5e-4 * 0.5
    assert answers[0] < 0.45 * 0.5  # one bin and a half off


# Options and the error allowed, of the peak. A window with a jump is cut off far from its middle.
DEFINED = [
    ({}, 1e-4),
    ({"hop_length": 101}, 1e-4),
    ({"hop_length": 4001, "n_bins": 30}, 3e-4),
    ({"norm": 2, "scale": False}, 1e-4),
    ({"norm": np.inf, "tuning": -0.4}, 1e-4),
    ({"norm": None, "scale": False}, 2e-4),
    ({"filter_scale": 0.3}, 3e-4),
    ({"bins_per_octave": 5, "n_bins": 15}, 2e-4),
    ({"window": "hamming"}, 5e-4),
    ({"window": "blackman"}, 1e-4),
    ({"window": ("kaiser", 8.0)}, 5e-4),
    ({"window": np.bartlett}, 2e-4),
    ({"n_bins": 1}, 1e-4),
]


@pytest.mark.parametrize(("options", "at_most"), DEFINED, ids=text_of)
def test_it_is_its_definition_in_float64(rng, options, at_most):
    options = SMALL | options
    click = np.where(np.arange(4000) == 234, 1.0, 0.0)
    for y in (tone(430.0, 8000, 0.5), rng.standard_normal(4000), click):
        expected = by_hand(y, **options)
        found = cqt(y, **options)
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= at_most * np.abs(expected).max()


@pytest.mark.parametrize("window", ["hann", "blackman", "nuttall", "flattop"])
def test_a_spectrum_in_closed_form_is_the_transformed_one(monkeypatch, window):
    shape, period = shape_of(window), 40_000
    assert len(shape.cosines) <= 6
    for radians, length in ((0.02, 3000.7), (1.3, 1200.2), (3.1, 901.0)):
        first, values = band(shape, radians, length, period)
        with monkeypatch.context() as patch:
            patch.setattr(filters_of, "_closed_form", None)  # would fail if it was called
            begin, expected = band(Shape(shape.grid, None), radians, length, period)
        assert abs(begin - first) <= 2
        assert abs(begin + len(expected) - first - len(values)) <= 2
        low, high = max(begin, first), min(begin + len(expected), first + len(values))
        error = values[low - first : high - first] - expected[low - begin : high - begin]
        assert np.abs(error).max() <= 1e-7 * np.abs(expected).max()
        assert high - low < period / 8


def test_negative_frequencies_hardly_matter(rng):
    y = rng.standard_normal(4000)
    expected = by_hand(y, analytic=False, **SMALL)
    assert np.abs(cqt(y, **SMALL) - expected).max() <= 3e-4 * np.abs(expected).max()


def test_any_hop_takes_its_frames_out_of_all(rng):
    y = rng.standard_normal(700).astype(np.float32)
    options = SMALL | {"hop_length": 1}
    every = cqt(y, **options)
    assert every.shape == (24, 701)
    for hop in (2, 7, 64, 101, 350, 351, 699, 700, 701, 5000):
        found = cqt(y, **options | {"hop_length": hop})
        assert found.shape == (24, 1 + 700 // hop)
        assert np.abs(found - every[:, ::hop]).max() <= 1e-4 * np.abs(every).max()


def test_a_filter_longer_than_the_clip_sees_zeros():
    options = {"sr": 8000, "hop_length": 128, "n_bins": 80}
    short = tone(50.0, 8000, 0.1)
    assert filters_for(800, **options).lengths[0] > 5 * 800
    padded = np.pad(short, (1280, 7000))
    found, expected = cqt(short, **options), cqt(padded, **options)[:, 10:17]
    assert found.shape == (80, 7)
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("samples", [1, 2, 99])
def test_a_clip_of_few_samples(samples):
    y = np.ones(samples)
    expected = by_hand(y, **SMALL)
    assert np.abs(cqt(y, **SMALL) - expected).max() <= 3e-4 * np.abs(expected).max()


@pytest.mark.parametrize("mode", ["edge", "linear_ramp", "reflect", "symmetric"])
def test_pad_modes_extend_the_clip(rng, mode):
    y = rng.standard_normal(3000)
    reach = filters_for(3000, **SMALL).reach
    assert reach % SMALL["hop_length"] != 0
    found = cqt(y, pad_mode=mode, **SMALL)
    hops = -(-(reach + 1) // 100)
    longer = np.pad(y, 100 * hops, mode=mode)
    if mode == "linear_ramp":
        longer = np.pad(np.pad(y, (reach, reach + 1), mode=mode), 100 * hops)
        longer = longer[reach : reach + 3000 + 200 * hops]
    expected = cqt(longer, **SMALL)[:, hops : hops + found.shape[1]]
    assert np.abs(found - expected).max() <= 2e-4 * np.abs(expected).max()


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect"])
@pytest.mark.parametrize("hop", [1, 100, 3001])
def test_long_clips_go_in_blocks(rng, monkeypatch, hop, mode):
    y = rng.standard_normal((2, 9001)).astype(np.float32)
    options = SMALL | {"hop_length": hop, "pad_mode": mode}
    expected = cqt(y, **options)
    monkeypatch.setattr(transform, "_BLOCK", 100)
    found = cqt(y, **options)
    assert np.abs(found - expected).max() <= 3e-4 * np.abs(expected).max()
    monkeypatch.setattr(transform, "_FOLDED", 200)  # and few filters at a time
    np.testing.assert_allclose(cqt(y, **options), found, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("hop", [1, 2, 100])
def test_short_filters_and_a_single_one(rng, monkeypatch, hop):
    """The longest spans under two samples, and both transforms may have the same length.

    So short a filter knows no frequency: that half of its spectrum is left out rings on for long.
    """
    y = rng.standard_normal(600).astype(np.float32)
    for count in (1, 3):
        options = SMALL | {"hop_length": hop, "n_bins": count, "filter_scale": 2e-3, "fmin": 150.0}
        expected = by_hand(y, **options)
        assert filters_for(600, **options).reach == 0
        assert np.abs(cqt(y, **options) - expected).max() <= 0.06 * np.abs(expected).max()
        with monkeypatch.context() as patch:
            patch.setattr(transform, "_FOLDED", 1)
            assert np.abs(cqt(y, **options) - expected).max() <= 0.06 * np.abs(expected).max()
            patch.setattr(transform, "_BLOCK", 100)
            found = cqt(y, **options)
        assert found.shape == expected.shape
        assert np.abs(found).max() < 2 * np.abs(expected).max()


def test_a_clip_does_not_depend_on_its_batch_or_the_threads(rng, threads, monkeypatch):
    y = rng.standard_normal((9, 3000)).astype(np.float32)
    y[3] *= 1e9
    for block in (2**16, 100):
        monkeypatch.setattr(transform, "_BLOCK", block)
        threads(1)
        expected = np.stack([cqt(clip, **SMALL) for clip in y])
        for number in (1, 2, 3):
            threads(number)
            np.testing.assert_array_equal(cqt(y, **SMALL), expected)


def test_all_kinds_of_arrays(rng):
    y = rng.standard_normal((4, 2000)).astype(np.float32)
    expected = cqt(y, **SMALL)
    assert expected.dtype == np.complex64
    assert expected.flags.c_contiguous
    for other in (
        y.astype(np.float64),
        np.asfortranarray(y),
        y.tolist(),
        np.repeat(y, 2, 1)[:, ::2],
    ):
        np.testing.assert_array_equal(cqt(other, **SMALL), expected)
    out = np.empty_like(expected)
    assert cqt(y, **SMALL, out=out) is out
    np.testing.assert_array_equal(out, expected)
    assert cqt(y[:0], **SMALL).shape == (0, 24, 21)
    assert (cqt(0 * y, **SMALL) == 0).all()
    np.testing.assert_array_equal(cqt(8 * y, **SMALL), 8 * expected)


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (np.array([0.0, np.nan]), ValueError, "y takes finite values, got nan at index"),
        (np.array([[0.0, 0.0], [0.0, -np.inf]]), ValueError, r"finite values, got -inf .*\(1, 1\)"),
        (np.array([0.0, 1e13]), ValueError, "y takes audio up to 1e"),
        (np.zeros(0), ValueError, "at least one sample"),
        (np.zeros((2, 0)), ValueError, "at least one sample"),
        (np.zeros((1, 2, 3)), ValueError, "dimension"),
        (np.zeros(9, np.int16), TypeError, "floating-point audio"),
        (np.zeros(9, np.complex64), TypeError, "real numbers"),
    ],
)
def test_bad_audio_is_refused(y, error, message):
    with pytest.raises(error, match=message):
        cqt(y, **SMALL)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"sr": 0}, ValueError, "sr takes"),
        ({"hop_length": 0}, ValueError, "hop_length takes"),
        ({"hop_length": 1.5}, TypeError, "hop_length takes"),
        ({"fmin": -1.0}, ValueError, "fmin takes a number > 0"),
        ({"fmin": 4000.0}, ValueError, "fmin takes at most 38"),
        ({"fmin": 1e-4}, ValueError, "fmin takes a frequency whose filter is at most"),
        ({"fmin": 1e-320, "tuning": -900}, ValueError, "fmin takes a frequency whose filter"),
        ({"fmin": 1e300, "tuning": 900}, ValueError, "fmin takes at most"),
        ({"filter_scale": 1e300}, ValueError, "fmin takes a frequency whose filter"),
        ({"bins_per_octave": 1, "n_bins": 2**20}, ValueError, "n_bins takes at most 4"),
        ({"n_bins": 0}, ValueError, "n_bins takes"),
        ({"bins_per_octave": 0}, ValueError, "bins_per_octave takes"),
        ({"tuning": None}, TypeError, "tuning takes a number"),
        ({"filter_scale": 0}, ValueError, "filter_scale takes"),
        ({"norm": -1}, ValueError, "norm takes"),
        ({"norm": -np.inf}, ValueError, "norm takes"),
        ({"norm": "l1"}, TypeError, "norm takes"),
        ({"scale": 1}, TypeError, "scale takes True or False"),
        ({"window": "hahn"}, ValueError, "window takes a name"),
        ({"window": np.hanning(9)}, TypeError, "window takes a name"),
        ({"window": ("kaiser", [1])}, TypeError, "window takes a name"),
        ({"window": ("gaussian", 20.0)}, ValueError, "same shape at every length"),
        ({"window": lambda n: np.linspace(0, 1, n)}, ValueError, "symmetric"),
        ({"window": lambda n: np.ones(7)}, ValueError, "as many values as it is asked for"),
        ({"window": lambda n: np.zeros(n)}, ValueError, "of a sum above 0"),
        ({"window": lambda n: np.full(n, np.nan)}, ValueError, "window takes finite values"),
        ({"pad_mode": "wrap"}, ValueError, "pad_mode takes one of"),
        ({"pad_mode": "reflect"}, ValueError, "pad_mode='reflect' with filters of 693 samples"),
        ({"out": np.zeros((24, 5), np.complex64)}, ValueError, "out takes"),
    ],
    ids=text_of,
)
def test_a_bad_parameter_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        cqt(np.zeros(300), **SMALL | options)


def test_bins_beyond_nyquist_say_how_many_fit():
    """The limit is librosa's."""
    y = np.zeros(30_000)
    with pytest.raises(ValueError, match=r"n_bins takes at most 101, .* got 200"):
        cqt(y, n_bins=200)
    assert cqt(y, n_bins=101).shape == (101, 59)
    librosa.cqt(y, n_bins=101)
    with pytest.raises(ValueError, match="at most 101"):
        cqt(y, n_bins=102)
    with pytest.raises(librosa.ParameterError, match="Nyquist"):
        librosa.cqt(y, n_bins=102)


def test_a_plan_is_made_once_and_cannot_be_changed():
    first = filters_for(4000, **SMALL)
    assert filters_for(4000, **SMALL) is first
    assert filters_for(4001, **SMALL) is not first
    assert first.period == first.hop * first.folded
    assert first.period >= 4000 + first.reach + 1
    assert (first.first >= 0).all()
    assert (first.first + first.width <= first.period // 2 + 1).all()
    with pytest.raises(ValueError, match="read-only"):
        first.weight[0] = 1

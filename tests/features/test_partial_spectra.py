"""Mel spectrograms of partials without their samples: those of their samples."""

import numpy as np
import pytest

import fastdis as fd
from fastdis.features import mel_of_partials
from fastdis.synthesis import Partials, additive, harmonic_partials

RATE = 16000


def _tones(rng, batch=7, count=4):
    shape = batch, count
    frequency, amplitude = rng.uniform(0, 0.52 * RATE, shape), rng.uniform(-1, 1, shape)
    return Partials(frequency, amplitude, np.zeros(shape), rng.uniform(-9, 9, shape))


def _from_samples(partials, duration=1.0, **options):
    audio = additive(partials, sample_rate=RATE, duration=duration)
    return fd.melspectrogram(audio, sr=RATE, **options)


@pytest.mark.filterwarnings("ignore:.*mel filters hold no")
@pytest.mark.parametrize(
    ("duration", "options"),
    [
        (1.0, {}),
        (1.0, {"power": 1.0, "n_mels": 40, "fmin": 50.0, "fmax": 7000.0, "htk": True}),
        (1.0, {"center": False, "norm": None}),
        (0.5, {"n_fft": 512, "hop_length": 160}),
        (0.5, {"n_fft": 1023, "hop_length": 101}),  # neither even nor a power of two
        (0.3, {"n_fft": 400, "hop_length": 390}),
        (1.0, {"hop_length": 5000}),
        (0.2, {"n_fft": 1000, "hop_length": 3000, "center": False}),
        (0.15, {}),  # two frames of five lie within the clip
        (0.1, {}),  # none does
        (1 / RATE, {"n_fft": 256}),
        (0.2, {"n_fft": 2048, "hop_length": 3}),  # too many frames over the ends to go at once
        (0.1, {"n_fft": 16384, "hop_length": 64}),
    ],
    ids=str,
)
def test_it_is_the_mel_spectrogram_of_the_samples(rng, duration, options):
    partials = _tones(rng, batch=3)
    found = fd.melspectrogram_of_partials(partials, sr=RATE, duration=duration, **options)
    expected = _from_samples(partials, duration, **{"hop_length": 512} | options)
    assert found.dtype == np.float32
    peak = expected.max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(found / peak, expected / peak, rtol=0, atol=3e-6)
    heard = expected > peak * (1e-6 if options.get("power") != 1.0 else 1e-3)
    np.testing.assert_allclose(found[heard], expected[heard], rtol=1e-3)


def test_arrays_of_any_kind_and_partials_that_are_not_there(rng):
    tones = _tones(rng, batch=2, count=6)
    wide = [np.repeat(column, 2, axis=1) for column in tones]
    for column in wide:
        column.setflags(write=False)
    strided = Partials(*(column[:, ::2] for column in wide))
    expected = fd.melspectrogram_of_partials(tones, sr=RATE)
    np.testing.assert_array_equal(fd.melspectrogram_of_partials(strided, sr=RATE), expected)
    lists = [column.tolist() for column in tones]
    np.testing.assert_array_equal(fd.melspectrogram_of_partials(lists, sr=RATE), expected)
    for shape in ((3, 0), (0, 2)):
        mels = fd.melspectrogram_of_partials([np.zeros(shape)] * 4, sr=RATE)
        assert mels.shape == (shape[0], 128, 32)
        assert not mels.any()


def test_a_harmonic_series(rng):
    partials = harmonic_partials(rng.uniform(60, 900, 9), 20, slope=-0.5, sample_rate=RATE)
    found = fd.power_to_db(fd.melspectrogram_of_partials(partials, sr=RATE), ref=1.0, top_db=None)
    expected = fd.power_to_db(_from_samples(partials), ref=1.0, top_db=None)
    heard = expected > expected.max(axis=(1, 2), keepdims=True) - 80
    assert np.abs(found - expected)[heard].max() < 0.015


def _with(partials, **columns):
    return partials._replace(**columns)


def test_what_it_refuses(rng):
    tones = _tones(rng, batch=2, count=2)
    column = np.ones((2, 2))
    decay = np.array([[0.0, 0.0], [0.0, 3.5]])
    for kind, message, partials, options in (
        (ValueError, r"decay takes 0 .* got 3.5 at index \(1, 1\)", _with(tones, decay=decay), {}),
        (ValueError, "amplitude takes finite", _with(tones, amplitude=column * np.nan), {}),
        (ValueError, "amplitude takes magn", _with(tones, amplitude=-1e12 * column), {}),
        (ValueError, "frequency takes", _with(tones, frequency=-column), {}),
        (ValueError, "shape", _with(tones, phase=np.zeros((2, 3))), {}),
        (TypeError, "partials takes", 440.0, {}),
        (ValueError, "n_fft takes an integer >= 256", tones, {"n_fft": 255}),
        (ValueError, "n_fft takes at most", tones, {"duration": 0.1, "center": False}),
        (ValueError, "duration takes", tones, {"duration": 0.0}),
        (ValueError, "duration takes", tones, {"duration": 1e-9}),
        (ValueError, "sr takes", tones, {"sr": -1.0}),
        (ValueError, "power takes", tones, {"power": 0.0}),
        (ValueError, "hop_length takes", tones, {"hop_length": 0}),
        (ValueError, "amplitude takes values whose mel", _with(tones, amplitude=1e9 * column),
         {"power": 9.0}),
    ):  # fmt: skip
        with pytest.raises(kind, match=message):
            fd.melspectrogram_of_partials(partials, **{"sr": RATE} | options)


def test_few_frames_at_a_time_change_nothing(rng, monkeypatch):
    partials = _tones(rng, batch=3)
    expected = fd.melspectrogram_of_partials(partials, sr=RATE, hop_length=100)
    monkeypatch.setattr(mel_of_partials, "_SAMPLES_AT_ONCE", 3 * 2048)
    found = fd.melspectrogram_of_partials(partials, sr=RATE, hop_length=100)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6 * expected.max())

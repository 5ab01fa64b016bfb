"""Features against librosa, against float64 arithmetic, and with all kinds of arrays."""

import warnings

import librosa
import numpy as np
import pytest

from fastdis.datasets import SynTone
from fastdis.features import db_to_power, mel_filters, melspectrogram, power_to_db, stft
from tests.ids import text_of

pytestmark = [
    pytest.mark.filterwarnings("ignore:n_fft=.* is too large"),
    pytest.mark.filterwarnings("ignore:.*mel filters hold no"),
    pytest.mark.filterwarnings("ignore:Empty filters detected"),
]


# samples, framing: usual; odd lengths and frame counts; several blocks; gaps between frames;
# a short window; one frame; a clip shorter than a frame; every way of padding.
FRAMINGS = [
    (16000, {}),
    (16001, {"n_fft": 1024}),
    (9999, {"n_fft": 400, "hop_length": 160}),
    (8000, {"n_fft": 511, "hop_length": 100, "win_length": 400}),
    (8000, {"n_fft": 512, "hop_length": 700, "window": "hamming"}),
    (3000, {"n_fft": 512, "hop_length": 31, "window": ("kaiser", 8.0)}),
    (400, {"n_fft": 400, "center": False}),
    (5001, {"n_fft": 512, "center": False, "win_length": 300}),
    (700, {}),
    (1, {"n_fft": 63, "hop_length": 16}),
    (3000, {"n_fft": 512, "pad_mode": "reflect"}),
    (257, {"n_fft": 512, "pad_mode": "reflect"}),
    (3000, {"n_fft": 511, "pad_mode": "edge", "window": np.arange(1.0, 512.0)}),
    (3000, {"n_fft": 512, "pad_mode": "linear_ramp", "window": np.bartlett}),
    (3000, {"n_fft": 512, "pad_mode": "symmetric"}),
]


@pytest.fixture(params=FRAMINGS, ids=text_of)
def framed(request, rng):
    samples, options = request.param
    noise = rng.standard_normal((3, samples)).astype(np.float32)
    noise[1] *= np.hanning(samples + 2)[1:-1] ** 8  # from loud to very quiet
    noise[2] = 0
    return noise, options


def test_stft_is_librosas(framed):
    y, options = framed
    expected = librosa.stft(y, **options)
    found = stft(y, **options)
    assert found.shape == expected.shape
    assert found.dtype == np.complex64
    assert found.flags.c_contiguous
    peak = np.abs(expected).max(axis=(1, 2), keepdims=True)
    assert (np.abs(found - expected) <= 1e-6 * peak).all()
    assert (found[2] == 0).all()


@pytest.mark.parametrize(
    "mel",
    [{}, {"htk": True, "norm": None, "power": 1.0}, {"fmin": 60.0, "fmax": 5000.0, "n_mels": 40},
     {"norm": 2, "n_mels": 20, "power": 1.5}],
    ids=str,
)  # fmt: skip
def test_melspectrogram_is_librosas(framed, mel):
    y, options = framed
    expected = librosa.feature.melspectrogram(y=y, sr=16000, **options, **mel)
    found = melspectrogram(y, sr=16000, **options, **mel)
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    told_apart = expected > 1e-5 * expected.max(axis=(1, 2), keepdims=True)
    error = np.abs(found - expected)[told_apart] / expected[told_apart]
    assert error.max(initial=0) <= 1e-4
    assert (found[2] == 0).all()


def test_a_frame_is_exact_beside_a_louder_one(rng):
    levels = np.array([1, 1e-7, 1e-3, 1, 0, 1, 3e-9], np.float32)
    y = (rng.standard_normal((7, 256)) * levels[:, None]).astype(np.float32).ravel()
    found = stft(y, n_fft=256, hop_length=256, center=False)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(256) / 256)
    expected = np.fft.rfft(y.reshape(7, 256) * window).T
    peaks = np.abs(expected).max(axis=0)
    assert (np.abs(found - expected).max(axis=0) <= 1e-6 * peaks).all()
    mel = melspectrogram(y, sr=8000, n_fft=256, hop_length=256, center=False, n_mels=10)
    assert (mel[:, 4] == 0).all()
    assert (mel[:, 5:].max(axis=0) > 0).all()


@pytest.mark.parametrize("n_fft", [512, 1000, 2048])
def test_a_click_or_noise_is_exact_beside_a_tone(rng, n_fft):
    n = np.arange(n_fft)
    tone, click = np.sin(2 * np.pi * 1000 * n / 16000), np.where(n == n_fft // 2, 0.1, 0)
    noise = 0.1 * rng.standard_normal(n_fft)
    y = np.concatenate([tone, click, noise, tone]).astype(np.float32)
    framing = {"n_fft": n_fft, "hop_length": n_fft, "center": False}
    found, expected = stft(y, **framing), librosa.stft(y.astype(np.float64), **framing)
    assert (np.abs(found - expected).max(axis=0) <= 1e-6 * np.abs(expected).max(axis=0)).all()


@pytest.mark.parametrize(("power", "above"), [(2.0, 1e-5), (1.0, 1e-2)])
@pytest.mark.parametrize("level", [1.0, 1e-15])
@pytest.mark.parametrize(
    "options", [{}, {"n_fft": 500}, {"n_fft": 512}, {"n_mels": 40, "norm": None}], ids=str
)
def test_mels_of_tones_and_clicks_keep_to_the_stated_error(power, above, level, options):
    n = np.arange(16000)
    tone, click = np.sin(2 * np.pi * 440 * n / 16000), np.where(n % 4001 == 2000, 1.0, 0.0)
    tones = SynTone("published", num_freqs=12, num_amps=1).audio(slice(None))
    y = np.concatenate([[tone, click, np.where(n < 8000, tone, click)], tones])
    y = (level * y).astype(np.float32)
    options = {"sr": 16000, "power": power} | options
    expected = librosa.feature.melspectrogram(y=y.astype(np.float64), **options)
    told_apart = expected > above * expected.max(axis=(1, 2), keepdims=True)
    error = np.abs(melspectrogram(y, **options) - expected)[told_apart] / expected[told_apart]
    assert error.max() <= 1e-4


@pytest.mark.parametrize(
    "options",
    [{}, {"htk": True}, {"norm": None}, {"norm": 1}, {"norm": np.inf}, {"n_mels": 1},
     {"fmin": 50.0, "fmax": 4000.0, "n_mels": 40}, {"fmin": 1500, "htk": True}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("n_fft", [2048, 511])
def test_mel_filters_are_librosas(options, n_fft):
    expected = librosa.filters.mel(sr=16000, n_fft=n_fft, **options)
    found = mel_filters(sr=16000, n_fft=n_fft, **options)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-7 * expected.max())


def test_empty_filters_warn_every_time_and_name_how_many():
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"\d+ of 128 mel filters hold no frequency bin"):
            mel_filters(sr=16000, n_fft=256)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mel_filters(sr=16000, n_fft=2048)


def test_caches_cannot_be_corrupted(rng):
    y = rng.standard_normal(4000).astype(np.float32)
    before = melspectrogram(y, sr=16000)
    mel_filters(sr=16000, n_fft=2048)[:] = 0
    stft(y)[:] = 0
    np.testing.assert_array_equal(melspectrogram(y, sr=16000), before)


def test_melspectrogram_of_a_given_spectrogram(rng):
    y = rng.standard_normal((2, 4000)).astype(np.float32)
    power = np.abs(stft(y, n_fft=512)) ** 2
    found = melspectrogram(S=power, sr=16000, n_mels=40)
    expected = melspectrogram(y, sr=16000, n_mels=40, n_fft=512, hop_length=128)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_array_equal(melspectrogram(S=power[1], sr=16000, n_mels=40), found[1])


@pytest.mark.parametrize("ref", [1.0, 0.02, np.max, np.median])
@pytest.mark.parametrize("top_db", [None, 80.0, 15.0])
def test_decibels_are_librosas(rng, ref, top_db):
    power = (10.0 ** rng.uniform(-12, 3, (40, 17))).astype(np.float32)
    power[0] = 0
    expected = librosa.power_to_db(power, ref=ref, amin=1e-8, top_db=top_db)
    found = power_to_db(power, ref=ref, amin=1e-8, top_db=top_db)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-5)
    back = db_to_power(found, ref=0.02)
    np.testing.assert_allclose(back, librosa.db_to_power(found, ref=0.02), rtol=2e-5)


def test_decibels_look_at_each_clip_by_itself(rng):
    levels = np.array([1, 1e-6, 0], np.float32)[:, None, None, None]
    power = rng.random((3, 1, 5, 4)).astype(np.float32) * levels
    for ref in (1.0, np.max):
        found = power_to_db(power, ref=ref, top_db=20)
        np.testing.assert_array_equal(found[1, 0], power_to_db(power[1, 0], ref=ref, top_db=20))
    assert found[1].max() == pytest.approx(0, abs=1e-5)
    assert (found[2] == 0).all()  # silence is its own reference
    assert power_to_db(np.zeros((0, 5, 4))).shape == (0, 5, 4)
    assert power_to_db([1.0, 0.1]).tolist() == [0.0, -10.0]

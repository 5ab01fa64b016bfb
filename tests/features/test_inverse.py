"""Back to audio: librosa's results, convergence, and phases that a clip owns."""

import librosa
import numpy as np
import pytest
import scipy.optimize

from fastdis.features import (
    griffinlim,
    istft,
    mel_filterbank,
    mel_to_audio,
    melspectrogram,
    stft,
)
from fastdis.features.overlap_add import mel_magnitudes

pytestmark = [
    pytest.mark.filterwarnings("ignore:n_fft=.* is too large"),
    pytest.mark.filterwarnings("ignore:.*mel filters hold no"),
    pytest.mark.filterwarnings("ignore:Empty filters detected"),
]


@pytest.mark.parametrize("length", [None, 4000, 3500, 4500])
@pytest.mark.parametrize(
    "options",
    [{}, {"n_fft": 400, "hop_length": 160}, {"n_fft": 511, "hop_length": 100, "win_length": 400},
     {"n_fft": 512, "window": "hamming"}, {"n_fft": 256, "center": False}],
    ids=str,
)  # fmt: skip
def test_istft_is_librosas_and_inverts(rng, options, length):
    y = rng.standard_normal((2, 4000)).astype(np.float32)
    options = {"n_fft": 2048} | options
    spectra = librosa.stft(y, **options)
    expected = librosa.istft(spectra, length=length, **options)
    found = istft(spectra, length=length, **options)
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    # At the ends the sum of squared windows vanishes, and both magnify their rounding.
    inner = slice(200, 3300)
    np.testing.assert_allclose(found[:, inner], expected[:, inner], atol=2e-6)
    np.testing.assert_allclose(found[:, inner], y[:, inner], atol=2e-6)


@pytest.mark.parametrize(
    "options",
    [{}, {"init": None, "momentum": 0.0}, {"n_fft": 401, "hop_length": 90, "win_length": 300},
     {"pad_mode": "reflect", "n_iter": 0}],
    ids=str,
)  # fmt: skip
def test_griffinlim_is_librosas(options):
    y = np.sin(np.cumsum(np.linspace(0.02, 1, 3000))).astype(np.float32)
    framing = {"n_fft": 512} | {k: v for k, v in options.items() if "n_" not in k or k == "n_fft"}
    framing = {k: v for k, v in framing.items() if k not in ("init", "momentum")}
    magnitude = np.abs(librosa.stft(y, **framing))
    options = {"n_fft": 512, "n_iter": 6} | options
    expected = librosa.griffinlim(magnitude, random_state=3, **options)
    found = griffinlim(magnitude, random_state=3, **options)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def _convergence(y, magnitude, **options):
    """Spectral convergence (Sturmel & Daudet 2011): 0 where the magnitudes are met."""
    return np.linalg.norm(np.abs(stft(y, **options)) - magnitude) / np.linalg.norm(magnitude)


def test_griffinlim_converges_at_any_level_and_for_silence(rng):
    y = np.sin(np.cumsum(np.linspace(0.02, 1, 4096))).astype(np.float32)
    magnitude = np.abs(stft(y, n_fft=512))
    found = griffinlim(magnitude, random_state=0)
    assert _convergence(found, magnitude, n_fft=512) < 0.1
    for scale in (2.0**-70, 2.0**30):
        scaled = griffinlim(magnitude * np.float32(scale), random_state=0)
        np.testing.assert_allclose(scaled / np.float32(scale), found, rtol=1e-6)
    batch = np.stack([magnitude * 0, magnitude])
    silent, _ = griffinlim(batch, random_state=np.random.default_rng(1))
    assert (silent == 0).all()


def test_griffinlim_draws_clip_after_clip():
    magnitude = np.abs(stft(np.sin(np.arange(600) / 5), n_fft=64))
    batch = griffinlim(np.stack([magnitude] * 70), n_iter=1, random_state=np.random.RandomState(5))
    one_by_one = np.random.RandomState(5)
    for found in batch:
        expected = griffinlim(magnitude, n_iter=1, random_state=one_by_one)
        np.testing.assert_array_equal(found, expected)
    assert (griffinlim(magnitude, n_iter=1) != griffinlim(magnitude, n_iter=1)).any()


def test_mel_least_squares_come_near_the_optimum(rng):
    mel = np.exp(rng.standard_normal((64, 6))).astype(np.float32)  # partly out of reach
    bank = mel_filterbank.filters(8000, 512, 64, 0.0, None, False, "slaney")
    found = mel_magnitudes(bank, mel[None], 2.0)[0] ** 2
    optimum = np.stack([scipy.optimize.nnls(bank.dense, frame)[0] for frame in mel.T], axis=1)

    def error(power):
        return np.linalg.norm(bank.dense @ power - mel) / np.linalg.norm(mel)

    assert found.min() >= 0
    assert error(found) < error(optimum) + 0.003


@pytest.mark.parametrize("power", [2.0, 1.0])
def test_mel_to_audio_is_as_near_as_librosas(power):
    t = np.arange(4000) / 8000
    y = sum(np.sin(2 * np.pi * 200 * h * t) / h for h in range(1, 12)) * np.exp(-3 * t)
    options = {"sr": 8000, "n_fft": 256, "hop_length": 64, "power": power}
    mel = melspectrogram(y, n_mels=32, **options)
    found = mel_to_audio(mel, length=4000, random_state=0, **options)
    assert found.shape == (4000,)
    assert found.dtype == np.float32
    expected = librosa.feature.inverse.mel_to_audio(mel, length=4000, **options)

    def error(audio):
        again = melspectrogram(audio, n_mels=32, **options)
        return np.linalg.norm(again - mel) / np.linalg.norm(mel)

    assert error(found) < max(0.1, 1.2 * error(expected))
    batch = mel_to_audio(np.stack([mel, 0 * mel]), length=4000, random_state=0, **options)
    np.testing.assert_array_equal(batch[0], found)
    assert (batch[1] == 0).all()

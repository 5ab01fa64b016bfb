"""Features against librosa, against float64 arithmetic, and against everything users pass in."""

import os
import subprocess
import sys
import threading
import warnings

import librosa
import numpy as np
import pytest
import scipy.optimize

from fastdis import _mel, _threads
from fastdis._inverse import mel_magnitudes
from fastdis._kernels import fft
from fastdis.features import (
    db_to_power,
    griffinlim,
    istft,
    mel_filters,
    mel_to_audio,
    melspectrogram,
    power_to_db,
    stft,
)

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


@pytest.fixture(params=FRAMINGS, ids=str)
def framed(request, rng):
    samples, options = request.param
    noise = rng.standard_normal((3, samples)).astype(np.float32)
    noise[1] *= np.hanning(samples + 2)[1:-1] ** 8  # from loud to very quiet
    noise[2] = 0
    return noise, options


@pytest.fixture
def threads():
    yield _threads.set_num_threads
    _threads.set_num_threads(2)


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
    told_apart = expected > 1e-6 * expected.max(axis=(1, 2), keepdims=True)
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


FRAMES_33 = {"n_fft": 400, "hop_length": 160}  # of 5,120 samples: the last has no partner


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda y: stft(y, **FRAMES_33), (5120,)),
        (lambda y: melspectrogram(y, sr=16000, n_mels=30, **FRAMES_33), (5120,)),
        (lambda y: melspectrogram(y, sr=16000, pad_mode="reflect"), (5120,)),
        (lambda power: power_to_db(power, ref=np.max), (30, 33)),
        (lambda spectra: istft(spectra, hop_length=160), (201, 33)),
        (lambda power: griffinlim(power, hop_length=160, n_iter=2, init=None), (201, 33)),
    ],
    ids=["stft", "mel", "mel, padded", "decibels", "istft", "griffinlim"],
)
def test_a_clip_does_not_depend_on_its_batch_or_the_threads(rng, threads, function, shape):
    batch = rng.random((9, *shape)).astype(np.float32)
    threads(1)
    expected = np.stack([function(clip) for clip in batch])
    for number in (1, 2, 3):
        threads(number)
        np.testing.assert_array_equal(function(batch), expected)
        np.testing.assert_array_equal(function(batch[2:5]), expected[2:5])


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
    batch = griffinlim(np.stack([magnitude] * 70), n_iter=1, random_state=5)
    one_by_one = np.random.RandomState(5)
    for found in batch:
        expected = griffinlim(magnitude, n_iter=1, random_state=one_by_one)
        np.testing.assert_array_equal(found, expected)
    assert (griffinlim(magnitude, n_iter=1) != griffinlim(magnitude, n_iter=1)).any()


def test_mel_least_squares_come_near_the_optimum(rng):
    mel = np.exp(rng.standard_normal((64, 6))).astype(np.float32)  # partly out of reach
    bank = _mel.filters(8000, 512, 64, 0.0, None, False, "slaney")
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


def test_empty_batches():
    assert stft(np.zeros((0, 1000)), n_fft=64).shape == (0, 33, 63)
    assert melspectrogram(np.zeros((0, 1000)), sr=16000).shape == (0, 128, 2)
    assert istft(np.zeros((0, 33, 63)), hop_length=16).shape == (0, 992)
    assert griffinlim(np.zeros((0, 33, 63)), hop_length=16).shape == (0, 992)
    assert mel_to_audio(np.zeros((0, 20, 3)), sr=16000).shape == (0, 1024)


def test_views_lists_and_other_floats_are_taken(rng):
    wide = rng.standard_normal((4, 3, 2000))
    y = wide[::2, 1, ::-1]
    expected = stft(np.ascontiguousarray(y, np.float32), n_fft=256)
    np.testing.assert_array_equal(stft(y, n_fft=256), expected)
    np.testing.assert_array_equal(stft(y.tolist(), n_fft=256), expected)
    np.testing.assert_array_equal(stft(np.asfortranarray(y), n_fft=256), expected)
    y.setflags(write=False)
    np.testing.assert_array_equal(stft(y, n_fft=256), expected)
    np.testing.assert_allclose(
        istft(np.asfortranarray(expected).astype(np.complex128)), istft(expected), atol=1e-7
    )


Y = np.sin(np.arange(1000) / 5).astype(np.float32)
BAD = np.where(np.arange(1000) == 7, np.nan, Y)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: stft(BAD), ValueError, r"y takes finite values, got nan at index \(0, 7\)"),
        (lambda: stft(np.stack([Y, BAD - np.inf])), ValueError, "y takes finite"),
        (lambda: stft(Y * 1e20), ValueError, "y takes audio up to 1e"),
        (lambda: stft(np.zeros((2, 2, 9))), ValueError, r"y takes 1 or 2 dimension.*\(2, 2, 9\)"),
        (lambda: stft(np.zeros(9, np.int16)), TypeError, "y takes floating-point.*int16"),
        (lambda: stft(Y + 1j), TypeError, "y takes real numbers"),
        (lambda: stft("noise.wav"), TypeError, "y takes real numbers"),
        (lambda: stft(np.zeros((3, 0))), ValueError, "y takes at least one sample"),
        (lambda: stft(Y, center=False), ValueError, "n_fft takes.*1000 samples.*2048"),
        (lambda: stft(Y[:256], n_fft=512, pad_mode="reflect"), ValueError, "at least 257.*256"),
        (lambda: stft(Y[:255], n_fft=512, pad_mode="symmetric"), ValueError, "at least 256"),
        (lambda: stft(Y, pad_mode="constatn"), ValueError, "pad_mode.*did you mean 'constant'"),
        (lambda: stft(Y, n_fft=1), ValueError, "n_fft takes an integer >= 2"),
        (lambda: stft(Y, n_fft=512.0), TypeError, "n_fft"),
        (lambda: stft(Y, hop_length=0), ValueError, "hop_length takes an integer >= 1"),
        (lambda: stft(Y, n_fft=64, win_length=65), ValueError, "win_length.*<= 64"),
        (lambda: stft(Y, center="yes"), TypeError, "center takes True or False"),
        (lambda: stft(Y, window="hamm1ng"), ValueError, "window takes.*'hamm1ng'"),
        (lambda: stft(Y, n_fft=64, window=np.ones(63)), ValueError, "win_length = 64 values"),
        (lambda: stft(Y, n_fft=64, window=np.zeros(64)), ValueError, "window takes at least one"),
        (lambda: stft(Y, n_fft=64, window=np.full(64, np.nan)), ValueError, "window takes finite"),
        (lambda: melspectrogram(sr=8000), ValueError, "either y or S, got none"),
        (lambda: melspectrogram(Y, S=np.ones((5, 2))), ValueError, "either y or S, got both"),
        (lambda: melspectrogram(S=-np.ones((5, 2))), ValueError, "S takes values >= 0"),
        (lambda: melspectrogram(Y, power=0), ValueError, "power takes a number > 0"),
        (lambda: melspectrogram(Y, sr=-1), ValueError, "sr takes"),
        (lambda: mel_filters(sr=8000, n_fft=64, n_mels=0), ValueError, "n_mels"),
        (lambda: mel_filters(sr=8000, n_fft=64, fmax=4001), ValueError, "fmax.*<= 4000"),
        (lambda: mel_filters(sr=8000, n_fft=64, fmin=4000), ValueError, "fmin takes less than"),
        (lambda: mel_filters(sr=8000, n_fft=64, fmin=-1), ValueError, "fmin"),
        (lambda: mel_filters(sr=8000, n_fft=64, norm="area"), ValueError, "norm takes"),
        (lambda: mel_filters(sr=8000, n_fft=64, norm=0), ValueError, "norm takes"),
        (lambda: mel_filters(sr=8000, n_fft=64, htk=1), TypeError, "htk takes"),
        (lambda: power_to_db([[1.0, -1e-3]]), ValueError, "S takes values >= 0, got -0.001"),
        (lambda: power_to_db([[1.0, np.nan]]), ValueError, "S takes finite"),
        (lambda: power_to_db([1.0], amin=0), ValueError, "amin"),
        (lambda: power_to_db([1.0], top_db=-1), ValueError, "top_db"),
        (lambda: power_to_db([1.0], ref=-1.0), ValueError, "ref takes"),
        (lambda: power_to_db([1.0], ref=lambda s: np.nan), ValueError, r"ref\(S\) takes a finite"),
        (lambda: db_to_power([400.0]), ValueError, "S_db takes.*400"),
        (lambda: istft(np.ones(5)), ValueError, "stft_matrix takes 2 or 3"),
        (lambda: istft(np.full((5, 2), np.inf)), ValueError, "stft_matrix takes finite"),
        (lambda: istft(np.ones((5, 9)), n_fft=10), ValueError, "n_fft takes.*the 5 of stft_matr"),
        (lambda: istft(np.ones((5, 0))), ValueError, "stft_matrix takes enough frames"),
        (lambda: istft(np.ones((5, 1))), ValueError, "stft_matrix takes enough frames"),
        (lambda: istft(np.ones((5, 9)), length=0), ValueError, "length"),
        (lambda: griffinlim(np.ones((5, 9)), length=99), ValueError, "length takes a clip of 9"),
        (lambda: griffinlim(np.ones((5, 9)), n_iter=-1), ValueError, "n_iter"),
        (lambda: griffinlim(np.ones((5, 9)), momentum=1.5), ValueError, "momentum"),
        (lambda: griffinlim(np.ones((5, 9)), init="zero"), ValueError, "init takes"),
        (lambda: griffinlim(np.ones((5, 9)), random_state="7"), TypeError, "random_state"),
        (lambda: griffinlim(np.ones((5, 9)) * 1j), TypeError, "S takes real"),
        (lambda: mel_to_audio(-np.ones((5, 9))), ValueError, "M takes values >= 0"),
        (lambda: mel_to_audio(np.ones((5, 9)), power=-2), ValueError, "power"),
    ],
)
def test_mistakes_are_named(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_scipy_takes_over_without_pyfftw(rng, monkeypatch, threads):
    y = rng.standard_normal((2, 3001)).astype(np.float32)
    assert fft.fft_library().startswith("pyfftw")
    expected = stft(y, n_fft=511)
    monkeypatch.setattr(fft, "_pyfftw", lambda: None)
    monkeypatch.setattr(fft, "_local", threading.local())
    threads(1)
    assert fft.fft_library().startswith("scipy")
    found = stft(y, n_fft=511)
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())
    np.testing.assert_allclose(istft(found, n_fft=511, length=3001), y, atol=2e-6)


def test_the_numpy_backend_gives_the_same(rng, monkeypatch):
    y = rng.standard_normal((2, 3001)).astype(np.float32)

    def results():
        mel = melspectrogram(y, sr=16000, n_fft=400, n_mels=20)
        return mel, mel_to_audio(mel, sr=16000, n_fft=400, hop_length=512, n_iter=2, random_state=0)

    expected = results()
    monkeypatch.setenv("FASTDIS_BACKEND", "numpy")
    for found, known in zip(results(), expected, strict=True):
        np.testing.assert_allclose(found, known, atol=1e-3 * np.abs(known).max())


def test_plans_are_kept_within_bounds(rng):
    y = rng.standard_normal(300).astype(np.float32)
    for n_fft in range(32, 80):
        stft(y, n_fft=n_fft)
    assert len(fft._local.plans) <= fft._PLANS_PER_THREAD
    assert fft.transform(3, 40) is fft.transform(3, 40)


def test_concurrent_callers_get_their_own_result(rng):
    clips = rng.standard_normal((8, 20, 16000)).astype(np.float32)
    expected = np.array([melspectrogram(y, sr=16000) for y in clips])
    found = np.empty_like(expected)

    def call(i):
        for clip, out in zip(clips[i], found[i], strict=True):  # a single clip stays in its thread
            out[:] = melspectrogram(clip, sr=16000)

    callers = [threading.Thread(target=call, args=(i,)) for i in range(len(clips))]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_works():
    code = """
import os, threading, warnings
warnings.simplefilter("ignore")
import numpy as np
from fastdis import _threads, stft
_threads.set_num_threads(2)
y = np.sin(np.arange(32000.0)).reshape(8, 4000)
expected = stft(y)
stop = threading.Event()
def plan():  # keeps the planner busy while the process forks
    n = 64
    while not stop.is_set():
        n = n % 500 + 64
        stft(y[:1, :2000], n_fft=n)
busy = threading.Thread(target=plan)
busy.start()
for _ in range(20):
    child = os.fork()
    if child == 0:
        same = np.array_equal(stft(y), expected) and stft(y, n_fft=96).shape[1] == 49
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
busy.join()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_features_import_nothing_heavy():
    code = (
        "import sys, fastdis.features as f;"
        "print([m for m in ('torch', 'numba', 'scipy', 'pyfftw', 'librosa') if m in sys.modules]);"
        "f.mel_filters(sr=8000, n_fft=512, n_mels=9); print('scipy.signal' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split("\n")[:2] == ["[]", "False"]

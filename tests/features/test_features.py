"""Features against librosa, against float64 arithmetic, and with all kinds of arrays."""

import warnings

import librosa
import numpy as np
import pytest

from fastdis.datasets import SynTone
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


@pytest.mark.parametrize("n_fft", [512, 400])
@pytest.mark.parametrize("single", [False, True])
def test_out_is_written_and_returned(rng, n_fft, single, tmp_path):
    y = rng.standard_normal((3, 3001)).astype(np.float32)
    y = y[1] if single else y
    S = np.abs(stft(y, n_fft=n_fft)) ** 2
    for function in (
        lambda out: stft(y, n_fft=n_fft, out=out),
        lambda out: melspectrogram(y, sr=16000, n_fft=n_fft, n_mels=20, out=out),
        lambda out: melspectrogram(S=S, sr=16000, n_fft=n_fft, n_mels=20, out=out),
    ):
        expected = function(None)
        whole = np.full((3, *expected.shape), 7, expected.dtype)
        assert function(whole[1]).base is whole
        np.testing.assert_array_equal(whole[1], expected)
        assert (whole[[0, 2]] == 7).all()
        on_disk = np.memmap(tmp_path / "out", expected.dtype, "w+", shape=expected.shape)
        np.testing.assert_array_equal(function(on_disk), expected)


@pytest.mark.parametrize(
    ("out", "error", "fault"),
    [
        (np.empty((257, 24), np.complex64), ValueError, r"got an array of shape \(257, 24\)"),
        (np.empty((2, 257, 24)), TypeError, "got an array of shape .* and dtype float64"),
        (np.empty((2, 24, 257), np.complex64).swapaxes(1, 2), ValueError, "not contiguous"),
        (np.empty((2, 257, 24), np.complex64), ValueError, "read-only"),
        ([0.0], TypeError, "got"),
    ],
)
def test_an_out_that_cannot_be_written_to_is_refused(out, error, fault):
    if fault == "read-only":
        out.flags.writeable = False
    with pytest.raises(error, match=rf"out takes a writeable C-contiguous complex64.*{fault}"):
        stft(np.zeros((2, 3001)), n_fft=512, out=out)

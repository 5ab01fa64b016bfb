"""Unusual arrays and sizes: the right answer or a clear error from every public function.

What is wrong with a single argument stands with its function: test_synthesis.py, test_additive.py,
test_noise.py, test_features_errors.py, test_metrics_edges.py.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastdis as fd
from fastdis import _memory, metrics
from fastdis.datasets import SynTone

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*mel filters hold no"),
    pytest.mark.filterwarnings("ignore::fastdis.metrics.MetricWarning"),
]

RNG = np.random.default_rng(0)
AUDIO = RNG.uniform(-1, 1, (6, 3001)).astype(np.float32)
POSITIVE = np.abs(RNG.standard_normal((6, 33, 20))).astype(np.float32)
HERTZ = RNG.uniform(100, 4000, (6, 3)).astype(np.float32).astype(np.float64)
CODES = RNG.standard_normal((300, 4)).astype(np.float32)
LEVELS = RNG.integers(0, 5, (300, 2)).astype(np.float64)
SHORT = {"duration": 0.05}

# What takes an array -> a call of it, and an array that it takes.
TAKERS = {
    "stft": (lambda y: fd.stft(y, n_fft=512), AUDIO),
    "stft, odd": (lambda y: fd.stft(y, n_fft=301), AUDIO),
    "melspectrogram": (lambda y: fd.melspectrogram(y, sr=16000, n_fft=512), AUDIO),
    "melspectrogram, odd": (lambda y: fd.melspectrogram(y, sr=16000, n_fft=300), AUDIO),
    "melspectrogram of S": (lambda S: fd.melspectrogram(S=S, sr=8000, n_mels=9), POSITIVE),
    "add_noise": (lambda y: fd.add_noise(y, 3.0, seed=1), AUDIO),
    "add_noise, ratios": (lambda snr: fd.add_noise(AUDIO, snr, seed=1), AUDIO[:, 0]),
    "power_to_db": (fd.power_to_db, POSITIVE),
    "db_to_power": (fd.db_to_power, POSITIVE),
    "istft": (fd.istft, POSITIVE),
    "griffinlim": (lambda S: fd.griffinlim(S, n_iter=1, random_state=0), POSITIVE),
    "mel_to_audio": (
        lambda M: fd.mel_to_audio(M, sr=8000, n_fft=256, n_iter=1, random_state=0),
        POSITIVE,
    ),
    "oscillator": (lambda f: fd.oscillator("square", f, **SHORT), HERTZ[:, 0]),
    "oscillator, phases": (lambda p: fd.oscillator("sine", 440.0, phase=p, **SHORT), HERTZ[:, 0]),
    "harmonic_partials": (lambda f: np.stack(fd.harmonic_partials(f, 4)), HERTZ[:, 0]),
    "additive": (lambda f: fd.additive((f, 0.1, 1.0, 0.0), **SHORT), HERTZ),
    "additive, amplitudes": (lambda a: fd.additive((440.0, a, 0.0, 0.0), **SHORT), HERTZ),
    "additive, decays": (lambda d: fd.additive((440.0, 0.1, d, 0.0), **SHORT), HERTZ),
    "codes": (lambda z: metrics.joint_histogram(LEVELS, z).table, CODES),
    "factors": (lambda v: metrics.joint_histogram(v, CODES, discrete=True).table, LEVELS),
}  # fmt: skip


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("taker", TAKERS)
def test_what_is_not_finite_is_refused_with_its_place(taker, value):
    call, x = TAKERS[taker]
    x = x.copy()
    x[tuple(n - 1 for n in x.shape)] = value
    if taker == "add_noise, ratios" and value == np.inf:
        np.testing.assert_array_equal(call(x)[-1], AUDIO[-1])  # no noise at all
        return
    with pytest.raises(ValueError, match=r"takes .*, got .*(nan|inf)"):
        call(x)


@pytest.mark.parametrize("n_fft", [128, 100])
def test_what_is_not_finite_is_seen_between_the_frames(n_fft):
    y = AUDIO.copy()
    y[4, 700] = np.nan
    with pytest.raises(ValueError, match=r"y takes finite values, got nan at index \(4, 700\)"):
        fd.stft(y, n_fft=n_fft, hop_length=1000, center=False)


@pytest.mark.parametrize("taker", ["stft", "melspectrogram", "add_noise", "power_to_db"])
@pytest.mark.parametrize("kind", [np.int16, np.uint8, np.int64, bool])
def test_whole_numbers_are_no_audio_but_may_be_power(taker, kind):
    call, x = TAKERS[taker]
    x = np.ones(x.shape, kind)
    if taker == "power_to_db":
        assert not call(x).any()
        return
    with pytest.raises(TypeError, match="takes floating-point audio"):
        call(x)


def test_no_frames_no_partials_and_no_rows():
    assert fd.power_to_db(POSITIVE[:, :, :0]).shape == (6, 33, 0)
    assert fd.harmonic_partials([], 5).phase.shape == (0, 5)
    silence = fd.additive((HERTZ[:, :0], 1, 0, 0), **SHORT)
    assert silence.shape == (6, 800)
    assert not silence.any()
    assert SynTone("sound").batch([])[0].shape == (0, 1, 128, 32)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fd.stft(AUDIO[:, :0]), "y takes at least one sample"),
        (lambda: fd.melspectrogram(AUDIO[0, :0]), "y takes at least one sample"),
        (lambda: fd.add_noise(AUDIO[:, :0], 3.0, seed=1), "audio takes at least one sample"),
        (lambda: fd.oscillator("sine", 440.0, duration=1e-9), "at least one sample"),
        (lambda: fd.additive((440.0, 1, 0, 0), duration=1e-9), "at least one sample"),
        (lambda: metrics.joint_histogram(LEVELS[:0], CODES[:0]), "at least one each"),
        (lambda: metrics.joint_histogram(LEVELS[:, :0], CODES), "at least one each"),
    ],
)
def test_no_sample_and_no_row_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("n_fft", [512, 300])
def test_one_sample_is_a_clip(n_fft):
    """Its spectrum is the middle of the window at every frequency."""
    found = fd.stft(np.float32([-0.5]), n_fft=n_fft)
    delay = np.exp(-2j * np.pi * np.arange(n_fft // 2 + 1) * (n_fft // 2) / n_fft)
    np.testing.assert_allclose(found[:, 0], -0.5 * delay, atol=1e-6)
    mel = fd.melspectrogram(np.float32([[-0.5]]), sr=16000, n_fft=n_fft, n_mels=20)
    bank = fd.mel_filters(sr=16000, n_fft=n_fft, n_mels=20)
    np.testing.assert_allclose(mel[0, :, 0], 0.25 * bank.sum(axis=1), rtol=1e-4)
    ratio = fd.add_noise(np.float32([2.0]), 0.0, seed=1) / 2
    assert abs(ratio[0] - 1) == pytest.approx(1, abs=1e-6)
    assert fd.additive((440.0, 1, 0, 0.5), duration=1 / 16000)[0, 0] == pytest.approx(np.sin(0.5))


def test_one_row_is_counted():
    histogram = metrics.joint_histogram(LEVELS[:1], CODES[:1])
    assert histogram.n == 1
    assert not histogram.mutual_information.any()


def plain_stft(y, n_fft, hop, win_length, center):
    """By the definition, in float64."""
    window, left = np.zeros(n_fft), (n_fft - win_length) // 2
    window[left : left + win_length] = 0.5 - 0.5 * np.cos(
        2 * np.pi * np.arange(win_length) / win_length
    )
    y = np.pad(y.astype(np.float64), n_fft // 2 if center else 0)
    starts = range(0, len(y) - n_fft + 1, hop)
    return np.fft.rfft(np.array([y[i : i + n_fft] for i in starts]) * window).T


@settings(max_examples=150, deadline=None)
@given(
    n_fft=st.one_of(st.integers(4, 300), st.sampled_from([128, 256, 512])),
    samples=st.integers(1, 1500),
    hop=st.integers(1, 700),
    shorter=st.floats(0.1, 1.0),
    center=st.booleans(),
)
def test_every_way_of_framing_is_right_or_refused(n_fft, samples, hop, shorter, center):
    y = np.random.default_rng(samples).uniform(-1, 1, samples).astype(np.float32)
    win_length = max(4, round(shorter * n_fft))
    options = {"n_fft": n_fft, "hop_length": hop, "win_length": win_length, "center": center}
    if not center and samples < n_fft:
        with pytest.raises(ValueError, match="n_fft takes at most"):
            fd.stft(y, **options)
        return
    expected = plain_stft(y, n_fft, hop, win_length, center)
    np.testing.assert_allclose(fd.stft(y, **options), expected, atol=1e-5 * n_fft**0.5)
    bank = fd.mel_filters(sr=16000, n_fft=n_fft, n_mels=7, fmax=7000)
    mel = fd.melspectrogram(y, sr=16000, n_mels=7, fmax=7000, **options)
    np.testing.assert_allclose(mel, bank @ np.abs(expected) ** 2, rtol=1e-3, atol=1e-6)


MANY = np.tile(POSITIVE, (60, 1, 1))
TOO_LARGE = {
    "oscillator": lambda: fd.oscillator("sine", np.full(10**7, 440.0)),
    "duration: a clip of": lambda: fd.oscillator("sine", 440.0, duration=1e9),
    "additive": lambda: fd.additive((np.full((10**6, 1), 440.0), 1, 0, 0), duration=60),
    "harmonic_partials": lambda: fd.harmonic_partials(np.full(10**6, 440.0), 10_000),
    "stft": lambda: fd.stft(AUDIO, n_fft=2**23, hop_length=1),
    "n_mels": lambda: fd.mel_filters(sr=16000, n_fft=2**22, n_mels=2**15),
    "stft_matrix: a clip of": lambda: fd.istft(POSITIVE, length=2**40),
    "n: a sample of": lambda: SynTone("sound").space.sample(10**11, seed=0),
    "in_memory": lambda: SynTone("sound", num_freqs=10**4, num_amps=10**3).in_memory(),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_no_memory_holds_is_refused_before_it_starts(name):
    with pytest.raises(MemoryError, match=rf"{name}.* takes .* GB of memory, got .*; \w+"):
        TOO_LARGE[name]()


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("add_noise", lambda: fd.add_noise(np.tile(AUDIO, (9, 1)), 3.0, seed=1)),
        ("melspectrogram", lambda: fd.melspectrogram(AUDIO, hop_length=1, n_fft=256, n_mels=20)),
        ("melspectrogram", lambda: fd.melspectrogram(S=MANY, n_mels=20, sr=8000)),
        ("power_to_db", lambda: fd.power_to_db(MANY)),
        ("db_to_power", lambda: fd.db_to_power(MANY)),
        ("istft", lambda: fd.istft(MANY)),
        ("griffinlim", lambda: fd.griffinlim(MANY)),
        ("mel_to_audio", lambda: fd.mel_to_audio(MANY, n_fft=64)),
    ],
)
def test_what_free_memory_does_not_hold_is_refused_before_it_starts(name, call, monkeypatch):
    monkeypatch.setattr(_memory, "_ALWAYS_THERE", 0)
    monkeypatch.setattr(_memory, "available", lambda: 200_000.0)
    with pytest.raises(MemoryError, match=rf"{name}.* takes .* GB of memory, got .*; \w+"):
        call()

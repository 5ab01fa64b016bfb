"""What a call allocates beside its result: no copy of its input, and no more for more clips."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import fastdis as fd
from fastdis import features, metrics, synthesis

SAMPLES = 16000
FEW, MANY = 192, 512  # clips
RNG = np.random.default_rng(0)


def audio(clips):
    return RNG.uniform(-1, 1, (clips, SAMPLES)).astype(np.float32)


def pitches(clips):
    return RNG.uniform(100, 3000, clips)


def peak(call) -> int:
    """The most bytes that Python and NumPy hold at once during a call, once it is warm."""
    call()
    call()
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def tone(clips, out, **options):
    f = pitches(clips)
    return lambda: fd.oscillator("square", f, out=out, **options)


def additive(clips, out):
    partials = synthesis.harmonic_partials(pitches(clips), 20, decay=1.0)
    return lambda: synthesis.additive(partials, out=out)


def noise(clips, out):
    y = audio(clips)
    return lambda: synthesis.add_noise(y, 10.0, seed=1, out=out)


def spectra(clips, out, **options):
    y = audio(clips)
    return lambda: features.stft(y, out=out, **options)


def mels(clips, out, **options):
    y = audio(clips)
    return lambda: features.melspectrogram(y, sr=SAMPLES, out=out, **options)


def mels_of_partials(clips, out):
    partials = synthesis.harmonic_partials(pitches(clips), 20)
    return lambda: features.melspectrogram_of_partials(partials, sr=SAMPLES, out=out)


CLIP, MEL = (SAMPLES,), (128, 32)


@pytest.mark.parametrize(
    ("make", "shape", "options"),
    [
        (tone, CLIP, {}),
        (tone, CLIP, {"band_limited": True}),
        (additive, CLIP, {}),
        (noise, CLIP, {}),
        (spectra, (1025, 32), {}),
        (spectra, (201, 161), {"n_fft": 400}),
        (mels, MEL, {}),
        (mels, (128, 161), {"n_fft": 400, "hop_length": 100}),
        (mels_of_partials, MEL, {}),
    ],
)
def test_a_call_with_out_allocates_next_to_nothing(make, shape, options, threads):
    threads(1)  # two may or may not hold their workspaces at the same time
    dtype = np.complex64 if make is spectra else np.float32
    held = [peak(make(clips, np.empty((clips, *shape), dtype), **options)) for clips in (FEW, MANY)]
    assert held[1] < 1_000_000  # a workspace; the clips are 32 megabytes
    assert held[1] - held[0] < 1_000 * (MANY - FEW)  # a few numbers a clip, of 64,000 bytes


@pytest.mark.filterwarnings("ignore:.*mel filters hold no")
@pytest.mark.parametrize(
    "function",
    [
        lambda mel: features.power_to_db(mel),
        lambda mel: features.db_to_power(mel),
        lambda mel: features.melspectrogram(S=mel, n_mels=128),
    ],
)
def test_a_call_allocates_its_result_and_no_second_one(function, threads):
    threads(2)
    mel = np.abs(RNG.standard_normal((MANY, *MEL))).astype(np.float32)
    result = function(mel)
    assert peak(lambda: function(mel)) < result.nbytes + 300_000


def test_an_inverse_allocates_what_a_clip_takes(threads):
    threads(2)
    stft = features.stft(audio(MANY)[:, :8000])
    assert peak(lambda: features.istft(stft, length=8000)) < 4 * 8000 * MANY + 500_000


def test_counting_does_not_copy_the_codes(threads):
    threads(2)
    held = []
    for rows in (100_000, 400_000):
        codes = RNG.standard_normal((rows, 10), np.float32)
        factors = RNG.integers(0, 5, (rows, 2)).astype(np.float64)
        call = peak(lambda z=codes, v=factors: metrics.joint_histogram(v, z, discrete=True))
        held.append(call)
    assert held[1] - held[0] < 12 * 300_000  # of 40 bytes a row


def test_a_padded_clip_is_copied_a_few_at_a_time(threads):
    threads(2)
    y, out = audio(2 * MANY), np.empty((2 * MANY, *MEL), np.float32)
    call = peak(lambda: features.melspectrogram(y, sr=SAMPLES, pad_mode="reflect", out=out))
    assert call < y.nbytes / 8

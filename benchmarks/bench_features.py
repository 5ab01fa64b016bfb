"""Mel, STFT and mel inversion of one-second clips, against librosa and torch.stft.

Results are held against librosa's before anything is timed; peers are timed in turn with fastdis,
so that a change of the machine's speed strikes all of them.
"""

import time

import librosa
import numpy as np
import pytest
import torch

import fastdis as fd
from fastdis._kernels.fft import fft_library

CLIPS, RATE, N_FFT, HOP = 256, 16000, 2048, 512
ROUNDS, WARMUP = 15, 3
LIBROSA_CLIPS = 16  # one at a time; its speed does not depend on how many


@pytest.fixture(scope="module")
def audio():
    return np.random.default_rng(0).uniform(-1, 1, (CLIPS, RATE)).astype(np.float32)


def _torch_stft(y):
    window = torch.hann_window(N_FFT)
    return torch.stft(
        torch.from_numpy(y), N_FFT, HOP, window=window, pad_mode="constant", return_complex=True
    )


def _error(found, expected):
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def _compare(benchmark, ours, peers, error):
    """Time ``ours``, then all in turn; note clips a second and how many times faster ours is.

    ``ours`` handles all clips; ``peers`` are ``name: (function, how many clips it handles)``.
    """
    torch.set_num_threads(fd.get_num_threads())
    benchmark.pedantic(ours, rounds=ROUNDS, warmup_rounds=WARMUP)
    if not benchmark.stats:  # None when benchmarks are disabled
        return
    contenders = {"fastdis": (ours, CLIPS)} | peers
    seconds = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, (function, clips) in contenders.items():
            function()  # the threads of the one before still spin for a moment
            start = time.perf_counter()
            function()
            seconds[name].append((time.perf_counter() - start) / clips)
    speed = {name: 1 / np.median(values) for name, values in seconds.items()}
    benchmark.extra_info.update({f"{name}_clips_per_s": round(x) for name, x in speed.items()})
    for name in peers:
        benchmark.extra_info[f"times_faster_than_{name}"] = round(speed["fastdis"] / speed[name], 1)
    benchmark.extra_info["threads"] = fd.get_num_threads()
    benchmark.extra_info["error_of_peak"] = error
    benchmark.extra_info["fft"] = fft_library()


def test_melspectrogram(benchmark, audio):
    filters = torch.from_numpy(fd.mel_filters(sr=RATE, n_fft=N_FFT))

    def ours():
        return fd.melspectrogram(audio, sr=RATE)

    def one_by_one():
        return [librosa.feature.melspectrogram(y=y, sr=RATE) for y in audio[:LIBROSA_CLIPS]]

    def with_torch():
        return filters @ _torch_stft(audio).abs().square()

    found = ours()
    error = _error(found[:LIBROSA_CLIPS], np.stack(one_by_one()))
    assert error < 1e-6
    assert _error(with_torch().numpy(), found) < 1e-5
    peers = {"librosa": (one_by_one, LIBROSA_CLIPS), "torch": (with_torch, CLIPS)}
    _compare(benchmark, ours, peers, error)


def test_stft(benchmark, audio):
    def ours():
        return fd.stft(audio)

    def one_by_one():
        return [librosa.stft(y) for y in audio[:LIBROSA_CLIPS]]

    def with_torch():
        return _torch_stft(audio)

    found = ours()
    error = _error(found[:LIBROSA_CLIPS], np.stack(one_by_one()))
    assert error < 1e-6
    assert _error(with_torch().numpy(), found) < 1e-5
    peers = {"librosa": (one_by_one, LIBROSA_CLIPS), "torch": (with_torch, CLIPS)}
    _compare(benchmark, ours, peers, error)


def test_istft(benchmark, audio):
    spectra = fd.stft(audio)

    def ours():
        return fd.istft(spectra, length=RATE)

    def one_by_one():
        return [librosa.istft(x, length=RATE) for x in spectra[:LIBROSA_CLIPS]]

    error = _error(ours()[:LIBROSA_CLIPS], np.stack(one_by_one()))
    assert error < 1e-6
    _compare(benchmark, ours, {"librosa": (one_by_one, LIBROSA_CLIPS)}, error)


def test_griffinlim(benchmark, audio):
    magnitudes = np.abs(fd.stft(audio))

    def ours():
        return fd.griffinlim(magnitudes, init=None)

    def one():
        return librosa.griffinlim(magnitudes[0], init=None)

    # 32 iterations magnify rounding: the same spectral convergence, not the same samples.
    def convergence(y):
        return np.linalg.norm(np.abs(librosa.stft(y)) - magnitudes[0])

    found, expected = convergence(ours()[0]), convergence(one())
    assert found == pytest.approx(expected, rel=1e-2)
    _compare(benchmark, ours, {"librosa": (one, 1)}, float(found / expected - 1))


def test_mel_to_audio(benchmark, audio):
    mels = fd.melspectrogram(audio, sr=RATE)

    def ours():
        return fd.mel_to_audio(mels, sr=RATE, random_state=0)

    again = fd.melspectrogram(ours(), sr=RATE)
    error = float(np.linalg.norm(again - mels) / np.linalg.norm(mels))
    assert error < 0.2
    benchmark.pedantic(ours, rounds=3, warmup_rounds=1)
    if benchmark.stats:
        benchmark.extra_info["clips_per_s"] = round(CLIPS / benchmark.stats.stats.median)
    benchmark.extra_info["relative_error_of_the_mel"] = error

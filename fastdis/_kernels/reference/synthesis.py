"""NumPy twins of the kernels that make sound: oscillators, partials, noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastdis._kernels.philox import philox


def _waveform(shape: int, x: NDArray[np.float64]) -> NDArray[np.float64]:
    if shape == 0:
        return np.sin(x)
    turned = np.mod(x, 2 * np.pi)  # 2 pi itself where x is a rounding error below zero
    if shape == 1:
        return 1 - np.abs(turned - np.pi) / (np.pi / 2)
    return turned / np.pi - 1 if shape == 2 else np.where(turned < np.pi, 1.0, -1.0)


def oscillator(
    shape_index: NDArray[np.int32],
    frequency: NDArray[np.float64],
    amplitude: NDArray[np.float64],
    phase: NDArray[np.float64],
    t: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    """``out[b, n]`` is the waveform of ``2 pi frequency[b] t[n] + phase[b]``, times amplitude."""
    for b, shape in enumerate(shape_index):
        x = 2 * np.pi * frequency[b] * t + phase[b]
        out[b] = amplitude[b] * _waveform(shape, x)


def oscillator_band_limited(
    shape_index: NDArray[np.int32],
    frequency: NDArray[np.float64],
    amplitude: NDArray[np.float64],
    phase: NDArray[np.float64],
    harmonics: NDArray[np.float64],
    t: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    """As :func:`oscillator`, but the Fourier series up to the harmonic number ``harmonics[b]``."""
    for b, shape in enumerate(shape_index):
        x = 2 * np.pi * frequency[b] * t + phase[b]
        total = np.zeros_like(t)
        last = min(int(harmonics[b]), 1) if shape == 0 else int(harmonics[b])
        for h in range(1, last + 1, 1 if shape == 2 else 2):
            if shape == 1:
                total -= 8 / (np.pi * h) ** 2 * np.cos(h * x)
            else:
                total += (1.0, 0.0, -2 / (np.pi * h), 4 / (np.pi * h))[shape] * np.sin(h * x)
        out[b] = amplitude[b] * total


def normals(seed: int, index: int, first: int, out: NDArray[np.float32]) -> None:
    """The stream ``index`` under ``seed`` from counter ``first`` on, which 256 divides."""
    groups = -(-len(out) // 64)
    j = np.arange(16 * groups, dtype=np.uint64) + np.uint64(first)
    of_clip = np.full_like(j, index)
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    counter = (j & low, j >> half, of_clip & low, of_clip >> half)
    words = philox(counter, (seed & 0xFFFFFFFF, seed >> 32))
    parts: list[NDArray[np.float64]] = []
    for even, odd in (words[:2], words[2:]):
        r = np.sqrt(-2 * np.log(((even >> np.uint64(9)) + 0.5) * 2.0**-23))
        h = (odd.astype(np.uint32).view(np.int32) >> 8) * 2.0**-23
        parts += [r * np.cos(np.pi * h), r * np.sin(np.pi * h)]
    out[:] = np.stack(parts).reshape(4, groups, 16).swapaxes(0, 1).reshape(-1)[: len(out)]


def add_noise(
    audio: NDArray[np.float32],
    snr_db: NDArray[np.float64],
    seed: int,
    index: NDArray[np.uint64],
    loudest: float,
    out: NDArray[np.float32],
) -> int:
    """Clips ``audio (B, T)`` plus noise of power ``mean(audio^2) 10^(-snr_db / 10)``.

    ``out`` is ``audio`` itself or apart from it. Returns how many clips are done: all, or those
    before the first that is not finite, or where the clip or the noise has a root mean square above
    ``loudest``.
    """
    noise = np.empty(audio.shape[1], np.float32)
    for done, clip in enumerate(audio):
        normals(seed, int(index[done]), 0, noise)
        power, noise_power = (np.mean(np.square(x, dtype=np.float64)) for x in (clip, noise))
        if not power <= loudest**2:
            return done
        gain = 0.0
        if power > 0 and snr_db[done] < np.inf:
            with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
                gain = np.sqrt(power / noise_power) * np.power(10.0, -snr_db[done] / 20)
        if not gain <= loudest:
            return done
        out[done] = clip + np.float32(gain) * noise
    return len(audio)


def additive(
    frequency: NDArray[np.float64],
    amplitude: NDArray[np.float64],
    decay: NDArray[np.float64],
    phase: NDArray[np.float64],
    sample_rate: float,
    out: NDArray[np.float32],
    start: int = 0,
) -> None:
    """``out[b, n]`` is the sum of ``amplitude e^(-decay t) sin(2 pi frequency t + phase)``.

    ``t = (start + n) / sample_rate``. Partials at or above half the sample rate are silent.
    """
    n = np.arange(start, start + out.shape[1], dtype=np.float64)
    phase = np.arctan2(np.sin(phase), np.cos(phase))  # so that adding a large one rounds nothing
    for b in range(len(out)):
        total = np.zeros(len(n))
        for p in np.flatnonzero((frequency[b] < sample_rate / 2) & (amplitude[b] != 0)):
            turns = np.mod(frequency[b, p] / sample_rate * n, 1)  # exact; the product is rounded
            fade = np.exp(-np.minimum(decay[b, p], 1e3 * sample_rate) / sample_rate * n)
            total += amplitude[b, p] * fade * np.sin(2 * np.pi * turns + phase[b, p])
        out[b] = total

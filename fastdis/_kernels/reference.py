"""The plain NumPy twin of every kernel: the same name, signature and result.

They are the oracle of the tests, and they run where no native kernel was built.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# --- spectral: two real frames travel as the real and imaginary part of one complex transform ---

# A frame more than 2^1 quieter than its partner, by the sum of its magnitudes, is scaled up to it,
# so that the partner's rounding errors do not reach it. 2^60 is as far as squares stay in
# float32's range.
_GAIN_FROM, _GAIN_TO = 1, 60


def pack_frames(
    y: NDArray[np.float32],
    window: NDArray[np.float32],
    hop: int,
    start: int,
    packed: NDArray[np.complex64],
    gain: NDArray[np.float32],
) -> None:
    """Frame and window ``y (T,)``; row ``p`` of ``packed (R, n)`` is frame 2p + i frame 2p+1.

    Frame ``f`` of the ``len(gain)`` frames begins at sample ``start + f * hop``; samples outside
    ``y`` are zero, and so is a last frame's missing partner. ``gain[f]`` undoes the scaling of
    frame ``f``: a power of two, and 0 for a silent frame.
    """
    frames = len(gain)
    index = start + hop * np.arange(frames)[:, None] + np.arange(len(window))
    inside = (index >= 0) & (index < len(y))
    framed = np.zeros((2 * len(packed), len(window)), np.float32)
    framed[:frames][inside] = y[index[inside]]
    framed[:frames] *= window
    level = np.abs(framed).sum(axis=1)
    exponent = level.view(np.int32) >> 23
    lift = np.maximum(exponent.reshape(-1, 2).max(axis=1).repeat(2) - exponent, 0)
    partner = level.reshape(-1, 2)[:, ::-1].ravel()
    lift = np.where((lift > _GAIN_FROM) & (partner > 0), np.minimum(lift, _GAIN_TO), 0)
    framed = np.ldexp(framed, lift[:, None].astype(np.int32))
    gain[:] = np.where(level > 0, np.ldexp(np.float32(1), -lift.astype(np.int32)), 0)[:frames]
    packed.real = framed[0::2]
    packed.imag = framed[1::2]


def _unpack(packed: NDArray[np.complex64], gain: NDArray[np.float32]) -> NDArray[np.complex64]:
    """The spectra ``(frames, n // 2 + 1)`` of the two real frames in each transformed row."""
    bins = packed.shape[1] // 2 + 1
    mirrored = np.roll(packed[:, ::-1], 1, axis=1)[:, :bins].conj()
    direct = packed[:, :bins]
    spectra = np.empty((2 * len(packed), bins), np.complex64)
    spectra[0::2] = (direct + mirrored) * np.complex64(0.5)
    spectra[1::2] = (direct - mirrored) * np.complex64(-0.5j)
    spectra[: len(gain)] *= gain[:, None]
    return spectra[: len(gain)]


def unpack_spectrum(
    packed: NDArray[np.complex64], gain: NDArray[np.float32], spectrum: NDArray[np.complex64]
) -> None:
    """Transformed rows of :func:`pack_frames` to ``spectrum (n // 2 + 1, frames)``."""
    spectrum[...] = _unpack(packed, gain).T


def mel_from_packed(
    packed: NDArray[np.complex64],
    gain: NDArray[np.float32],
    power: float,
    first: NDArray[np.int32],
    band: NDArray[np.int32],
    weight: NDArray[np.float32],
    mel: NDArray[np.float32],
) -> None:
    """Transformed rows of :func:`pack_frames` to ``mel (M, frames)``: filters times |X|^power.

    Bin ``k`` adds ``weight[j] |X[k]|^power`` to ``mel[band[j]]`` for j from ``first[k]`` up to,
    but without, ``first[k + 1]``.
    """
    spectra = _unpack(packed, gain)
    energy = spectra.real**2 + spectra.imag**2
    filters = np.zeros((len(mel), energy.shape[1]), np.float32)
    filters[band, np.repeat(np.arange(len(first) - 1), np.diff(first))] = weight
    mel[...] = filters @ (energy if power == 2 else energy ** np.float32(power / 2)).T


def pack_spectrum(spectrum: NDArray[np.complex64], packed: NDArray[np.complex64]) -> None:
    """``spectrum (n // 2 + 1, frames)`` to rows ``(R, n)`` whose inverse DFT is two real frames.

    Row ``p`` transforms to frame 2p + i frame 2p+1. As a real frame asks, the imaginary part of
    bin 0, and of bin n/2 of an even ``n``, counts as zero; a missing partner is zero.
    """
    bins, frames = spectrum.shape
    n = packed.shape[1]
    spectra = np.zeros((2 * len(packed), bins), np.complex64)
    spectra[:frames] = spectrum.T
    spectra.imag[:, 0] = 0
    if n % 2 == 0:
        spectra.imag[:, -1] = 0
    real, imaginary = spectra[0::2], spectra[1::2]
    packed[:, :bins] = real + 1j * imaginary
    mirror = slice((n - 1) // 2, 0, -1)
    packed[:, bins:] = real[:, mirror].conj() + 1j * imaginary[:, mirror].conj()


def overlap_add(
    packed: NDArray[np.complex64],
    window: NDArray[np.float32],
    hop: int,
    start: int,
    frames: int,
    y: NDArray[np.float32],
) -> None:
    """Add the windowed frames of inverse-transformed rows to ``y (T,)``, in the frames' order.

    Frame ``f`` begins at sample ``start + f * hop``; what falls outside ``y`` is dropped.
    """
    framed = np.stack([packed.real, packed.imag], axis=1).reshape(-1, packed.shape[1])
    for f in range(frames):
        left = start + f * hop
        a, b = max(left, 0), min(left + len(window), len(y))
        if a < b:
            y[a:b] += window[a - left : b - left] * framed[f, a - left : b - left]


def project_phase(
    packed: NDArray[np.complex64],
    gain: NDArray[np.float32],
    inertia: float,
    magnitude: NDArray[np.float32],
    previous: NDArray[np.float32],
) -> None:
    """One fast Griffin-Lim update of transformed rows, in place; they are to be transformed back.

    Each spectrum X becomes ``magnitude * Y / |Y|`` with ``Y = X - inertia * previous``, and
    ``previous`` becomes X. ``magnitude (R, F, 2)`` has the two frames of a row side by side;
    ``previous (R, 2, F, 2)`` so the real and the imaginary parts, those of the second frame with
    their sign changed. The magnitudes peak near 1: where ``|Y|^2 <= 1e-30`` is no phase, hence 0.
    """
    frames = len(gain)
    spectra = np.zeros((2 * len(packed), magnitude.shape[1]), np.complex64)
    spectra[:frames] = _unpack(packed, gain)
    spectra[1::2] = spectra[1::2].conj()
    paired = spectra.reshape(len(packed), 2, -1).swapaxes(1, 2)
    ahead = paired - np.float32(inertia) * (previous[:, 0] + 1j * previous[:, 1])
    previous[:, 0], previous[:, 1] = paired.real, paired.imag
    energy = ahead.real**2 + ahead.imag**2
    some = energy > np.float32(1e-30)
    ahead *= np.where(some, magnitude / np.sqrt(np.where(some, energy, 1)), 0)
    spectra = ahead.swapaxes(1, 2).reshape(spectra.shape)
    spectra[1::2] = spectra[1::2].conj()
    pack_spectrum(spectra.T, packed)


def mel_least_squares(
    mel: NDArray[np.float32],
    first: NDArray[np.int32],
    band: NDArray[np.int32],
    weight: NDArray[np.float32],
    steps: int,
    spectrum: NDArray[np.float32],
) -> None:
    """``spectrum (F, frames) >= 0`` with filters times spectrum near ``mel (M, frames)``.

    ``steps`` of FISTA (Beck & Teboulle 2009) on the squared error from 0, with a step per bin,
    1 / (A'A 1), that bounds the curvature A'A of the non-negative filters A.
    """
    filters = np.zeros((len(mel), len(spectrum)), np.float32)
    filters[band, np.repeat(np.arange(len(first) - 1), np.diff(first))] = weight
    curvature = filters.T @ filters.sum(axis=1)
    step = np.where(curvature > 0, 1 / np.where(curvature > 0, curvature, 1), 0)[:, None]
    spectrum[...] = 0
    ahead = spectrum.copy()
    t = 1.0
    for _ in range(steps):
        t_next = 0.5 * (1 + np.sqrt(1 + 4 * t * t))
        descended = np.maximum(ahead - step * (filters.T @ (filters @ ahead - mel)), 0)
        ahead = descended + np.float32((t - 1) / t_next) * (descended - spectrum)
        spectrum[...] = descended
        t = t_next


# --- histogram: counts (D, bins, S), S levels of all factors together ---


def column_range(
    x: NDArray[np.floating], low: NDArray[np.float64], high: NDArray[np.float64]
) -> float:
    """Widen ``low (C,)`` and ``high (C,)`` to hold ``x (n, C)``; 0.0 if x is finite, else NaN."""
    low[:] = np.fmin(low, np.fmin.reduce(x, axis=0, initial=np.inf))
    high[:] = np.fmax(high, np.fmax.reduce(x, axis=0, initial=-np.inf))
    return 0.0 if np.isfinite(x).all() else float("nan")


def bin_columns(
    x: NDArray[np.floating],
    edges: NDArray[np.float64],
    bins: NDArray[np.int64],
    out: NDArray[np.uint16],
) -> None:
    """``out[i, c]`` is the number of inner edges ``edges[c, 1:bins[c]]`` that x[i, c] reaches."""
    for c, count in enumerate(bins):
        column = x[:, c].astype(np.float64)
        index = np.searchsorted(edges[c, 1:count], column, side="right")
        out[:, c] = np.where(np.isnan(column), 0, index)  # NaN reaches no edge


def joint_counts(
    code_bins: NDArray[np.uint16],
    factor_levels: NDArray[np.uint16],
    offset: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> None:
    """Add the rows of ``code_bins (n, D)`` and ``factor_levels (n, K)`` to ``counts (D, bins, S)``.

    Row i adds one to ``counts[d, code_bins[i, d], offset[k] + factor_levels[i, k]]`` for every d
    and k.
    """
    _, bins, levels = counts.shape
    for d, column in enumerate(code_bins.T):
        for k, start in enumerate(offset):
            cell = column.astype(np.int64) * levels + start + factor_levels[:, k]
            counts[d] += np.bincount(cell, minlength=bins * levels).reshape(bins, levels)


# --- oscillator: clips (B, T) of one waveform each; 0 sine, 1 triangle, 2 sawtooth, 3 square ---


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

"""NumPy twins of the kernels on spectra: frames, mel bands, overlap-add, phases, constant-Q.

Two real frames ``a`` and ``b`` travel as the real and the imaginary part of one complex transform:
that of ``a + 1j b`` is ``Z = A + 1j B``, from which ``A[k] = (Z[k] + conj(Z[-k])) / 2`` and
``B[k] = (Z[k] - conj(Z[-k])) / 2j``. Such a transform, and what it is made from, is ``packed``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def frames_to_spectra(
    y: NDArray[np.float32],
    window: NDArray[np.float32],
    hop: int,
    start: int,
    loudest: float,
    spectra: NDArray[np.complex64],
) -> int:
    """Clips ``y (B, T)`` to the spectra of their windowed frames, ``(B, n // 2 + 1, frames)``.

    Frame ``f`` begins at sample ``start + f * hop``; samples outside the clip are zero. Returns
    how many clips are done: all, or those before the first that holds a sample which is NaN or
    larger than ``loudest`` in magnitude.
    """
    for done, clip in enumerate(y):
        if not (np.abs(clip) <= loudest).all():
            return done
        spectra[done] = np.fft.rfft(_frames(clip, window, hop, start, spectra.shape[2])).T
    return len(y)


def frames_to_mel(
    y: NDArray[np.float32],
    window: NDArray[np.float32],
    hop: int,
    start: int,
    loudest: float,
    power: float,
    first: NDArray[np.int32],
    offset: NDArray[np.int32],
    weight: NDArray[np.float32],
    mel: NDArray[np.float32],
) -> int:
    """As :func:`frames_to_spectra`, but ``mel (B, M, frames)``: filters times |X|^power.

    Filter ``b`` weighs the bins from ``first[b]`` on by ``weight[offset[b]:offset[b + 1]]``.
    """
    filters = np.zeros((mel.shape[1], len(window) // 2 + 1))
    for b, row in enumerate(filters):
        taps = weight[offset[b] : offset[b + 1]]
        row[first[b] : first[b] + len(taps)] = taps
    for done, clip in enumerate(y):
        if not (np.abs(clip) <= loudest).all():
            return done
        spectra = np.fft.rfft(_frames(clip, window, hop, start, mel.shape[2]))
        mel[done] = filters @ np.abs(spectra.T) ** power
    return len(y)


def _frames(
    clip: NDArray[np.float32], window: NDArray[np.float32], hop: int, start: int, frames: int
) -> NDArray[np.float64]:
    """The windowed frames ``(frames, n)`` of ``clip (T,)``."""
    index = start + hop * np.arange(frames)[:, None] + np.arange(len(window))
    inside = (index >= 0) & (index < len(clip))
    framed = np.zeros(index.shape)
    framed[inside] = clip[index[inside]]
    return framed * window


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


def partials_mel(
    frequency: NDArray[np.float64],
    amplitude: NDArray[np.float64],
    phase: NDArray[np.float64],
    sample_rate: float,
    n: int,
    hop: int,
    center: float,
    power: float,
    first: NDArray[np.int32],
    offset: NDArray[np.int32],
    weight: NDArray[np.float32],
    mel: NDArray[np.float32],
) -> None:
    """Partials ``(B, P)`` to ``mel (B, M, frames)``: filters times |X|^power, Hann window.

    The middle of frame ``f`` is sample ``center + f * hop``. The filters are those of
    :func:`frames_to_mel`. A partial at or above ``sample_rate / 2`` is silent. The native kernel
    leaves out what is below 2e-8 of the loudest partial's peak; this one, nothing.
    """
    filters = np.zeros((mel.shape[1], n // 2 + 1))
    for row, start, taps in zip(filters, first, np.split(weight, offset[1:-1]), strict=True):
        row[start : start + len(taps)] = taps
    middles = center + hop * np.arange(mel.shape[2])
    for b, f in enumerate(frequency):
        heard = f < sample_rate / 2
        cycles = f[heard] / sample_rate
        nu = cycles * n
        angle = 2 * np.pi * np.mod(np.outer(middles, cycles), 1) + phase[b, heard]
        z = amplitude[b, heard] * np.exp(1j * angle) / 2j
        spectra = z @ _hann_transform(nu, n) + z.conj() @ _hann_transform(-nu, n)
        mel[b] = filters @ np.abs(spectra.T) ** power


def _hann_transform(nu: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """The transform at bins k of a periodic Hann window times e^{2 pi i nu t / n}, ``(P, F)``.

    Time is counted from the middle of the window, and a factor (-1)^k left out.
    """
    center = np.round(nu)
    offset = (nu - center)[:, None]
    offset = np.where(np.abs(offset) < 1e-9, 1e-9, offset)  # on a bin it is 0 / 0
    a = np.pi * (offset + (center[:, None] - np.arange(n // 2 + 1))) / n
    sine = np.where(center[:, None] % 2, -1, 1) * np.sin(np.pi * offset)
    transform: NDArray[np.float64] = sine / (
        2 * np.tan(a) * (1 - (np.sin(a) / np.sin(np.pi / n)) ** 2)
    )
    return transform


def fill_period(
    y: NDArray[np.float32], before: int, loudest: float, packed: NDArray[np.complex64]
) -> bool:
    """``y (T,)``, whose sample ``before`` is sample 0 of the period, into ``packed (N / 2,)``.

    Those before it stand at the end; between them are zeros. Even samples of the period are real
    parts, odd ones imaginary. Returns whether every ``|y|`` is at most ``loudest``.
    """
    period = packed.view(np.float32)
    period[:] = 0
    period[: len(y) - before] = y[before:]
    period[len(period) - before :] = y[:before]
    return bool((np.abs(y) <= loudest).all())


def fold_bands(
    packed: NDArray[np.complex64],
    twiddle: NDArray[np.complex64],
    first: NDArray[np.int64],
    offset: NDArray[np.int64],
    weight: NDArray[np.float32],
    scale: float,
    folded: NDArray[np.complex64],
) -> None:
    """``folded[k, r]`` is ``scale`` times the sum of ``W_k[f] Y[f]`` over all ``f = r`` modulo L.

    ``Y`` is the transform of a period of N real samples, of which ``packed (N / 2,)`` is that of
    the even ones + i times the odd ones. ``W_k[f]`` from ``f = first[k]`` on is
    ``weight[offset[k]:offset[k + 1]]``. ``twiddle[f]`` is ``exp(-2j pi f / N) / 2``.
    """
    z = packed.astype(np.complex128)
    f = np.arange(len(twiddle))
    mirrored = z[-f % len(z)].conj()
    z = z[f % len(z)]
    lines = 0.5 * (z + mirrored) - 1j * twiddle * (z - mirrored)
    total = np.zeros(folded.shape, np.complex128)
    for k, row in enumerate(total):
        taps = weight[offset[k] : offset[k + 1]]
        band = first[k] + np.arange(len(taps))
        np.add.at(row, band % len(row), taps * lines[band])
    folded[:] = scale * total

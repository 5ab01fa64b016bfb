"""The plain NumPy twin of every kernel: the same name, signature and result.

They are the oracle of the tests, and they run where no native kernel was built.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# --- frames of a power of two: a batch of clips in one call ---


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


# --- partials: mel spectrograms of stationary partials, from their windowed transforms ---


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


# --- histogram: counts (D, bins, S), S levels of all factors together ---


def column_range(
    x: NDArray[Any],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    whole: NDArray[np.bool_],
) -> float:
    """Widen ``low (C,)`` and ``high (C,)`` to hold ``x (n, C)``; 0.0 if x is finite, else NaN.

    ``whole (C,)`` becomes False where a value is not a whole number.
    """
    x = x.astype(np.float64)
    low[:] = np.fmin(low, np.fmin.reduce(x, axis=0, initial=np.inf))
    high[:] = np.fmax(high, np.fmax.reduce(x, axis=0, initial=-np.inf))
    whole &= (x == np.floor(x)).all(axis=0)
    return 0.0 if np.isfinite(x).all() else float("nan")


def distinct_values(
    bits: NDArray[Any],
    negative_zero: int,
    columns: NDArray[np.int64],
    limit: int,
    sets: NDArray[np.uint64],
    sizes: NDArray[np.int64],
) -> None:
    """Add the values of ``bits (n, C)``, the patterns of finite floats, to a set for each column.

    ``sets[m]`` holds those of column ``columns[m]``: its ``sizes[m]`` entries that are not all
    ones. It has a power of two of places, more than ``limit`` + 1 of them; of a set that exceeds
    ``limit`` nothing more is known. -0.0 is 0.0.
    """
    for known, c, m in zip(sets, columns, range(len(sizes)), strict=True):
        column = np.where(bits[:, c] == negative_zero, 0, bits[:, c])
        values = np.union1d(known[known != ~np.uint64(0)], column)[: limit + 1]
        known[: len(values)] = values
        sizes[m] = len(values)


def bin_columns(
    x: NDArray[Any],
    edges: NDArray[np.float64],
    bins: NDArray[np.int64],
    out: NDArray[np.uint16],
) -> None:
    """``out[i, c]`` is the number of inner edges ``edges[c, 1:bins[c]]`` that x[i, c] reaches."""
    for c, count in enumerate(bins):
        column = x[:, c].astype(np.float64)
        index = np.searchsorted(edges[c, 1:count], column, side="right")
        out[:, c] = np.where(np.isnan(column), 0, index)  # NaN reaches no edge


def joint_levels(
    levels: NDArray[np.uint16],
    group: NDArray[np.int64],
    stride: NDArray[np.int64],
    offset: NDArray[np.int64],
    out: NDArray[np.uint32],
) -> None:
    """Several factors as one: ``out[i, g] = offset[g] + sum of stride[k] levels[i, k]``.

    The sum runs over the factors k with ``group[k] == g``.
    """
    for g, start in enumerate(offset):
        mine = group == g
        out[:, g] = start + levels[:, mine].astype(np.int64) @ stride[mine]


def joint_counts(
    code_bins: NDArray[np.uint16],
    joint: NDArray[np.uint32],
    counts: NDArray[np.uint32],
) -> None:
    """Add the rows of ``code_bins (n, D)`` and ``joint (n, G)`` to ``counts (D, bins, S)``.

    Row i adds one to ``counts[d, code_bins[i, d], joint[i, g]]`` for every d and g.
    """
    _, bins, levels = counts.shape
    for table, column in zip(counts, code_bins.T, strict=True):
        for level in joint.T:
            cell = column.astype(np.int64) * levels + level
            table += np.bincount(cell, minlength=bins * levels).reshape(bins, levels).astype("u4")


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finalizer of splitmix64 (Steele, Lea & Flood 2014): every bit depends on every bit."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def resample(seed: int, index: int, weights: NDArray[np.uint32]) -> None:
    """How often each of n rows comes in n draws: ``weights (n,)``, a function of seed and index.

    Draw i takes row floor(n x_i / 2^64) of the splitmix64 stream x that begins at a key of the two.
    """
    golden = np.array([0x9E3779B97F4A7C15], np.uint64)  # an array's products may wrap around
    start = _mixed(np.array([seed], np.uint64) + golden)
    state = _mixed(start + (np.array([index], np.uint64) + np.uint64(1)) * golden)
    x = _mixed(state + np.arange(1, weights.size + 1, dtype=np.uint64) * golden)
    n, half = np.uint64(weights.size), np.uint64(32)
    rows = ((x >> half) * n + ((x & np.uint64(0xFFFFFFFF)) * n >> half)) >> half
    weights[:] = np.bincount(rows.astype(np.intp), minlength=weights.size)


def weighted_counts(
    lines: NDArray[np.uint32],
    columns: NDArray[np.uint32],
    weights: NDArray[np.uint32],
    counts: NDArray[np.int64],
) -> None:
    """Add ``weights[i]`` to ``counts[lines[i, d], columns[i, g]]`` for every i, d and g."""
    np.add.at(counts, (lines[:, :, None], columns[:, None, :]), weights[:, None, None])


def entropy_sums(
    counts: NDArray[np.int64],
    lines: NDArray[np.int64],
    columns: NDArray[np.int64],
    x_log_x: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> None:
    """The sums of x log x over the blocks of tables ``counts (R, L, S)``, and over their margins.

    Block ``(k, d)`` has the lines ``lines[d]`` to ``lines[d + 1]`` and the columns ``columns[k]``
    to ``columns[k + 1]``. ``sums (R, K + 1, D + 1)`` holds that of its cells in ``[:, k, d]``, of
    its lines together in ``[:, K, d]`` and of its columns together in ``[:, k, D]``. Small x log x
    are looked up.
    """

    def total(x: NDArray[np.int64], *axes: int) -> NDArray[np.float64]:
        terms: NDArray[np.float64] = (x * np.log(np.maximum(x, 1))).sum(axis=axes)
        return terms

    del x_log_x
    for k in range(len(columns) - 1):
        of_factor = counts[:, :, columns[k] : columns[k + 1]]
        sums[:, k, -1] = total(of_factor[:, lines[0] : lines[1]].sum(axis=1), 1)
        for d in range(len(lines) - 1):
            of_both = of_factor[:, lines[d] : lines[d + 1]]
            sums[:, k, d] = total(of_both, 1, 2)
            sums[:, -1, d] = total(of_both.sum(axis=2), 1)


# --- intervals: how well one code predicts a factor ---


def interval_accuracy(code: NDArray[Any], labels: NDArray[np.int32], levels: int) -> float:
    """The largest balanced accuracy of cutting the sorted ``code (N,)`` into an interval a level.

    The levels stand in the order of their mean rank, or in the opposite one. best[c][j] is the most
    that levels 0..c can win from the rows below the j-th distinct value: the max over i <= j of
    best[c-1][i] + W_c[j] - W_c[i], where W_c[j] is the share of level c below it.
    """
    position = np.concatenate([[0], np.cumsum(code[1:] != code[:-1])])
    counts, sizes = np.bincount(position), np.bincount(labels, minlength=levels)
    rank = (np.cumsum(counts) - counts / 2)[position]  # ties share their mean rank
    rising = np.argsort(np.bincount(labels, rank) / sizes, kind="stable")

    def won(in_order: NDArray[np.intp]) -> float:
        best = np.zeros(len(counts) + 1)
        for level in in_order:
            of_level = np.bincount(position[labels == level], minlength=len(counts))
            below = np.concatenate([[0], np.cumsum(of_level)]) / sizes[level]
            best = below + np.maximum.accumulate(best - below)
        return float(best[-1])

    return max(won(rising), won(rising[::-1])) / levels


def scaled_products(
    x: NDArray[np.float64],
    low: NDArray[np.float64],
    span: NDArray[np.float64],
    sums: NDArray[np.float64],
    squares: NDArray[np.float64],
    products: NDArray[np.float64],
) -> None:
    """Add up ``u = (x - low) / span`` of rows ``x (n, K + D)``: u, u^2 and, of pairs, u_k u_d.

    The first K columns are paired with the others, into ``products (K, D)``.
    """
    u = (x - low) / span
    factors = len(products)
    sums += u.sum(axis=0)
    squares += (u**2).sum(axis=0)
    # Not a matrix product: BLAS would take threads of its own.
    products += np.einsum("nk,nd->kd", u[:, :factors], u[:, factors:])


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


# --- noise: clips (B, T) plus white normal noise, a stream of its own for every clip ---


def philox(
    counter: tuple[NDArray[np.uint64], ...], key: tuple[int, int]
) -> tuple[NDArray[np.uint64], ...]:
    """The four 32-bit words of Philox 4x32-10 (Salmon et al., SC 2011) for each counter."""
    x0, x1, x2, x3 = counter
    k0, k1 = key
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        p, q = x0 * np.uint64(0xD2511F53), x2 * np.uint64(0xCD9E8D57)
        x0, x1 = (q >> half) ^ x1 ^ np.uint64(k0), q & low
        x2, x3 = (p >> half) ^ x3 ^ np.uint64(k1), p & low
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return x0, x1, x2, x3


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


# --- additive: clips (B, T), each a sum of damped sines, from partials (B, P) ---


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


# --- curves: the cells of a picture in the order of a Hilbert curve ---


def hilbert_order(rows: int, columns: int, order: NDArray[np.int64]) -> None:
    """The flat indices of the cells of ``rows x columns`` in the order of a Hilbert curve.

    From the first cell along the longer side, and every step but one at most to a cell beside;
    ``csrc/curve.c`` says why.
    """
    # Rectangles in the order of the curve: the first cell, then the number and the step of cells
    # along the path and across it. All are cut at once, until each is a line.
    whole = [0, columns, 1, rows, columns] if columns >= rows else [0, rows, columns, columns, 1]
    parts = np.array([whole], np.int64)
    while (parts[:, [1, 3]].min(axis=1) > 1).any():
        parts = _cut(parts)
    first, w, along, h, across = parts.T
    cells, step = w * h, np.where(h == 1, along, across)
    place = np.arange(len(order)) - np.repeat(np.cumsum(cells) - cells, cells)
    order[:] = np.repeat(first, cells) + place * np.repeat(step, cells)


def _cut(parts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each rectangle that is no line in two where it is long, else in three."""
    first, w, along, h, across = parts.T
    none, line, long = np.zeros_like(w), np.minimum(w, h) == 1, 2 * w > 3 * h
    near = np.where(long, w, h)
    near = near // 2 + (near // 2 % 2) * (near > 2)  # even, but half of 2 is 1
    left, last = w // 2, first + (w - 1) * along + (near - 1) * across
    halves = [
        [first, near, along, h, across],
        [first + near * along, w - near, along, h, across],
        [none] * 5,
    ]
    thirds = [
        [first, near, across, left, along],
        [first + near * across, w, along, h - near, across],
        [last, near, -across, w - left, -along],
    ]
    cut = np.where(line, [list(parts.T), [none] * 5, [none] * 5], np.where(long, halves, thirds))
    cut = cut.transpose(2, 0, 1).reshape(-1, 5)
    return cut[cut[:, 1] > 0]


# --- constant Q: a clip in its period, and the bands of its filters folded into one turn ---


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
    turn: NDArray[np.complex64],
    first: NDArray[np.int64],
    offset: NDArray[np.int64],
    weight: NDArray[np.float32],
    scale: float,
    folded: NDArray[np.complex64],
) -> None:
    """``folded[k, r]`` is ``scale`` times the sum of ``W_k[f] Y[f]`` over all ``f = r`` modulo L.

    ``Y`` is the transform of a period of N real samples, of which ``packed (N / 2,)`` is that of
    the even ones + i times the odd ones. ``W_k[f]`` from ``f = first[k]`` on is
    ``weight[offset[k]:offset[k + 1]]``. ``turn[f]`` is ``exp(-2j pi f / N) / 2``.
    """
    z = packed.astype(np.complex128)
    f = np.arange(len(turn))
    mirrored = z[-f % len(z)].conj()
    z = z[f % len(z)]
    lines = 0.5 * (z + mirrored) - 1j * turn * (z - mirrored)
    total = np.zeros(folded.shape, np.complex128)
    for k, row in enumerate(total):
        taps = weight[offset[k] : offset[k + 1]]
        band = first[k] + np.arange(len(taps))
        np.add.at(row, band % len(row), taps * lines[band])
    folded[:] = scale * total

"""The constant-Q transform: its filters' spectra, checked and computed once.

    C[k, m] = g_k sum_j w_k[j] exp(-2j pi f_k j / sr) y[m hop + j],  f_k = fmin 2^(k / per_octave)

The window ``w_k`` spans ``Q sr / f_k`` samples, fractions included, around the frame's centre, so
that its spectrum ``W_k`` is real. With the clip in zeros up to a period ``N = hop L``, frame ``m``
lies ``m / L`` of it away, and one transform ``Y`` of the clip serves all filters (Brown & Puckette
1992):

    C[k, m] = 1/N sum_f W_k[f] Y[f] exp(2j pi f m / L)

Lines ``f`` that are equal modulo ``L`` share their exponential: they are added up, then an inverse
transform of ``L`` points gives all frames. Negative frequencies are left out, as librosa does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _kernels, _memory, _validation
from fastdis._constant_q_filters import FilterWindow, band, norm_of, shape_of, turns
from fastdis._framing import LOUDEST, PAD_MODES, check_level
from fastdis._kernels import fft
from fastdis._threads import parallel_for

C1 = 440 * 2 ** (-45 / 12)  # Hz; librosa's lowest bin

_LONGEST = 2**24  # samples of a hop or a filter
_BLOCK = 2**16  # samples; longer clips are cut into blocks of frames, so that each stays in cache
_MOST_BINS = 2**20
_FOLDED = 2**19  # complex numbers of the filters' inverse transforms at once


@dataclass(frozen=True, eq=False)
class ConstantQ:
    """Filters for clips of one length, as their spectra on the lines of a period.

    Attributes
    ----------
    sr, hop, samples, frames
        Hz; samples from a frame to the next, and of a clip; frames of a clip, of which number m is
        centred on sample ``m hop``.
    reach
        Samples that the longest filter goes to either side of a frame's centre.
    padded
        Whether the clip is extended by ``reach`` samples to either side: then those before it stand
        at the end of the period. Else it is followed by zeros.
    frequencies, lengths
        ``(K,)``, Hz and samples, fractions included.
    period, folded
        ``N``, even, and ``L``: ``N = hop L`` where there are two frames or more, of which ``L`` are
        a whole turn, more than the clip has. For one frame ``L`` is 1.
    first, width, offset, weight
        ``W_k[f]`` for the ``width[k]`` lines from ``first[k]`` on, all from 0 to ``N / 2``, is
        ``weight[offset[k] : offset[k + 1]]``; the factor ``1 / N`` is not in it.
    """

    sr: float
    hop: int
    samples: int
    frames: int
    reach: int
    padded: bool
    frequencies: NDArray[np.float64]
    lengths: NDArray[np.float64]
    period: int
    folded: int
    first: NDArray[np.int64]
    width: NDArray[np.int64]
    offset: NDArray[np.int64]
    weight: NDArray[np.float32]

    @property
    def bins(self) -> int:
        """Filters."""
        return len(self.frequencies)

    @property
    def lines(self) -> int:
        """Lines from 0 on that any filter needs."""
        return int((self.first + self.width).max())

    @cached_property
    def turn(self) -> NDArray[np.complex64]:
        """``exp(-2j pi f / N) / 2`` for each of the lines: between complex and real transform."""
        angle = -2 * np.pi / self.period * np.arange(self.lines)
        result: NDArray[np.complex64] = (0.5 * np.exp(1j * angle)).astype(np.complex64)
        return result


@dataclass(frozen=True)
class _Settings:
    """Checked parameters of a transform, without the clip's length."""

    sr: float
    hop: int
    lowest: float
    bins: int
    per_octave: int
    filter_scale: float
    norm: float | None
    window: FilterWindow
    scale: bool

    @property
    def alpha(self) -> float:
        """The relative bandwidth, ``1 / Q`` at a filter scale of 1, as librosa has it."""
        ratio = 2.0 ** (2 / self.per_octave)
        return float((ratio - 1) / (ratio + 1))

    @property
    def longest(self) -> float:
        """Samples of the lowest filter."""
        return self.filter_scale / self.alpha * self.sr / self.lowest

    @property
    def reach(self) -> int:
        """Samples that it goes to either side."""
        return int(self.longest // 2)


def _settings(
    sr: float, hop_length: int, fmin: float | None, n_bins: int, bins_per_octave: int,
    tuning: float, filter_scale: float, norm: float | None, window: FilterWindow, scale: bool,
) -> _Settings:  # fmt: skip
    lowest = C1 if fmin is None else _validation.number("fmin", fmin, above=0)
    per_octave = _validation.integer("bins_per_octave", bins_per_octave, 1, _MOST_BINS)
    if norm is not None and norm != np.inf:
        norm = _validation.number("norm", norm, 0)
    if not (callable(window) or isinstance(window, str | tuple)):
        raise TypeError(
            "window takes a name, a tuple of a name and numbers, or a function of the length, "
            f"got {_validation.describe(window)}"
        )
    try:
        hash(window)
    except TypeError:
        raise TypeError(
            f"window takes a name or a tuple of a name and numbers, got {window!r}"
        ) from None
    tuning = _validation.number("tuning", tuning, -1e3, 1e3)
    settings = _Settings(
        _validation.number("sr", sr, above=0, maximum=_validation.FASTEST_RATE),
        _validation.integer("hop_length", hop_length, 1, _LONGEST),
        lowest * 2.0 ** (tuning / per_octave),
        _validation.integer("n_bins", n_bins, 1, _MOST_BINS),
        per_octave,
        _validation.number("filter_scale", filter_scale, above=0),
        norm,
        window,
        _validation.flag("scale", scale),
    )
    if settings.lowest == 0 or settings.longest > _LONGEST:
        raise ValueError(
            f"fmin takes a frequency whose filter is at most {_LONGEST} samples, got "
            f"{settings.lowest:g} Hz, whose is longer"
        )
    return settings


def plan(
    samples: int,
    *,
    sr: float = 22050,
    hop_length: int = 512,
    fmin: float | None = None,
    n_bins: int = 84,
    bins_per_octave: int = 12,
    tuning: float = 0.0,
    filter_scale: float = 1.0,
    norm: float | None = 1,
    window: FilterWindow = "hann",
    scale: bool = True,
    pad_mode: str = "constant",
) -> ConstantQ:
    """Check the parameters of :func:`cqt` and give the filters for whole clips of ``samples``.

    Raises
    ------
    TypeError, ValueError
        As :func:`cqt`.
    """
    samples = _validation.integer("samples", samples, 1)
    _validation.choice("pad_mode", pad_mode, PAD_MODES)
    settings = _settings(
        sr, hop_length, fmin, n_bins, bins_per_octave, tuning, filter_scale, norm, window, scale
    )
    return _plan(settings, samples, pad_mode != "constant")


@lru_cache(maxsize=16)
def _plan(settings: _Settings, samples: int, padded: bool) -> ConstantQ:
    shape, hop, reach = shape_of(settings.window), settings.hop, settings.reach
    with np.errstate(over="ignore"):  # far beyond half the sampling rate, then
        frequencies = settings.lowest * 2.0 ** (np.arange(settings.bins) / settings.per_octave)
    edge = 1 + 0.5 * shape.bandwidth * settings.alpha / settings.filter_scale
    _check_nyquist(frequencies, settings.sr, edge)
    lengths = settings.filter_scale / settings.alpha * settings.sr / frequencies
    frames = 1 + samples // hop
    least = samples + (2 * reach if padded else reach) + 1
    folded = 1 if frames == 1 else turns(hop, least)
    period = 2 * turns(1, -(-least // 2)) if frames == 1 else hop * folded
    first, bands = [], []
    for frequency, length in zip(frequencies, lengths, strict=True):
        begin, values = band(shape, 2 * np.pi * frequency / settings.sr, length, period)
        j = np.arange(-int(length // 2), int(length // 2) + 1)
        size = norm_of(shape.at(j / length), settings.norm)
        gain = (np.sqrt(length) if settings.scale else length) / size
        first.append(begin)
        bands.append((gain * values).astype(np.float32))
    width = np.array([len(values) for values in bands], np.int64)
    result = ConstantQ(
        settings.sr, hop, samples, frames, reach, padded, frequencies, lengths, period, folded,
        np.array(first, np.int64), width, np.append(0, np.cumsum(width)), np.concatenate(bands),
    )  # fmt: skip
    for value in (*vars(result).values(), result.turn):
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
    return result


def _check_nyquist(frequencies: NDArray[np.float64], sr: float, upper_edge: float) -> None:
    """librosa's condition: half of the equivalent noise bandwidth fits as well."""
    fits = int(np.count_nonzero(frequencies <= sr / 2 / upper_edge))
    if fits == 0:
        raise ValueError(
            f"fmin takes at most {sr / 2 / upper_edge:g} Hz, so that its filter lies below half "
            f"the sampling rate of {sr:g} Hz, got {frequencies[0]:g}"
        )
    if fits < len(frequencies):
        raise ValueError(
            f"n_bins takes at most {fits}, for so many filters lie below half the sampling rate of "
            f"{sr:g} Hz, got {len(frequencies)}"
        )


_Group = tuple[slice, NDArray[np.int64], NDArray[np.int64], fft.Transform]


@dataclass(frozen=True, eq=False)
class _Analysis:
    """Clips of one length, each by one transform or in several blocks of frames."""

    plan: ConstantQ  # of a block
    pad_mode: str
    frames: int  # of a clip
    blocks: int

    def run(
        self, clips: NDArray[np.float32], start: int, stop: int, out: NDArray[np.complex64]
    ) -> None:
        """Blocks ``start`` to ``stop`` of all ``clips (B, T)``, one clip's after another's."""
        plan = self.plan
        fill, fold = _kernels.get("fill_period"), _kernels.get("fold_bands")
        before, span = plan.reach * plan.padded, plan.samples + 2 * plan.reach + 1
        period, groups = fft.transform(1, plan.period // 2), self._groups()
        samples, lines = period.time[0], period.frequency[0]
        i, clip = -1, clips[:0]
        for item in range(start, stop):
            if item // self.blocks != i:
                i = item // self.blocks
                clip = self._padded(clips[i])
            first = item % self.blocks * plan.frames
            y = clip[first * plan.hop :][:span] if plan.padded else clip
            if not fill(y, before, LOUDEST, samples):
                check_level(clips, i)
                raise RuntimeError("y was changed by another thread while it was transformed")
            period.forward()
            count = min(plan.frames, self.frames - first)
            for some, begins, bounds, turned in groups:
                folded = turned.frequency
                fold(lines, plan.turn, begins, bounds, plan.weight, 1 / plan.period, folded)
                turned.backward()
                out[i, some, first : first + count] = turned.time[:, :count]

    def _groups(self) -> list[_Group]:
        """Filters whose inverse transforms fit into memory at once."""
        plan = self.plan
        # Of one filter, it may have the buffers of the clip's own transform: only the last may be.
        step = max(2, _FOLDED // plan.folded)
        parts = [slice(k, min(k + step, plan.bins)) for k in range(0, plan.bins, step)]
        return [
            (
                some, plan.first[some], plan.offset[some.start : some.stop + 1],
                fft.transform(some.stop - some.start, plan.folded),
            )
            for some in parts
        ]  # fmt: skip

    def _padded(self, clip: NDArray[np.float32]) -> NDArray[np.float32]:
        if not self.plan.padded:
            return clip
        width = (self.plan.reach, self.plan.reach + 1)
        return np.pad(clip, width, mode=self.pad_mode)  # type: ignore[call-overload, no-any-return]


def _analysis(settings: _Settings, samples: int, pad_mode: str) -> _Analysis:
    _validation.choice("pad_mode", pad_mode, PAD_MODES)
    block = max(_BLOCK, 4 * settings.reach)
    frames = 1 + samples // settings.hop
    if samples <= block:
        plan = _plan(settings, samples, pad_mode != "constant")
        blocks = 1
    else:
        plan = _plan(settings, block, True)
        blocks = -(-frames // plan.frames)
    if pad_mode in ("reflect", "symmetric"):
        least = plan.reach + 1 + (pad_mode == "reflect")
        if samples < least:
            raise ValueError(
                f"pad_mode={pad_mode!r} with filters of {settings.longest:.0f} samples takes clips "
                f"of at least {least} samples, got {samples}"
            )
    return _Analysis(plan, pad_mode, frames, blocks)


def cqt(
    y: ArrayLike,
    *,
    sr: float = 22050,
    hop_length: int = 512,
    fmin: float | None = None,
    n_bins: int = 84,
    bins_per_octave: int = 12,
    tuning: float = 0.0,
    filter_scale: float = 1.0,
    norm: float | None = 1,
    window: FilterWindow = "hann",
    scale: bool = True,
    pad_mode: str = "constant",
    out: NDArray[np.complex64] | None = None,
) -> NDArray[np.complex64]:
    """Constant-Q transform (Brown 1991; Brown & Puckette 1992): filters evenly spaced in pitch.

    ``C[k, m] = g_k / |w_k| sum_j w_k[j] exp(-2j pi f_k j / sr) y[m hop_length + j]``, where the
    window is centred on ``j = 0`` and spans ``Q sr / f_k`` samples, of which ``g_k`` is the root:
    ``Q = filter_scale (r + 1) / (r - 1)`` with ``r = 2 ** (2 / bins_per_octave)``.

    Every filter works at the full sampling rate, so that levels do not step from octave to octave.
    On steady tones librosa 0.11 gives the same magnitudes within 1% of the peak for a ``norm`` of 1
    and filters of 90 samples or more, which it rounds to whole samples at its lowered rates; within
    0.1% where it neither halves the rate, as for an odd hop, nor leaves out small values
    (``sparsity=0``). For another norm p, its values are ours times ``2 ** (-n (1 - 1 / p))`` in an
    octave for which it has halved the rate n times.

    Parameters
    ----------
    y : array_like, shape (T,) or (B, T)
        Floating-point audio, full scale in [-1, 1]. Filters that are longer than a clip see its
        padding.
    sr : float
        Sampling rate in Hz.
    hop_length : int
        Samples from one frame to the next, any number.
    fmin : float, optional
        The lowest centre frequency in Hz; C1, 32.7 Hz, by default.
    n_bins : int
        Number of filters.
    bins_per_octave : int
    tuning : float
        By how much of a bin to shift all centre frequencies.
    filter_scale : float
        Filters are longer by it; below 1 they are sharper in time.
    norm : float or None
        Of each window: p > 0 for its l^p norm, ``np.inf`` for its peak, 0 for its number of values
        that are not 0, and None for no division.
    window : str, tuple or callable
        A name in `scipy.signal.get_window`, or a function of the length; symmetric and of the same
        shape at every length.
    scale : bool
        False multiplies by the whole length of the filter, instead of its root.
    pad_mode : {"constant", "edge", "linear_ramp", "reflect", "symmetric"}
        How `numpy.pad` extends a clip by half of the longest filter on either side.
    out : ndarray of complex64, shape (n_bins, frames) or (B, n_bins, frames), optional
        C-contiguous; where to write.

    Returns
    -------
    ndarray of complex64, shape (n_bins, frames) or (B, n_bins, frames)
        ``out`` where it was given; ``frames`` is ``1 + T // hop_length``, and frame m is centred on
        sample ``m hop_length``. As in librosa, negative frequencies count for nothing: of a Hann
        window at the default Q, at most 3e-4 of the clip's peak. Beyond that the error is about
        5e-5 of that peak (5e-4 for a window that ends in a jump), for filters' spectra are cut off
        at 1e-5 of their own. A clip's result is the same to the last bit in any batch and with any
        thread count.

    Raises
    ------
    TypeError, ValueError
        If ``y`` is not floating-point, not finite, empty, or too short for ``pad_mode``; if
        ``n_bins`` go beyond half the sampling rate (it says how many fit); if a parameter is out
        of its range, or ``out`` of another kind.
    MemoryError
        If there is no room for the result; nothing has been computed then.

    Examples
    --------
    >>> cqt(np.zeros((3, 16000)), sr=16000, n_bins=60).shape
    (3, 60, 32)
    """
    clips, single = _validation.clips("y", y)
    settings = _settings(
        sr, hop_length, fmin, n_bins, bins_per_octave, tuning, filter_scale, norm, window, scale
    )
    analysis = _analysis(settings, clips.shape[1], pad_mode)
    shape = (len(clips), settings.bins, analysis.frames)[single:]
    if out is None:
        out = _memory.new_array("cqt", shape, np.complex64)
    else:
        _validation.output("out", out, shape, np.complex64)
    batch = out[None] if single else out

    def work(start: int, stop: int) -> None:
        analysis.run(clips, start, stop, batch)

    parallel_for(work, len(clips) * analysis.blocks)
    return out

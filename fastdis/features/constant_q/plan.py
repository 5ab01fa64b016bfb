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
from numpy.typing import NDArray

from fastdis import _validation
from fastdis.features.constant_q.filters import FilterWindow, band, norm_of, period_frames, shape_of

C1 = 440 * 2 ** (-45 / 12)  # Hz; librosa's lowest bin
MOST_BINS = 2**20

_LONGEST_FILTER = 2**24  # samples; of a hop, too


class TooManyBinsError(ValueError):
    """Some filters, but not all, lie below half the sampling rate."""


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
        ``N``, even, and ``L``: ``N = hop L`` where there are two frames or more, of which a
        period has ``L``, more than the clip has. For one frame ``L`` is 1.
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
    def twiddle(self) -> NDArray[np.complex64]:
        """``exp(-2j pi f / N) / 2`` for each of the lines: between complex and real transform."""
        angle = -2 * np.pi / self.period * np.arange(self.lines)
        result: NDArray[np.complex64] = (0.5 * np.exp(1j * angle)).astype(np.complex64)
        return result


@dataclass(frozen=True)
class ConstantQSettings:
    """The parameters of :func:`fastdis.features.cqt` except ``pad_mode``, checked one by one.

    Raises
    ------
    TypeError, ValueError
        If one is out of its range.
    """

    sr: float = 22050
    hop_length: int = 512
    fmin: float | None = None
    n_bins: int = 84
    bins_per_octave: int = 12
    tuning: float = 0.0
    filter_scale: float = 1.0
    norm: float | None = 1
    window: FilterWindow = "hann"
    scale: bool = True

    def __post_init__(self) -> None:
        norm = self.norm
        if norm is not None and norm != np.inf:
            norm = _validation.number("norm", norm, 0)
        _check_window(self.window)
        checked = {
            "sr": _validation.number("sr", self.sr, above=0, maximum=_validation.FASTEST_RATE),
            "hop_length": _validation.integer("hop_length", self.hop_length, 1, _LONGEST_FILTER),
            "fmin": C1 if self.fmin is None else _validation.number("fmin", self.fmin, above=0),
            "n_bins": _validation.integer("n_bins", self.n_bins, 1, MOST_BINS),
            "bins_per_octave": _validation.integer(
                "bins_per_octave", self.bins_per_octave, 1, MOST_BINS
            ),
            "tuning": _validation.number("tuning", self.tuning, -1e3, 1e3),
            "filter_scale": _validation.number("filter_scale", self.filter_scale, above=0),
            "norm": norm,
            "scale": _validation.flag("scale", self.scale),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if self.lowest == 0 or self.longest > _LONGEST_FILTER:
            raise ValueError(
                f"fmin takes a frequency whose filter is at most {_LONGEST_FILTER} samples, got "
                f"{self.lowest:g} Hz, whose is longer"
            )

    @property
    def lowest(self) -> float:
        """The centre of the lowest filter in Hz, tuned."""
        fmin = C1 if self.fmin is None else self.fmin
        return float(fmin * 2.0 ** (self.tuning / self.bins_per_octave))

    @property
    def alpha(self) -> float:
        """The relative bandwidth, ``1 / Q`` at a filter scale of 1, as librosa has it."""
        ratio = 2.0 ** (2 / self.bins_per_octave)
        return float((ratio - 1) / (ratio + 1))

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """The centre of each filter in Hz, infinite where it is far beyond any rate."""
        with np.errstate(over="ignore"):
            every: NDArray[np.float64] = self.lowest * 2.0 ** (
                np.arange(self.n_bins) / self.bins_per_octave
            )
        return every

    @property
    def upper_edge(self) -> float:
        """Of a filter, over its centre: half of the equivalent noise bandwidth above it."""
        return 1 + 0.5 * shape_of(self.window).bandwidth * self.alpha / self.filter_scale

    @property
    def longest(self) -> float:
        """Samples of the lowest filter."""
        return self.filter_scale / self.alpha * self.sr / self.lowest

    @property
    def reach(self) -> int:
        """Samples that it goes to either side."""
        return int(self.longest // 2)

    @property
    def rates(self) -> tuple[float, float]:
        """The lowest and the highest sampling rate in Hz that these filters can have."""
        least = 2 * self.upper_edge * float(self.frequencies[-1])
        return least, _LONGEST_FILTER / self.longest * self.sr


def _check_window(window: FilterWindow) -> None:
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


@lru_cache(maxsize=16)
def plan_for(settings: ConstantQSettings, samples: int, *, padded: bool) -> ConstantQ:
    """The filters for clips of ``samples``, made once; with ``padded``, for some longer by reach.

    Raises
    ------
    TooManyBinsError, ValueError
        If ``n_bins`` go beyond half the sampling rate, or ``fmin`` does; if there is no such
        window, or it is not symmetric, or not the same at all lengths.
    """
    shape, hop, reach = shape_of(settings.window), settings.hop_length, settings.reach
    frequencies = settings.frequencies
    _check_nyquist(frequencies, settings.sr, settings.upper_edge)
    lengths = settings.filter_scale / settings.alpha * settings.sr / frequencies
    frames = 1 + samples // hop
    least = samples + (2 * reach if padded else reach) + 1
    folded = 1 if frames == 1 else period_frames(hop, least)
    period = 2 * period_frames(1, -(-least // 2)) if frames == 1 else hop * folded
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
    for value in (*vars(result).values(), result.twiddle):
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
        raise TooManyBinsError(
            f"n_bins takes at most {fits}, for so many filters lie below half the sampling rate of "
            f"{sr:g} Hz, got {len(frequencies)}"
        )

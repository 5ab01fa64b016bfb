"""From the constant-Q transform to audio: least squares, and phases for magnitudes alone.

    y = argmin |A y - C|,  y real and 0 outside of the clip:  A' A y = A' C

by conjugate gradients.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _memory, _validation
from fastdis._threads import parallel_for
from fastdis.features.constant_q.filters import FilterWindow
from fastdis.features.constant_q.plan import (
    MOST_BINS,
    ConstantQ,
    ConstantQSettings,
    TooManyBinsError,
    plan_for,
)
from fastdis.features.constant_q.segments import Piece, pieces
from fastdis.features.griffin_lim import first_phases
from fastdis.features.overlap_add import CLIPS_DRAWN, RandomState

if TYPE_CHECKING:  # it imports scipy, which takes longer than a thousand clips
    from fastdis.features.constant_q.operator import Clip

_LONGEST_CLIP = 2**40  # samples
_SHORTER = "take shorter ones, fewer bins or a smaller hop"
_PHASES_DRAWN = 2**25  # first phases in memory at once


def clip_samples(name: str, frames: int, hop: int, length: int | None) -> int:
    """Samples of a clip of so many frames, ``length`` where that is not None.

    Raises
    ------
    TypeError, ValueError
        If ``length`` has another number of frames, or the frames make no sample.
    """
    if length is None:
        samples = hop * (frames - 1)
        if samples < 1:
            raise ValueError(
                f"{name} takes at least 2 frames where there is no length, got {frames}"
            )
        return samples
    length = _validation.integer("length", length, 1, _LONGEST_CLIP)
    if 1 + length // hop != frames:
        raise ValueError(
            f"length takes a clip of {frames} frames, got {length} samples, which have "
            f"{1 + length // hop}"
        )
    return length


def checked_bins(name: str, bins: int) -> int:
    """How many bins the frames ``name`` have.

    Raises
    ------
    ValueError
        If no transform has so many.
    """
    if not 1 <= bins <= MOST_BINS:
        raise ValueError(f"{name} takes frames of 1 to {MOST_BINS} bins, got {bins}")
    return bins


def plan_of(name: str, settings: ConstantQSettings, samples: int) -> ConstantQ:
    """The plan behind frames ``name`` of so many samples.

    Raises
    ------
    TypeError, ValueError
        If the filters do not fit, or there is no such window.
    MemoryError
        If there is no room for the filters.
    """
    need = 20 * settings.n_bins * samples
    _memory.require(f"{name}: a clip of {samples:,} samples", need, _SHORTER)
    try:
        return plan_for(settings, samples, padded=False)
    except TooManyBinsError as error:
        raise ValueError(f"{name} takes frames of fewer bins: {error}") from None


def as_audio(name: str, clip: Clip) -> NDArray[np.float32]:
    """The clip in float32, unless it is too loud for that."""
    peak = np.abs(clip).max()
    if not peak <= np.finfo(np.float32).max:
        raise ValueError(f"{name} takes values whose audio float32 holds, got a peak of {peak:g}")
    return clip.astype(np.float32)


def icqt(
    C: ArrayLike,
    *,
    sr: float = 22050,
    hop_length: int = 512,
    fmin: float | None = None,
    bins_per_octave: int = 12,
    tuning: float = 0.0,
    filter_scale: float = 1.0,
    norm: float | None = 1,
    window: FilterWindow = "hann",
    scale: bool = True,
    length: int | None = None,
) -> NDArray[np.float32]:
    """Audio whose constant-Q transform is nearest in the least squares sense.

    The transform of a real clip that is zero outside of its samples can be inverted where

    - the bins go from below the lowest frequency that matters to as near to half the sampling
      rate as :func:`cqt` takes,
    - neighbours overlap, as they do for a ``filter_scale`` of up to about 1,
    - and the hop is at most half of the shortest filter: ``Q sr / (2 f)`` samples for the highest
      centre frequency ``f``, where ``Q`` is 17.3 for 12 bins an octave.

    Then the error of tones is 50 to 80 dB below them, and so is that of other sounds as far as
    they lie in the bins' range. What no filter hears is nearly zero in the result: white noise
    loses its share below ``fmin`` and above the highest filter. At a larger hop the frames belong
    to many clips; the result is one of little energy whose transform is ``C``, within 1% of it if
    ``C`` is the transform of any clip at all.

    The error of each bin counts in units of its filter's gain, so that neither ``norm`` nor
    ``scale`` matters. Conjugate gradients end when the gradient is 1e-6 of the first, or after 100
    steps; two or three dozen are usual. Clips of more than 131,072 samples, and of eight of the
    longest filters, are put together from overlapping pieces, so that memory is bounded.

    Parameters
    ----------
    C : array_like of complex, shape (n_bins, frames) or (B, n_bins, frames)
        As :func:`cqt` gives it, of clips followed and preceded by zeros.
    sr, hop_length, fmin, bins_per_octave, tuning, filter_scale, norm, window, scale
        As :func:`cqt` had them.
    length : int, optional
        Samples of a clip, ``frames`` being ``1 + length // hop_length``. By default
        ``hop_length * (frames - 1)``, as many as are certain.

    Returns
    -------
    ndarray of float32, shape (T,) or (B, T)
        A clip's result is the same to the last bit in any batch and with any thread count.

    Raises
    ------
    TypeError, ValueError
        If ``C`` is real or not finite, has more bins than fit or another number of frames than
        ``length``, or a parameter is out of its range.
    MemoryError
        If there is no room for the result or for the filters.

    Examples
    --------
    >>> from fastdis.features import cqt
    >>> y = np.sin(np.arange(2000) / 3)
    >>> at = {"sr": 8000, "fmin": 50.0, "hop_length": 16}
    >>> z = icqt(cqt(y, n_bins=76, **at), length=2000, **at)
    >>> bool(np.linalg.norm(z - y) < 1e-3 * np.linalg.norm(y))
    True
    """
    if not np.iscomplexobj(C):
        raise TypeError(
            "C takes complex frames, as cqt gives them (griffinlim_cqt takes magnitudes), got "
            f"{_validation.describe(C)}"
        )
    spectra, single = _validation.spectra("C", C, np.complex64)
    count, bins, frames = spectra.shape
    settings = ConstantQSettings(
        sr=sr, hop_length=hop_length, fmin=fmin, n_bins=checked_bins("C", bins),
        bins_per_octave=bins_per_octave, tuning=tuning, filter_scale=filter_scale, norm=norm,
        window=window, scale=scale,
    )  # fmt: skip
    kept = clip_samples("C", frames, settings.hop_length, length)
    # Where nobody says how long the clip was, it may have gone on almost to a next frame.
    samples = settings.hop_length * frames - 1 if length is None else kept
    cut = pieces(samples, settings.hop_length, settings.reach)
    plans = {each.samples: plan_of("C", settings, each.samples) for each in cut}
    result = _memory.new_array("icqt", (count, kept))
    result[:] = 0
    for parity in (0, 1):  # pieces of one parity do not overlap
        some = cut[parity::2]

        def work(start: int, stop: int, some: list[Piece] = some) -> None:
            for item in range(start, stop):
                clip, piece = divmod(item, len(some))
                _invert(some[piece], plans[some[piece].samples], spectra[clip], result[clip])

        parallel_for(work, count * len(some))
    return result[0] if single else result


def _invert(
    piece: Piece, chosen: ConstantQ, spectrum: NDArray[np.complex64], out: NDArray[np.float32]
) -> None:
    """Add the piece's samples to those of its clip."""
    from fastdis.features.constant_q.operator import nearest, operator_of

    operator = operator_of(chosen)
    some = spectrum[:, piece.first : piece.first + len(piece.weight)].astype(np.complex128)
    wanted = some * piece.weight / operator.gain
    begin = piece.first * chosen.hop
    part = out[begin : begin + piece.samples]
    part += as_audio("C", nearest(operator, wanted)[: len(part)])


def griffinlim_cqt(
    C: ArrayLike,
    *,
    n_iter: int = 32,
    sr: float = 22050,
    hop_length: int = 512,
    fmin: float | None = None,
    bins_per_octave: int = 12,
    tuning: float = 0.0,
    filter_scale: float = 1.0,
    norm: float | None = 1,
    window: FilterWindow = "hann",
    scale: bool = True,
    length: int | None = None,
    momentum: float = 0.99,
    init: str | None = "random",
    random_state: RandomState = None,
) -> NDArray[np.float32]:
    """Audio from constant-Q magnitudes: fast Griffin-Lim (Perraudin, Balazs & Sondergaard 2013).

    Where the hop is more than half of the shortest filter, so that the transform cannot be
    inverted, magnitudes are first interpolated to a hop at which it can, :func:`icqt` says when.
    Three rounds of a few least-squares steps come last, towards the magnitudes asked for alone.

    For tones of 20 partials, 60 bins and a hop of three of the shortest filters, the magnitudes of
    the result are 2% to 10% off (Sturmel & Daudet's spectral convergence, 2011, of 0.02 to 0.1);
    more where partials beat faster than frames follow each other.

    Parameters
    ----------
    C : array_like, shape (n_bins, frames) or (B, n_bins, frames)
        Magnitudes.
    n_iter : int
        Iterations; each takes an inverse and a forward transform.
    sr, hop_length, fmin, bins_per_octave, tuning, filter_scale, norm, window, scale
        As :func:`cqt` had them.
    length : int, optional
        As in :func:`icqt`.
    momentum : float
        From 0, the classical algorithm, to 1.
    init : "random" or None
        The first phases: random, or 0.
    random_state : int, RandomState, Generator or None
        Where random phases come from. An integer gives every clip the same ones, whatever its
        batch; a generator draws clip after clip; None takes new ones each time.

    Returns
    -------
    ndarray of float32, shape (T,) or (B, T)

    Raises
    ------
    TypeError, ValueError
        If ``C`` is negative, or as :func:`icqt`; if a parameter is out of its range.
    MemoryError
        As :func:`icqt`; clips are not cut into pieces here.

    Examples
    --------
    >>> from fastdis.features import cqt
    >>> y = np.sin(np.arange(2000) / 3)
    >>> at = {"sr": 8000, "fmin": 100.0, "hop_length": 128}
    >>> C = np.abs(cqt(y, n_bins=60, **at))
    >>> griffinlim_cqt(C, length=2000, random_state=0, **at).shape
    (2000,)
    """
    from fastdis.features.constant_q.griffin_lim import Phases, fine_hop
    from fastdis.features.constant_q.operator import operator_of

    magnitudes, single = _validation.spectra("C", C)
    n_iter = _validation.integer("n_iter", n_iter, 0)
    momentum = _validation.number("momentum", momentum, 0, 1)
    if init is not None:
        _validation.choice("init", init, ("random",))
    count, bins, frames = magnitudes.shape
    settings = ConstantQSettings(
        sr=sr, hop_length=hop_length, fmin=fmin, n_bins=checked_bins("C", bins),
        bins_per_octave=bins_per_octave, tuning=tuning, filter_scale=filter_scale, norm=norm,
        window=window, scale=scale,
    )  # fmt: skip
    samples = clip_samples("C", frames, settings.hop_length, length)
    asked = plan_of("C", settings, samples)
    fine = plan_of("C", replace(settings, hop_length=fine_hop(asked)), samples)
    search = Phases(operator_of(asked), operator_of(fine), window)
    draw = first_phases(random_state, (bins, fine.frames))
    result = _memory.new_array("griffinlim_cqt", (count, samples))
    at_once = max(1, min(CLIPS_DRAWN, _PHASES_DRAWN // (bins * fine.frames)))
    for first in range(0, count, at_once):
        chosen = range(first, min(first + at_once, count))
        phases = None if init is None else draw(len(chosen))

        def work(
            start: int, stop: int, chosen: range = chosen, phases: NDArray[Any] | None = phases
        ) -> None:
            for j in range(start, stop):
                begun = None if phases is None else phases[j]
                wanted = magnitudes[chosen[j]] / search.asked.gain
                result[chosen[j]] = as_audio("C", search.find(wanted, begun, n_iter, momentum))

        parallel_for(work, len(chosen))
    return result[0] if single else result

"""The constant-Q transform of a batch: each clip by one transform, or in blocks of frames.

``plan.py`` says what is computed for a clip, and with which filters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _kernels, _memory, _validation
from fastdis._kernels import fft
from fastdis._threads import parallel_for
from fastdis.features.constant_q.filters import FilterWindow
from fastdis.features.constant_q.plan import ConstantQ, ConstantQSettings, plan_for
from fastdis.features.framing import LOUDEST, PAD_MODES, check_level

_BLOCK = 2**16  # samples; longer clips are cut into blocks of frames, so that each stays in cache
_FOLDED = 2**19  # complex numbers of the filters' inverse transforms at once

_Group = tuple[slice, NDArray[np.int64], NDArray[np.int64], fft.Transform]


@dataclass(frozen=True, eq=False)
class Analysis:
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
            for some, begins, bounds, inverse in groups:
                folded = inverse.frequency
                fold(lines, plan.twiddle, begins, bounds, plan.weight, 1 / plan.period, folded)
                inverse.backward()
                out[i, some, first : first + count] = inverse.time[:, :count]

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


def analysis_of(settings: ConstantQSettings, samples: int, pad_mode: str) -> Analysis:
    """How clips of ``samples`` are transformed.

    Raises
    ------
    TypeError, ValueError
        If ``pad_mode`` is none or takes longer clips, or the filters do not fit.
    """
    _validation.choice("pad_mode", pad_mode, PAD_MODES)
    block = max(_BLOCK, 4 * settings.reach)
    frames = 1 + samples // settings.hop_length
    if samples <= block:
        plan = plan_for(settings, samples, padded=pad_mode != "constant")
        blocks = 1
    else:
        plan = plan_for(settings, block, padded=True)
        blocks = -(-frames // plan.frames)
    if pad_mode in ("reflect", "symmetric"):
        least = plan.reach + 1 + (pad_mode == "reflect")
        if samples < least:
            raise ValueError(
                f"pad_mode={pad_mode!r} with filters of {settings.longest:.0f} samples takes clips "
                f"of at least {least} samples, got {samples}"
            )
    return Analysis(plan, pad_mode, frames, blocks)


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
    On steady tones librosa 0.11 has the same magnitudes for a ``norm`` of 1: within 1% of the peak
    where all filters have 90 samples or more at the rates to which it lowers their octaves, as by
    its defaults, for it rounds them to whole samples there; within 2% for the 42 to 85 samples of
    60 bins from 100 Hz at 8 kHz; and long filters within 0.1% where it neither halves the rate, as
    for an odd hop, nor leaves out small values (``sparsity=0``). For another norm p, its values are
    ours times ``2 ** (-n (1 - 1 / p))`` in an octave for which it has halved the rate n times.

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
    settings = ConstantQSettings(
        sr=sr, hop_length=hop_length, fmin=fmin, n_bins=n_bins, bins_per_octave=bins_per_octave,
        tuning=tuning, filter_scale=filter_scale, norm=norm, window=window, scale=scale,
    )  # fmt: skip
    analysis = analysis_of(settings, clips.shape[1], pad_mode)
    shape = (len(clips), settings.n_bins, analysis.frames)
    result = _memory.result_array("cqt", out, shape[single:], np.complex64)
    batch = result.reshape(shape)

    def work(start: int, stop: int) -> None:
        analysis.run(clips, start, stop, batch)

    parallel_for(work, len(clips) * analysis.blocks)
    return result

"""The constant-Q transform of one clip and its adjoint, exact to float64, for iterative inverses.

    A y = F(S Y),  Y = rfft(y) / N;   A' C = Re irfft(S' F'(C)),   F an inverse DFT of L points

``S`` holds the filters' spectra, each line added to its residue modulo ``L``. Where the frames of
a whole period are kept and no filter hears more than ``L`` lines, ``A' A`` is multiplication by

    D[f] = L / (2 N) sum_k W_k[f]^2

in frequency (the painless case: Velasco, Holighaus, Doerfler & Grill 2011). Elsewhere it nearly is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.fft
import scipy.sparse
from numpy.typing import NDArray

from fastdis import _memory
from fastdis.features.constant_q.plan import ConstantQ

_MOST_STEPS = 100
_FLAT = 1e-6  # of the first gradient, in the norm of the preconditioner
_FAINT = 0.25  # of what a line near the next filter's centre gets: less is heard as little

Clip = NDArray[np.float64]  # (samples,)
Frames = NDArray[np.complex128]  # (K, frames)


@dataclass(frozen=True, eq=False)
class ConstantQOperator:
    """Between a clip ``(samples,)`` and its frames ``(K, frames)``, by the filters of a plan.

    Each filter has a peak of 1 here, so that all count alike; in the plan it is ``gain (K, 1)``.
    """

    plan: ConstantQ
    gain: NDArray[np.float64]
    filters: Any  # sparse (K L, N / 2 + 1)
    backwards: Any  # its transpose
    share: NDArray[np.float64]  # how often a line of a real signal counts in the adjoint
    inverse: NDArray[np.float64]  # 1 / D, bounded where no filter hears much

    def analyse(self, clip: Clip) -> Frames:
        """``A y``."""
        plan = self.plan
        spectrum = scipy.fft.rfft(clip, plan.period) / plan.period
        folded = self.filters @ spectrum.view(np.float64).reshape(-1, 2)
        periods = folded.view(np.complex128).reshape(plan.bins, plan.folded)
        frames: Frames = scipy.fft.ifft(periods, norm="forward", overwrite_x=True)
        return frames[:, : plan.frames]

    def _lines(self, frames: Frames) -> NDArray[np.complex128]:
        folded = scipy.fft.fft(frames, self.plan.folded).reshape(-1)
        lines = self.backwards @ folded.view(np.float64).reshape(-1, 2)
        spectrum: NDArray[np.complex128] = lines.view(np.complex128)[:, 0] * self.share
        return spectrum

    def _clip(self, spectrum: NDArray[np.complex128]) -> Clip:
        clip: Clip = scipy.fft.irfft(spectrum, self.plan.period)
        return clip[: self.plan.samples]

    def adjoint(self, frames: Frames) -> Clip:
        """``A' C``, for the real parts of inner products."""
        return self._clip(self._lines(frames))

    def synthesise(self, frames: Frames) -> Clip:
        """``A' C / D``: the inverse, as far as ``D`` is all there is to ``A' A``."""
        return self._clip(self._lines(frames) * self.inverse)

    def divided(self, clip: Clip) -> Clip:
        """``y / D``, cut to the clip: a symmetric positive approximation to ``1 / (A' A)``."""
        return self._clip(scipy.fft.rfft(clip, self.plan.period) * self.inverse)


@lru_cache(maxsize=6)  # a long clip has pieces of up to five lengths
def operator_of(plan: ConstantQ) -> ConstantQOperator:
    """The transform of a plan without padding, computed once.

    Raises
    ------
    MemoryError
        If there is no room for it.
    """
    lines, size = plan.period // 2 + 1, len(plan.weight)
    need = 80 * size + 64 * plan.bins * plan.folded
    _memory.require(f"A clip of {plan.samples:,} samples", need, "take shorter ones")
    column = np.arange(size) - np.repeat(plan.offset[:-1] - plan.first, plan.width)
    row = np.repeat(np.arange(plan.bins) * plan.folded, plan.width) + column % plan.folded
    peak = np.maximum.reduceat(np.abs(plan.weight), plan.offset[:-1]).astype(np.float64)
    weight = plan.weight / np.repeat(peak, plan.width)
    shape = (plan.bins * plan.folded, lines)
    filters = scipy.sparse.coo_array((weight, (row, column)), shape=shape).tocsr()
    share = np.full(lines, 0.5)
    share[[0, -1]] = 1.0
    heard = np.bincount(column, weight**2, lines) * (0.5 * plan.folded / plan.period)
    centre = plan.frequencies / plan.sr * plan.period
    usual = np.interp(np.arange(lines), centre, np.interp(centre, np.arange(lines), heard))
    inverse = 1 / (heard + _FAINT**2 * usual)
    return ConstantQOperator(plan, peak[:, None], filters, filters.T, share, inverse)


def nearest(operator: ConstantQOperator, wanted: Frames, steps: int = _MOST_STEPS) -> Clip:
    """The clip whose frames are nearest to ``wanted``: preconditioned conjugate gradients.

    They end after ``steps`` at most.
    """
    left = operator.adjoint(wanted)
    found = np.zeros_like(left)
    better = operator.divided(left)
    direction, slope = better, float((left * better).sum())
    enough = _FLAT**2 * slope
    for _ in range(steps):
        if not slope > enough:
            break
        across = operator.adjoint(operator.analyse(direction))
        stride = slope / float((direction * across).sum())
        found += stride * direction
        left -= stride * across
        better = operator.divided(left)
        last, slope = slope, float((left * better).sum())
        direction = better + (slope / last) * direction
    return found

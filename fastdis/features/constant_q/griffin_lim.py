"""Phases for constant-Q magnitudes: fast Griffin-Lim, at a hop at which it can be inverted.

    c <- |C| angle(P(c_n) - m / (1 + m) P(c_{n-1})),  P = A A+  (Perraudin et al. 2013)

Magnitudes between the frames asked for are interpolated, as shares of what a steady tone would
give so near to an end of the clip. In the end a few least-squares steps meet the asked ones alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fastdis.features.constant_q.filters import FilterWindow, shape_of
from fastdis.features.constant_q.operator import Clip, ConstantQOperator, Frames, nearest
from fastdis.features.constant_q.plan import ConstantQ

_PER_FILTER = 2  # hops in the shortest filter
_ROUNDS, _STEPS = 3, 4  # of meeting the asked frames
_LEAST_SHARE = 0.01
_SILENCE = 1e-200  # far below what float32 magnitudes give rise to


def fine_hop(asked: ConstantQ) -> int:
    """The largest hop at which the transform can be inverted, a part of the asked if there is."""
    most = max(1, int(asked.lengths[-1] / _PER_FILTER))
    if asked.hop <= most:
        return asked.hop
    parts = [hop for hop in range(most, most // 2, -1) if asked.hop % hop == 0]
    return parts[0] if parts else most


@dataclass(frozen=True, eq=False)
class Phases:
    """From magnitudes at the frames ``asked`` for, by frames that are ``fine`` enough."""

    asked: ConstantQOperator
    fine: ConstantQOperator
    window: FilterWindow

    def find(
        self, magnitude: NDArray[np.float64], first: NDArray[np.float64] | None, n_iter: int,
        momentum: float,
    ) -> Clip:  # fmt: skip
        """The clip for ``magnitude (K, frames)``.

        Its phases begin at ``first (K, fine frames)``, in parts of 2 pi, or at 0.
        """
        between = self._interpolated(magnitude)
        begun = np.zeros(between.shape) if first is None else first
        clip = self.fine.synthesise(between * np.exp(2j * np.pi * begun))
        inertia, previous = momentum / (1 + momentum), np.zeros(between.shape, np.complex128)
        for _ in range(n_iter):
            frames = self.fine.analyse(clip)
            clip = self.fine.synthesise(_with_phases(between, frames - inertia * previous))
            previous = frames
        for _ in range(_ROUNDS):
            frames = self.asked.analyse(clip)
            clip = clip + nearest(self.asked, _with_phases(magnitude, frames) - frames, _STEPS)
        return clip

    def _interpolated(self, magnitude: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.asked.plan.hop == self.fine.plan.hop:
            return magnitude
        (coarse, near_end), (fine, so_near) = self._shares
        between = np.stack([np.interp(fine, coarse, row) for row in magnitude / near_end])
        return between * so_near

    @cached_property
    def _shares(self) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Where the frames' centres are, and how much of each window lies in the clip there."""
        plans = (self.asked.plan, self.fine.plan)
        centres = [np.arange(plan.frames) * plan.hop for plan in plans]
        return [(centre, self._share(centre)) for centre in centres]

    def _share(self, centre: NDArray[np.int64]) -> NDArray[np.float64]:
        plan = self.asked.plan
        grid = shape_of(self.window).grid
        below = np.append(0, np.cumsum(0.5 * (grid[1:] + grid[:-1])))
        u = np.linspace(-0.5, 0.5, len(grid))
        begin, end = (
            np.interp((edge - centre) / plan.lengths[:, None], u, below / below[-1])
            for edge in (0, plan.samples)
        )
        share: NDArray[np.float64] = np.maximum(end - begin, _LEAST_SHARE)
        return share


def _with_phases(magnitude: NDArray[np.float64], like: Frames) -> Frames:
    """``magnitude`` with the phases of ``like``; 0 where that is."""
    size = np.abs(like)
    return like * (magnitude / np.where(size > _SILENCE, size, np.inf))

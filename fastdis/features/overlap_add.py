"""From spectra to audio: weighted overlap-add, and fast Griffin-Lim for magnitudes alone.

y[t] = sum_f w[t - f hop] x_f[t - f hop] / sum_f w[t - f hop]^2  (Griffin & Lim 1984)
c <- |S| angle(P(c_n) - m / (1 + m) P(c_{n-1})),  P = stft(istft(.))  (Perraudin et al. 2013)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastdis import _kernels, _memory, _validation
from fastdis._kernels import fft
from fastdis._threads import parallel_for
from fastdis.features.framing import Framing, blocks
from fastdis.features.mel_filterbank import MelFilters

RandomState = int | np.random.RandomState | np.random.Generator | None
Turns = NDArray[np.float64] | None

CLIPS_DRAWN = 64  # clips whose first phases stand in memory at once

_LEAST_SQUARES_STEPS = 64  # residual within 1 % of the mel's norm of the optimum
_LONGEST = 2**40  # samples


def _squared_windows(framing: Framing, frames: int, samples: int) -> NDArray[np.float64]:
    """The sum of all frames' squared windows at each sample of the clip."""
    total = np.zeros(framing.pad + max(samples, framing.n_fft + framing.hop * (frames - 1)))
    for f in range(frames):
        total[f * framing.hop :][: framing.n_fft] += framing.window**2
    return total[framing.pad :][:samples]


def _with_phase(magnitude: NDArray[np.float32], turns: Turns) -> NDArray[np.complex64]:
    if turns is None:
        return magnitude.astype(np.complex64)
    angle = (2 * np.pi * turns).astype(np.float32)
    spectrum = np.empty(magnitude.shape, np.complex64)
    np.multiply(magnitude, np.cos(angle), out=spectrum.real)
    np.multiply(magnitude, np.sin(angle), out=spectrum.imag)
    return spectrum


@dataclass(frozen=True, eq=False)
class OverlapAdd:
    """Overlap-add of ``frames`` frames into clips of ``samples`` samples."""

    framing: Framing
    frames: int
    samples: int
    taps: NDArray[np.float32]  # the window over n_fft, for transforms are unnormalised
    scale: NDArray[np.float32]

    def _add(self, transform: fft.Transform, block: slice, y: NDArray[np.float32]) -> None:
        transform.backward()
        hop = self.framing.hop
        start = block.start * hop - self.framing.pad
        frames = block.stop - block.start
        _kernels.get("overlap_add")(transform.time, self.taps, hop, start, frames, y)

    def invert(self, spectrum: NDArray[np.complex64], y: NDArray[np.float32]) -> None:
        """``spectrum (F, frames)`` into ``y (samples,)``."""
        pack = _kernels.get("pack_spectrum")
        y[:] = 0
        for block in blocks(self.framing.n_fft, self.frames):
            rows = (block.stop - block.start + 1) // 2
            transform = fft.transform(rows, self.framing.n_fft)
            pack(spectrum[:, block], transform.frequency)
            self._add(transform, block, y)
        y *= self.scale

    def find_phase(
        self,
        magnitude: NDArray[np.float32],
        turns: Turns,
        n_iter: int,
        momentum: float,
        y: NDArray[np.float32],
    ) -> None:
        """Fast Griffin-Lim: ``magnitude (F, frames)``, phases begun at ``turns``, into ``y``."""
        # A peak near 1: the threshold below which the phase update sees silence means that.
        exponent = np.frexp(magnitude.max())[1]
        magnitude = np.ldexp(magnitude, -exponent)
        self.invert(_with_phase(magnitude, turns), y)
        paired = np.zeros(((self.frames + 1) // 2, self.framing.bins, 2), np.float32)
        paired[..., 0] = magnitude[:, 0::2].T
        paired[: self.frames // 2, :, 1] = magnitude[:, 1::2].T
        previous = np.zeros((len(paired), 2, self.framing.bins, 2), np.float32)
        for _ in range(n_iter):
            self._improve(paired, momentum / (1 + momentum), previous, y)
        np.ldexp(y, exponent, out=y)

    def _improve(
        self,
        magnitude: NDArray[np.float32],
        inertia: float,
        previous: NDArray[np.float32],
        y: NDArray[np.float32],
    ) -> None:
        """One iteration on the clip ``y``; the spectra are laid out for ``project_phase``."""
        project = _kernels.get("project_phase")
        following = np.zeros_like(y)
        for block, transform, gain in self.framing.spectra(y):
            rows = slice(block.start // 2, (block.stop + 1) // 2)
            project(transform.frequency, gain, inertia, magnitude[rows], previous[rows])
            self._add(transform, block, following)
        np.multiply(following, self.scale, out=y)


def overlap_add_of(framing: Framing, name: str, frames: int, length: int | None) -> OverlapAdd:
    """Overlap-add for clips of ``length`` samples, or of all that the frames cover.

    Raises
    ------
    TypeError, ValueError
        If ``length`` is not a positive integer, or the frames make no sample at all.
    """
    if length is not None:
        length = _validation.integer("length", length, 1, _LONGEST)
    samples = framing.samples(frames) if length is None else length
    if frames == 0 or samples == 0:
        raise ValueError(
            f"{name} takes enough frames for at least one sample, got {frames} of them with "
            f"n_fft={framing.n_fft}, center={framing.center}, length={length}"
        )
    _memory.require(f"{name}: a clip of {samples:,} samples", 24 * samples, "take shorter ones")
    total = _squared_windows(framing, frames, samples)
    covered = total > np.finfo(np.float32).tiny
    scale = np.where(covered, 1 / np.where(covered, total, 1), 1).astype(np.float32)
    taps = (framing.window / framing.n_fft).astype(np.float32)
    return OverlapAdd(framing, frames, samples, taps, scale)


def mel_magnitudes(
    bank: MelFilters, mels: NDArray[np.float32], power: float
) -> NDArray[np.float32]:
    """STFT magnitudes ``(B, F, frames)`` whose mel spectrogram of ``power`` is ``mels``."""
    result = _memory.new_array("mel_to_audio", (len(mels), bank.dense.shape[1], mels.shape[2]))
    solve = _kernels.get("mel_least_squares")

    def work(start: int, stop: int) -> None:
        for i in range(start, stop):
            solve(mels[i], *bank.columns, _LEAST_SQUARES_STEPS, result[i])
        with np.errstate(over="ignore"):
            result[start:stop] **= 1 / power

    parallel_for(work, len(mels))
    if result.max(initial=0) > _validation.LOUDEST:
        raise ValueError(
            f"M takes powers up to {_validation.LOUDEST:g} ** power, got {mels.max():g} "
            f"with power={power:g}"
        )
    return result

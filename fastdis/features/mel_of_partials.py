"""Mel spectrograms of stationary partials, for the most part without their samples.

A frame that lies within the clip has a closed form (csrc/spectral/partials_mel.c). The few that
reach over an end of it are rendered, and transformed as any other sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _kernels, _memory, _validation
from fastdis._threads import parallel_for
from fastdis.features import analysis, mel_filterbank
from fastdis.features.framing import LOUDEST, Framing, framing
from fastdis.synthesis.partials import Partials, partial_tables

_SHORTEST = 256  # samples of a frame
_SAMPLES_AT_ONCE = 2**17  # of the frames that reach over an end, in several clips
_GRAIN = 8  # clips worth a task


def melspectrogram_of_partials(
    partials: Partials | Sequence[ArrayLike],
    *,
    sr: float = 22050,
    duration: float = 1.0,
    n_fft: int = 2048,
    hop_length: int = 512,
    center: bool = True,
    power: float = 2.0,
    n_mels: int = 128,
    fmin: float = 0.0,
    fmax: float | None = None,
    htk: bool = False,
    norm: str | float | None = "slaney",
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """``melspectrogram(additive(partials))`` of partials that do not decay, without the samples.

    The transform of a stationary partial under a Hann window has a closed form, of which only the
    phase differs from frame to frame. So no samples are rendered, save those of the few frames that
    reach over an end of the clip. One partial takes about 0.4 of the time of rendering it, ten 0.6
    and forty 0.8 (benchmarks/RESULTS.md); for hundreds, rendering the samples is faster.

    Parameters
    ----------
    partials : Partials
        Frequency, amplitude, decay and phase, each ``(B, P)``; every decay is 0. Partials at or
        above ``sr / 2`` are silent.
    sr : float
        Sampling rate in Hz.
    duration : float
        In seconds.
    n_fft : int
        Samples of a frame, at least 256, under a periodic Hann window.
    hop_length, center, power
        As in :func:`melspectrogram`; a centred clip is extended by zeros.
    n_mels, fmin, fmax, htk, norm
        As in :func:`mel_filters`.
    out : ndarray of float32, shape (B, n_mels, frames), optional
        C-contiguous; where to write.

    Returns
    -------
    ndarray of float32, shape (B, n_mels, frames)
        ``out`` where it was given. A clip's result is the same to the last bit in any batch and
        with any thread count. A partial is left out where it has fallen to 2e-8 (-154 dB) of the
        peak of the clip's loudest: an error of at most 0.006 dB for up to 3 partials, and 0.012 dB
        for up to 40, where the result is above -80 dB of the clip's peak; an eighth of that above
        -60 dB.

    Raises
    ------
    TypeError, ValueError
        If a partial decays or is not finite, the arrays differ in shape, the clip would have no
        sample or, with ``center=False``, less than a frame, or a parameter is out of its range.
    MemoryError
        If there is no room for the result; nothing has been computed then.

    Warns
    -----
    UserWarning
        As :func:`mel_filters`.

    Notes
    -----
    With ``nu`` the frequency in bins and time counted from the middle of the frame, the transform
    of ``A sin(2 pi nu t / n + phi)`` at bin k is ``z R(nu - k) + conj(z) R(-nu - k)`` up to sign,
    with ``z = A exp(1j phi) / 2j`` and R the transform of the window, for long ones
    ``n sinc(x) / (2 (1 - x^2))`` (Nuttall, "Some windows with very good sidelobe behavior", IEEE
    Transactions on Acoustics, Speech, and Signal Processing, 1981).

    Examples
    --------
    >>> from fastdis.synthesis import harmonic_partials
    >>> melspectrogram_of_partials(harmonic_partials([220.0, 440.0], 3), sr=16000).shape
    (2, 128, 32)
    """
    columns = _stationary(partials)
    sr = _validation.number("sr", sr, 0.0, _validation.FASTEST_RATE, 0.0)
    samples = _validation.clip_length(sr, _validation.number("duration", duration, above=0))
    power = _validation.number("power", power, above=0)
    _validation.integer("n_fft", n_fft, _SHORTEST)
    frame = framing(n_fft, hop_length, None, "hann", center)
    bank = mel_filterbank.filters(sr, n_fft, n_mels, fmin, fmax, htk, norm)
    plan = _Plan(frame, bank, sr, samples, power)
    shape = (len(columns.frequency), n_mels, frame.frames(samples))
    result = _memory.result_array("melspectrogram_of_partials", out, shape)

    def work(start: int, stop: int) -> None:
        plan.write(_clips(columns, start, stop), result[start:stop])

    parallel_for(work, shape[0], _GRAIN)
    return result


def _stationary(partials: Partials | Sequence[ArrayLike]) -> Partials:
    """Checked partials, none of which decays."""
    columns = Partials(*partial_tables(partials))
    if columns.decay.any():
        where = tuple(int(i) for i in np.argwhere(columns.decay)[0])
        raise ValueError(
            f"decay takes 0 alone, for partials that are stationary, got {columns.decay[where]:g} "
            f"at index {where}; melspectrogram(additive(partials)) takes any"
        )
    amplitude, limit = columns.amplitude, LOUDEST / max(1, columns.amplitude.shape[1])
    loudest = max(amplitude.max(initial=0.0), -amplitude.min(initial=0.0))
    if loudest > limit:
        raise ValueError(
            f"amplitude takes magnitudes up to {limit:g} for {amplitude.shape[1]} partials, got "
            f"{loudest:g}"
        )
    return columns


def _clips(partials: Partials, start: int, stop: int) -> Partials:
    return Partials(*(column[start:stop] for column in partials))


@dataclass(frozen=True)
class _Plan:
    """How clips of so many samples are framed and filtered."""

    frame: Framing
    bank: mel_filterbank.MelFilters
    sr: float
    samples: int
    power: float

    def left(self, f: int) -> int:
        """The first sample of frame ``f``."""
        return f * self.frame.hop - self.frame.pad

    def write(self, partials: Partials, out: NDArray[np.float32]) -> None:
        """Mel spectrograms ``out (B, M, frames)`` of checked partials."""
        frames = out.shape[2]
        last = 1 + (self.samples + self.frame.pad - self.frame.n_fft) // self.frame.hop
        first = min(-(-self.frame.pad // self.frame.hop), frames)
        inner = range(first, max(first, last))
        self._write_inner(partials, inner, out)
        for runs in self._groups(range(first), range(inner.stop, frames)):
            self._write_ends(partials, runs, out)
        self._check(out)

    def _check(self, mels: NDArray[np.float32]) -> None:
        analysis.check_mel("amplitude", mels, self.power)

    def _groups(self, *runs: range) -> list[list[range]]:
        """Runs to go together: those of both ends, unless they are too many frames at once."""
        most = max(1, _SAMPLES_AT_ONCE // self.frame.n_fft)
        if sum(map(len, runs)) <= most:
            together = [run for run in runs if run]
            return [together] if together else []
        return [[run[i : i + most]] for run in runs for i in range(0, len(run), most)]

    def _write_inner(self, partials: Partials, inner: range, out: NDArray[np.float32]) -> None:
        n, hop = self.frame.n_fft, self.frame.hop
        _kernels.get("partials_mel")(
            partials.frequency, partials.amplitude, partials.phase, self.sr, n, hop,
            self.left(inner.start) + n / 2, self.power, *self.bank.rows,
            out[:, :, inner.start : inner.stop],
        )  # fmt: skip

    def _write_ends(self, partials: Partials, runs: list[range], out: NDArray[np.float32]) -> None:
        """Render the frames of ``runs`` and transform them, those of several clips end to end."""
        n, frames = self.frame.n_fft, [f for run in runs for f in run]
        each = len(frames) + len(frames) % 2  # even, for two frames may share a transform
        step = min(len(out), max(1, _SAMPLES_AT_ONCE // (each * n)))
        framed = np.zeros((step, each, n), np.float32)  # stays zero where a clip has no sample
        mels = np.empty((1, out.shape[1], step * each), np.float32)
        end_to_end = framing(n, n, None, "hann", center=False)
        for start in range(0, len(out), step):
            some, part = _clips(partials, start, start + step), out[start : start + step]
            for run in runs:
                self._render(some, run, framed[: len(part), frames.index(run.start) :])
            sound = framed.reshape(1, -1)
            analysis.mel(end_to_end, self.bank, self.power, sound, slice(0, 1), mels, self._check)
            for i, f in enumerate(frames):
                part[:, :, f] = mels[0, :, i::each].T[: len(part)]

    def _render(self, partials: Partials, run: range, framed: NDArray[np.float32]) -> None:
        n = self.frame.n_fft
        begin = max(self.left(run.start), 0)
        end = min(self.left(run.stop - 1) + n, self.samples)
        sound = np.empty((len(framed), end - begin), np.float32)
        _kernels.get("additive")(*partials, self.sr, sound, begin)
        for i, f in enumerate(run):
            left = self.left(f)
            a, b = max(left, begin), min(left + n, end)
            framed[:, i, a - left : b - left] = sound[:, a - begin : b - begin]

"""The envelope of a played note: attack, decay, sustain, release, in straight lines.

H(t) = t / attack, then 1 - (1 - sustain) (t - attack) / decay, then sustain; from the note-off at
t_off = duration - release on, H(t_off) (1 - (t - t_off) / release).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _memory, _threads, _validation


def adsr(
    attack: ArrayLike,
    decay: ArrayLike,
    sustain: ArrayLike,
    release: ArrayLike,
    *,
    sample_rate: float = 16000,
    duration: float = 1.0,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Envelopes of notes, ``T = round(sample_rate * duration)`` samples long, to multiply clips by.

    While the key is held, from 0 to the note-off at ``t_off = max(0, duration - release)``,

    - ``t / attack`` for ``t < attack``,
    - ``1 - (1 - sustain) (t - attack) / decay`` for ``t`` up to ``attack + decay``,
    - ``sustain`` afterwards,

    and from then on the level that was reached at ``t_off``, times
    ``1 - (t - t_off) / release``: 0 at the end. With ``t = n / sample_rate``.

    A note-off may come early: the release then begins at the level that the attack or the decay has
    reached, not at ``sustain``. A release as long as the clip or longer begins at 0 s, from silence
    if there is an attack, and one that is longer is cut by the end of the clip, as are an attack
    and a decay. A stage of length 0 is left out: without attack and decay the note begins at
    ``sustain``, without release it ends at the level it has.

    Parameters
    ----------
    attack, decay, release : float or array [shape=(B,)]
        Lengths in seconds, not negative.
    sustain : float or array [shape=(B,)]
        A level from 0 to 1.
    sample_rate : float
        In Hz.
    duration : float
        In seconds.
    out : array [shape=(B, T), dtype=float32], optional
        C-contiguous; where to write.

    Returns
    -------
    envelope : array [shape=(B, T), dtype=float32]
        From 0 to 1; ``out`` where it was given. B is 1 if all are single values. An envelope is the
        same to the last bit in any batch. The error is below 1e-6.

    Raises
    ------
    TypeError
        If an argument is not of the kind described above.
    ValueError
        If a value is not finite or out of its range, the columns differ in length, the clip would
        have no sample, or ``out`` has another shape or layout.
    MemoryError
        If there is no room for the envelopes; nothing has been computed then.

    Examples
    --------
    >>> adsr(0.2, 0.2, 0.5, 0.2, sample_rate=10)
    array([[0.  , 0.5 , 1.  , 0.75, 0.5 , 0.5 , 0.5 , 0.5 , 0.5 , 0.25]],
          dtype=float32)
    """
    rate = _validation.number("sample_rate", sample_rate, 0.0, _validation.FASTEST_RATE, 0.0)
    seconds = _validation.number("duration", duration, above=0.0)
    samples = _validation.clip_length(rate, seconds)
    columns = {
        "attack": _validation.column("attack", attack, 0.0),
        "decay": _validation.column("decay", decay, 0.0),
        "sustain": _validation.column("sustain", sustain, 0.0, 1.0),
        "release": _validation.column("release", release, 0.0),
    }
    batch = _validation.batch_size(columns)
    envelope = _memory.result_array("adsr", out, (batch, samples))
    rows = np.stack([np.broadcast_to(column, batch) for column in columns.values()], axis=1)
    at = np.arange(samples, dtype=np.float64)

    def write(start: int, stop: int) -> None:
        for i in range(start, stop):
            _write(_Note.of(rows[i].tolist(), rate, seconds), at, envelope[i])

    _threads.parallel_for(write, batch, _threads.clips_per_task(samples))
    return envelope


class _Note(NamedTuple):
    """One note; lengths and times in samples, fractions included."""

    attack: float
    decay: float
    sustain: float
    release: float
    off: float

    @classmethod
    def of(cls, stages: list[float], rate: float, seconds: float) -> _Note:
        """From lengths in seconds."""
        attack, decay, sustain, release = stages
        off = max(0.0, seconds - release) if release > 0.0 else math.inf
        return cls(attack * rate, decay * rate, sustain, release * rate, off * rate)

    def held(self, at: float) -> float:
        """The level of a key that is still held."""
        if at < self.attack:
            return at / self.attack
        if at < self.attack + self.decay:
            return 1.0 - (1.0 - self.sustain) * (at - self.attack) / self.decay
        return self.sustain


def _write(note: _Note, at: NDArray[np.float64], out: NDArray[np.float32]) -> None:
    """One envelope, stage by stage; ``at`` counts the samples."""
    samples = len(out)
    ends = (note.attack, note.attack + note.decay, note.off)
    top, low, off = (math.ceil(min(end, samples)) for end in ends)
    top, low = min(top, off), min(low, off)
    if top:
        np.divide(at[:top], note.attack, out=out[:top], casting="same_kind")
    if low > top:
        fallen = (at[top:low] - note.attack) * ((1.0 - note.sustain) / note.decay)
        np.subtract(1.0, fallen, out=out[top:low], casting="same_kind")
    out[low:off] = note.sustain
    if off < samples:
        left = 1.0 - (at[off:] - note.off) / note.release
        np.multiply(np.maximum(left, 0.0), note.held(note.off), out=out[off:], casting="same_kind")

"""From factor columns to audio ``(B, T)``: oscillators with exact phases, naive or band-limited.

Naive waveforms are those of ``scipy.signal``; band-limited ones are their truncated Fourier series.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _kernels, _memory, _threads, _validation

SHAPES = ("sine", "triangle", "sawtooth", "square")

MOST_HARMONICS = 2**26  # the closed form of a series counts its turns in float64 up to here
_LONGEST_KEPT = 2**20  # samples of a time axis, 8 MB


def oscillator(
    shape: ArrayLike,
    frequency: ArrayLike,
    amplitude: ArrayLike = 1.0,
    *,
    sample_rate: float = 16000,
    duration: float = 1.0,
    phase: ArrayLike = 0.0,
    band_limited: bool = False,
    time_axis: str = "sample",
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Clips of one waveform each, ``T = round(sample_rate * duration)`` samples long.

    With ``x = 2 pi frequency t + phase``, computed in float64, the waveforms are ``sin(x)``,
    ``scipy.signal.sawtooth(x, 0.5)`` (triangle), ``scipy.signal.sawtooth(x)`` and
    ``scipy.signal.square(x)``: the triangle and the sawtooth begin at -1, the square at +1.
    Each clip depends on its own parameters alone, whatever batch or thread it is made in.

    Parameters
    ----------
    shape : str, sequence of str, or int array [shape=(B,)]
        Names from :data:`SHAPES`, or indices into it.
    frequency : float or array [shape=(B,)]
        In Hz, from 0 to ``sample_rate / 2``.
    amplitude : float or array [shape=(B,)]
        From 0 to 1.
    sample_rate : float
        In Hz.
    duration : float
        In seconds.
    phase : float or array [shape=(B,)]
        In radians.
    band_limited : bool
        Sum the harmonics strictly below the Nyquist limit, and no others, so that nothing aliases.
        It is the plain truncated series, which overshoots a jump by 9% of its height (Gibbs): at
        amplitude 1 the peaks reach 1.18. A harmonic at the limit (to 1 part in 10^12) is left out,
        so a tone at the limit is silence. The lowest frequency is ``sample_rate / 2^27``.
    time_axis : {"sample", "linspace"}
        ``"sample"``: ``t[n] = n / sample_rate``. ``"linspace"``: ``linspace(0, duration, T)`` with
        its end point, as the published SynTone generator has it; the effective sample rate is
        then ``(T - 1) / duration``, and half of that is the limit of ``band_limited``.
    out : array [shape=(B, T), dtype=float32], optional
        C-contiguous; where to write.

    Returns
    -------
    audio : array [shape=(B, T), dtype=float32]
        ``out`` where it was given. Scalars are repeated for every clip; B is 1 if all are scalars.

    Raises
    ------
    TypeError
        If an argument is not of the kind described above.
    ValueError
        If a shape is unknown, a value is not finite or out of its range, the columns differ in
        length, the clip would have no sample, or ``out`` has another shape or layout.
    MemoryError
        If there is no room for the clips; nothing has been computed then.

    Notes
    -----
    The error is below 1e-6 of the amplitude for the naive waveforms and below 5e-6 for the series,
    besides what the rounding of ``x`` moves the waveform by: up to 2e-16 ``|x|`` radians, which
    counts for phases and clips of a billion radians and more.

    Examples
    --------
    >>> oscillator("square", 4000, 0.5, duration=0.0005)
    array([[ 0.5,  0.5, -0.5, -0.5,  0.5,  0.5, -0.5, -0.5]], dtype=float32)
    >>> oscillator(["sine", "sawtooth"], [220.0, 440.0], band_limited=True).shape
    (2, 16000)
    """
    rate = _validation.number(
        "sample_rate", sample_rate, above=0.0, maximum=_validation.FASTEST_RATE
    )
    seconds = _validation.number("duration", duration, above=0.0)
    band_limited = _validation.flag("band_limited", band_limited)
    t, effective_rate = times_and_rate(time_axis, rate, seconds)
    columns: dict[str, NDArray[Any]] = {
        "shape": _shape_index(shape),
        "frequency": frequency_column(frequency, rate, band_limited),
        "amplitude": _validation.column("amplitude", amplitude, 0.0, 1.0),
        "phase": _validation.column("phase", phase),
    }
    batch = _validation.batch_size(columns)
    arguments = [c if len(c) == batch else np.repeat(c, batch) for c in columns.values()]
    if band_limited:
        # Just short of the limit, so that rounding lets in no harmonic at the limit.
        ratio = effective_rate / 2 / arguments[1] * (1 - 1e-12)
        arguments.append(np.ceil(ratio) - 1)
    audio = _memory.result_array("oscillator", out, (batch, len(t)))
    kernel = _kernels.get("oscillator_band_limited" if band_limited else "oscillator")

    def render(start: int, stop: int) -> None:
        kernel(*(column[start:stop] for column in arguments), t, audio[start:stop])

    _threads.parallel_for(render, batch, grain=_threads.clips_per_task(len(t)))
    return audio


def times_and_rate(
    time_axis: str, rate: float, seconds: float
) -> tuple[NDArray[np.float64], float]:
    """The times ``(T,)`` in seconds, and how many of them there are per second."""
    axis = _validation.choice("time_axis", time_axis, ("sample", "linspace"))
    samples = _validation.clip_length(rate, seconds)
    _memory.require(f"duration: a clip of {samples:,} samples", 24 * samples, "take shorter ones")
    make = _kept_times if samples <= _LONGEST_KEPT else _times
    t = make(axis, samples, rate, seconds)
    return t, rate if axis == "sample" or samples == 1 else (samples - 1) / seconds


def _times(axis: str, samples: int, rate: float, seconds: float) -> NDArray[np.float64]:
    """The time axis, read-only."""
    t = np.arange(samples) / rate if axis == "sample" else np.linspace(0.0, seconds, samples)
    t.setflags(write=False)
    return t


_kept_times = lru_cache(maxsize=8)(_times)  # making it takes as long as rendering several clips


def _shape_index(shape: ArrayLike) -> NDArray[np.int32]:
    """Names or indices of shapes as indices ``(B,)``."""
    return _validation.choice_indices("shape", shape, SHAPES)


def frequency_column(frequency: ArrayLike, rate: float, band_limited: bool) -> NDArray[np.float64]:
    """``frequency`` as a column of Hz that this sample rate can carry."""
    result = _validation.column("frequency", frequency, 0.0)
    lowest = rate / 2 / MOST_HARMONICS if band_limited else 0.0
    bad = (result > rate / 2) | (result < lowest)
    if bad.any():
        i = int(np.argmax(bad))
        least = f"from {lowest:.3g} Hz, with {MOST_HARMONICS} harmonics, " if lowest else ""
        raise ValueError(
            f"frequency takes values {least}up to sample_rate / 2 = {rate / 2:g} Hz, "
            f"got {result[i]:.10g} at index {i}"
        )
    return result

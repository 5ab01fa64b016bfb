"""Additive synthesis: series of partials from musical parameters, and their sums of damped sines.

s(t) = sum_n A_n exp(-decay_n t) sin(2 pi f_n t + phase_n)
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _kernels, _memory, _threads, _validation
from fastdis._validation import LOUDEST

HARMONICS = ("all", "even", "odd")

_MOST_INHARMONIC = 1e6  # the frequencies of a million partials stay finite
_MOST_PARTIALS = 10**6
_SEGMENT = 16128  # samples; the kernel begins anew there, so a clip cut there keeps its bits
_WORK_PER_TASK = 2**22  # samples times partials, about 50 us of work


class Partials(NamedTuple):
    """Sinusoids of B clips, P each: four arrays ``(B, P)`` of float64.

    A clip may have silent partials (amplitude 0), so that all clips have P of them.
    """

    frequency: NDArray[np.float64]  # Hz
    amplitude: NDArray[np.float64]  # linear
    decay: NDArray[np.float64]  # 1/s
    phase: NDArray[np.float64]  # radians


def harmonic_partials(
    f0: ArrayLike,
    n_partials: int = 40,
    *,
    inharmonicity: ArrayLike = 0.0,
    slope: ArrayLike = 0.0,
    harmonics: ArrayLike = "all",
    decay: ArrayLike = 0.0,
    damping: ArrayLike = 0.0,
    sample_rate: float = 16000,
) -> Partials:
    """The first ``P = n_partials`` partials of a stiff string or the like, for each of B clips.

    Partial ``n = 1 ... P`` has, with B for the inharmonicity,

    - frequency ``f_n = n f0 sqrt(1 + (n^2 - 1) B)``,
    - amplitude ``max(0, 1 + slope (n - 1) / P)``, or 0 if ``harmonics`` leaves it out or ``f_n`` is
      not below ``sample_rate / 2``,
    - decay ``decay + damping (f_n / f0 - 1)``,
    - phase 0.

    Parameters
    ----------
    f0 : float or array [shape=(B,)]
        Frequency of the first partial in Hz, above 0.
    n_partials : int
        P, from 1 to 10^6.
    inharmonicity : float or array [shape=(B,)]
        From 0, a harmonic series, to 10^6; a piano's strings have 10^-4 to 10^-2.
    slope : float or array [shape=(B,)]
        Of the amplitude over the whole series, linear: 0 leaves all alike, -0.9 takes the last
        partials down to about a tenth, and below -1 the upper ones are silent.
    harmonics : str, sequence of str, or int array [shape=(B,)]
        Which partials sound: ``"all"``, ``"even"`` (n = 2, 4, ...) or ``"odd"`` (n = 1, 3, ...),
        or indices into :data:`HARMONICS`. Those that do keep the amplitude they have in ``"all"``.
    decay : float or array [shape=(B,)]
        Of all partials, in 1/s, not negative.
    damping : float or array [shape=(B,)]
        How much faster than f0 each further multiple of f0 decays, in 1/s, not negative.
    sample_rate : float
        In Hz.

    Returns
    -------
    partials : Partials
        Each array ``(B, P)``. B is 1 if all arguments are single values. A clip whose partials all
        lie at or above ``sample_rate / 2`` (to 1 part in 10^12) is silent.

    Raises
    ------
    TypeError
        If an argument is not of the kind described above.
    ValueError
        If a value is not finite or out of its range, ``harmonics`` is unknown, the columns differ
        in length, or slope and harmonics leave a clip no partial.
    MemoryError
        If there is no room for the partials.

    Notes
    -----
    The additive toy data set of Bedoya et al. (Disentangling variation factors in audio samples,
    2017), equations 1 and 2, and ``A_n = a (n - 1) + b`` with b = 1 and a = slope / P, as in its
    published code. Unlike there, the distribution of harmonics does not move the amplitudes, "even"
    has no fundamental, and partials that would alias are silent.

    Examples
    --------
    >>> partials = harmonic_partials([100.0, 3000.0], 4, slope=-0.8, harmonics=["all", "odd"])
    >>> partials.frequency
    array([[  100.,   200.,   300.,   400.],
           [ 3000.,  6000.,  9000., 12000.]])
    >>> partials.amplitude
    array([[1. , 0.8, 0.6, 0.4],
           [1. , 0. , 0. , 0. ]])
    """
    rate = _validation.number("sample_rate", sample_rate, 0.0, _validation.FASTEST_RATE, 0.0)
    count = _validation.integer("n_partials", n_partials, 1, _MOST_PARTIALS)
    columns: dict[str, NDArray[Any]] = {
        "f0": _validation.column("f0", f0, 0.0, _validation.FASTEST_RATE),
        "inharmonicity": _validation.column("inharmonicity", inharmonicity, 0.0, _MOST_INHARMONIC),
        "slope": _validation.column("slope", slope),
        "harmonics": _validation.choice_indices("harmonics", harmonics, HARMONICS),
        "decay": _validation.column("decay", decay, 0.0, 1e30),
        "damping": _validation.column("damping", damping, 0.0, 1e30),
    }
    if (columns["f0"] == 0).any():
        i = int(np.argmin(columns["f0"]))
        raise ValueError(f"f0 takes values above 0, got 0 at index {i}")
    batch = _validation.batch_size(columns)
    size = 8 * batch * count
    _memory.require(f"harmonic_partials, for {batch:,} clips,", 8 * size, "take fewer at a time")
    rows = [np.broadcast_to(c, batch)[:, None] for c in columns.values()]
    f0s, stiffness, slopes, kinds, decays, dampings = rows

    n = np.arange(1.0, count + 1)
    stretched = n * np.sqrt(1 + (n * n - 1) * stiffness)  # f_n / f0
    frequency = f0s * stretched
    amplitude = np.maximum(1 + slopes * ((n - 1) / count), 0.0)
    sounding = np.stack([np.ones_like(n), n % 2 == 0, n % 2 == 1])  # in the order of HARMONICS
    amplitude *= sounding[kinds[:, 0]]
    _check_heard(amplitude, slopes[:, 0], kinds[:, 0])
    amplitude[frequency >= rate / 2 * (1 - 1e-12)] = 0.0
    decaying = decays + dampings * (stretched - 1)
    return Partials(frequency, amplitude, decaying, np.zeros_like(frequency))


def _check_heard(
    amplitude: NDArray[np.float64], slope: NDArray[np.float64], kinds: NDArray[np.int32]
) -> None:
    """Raise if all amplitudes of a clip are 0; the error names the first such clip."""
    silent = np.flatnonzero(~amplitude.any(axis=1))
    if silent.size:
        i = silent[0]
        more = f" and {silent.size - 1} more" if silent.size > 1 else ""
        raise ValueError(
            f"slope and harmonics take values that leave each clip a partial, got {slope[i]:g} and "
            f"{HARMONICS[kinds[i]]!r} for {amplitude.shape[1]} partials at index {i}{more}"
        )


def additive(
    partials: Partials | Sequence[ArrayLike],
    *,
    sample_rate: float = 16000,
    duration: float = 1.0,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Clips that are sums of damped sines, ``T = round(sample_rate * duration)`` samples long.

    ``y[n] = sum_p amplitude_p exp(-decay_p t) sin(2 pi frequency_p t + phase_p)`` with
    ``t = n / sample_rate``. Nothing is normalised: P partials of amplitude 1 may peak at P. Each
    clip depends on its own partials alone, whatever batch or thread it is made in.

    Parameters
    ----------
    partials : Partials, or a sequence (frequency, amplitude, decay, phase)
        Each a number or an array [shape=(B, P)]: frequencies in Hz, not negative (a partial at or
        above ``sample_rate / 2`` is silent); linear amplitudes up to 1e30; decays in 1/s, not
        negative; phases in radians. float64, C-contiguous arrays are not copied.
    sample_rate : float
        In Hz.
    duration : float
        In seconds.
    out : array [shape=(B, T), dtype=float32], optional
        C-contiguous; where to write.

    Returns
    -------
    audio : array [shape=(B, T), dtype=float32]
        ``out`` where it was given. A clip without partials is silent.

    Raises
    ------
    TypeError
        If ``partials`` are not four arrays of real numbers, or ``out`` is no float32 array.
    ValueError
        If a value is not finite or out of its range, the arrays differ in shape, the clip would
        have no sample, or ``out`` has another shape or layout.
    MemoryError
        If there is no room for the clips; nothing has been computed then.

    Notes
    -----
    The error is below 1e-6 of the sum of the clip's amplitudes, for clips of up to 10^9 samples
    and phases of any size: no sample is made from another, and phases are reduced in float64.
    Partials are taken as gone once they have decayed by 2^-60. If all partials of a clip that
    sound decay alike, it takes little more than half the time.

    Examples
    --------
    >>> additive(harmonic_partials(220.0, inharmonicity=1e-3, slope=-0.9, decay=3.0)).shape
    (1, 16000)
    >>> additive(([[4000.0, 8000.0]], 0.5, 0.0, np.pi / 2), duration=0.00025).round(6) + 0.0
    array([[ 0.5,  0. , -0.5,  0. ]], dtype=float32)
    """
    rate = _validation.number("sample_rate", sample_rate, 0.0, _validation.FASTEST_RATE, 0.0)
    seconds = _validation.number("duration", duration, above=0.0)
    samples = _validation.clip_length(rate, seconds)
    columns = partial_tables(partials)
    batch, count = columns[0].shape
    audio = _memory.result_array("additive", out, (batch, samples))
    kernel = _kernels.get("additive")

    def render(start: int, stop: int) -> None:
        kernel(*(column[start:stop] for column in columns), rate, audio[start:stop])

    def render_stretch(clip: slice, start: int, stop: int) -> None:
        first = start * _SEGMENT
        into = audio[clip, first : stop * _SEGMENT]
        kernel(*(column[clip] for column in columns), rate, into, first)

    per_sample = max(1, count)
    if batch >= _threads.get_num_threads() or samples <= _SEGMENT:
        grain = max(1, _WORK_PER_TASK // (per_sample * samples))
        _threads.parallel_for(render, batch, grain)
        return audio
    grain = max(1, _WORK_PER_TASK // (per_sample * _SEGMENT))
    for b in range(batch):  # fewer clips than threads: share out the time of each
        work = partial(render_stretch, slice(b, b + 1))
        _threads.parallel_for(work, -(-samples // _SEGMENT), grain)
    return audio


def partial_tables(partials: Partials | Sequence[ArrayLike]) -> list[NDArray[np.float64]]:
    """The four arrays ``(B, P)``, checked."""
    try:
        frequency, amplitude, decay, phase = partials
    except (TypeError, ValueError):
        raise TypeError(
            "partials takes a Partials or a sequence (frequency, amplitude, decay, phase), got "
            f"{_validation.describe(partials)}"
        ) from None
    tables = {
        "frequency": _validation.table("frequency", frequency, 0.0),
        "amplitude": _validation.table("amplitude", amplitude, -LOUDEST, LOUDEST),
        "decay": _validation.table("decay", decay, 0.0),
        "phase": _validation.table("phase", phase),
    }
    shapes = {name: table.shape for name, table in tables.items() if table.ndim}
    if len(set(shapes.values())) > 1:
        got = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(
            "frequency, amplitude, decay and phase take one value or one shape (B, P), got " + got
        )
    shape = next(iter(shapes.values()), (1, 1))
    return [np.ascontiguousarray(np.broadcast_to(t, shape)) for t in tables.values()]

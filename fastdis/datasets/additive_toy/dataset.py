"""The additive toy: sums of partials by six musical factors, in four representations.

Bedoya, Grumiaux, Najnudel, Raibaud and Wetzel, "Disentangling variation factors in audio samples":
s(t) = sum_n A_n exp(-decay t) sin(2 pi f_n t + phase_n), f_n = n f0 sqrt(1 + (n^2 - 1) B), and
white noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _memory, _threads, _validation
from fastdis._kernels.philox import philox
from fastdis.datasets import representations
from fastdis.datasets.additive_toy.factors import Setting, check_audible, gain, toy_factors
from fastdis.datasets.registry import register
from fastdis.datasets.representations import RepresentedDataset
from fastdis.factors import FactorSpace, FactorTable
from fastdis.synthesis import Partials, add_noise, additive, adsr, harmonic_partials, noise

Array = NDArray[np.float32]
Correlation = Mapping[tuple[str, str], float] | Sequence[tuple[str, str, float]]

PHASES = ("zero", "random")
_GROUP = 128  # clips rendered at once by one thread, so that they stay in cache
_PHASE_STREAM, _OTHER_NOISE = 1, 2  # beside the seed in the keys of streams of their own


@register("AdditiveToy")
class AdditiveToy(RepresentedDataset):
    """Labelled sums of partials that differ in pitch, timbre, noise and decay.

    Each factor is an argument, which takes

    - one number (or name): it is fixed, no factor of the space, and kept in ``fixed``;
    - a list: the factor's levels;
    - a :class:`fastdis.Factor` of that name: its values, continuous or as levels.

    Without ``clips`` the set is the whole grid of the levels, the last factor fastest, and nothing
    is stored. With ``clips``, that many clips are drawn by :meth:`fastdis.FactorSpace.sample`.
    Either way clip i depends only on the options and i: its phases and its noise are stream i of
    two keys derived from the seed.

    Parameters
    ----------
    representation
        ``"waveform"`` (1, 1, T), in [-1, 1]; or a log magnitude in [0, 1], where 0 is 80 dB below
        the most that a sine of amplitude 1/2 reaches, and hop is 128 samples: ``"spectrogram"``
        (1, 129, frames), a Hann window of 256 samples; ``"mel"`` (1, 64, frames), bands of that;
        ``"cqt"`` (1, 60, frames), 12 bins an octave from 100 Hz.
    f0
        Frequency of the first partial in Hz, from 1 to below ``sample_rate / 2``. The report's: 100
        to 1,000 by 50.
    inharmonicity
        B, from 0 to 1: partial n lies at ``n f0 sqrt(1 + (n^2 - 1) B)``. The report's 0 to 1 are
        mapped to 0 to 0.01, the range of a piano's strings: at B = 1 partial n would lie at
        ``n^2 f0``, and hardly any below ``sample_rate / 2``.
    slope
        Of the amplitudes: partial n has ``max(0, 1 + slope (n - 1) / n_partials)``.
    harmonics
        Which partials sound: ``"all"``, ``"even"`` (n = 2, 4, ...) or ``"odd"``.
    snr_db
        Power of the clip over that of its white noise in dB, exact in every clip, from -100 to 300.
        A fixed ``inf``, or None, is a clean set; a list cannot hold it. ``-inf`` is refused.
    decay
        Of all partials, in 1/s, from 0 to ``sample_rate``.
    damping
        How much faster than f0 each further multiple of f0 decays, in 1/s, likewise.
    attack, decay_time, sustain, release
        An envelope before the noise is added: three times in seconds and a level, as in
        :func:`fastdis.adsr`, whose ``decay`` is called ``decay_time`` here. None by default.
    clips
        Number of clips to draw; by default the whole grid.
    seed
        From 0 to 2^64 - 1, for the noise, the phases and the clips that are drawn.
    correlation
        Of drawn clips: correlations of the normal scores of pairs of factors, such as
        ``{("f0", "decay"): 0.5}``, or a list of (name, name, correlation).
    phases
        ``"zero"``, as in the report, or ``"random"``: uniform, for each partial of each clip.
    n_partials
        P. Those at or above ``sample_rate / 2`` are silent.
    sample_rate
        In Hz.
    duration
        In seconds.

    Attributes
    ----------
    fixed : dict
        The factors that do not vary, by name.
    gain : float
        The amplitude of the loudest partial, one for the whole set, so that the level of a clip
        still depends on its slope: ``1/2 / P``, or less if noise at the lowest ``snr_db`` would
        leave [-1, 1]. Nothing is ever clipped, because clipping would change the ratio.
    frequencies : (F,) float64
        The middle of each row of the features in Hz; empty for the waveform.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of its range; ``sample_rate`` is below 6,303 Hz for ``"cqt"``, whose
        filters lie below half of it; a list is empty, holds a level twice or infinity; levels
        together leave a clip silent (the error names them), such as a slope below
        ``-n_partials`` or ``"even"`` with f0 at ``sample_rate / 4``, even if no clip that is drawn
        has them, because :meth:`features_at` takes any levels; nothing varies; or a factor is
        continuous, or a correlation is given, without ``clips``.
    MemoryError
        If there is no room for the drawn factors (12 bytes per clip and factor).

    Notes
    -----
    The default levels of ``slope`` and ``decay`` span the report's ranges in five steps; it gives
    no range for the ratio.

    Examples
    --------
    >>> data = AdditiveToy("mel", f0=[200, 300], decay=0.0, snr_db=None, clips=100)
    >>> data.space.names
    ('f0', 'inharmonicity', 'slope', 'harmonics')
    >>> data.fixed["decay"], data.fixed["snr_db"], data.fixed["sustain"]
    (0.0, inf, 1.0)
    >>> features, factors = data.batch([0, 1, 2])
    >>> features.shape, factors.shape
    ((3, 1, 64, 16), (3, 4))
    """

    def __init__(
        self,
        representation: str = "cqt",
        *,
        f0: Setting = tuple(range(100, 1001, 50)),
        inharmonicity: Setting = (0.0, 0.0025, 0.005, 0.0075, 0.01),
        slope: Setting = (-0.1, -0.3, -0.5, -0.7, -0.9),
        harmonics: Setting = ("all", "even", "odd"),
        snr_db: Setting = (0.0, 10.0, 20.0, 30.0, 40.0),
        decay: Setting = (0.0, 2.5, 5.0, 7.5, 10.0),
        damping: Setting = 0.0,
        attack: Setting = 0.0,
        decay_time: Setting = 0.0,
        sustain: Setting = 1.0,
        release: Setting = 0.0,
        clips: int | None = None,
        seed: int = 0,
        correlation: Correlation | None = None,
        phases: str = "zero",
        n_partials: int = 20,
        sample_rate: int = 8000,
        duration: float = 0.25,
    ) -> None:
        settings: dict[str, Setting] = {
            "f0": f0, "inharmonicity": inharmonicity, "slope": slope, "harmonics": harmonics,
            "snr_db": snr_db, "decay": decay, "damping": damping, "attack": attack,
            "decay_time": decay_time, "sustain": sustain, "release": release,
        }  # fmt: skip
        self.sample_rate = _validation.integer("sample_rate", sample_rate)
        self.duration = _validation.number("duration", duration, above=0.0)
        self.samples = _validation.clip_length(self.sample_rate, self.duration)
        self.n_partials = _validation.integer("n_partials", n_partials)
        self.seed = _validation.integer("seed", seed, 0, 2**64 - 1)
        self.phases = _validation.choice("phases", phases, PHASES)
        self.representation = representation
        shown = representations.representation(representation, self.sample_rate, self.samples)
        super().__init__(shown, self.sample_rate)
        self.frequencies = shown.frequencies
        self._factors = toy_factors(settings, self.sample_rate)
        self.fixed = dict(self._factors.fixed)
        if not self._factors.varying:
            raise ValueError(f"{', '.join(settings)} take a list or a factor at least once, got 0")
        self.space = FactorSpace(self._factors.varying)
        self.gain = gain(self._factors, self.n_partials, self.sample_rate, self.samples)
        self._key = noise.key((self.seed, _PHASE_STREAM))
        self._even = all(
            self.fixed.get(name) == value
            for name, value in (("attack", 0), ("decay_time", 0), ("sustain", 1), ("release", 0))
        )
        self._clips = None if clips is None else _validation.integer("clips", clips)
        self._correlation = _pairs(correlation)
        self._table = self._draw()
        check_audible(self._factors, self.n_partials, self.sample_rate, self.duration)

    def _draw(self) -> FactorTable | None:
        """The factors of the drawn clips; None for the whole grid."""
        if self._clips is not None:
            return self.space.sample(self._clips, self.seed, self._correlation)
        continuous = [f.name for f in self.space.factors if f.kind == "continuous"]
        if continuous:
            raise ValueError(f"clips takes how many to draw, as {continuous[0]} is continuous")
        if self._correlation:
            raise ValueError("clips takes how many to draw, as a correlation is given")
        if self.space.size >= 2**63:
            raise ValueError(f"clips takes how many to draw of the grid's {self.space.size:.3g}")
        return None

    def partials(self, indices: ArrayLike | slice) -> Partials:
        """The partials of the clips at ``indices``, each array ``(B, P)``; before any envelope."""
        rows = _validation.indices("indices", indices, len(self))
        return self._partials(self.table(rows), rows)

    def audio(self, indices: ArrayLike | slice) -> Array:
        """The sound of the clips at ``indices``, ``(B, T)`` in [-1, 1]."""
        rows = _validation.indices("indices", indices, len(self))

        def render(part: slice, out: Array) -> None:
            self._render(self.table(rows[part]), rows[part], self.seed, out)

        return _in_groups("audio", (len(rows), self.samples), render)

    def features(self, indices: ArrayLike | slice) -> Array:
        """The features of the clips at ``indices``, ``(B, 1, F, frames)``."""
        rows = _validation.indices("indices", indices, len(self))
        return self._features(rows, lambda part: self.table(rows[part]), self.seed)

    def features_at(self, table: FactorTable, indices: ArrayLike, *, draw: int | None = 0) -> Array:
        """The features that clips would have with other factors.

        Clip i keeps its phases and, before scaling to the ratio, its noise. So two tables that
        differ in one factor give pairs of clips that differ only in that factor.

        Parameters
        ----------
        table
            Factors of this set's space, one row per index; any levels of the grid, or any values
            within the range of a continuous factor.
        indices
            The clips.
        draw
            0 is the clips' own draw of the noise, another number another draw, None no noise.

        Returns
        -------
        ndarray of float32, shape (B, 1, F, frames)

        Raises
        ------
        IndexError, TypeError, ValueError
            If ``indices`` are no clips of this set, or ``table`` is of another space or length.
        """
        rows = _validation.indices("indices", indices, len(self))
        if not isinstance(table, FactorTable) or table.space != self.space:
            raise ValueError(f"table takes rows of {self.space}, got {_validation.describe(table)}")
        if len(table) != len(rows):
            raise ValueError(f"table takes one row for each of {len(rows)} clips, got {len(table)}")
        seed = None if draw is None else self._noise_key(_validation.integer("draw", draw, 0))
        return self._features(rows, lambda part: table[part], seed)

    def options(self) -> dict[str, Any]:
        """Plain values from which :func:`fastdis.datasets.build` makes the same set again."""
        pairs = [[*names, value] for names, value in (self._correlation or {}).items()]
        return {
            "name": "AdditiveToy", "representation": self.representation,
            **{name: self._factors.setting(name) for name in self._factors.names},
            "clips": self._clips, "seed": self.seed, "correlation": pairs or None,
            "phases": self.phases, "n_partials": self.n_partials,
            "sample_rate": self.sample_rate, "duration": self.duration,
        }  # fmt: skip

    def _noise_key(self, draw: int) -> int:
        return noise.key((self.seed, _OTHER_NOISE, draw)) if draw else self.seed

    def _features(
        self, rows: NDArray[np.int64], table: Callable[[slice], FactorTable], seed: int | None
    ) -> Array:
        """The features of clips; ``seed`` of the noise, None for no noise."""

        def analyse(part: slice, out: Array) -> None:
            sound = np.empty((len(out), self.samples), np.float32)
            self._render(table(part), rows[part], seed, sound)
            out[:] = self.features_of(sound)

        return _in_groups("features", (len(rows), *self.feature_shape), analyse)

    def _render(
        self, table: FactorTable, rows: NDArray[np.int64], seed: int | None, out: Array
    ) -> None:
        """The sound of some clips into ``out (B, T)``."""
        clean = seed is None or self.fixed.get("snr_db") == math.inf
        sound = out if clean else np.empty_like(out)  # noise cannot be added in place as fast
        rate, seconds = self.sample_rate, self.duration
        additive(self._partials(table, rows), sample_rate=rate, duration=seconds, out=sound)
        column = self._factors.column
        if not self._even:
            stages = (
                column(name, table) for name in ("attack", "decay_time", "sustain", "release")
            )
            sound *= adsr(*stages, sample_rate=rate, duration=seconds)
        if seed is not None and not clean:
            add_noise(sound, column("snr_db", table), seed=seed, index=rows, out=out)

    def _partials(self, table: FactorTable, rows: NDArray[np.int64]) -> Partials:
        column = self._factors.column
        partials = harmonic_partials(
            column("f0", table), self.n_partials,
            inharmonicity=column("inharmonicity", table), slope=column("slope", table),
            harmonics=column("harmonics", table).astype(np.int32), decay=column("decay", table),
            damping=column("damping", table), sample_rate=self.sample_rate,
        )  # fmt: skip
        np.multiply(partials.amplitude, self.gain, out=partials.amplitude)
        if self.phases == "random":
            return partials._replace(phase=_uniform_phases(self._key, rows, self.n_partials))
        return partials


def _in_groups(name: str, shape: tuple[int, ...], make: Callable[[slice, Array], None]) -> Array:
    """An array that ``make(rows, out)`` fills, a group of clips that stays in cache at a time."""
    out: Array = _memory.new_array(name, shape)

    def work(start: int, stop: int) -> None:
        for a in range(start, stop, _GROUP):
            part = slice(a, min(a + _GROUP, stop))
            make(part, out[part])

    _threads.parallel_for(work, len(out), _GROUP)
    return out


def _pairs(correlation: Correlation | None) -> dict[tuple[str, str], float] | None:
    """The correlations by pairs of names."""
    if correlation is None:
        return None
    try:
        if isinstance(correlation, Mapping):
            pairs = {(a, b): value for (a, b), value in correlation.items()}
        else:
            pairs = {(a, b): value for a, b, value in correlation}
    except (TypeError, ValueError):
        raise TypeError(
            "correlation takes a dict of pairs of names or a list of (name, name, correlation), "
            f"got {_validation.describe(correlation)}"
        ) from None
    checked = {p: _validation.number("correlation", v, -1.0, 1.0) for p, v in pairs.items()}
    return checked or None


def _uniform_phases(key: int, rows: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Phases ``(B, count)`` in [0, 2 pi): words of Philox, counted by partial and clip."""
    blocks = -(-count // 4)
    index = np.repeat(rows.astype(np.uint64), blocks)
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    block = np.tile(np.arange(blocks, dtype=np.uint64), len(rows))
    counter = (block, np.zeros_like(block), index & low, index >> half)
    words = philox(counter, (key & 0xFFFFFFFF, key >> 32))
    turns = np.stack(words, axis=1).reshape(len(rows), 4 * blocks)[:, :count] * 2.0**-32
    phases: NDArray[np.float64] = np.ascontiguousarray(2.0 * np.pi * turns)
    return phases

"""No clip of the additive toy is silent: levels that leave one no partial or envelope are refused.

It would have no ratio to its noise. A set of drawn clips is asked for other levels, too, so that
it is not enough that none of those drawn is silent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastdis.datasets.additive_toy.factors import ToyFactors
from fastdis.factors import FactorTable
from fastdis.synthesis.partials import HARMONICS

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

_MOST_COUNTED = 2**22  # combinations; of more, the ends are looked at alone
_LONG = 1e9  # s, of any stage


@dataclass(frozen=True)
class _Rule:
    """What together makes a clip silent.

    Attributes
    ----------
    takes
        What the factors take instead, in words.
    silent
        From the values of the factors, as arrays of one shape or that broadcast. If it holds for
        any values between the ends of each factor, it holds for some of these ends.
    sounding
        Name -> values of which one lets a clip sound, unless another factor alone is to blame.
    """

    takes: str
    silent: Callable[..., Mask]
    sounding: dict[str, tuple[float, ...]]


def check_heard(
    factors: ToyFactors, drawn: FactorTable | None, n_partials: int, sample_rate: int,
    duration: float,
) -> None:  # fmt: skip
    """Raise if some levels together leave a clip silent; the error says which clips.

    ``drawn`` are the rows of a set that is not the whole grid. Of a grid, the clips are counted
    over all levels of the factors that act together, up to four million combinations.

    Raises
    ------
    ValueError
        As described; it names the factors that are to blame in the first such clip.
    """
    nyquist = sample_rate / 2
    for rule in (_slope(n_partials), _pitch(nyquist), _envelope(sample_rate, duration)):
        _refuse(factors, drawn, rule)


def _lowest(harmonics: Values) -> Values:
    """The number of the lowest partial that sounds."""
    return np.where(harmonics == HARMONICS.index("even"), 2.0, 1.0)


def _slope(n_partials: int) -> _Rule:
    """The lowest partial is the loudest unless the slope rises, and then it sounds, too."""

    def silent(slope: Values, harmonics: Values) -> Mask:
        lowest = _lowest(harmonics)
        mask: Mask = (1.0 + slope * ((lowest - 1.0) / n_partials) <= 0.0) | (lowest > n_partials)
        return mask

    takes = f"that leave each clip one of its {n_partials} partials"
    return _Rule(takes, silent, {"slope": (0.0,), "harmonics": (HARMONICS.index("all"),)})


def _pitch(nyquist: float) -> _Rule:
    def silent(f0: Values, inharmonicity: Values, harmonics: Values) -> Mask:
        n = _lowest(harmonics)
        mask: Mask = f0 * (n * np.sqrt(1.0 + (n * n - 1.0) * inharmonicity)) >= nyquist * (
            1 - 1e-12
        )
        return mask

    return _Rule(
        f"that leave each clip a partial below sample_rate / 2 = {nyquist:g} Hz", silent,
        {"f0": (0.0,), "inharmonicity": (0.0,), "harmonics": (HARMONICS.index("all"),)},
    )  # fmt: skip


def _envelope(sample_rate: int, duration: float) -> _Rule:
    """Silent but for the first sample: over at once, or released before it has begun to rise."""

    def silent(attack: Values, decay: Values, sustain: Values, release: Values) -> Mask:
        over = (sustain == 0.0) & (attack + decay < 2.0 / sample_rate)
        mask: Mask = over | ((release >= duration) & (attack > 0.0))
        return mask

    return _Rule(
        f"whose envelope lasts in clips of {duration:g} s", silent,
        {"attack": (0.0, _LONG), "decay_time": (_LONG,), "sustain": (1.0,), "release": (0.0,)},
    )  # fmt: skip


def _refuse(factors: ToyFactors, drawn: FactorTable | None, rule: _Rule) -> None:
    names = tuple(rule.sounding)
    levels, whole = _levels(factors, names)
    values = [factors.values(name)[level] for name, level in zip(names, levels, strict=True)]
    silent = rule.silent(*np.ix_(*values))
    if not silent.any():
        return
    at = np.unravel_index(int(silent.argmax()), silent.shape)
    first = [float(value[i]) for value, i in zip(values, at, strict=True)]
    if drawn is None:
        chosen = {n: int(level[i]) for n, level, i in zip(names, levels, at, strict=True)}
        where = _in_grid(factors, chosen, int(silent.sum()) if whole else None)
    else:
        columns = [factors.column(name, drawn) for name in names]
        clips = np.flatnonzero(rule.silent(*columns))
        where = ", in no clip drawn, but in others that features_at takes"
        if clips.size:
            first = [float(column[clips[0]]) for column in columns]
            where = _counted(int(clips[0]), len(clips))
    told = ", ".join(f"{name} {_text(name, value)}" for name, value in _to_blame(rule, first))
    *most, last = names
    raise ValueError(f"{', '.join(most)} and {last} take values {rule.takes}, got {told}{where}")


def _levels(factors: ToyFactors, names: Sequence[str]) -> tuple[list[NDArray[np.int64]], bool]:
    """All levels of each factor and True, or, of too many combinations, the ends and False."""
    values = [factors.values(name) for name in names]
    if math.prod(map(len, values)) <= _MOST_COUNTED:
        return [np.arange(len(value)) for value in values], True
    return [
        np.arange(len(value))
        if name == "harmonics"
        else np.unique((value.argmin(), value.argmax())).astype(np.int64)
        for name, value in zip(names, values, strict=True)
    ], False


def _to_blame(rule: _Rule, values: Sequence[float]) -> list[tuple[str, float]]:
    """The factors of a silent clip with another value of which it would sound; all if none."""
    blamed = []
    for k, (name, others) in enumerate(rule.sounding.items()):
        changed = [[*values[:k], other, *values[k + 1 :]] for other in others]
        if not all(rule.silent(*map(np.array, each)) for each in changed):
            blamed.append((name, values[k]))
    return blamed or list(zip(rule.sounding, values, strict=True))


def _in_grid(factors: ToyFactors, levels: dict[str, int], combinations: int | None) -> str:
    """Which clips of the whole grid are silent; ``levels`` are those of the first of them."""
    row = 0
    for factor in factors.varying:
        row = row * factor.size + levels.get(factor.name, 0)
    if combinations is None:
        return f" in clip {row:,} among others"
    others = math.prod(factor.size for factor in factors.varying if factor.name not in levels)
    return _counted(row, combinations * others)


def _counted(first: int, count: int) -> str:
    return f" in clip {first:,}, the first of {count:,} that are silent"


def _text(name: str, value: float) -> str:
    return repr(HARMONICS[int(value)]) if name == "harmonics" else f"{value:g}"

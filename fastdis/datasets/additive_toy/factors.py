"""The factors of the additive toy: which vary, at which values, and the gain that they allow.

All levels are checked here, once, so that rendering needs no checks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _validation
from fastdis.factors import Factor, FactorTable
from fastdis.synthesis.partials import HARMONICS

# One number is fixed, several are levels; a factor may be continuous.
Setting = float | str | None | ArrayLike | Factor | Mapping[str, Any]

UNITS = {
    "f0": "Hz", "inharmonicity": "", "slope": "", "harmonics": "", "snr_db": "dB", "decay": "1/s",
    "damping": "1/s", "attack": "s", "decay_time": "s", "sustain": "", "release": "s",
}  # fmt: skip
_LONGEST_STAGE = 1000.0  # s
_LARGEST_SLOPE = 1000.0
_RATIOS = (-100.0, 300.0)  # dB; beyond them one of the two is nothing in float32
_PEAK = 0.5  # of a clean clip whose partials are all at full amplitude and in phase
_LOUDEST_NORMAL = 5.8  # of add_noise
_TAKES_RATIO = "a ratio from -100 to 300 dB, or inf by itself for a clean set"


@dataclass(frozen=True)
class ToyFactors:
    """The varying and the fixed factors.

    Attributes
    ----------
    varying
        In the order of the arguments.
    fixed
        Name -> value; ``harmonics`` by its name, ``snr_db`` infinite where there is no noise.
    """

    varying: tuple[Factor, ...]
    fixed: dict[str, float | str]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all factors, in the order of the arguments."""
        return tuple(UNITS)

    def values(self, name: str) -> NDArray[np.float64]:
        """The levels of a factor, the ends of a continuous one, or the one value of a fixed one."""
        for factor in self.varying:
            if factor.name == name:
                return factor.values
        return np.array([_number(self.fixed[name])])

    def column(self, name: str, table: FactorTable) -> NDArray[np.float64]:
        """The values ``(B,)`` in the clips of a table."""
        if name in self.fixed:
            return np.full(len(table), _number(self.fixed[name]))
        column: NDArray[np.float64] = table[name]
        return column

    def setting(self, name: str) -> Any:
        """The argument of this factor as a plain value; None stands for an infinite ``snr_db``."""
        if name in self.fixed:
            value = self.fixed[name]
            return None if value == np.inf else value
        factor = next(factor for factor in self.varying if factor.name == name)
        if factor.kind == "continuous":
            return factor.to_dict()
        return list(factor.labels) or factor.values.tolist()


def toy_factors(settings: Mapping[str, Setting], sample_rate: int) -> ToyFactors:
    """Check the argument of each factor.

    Raises
    ------
    TypeError, ValueError
        If it is none of a number, levels or a factor of that name, a list is empty, holds a level
        twice or infinity, or a value is out of its range.
    """
    varying: list[Factor] = []
    fixed: dict[str, float | str] = {}
    for name, given in settings.items():
        setting = _plain(given) if isinstance(given, np.ndarray) else given
        made = _harmonics(setting) if name == "harmonics" else _ordered(name, setting)
        if isinstance(made, Factor):
            _check_range(name, made.values, sample_rate)
            varying.append(made)
        else:
            if made != np.inf:
                _check_range(name, np.array([_number(made)]), sample_rate)
            fixed[name] = made
    return ToyFactors(tuple(varying), fixed)


def _plain(array: NDArray[Any]) -> Any:
    """An array without axes as one number or name, an array of names as a list."""
    plain = array.ndim == 0 or array.dtype.kind in "UO"
    return array.tolist() if plain and not np.ma.is_masked(array) else array


def _number(value: float | str) -> float:
    return float(HARMONICS.index(value)) if isinstance(value, str) else value


def _ordered(name: str, setting: Any) -> Factor | float:
    """A fixed value, or a factor of levels in any order, or a continuous one."""
    if name == "snr_db" and (setting is None or (np.isscalar(setting) and setting == np.inf)):
        return float("inf")
    given = _factor(name, setting)
    if given is None and (np.isscalar(setting) or setting is None):
        if name == "snr_db" and setting == -np.inf:
            raise ValueError(f"snr_db takes {_TAKES_RATIO}, got -inf: there is no clip left in it")
        return _validation.number(name, setting)
    values = np.asarray(_levels(name, setting)) if given is None else given.values
    if name == "snr_db" and np.isinf(values).any():
        raise ValueError(
            f"snr_db takes {_TAKES_RATIO}, or a list of such ratios, got "
            f"{values[np.isinf(values)][0]} among its levels; 100 dB is nearly clean"
        )
    kind = "continuous" if given is not None and given.kind == "continuous" else "ordinal"
    return Factor(name, _validation.finite(name, values), kind, UNITS[name])


def _harmonics(setting: Any) -> Factor | str:
    """A fixed name, or a categorical factor of names, whose values index ``HARMONICS``."""
    if isinstance(setting, str):
        return _validation.choice("harmonics", setting, HARMONICS)
    given = _factor("harmonics", setting)
    if given is not None and given.kind == "continuous":
        raise ValueError("harmonics takes names, got a continuous factor")
    names: Any = setting if given is None else given.labels
    if not isinstance(names, list | tuple) or not names:
        named = ", ".join(map(repr, HARMONICS))
        raise ValueError(
            f"harmonics takes one of {named}, a list of them that is not empty, or a factor with "
            f"them for labels, got {_validation.describe(setting)}"
        )
    codes = [HARMONICS.index(_validation.choice("harmonics", name, HARMONICS)) for name in names]
    return Factor("harmonics", np.array(codes, float), "categorical", "", tuple(names))


def _factor(name: str, setting: Any) -> Factor | None:
    """``setting`` if it is a factor, or the dict of one; its name has to be the argument's."""
    if isinstance(setting, Mapping):
        try:
            setting = Factor.from_dict(setting)
        except TypeError as error:
            raise TypeError(f"{name} takes the dict of a Factor, got another ({error})") from None
    if not isinstance(setting, Factor):
        return None
    if setting.name != name:
        raise ValueError(f"{name} takes a factor of that name, got one named {setting.name!r}")
    return setting


def _levels(name: str, setting: Any) -> NDArray[np.float64]:
    try:
        levels: NDArray[np.float64] = _validation.array(name, setting, 1, np.float64)
    except TypeError:
        raise TypeError(
            f"{name} takes a number, a list of numbers or a Factor, got "
            f"{_validation.describe(setting)}"
        ) from None
    if not levels.size:
        raise ValueError(f"{name} takes at least one level, got an empty list")
    return levels


def _check_range(name: str, values: NDArray[np.float64], sample_rate: int) -> None:
    """Raise unless every value can be rendered."""
    low, high = {
        "f0": (1.0, sample_rate / 2),
        "inharmonicity": (0.0, 1.0),
        "slope": (-_LARGEST_SLOPE, _LARGEST_SLOPE),
        "harmonics": (0.0, len(HARMONICS) - 1.0),
        "snr_db": _RATIOS,
        "decay": (0.0, float(sample_rate)),
        "damping": (0.0, float(sample_rate)),
        "sustain": (0.0, 1.0),
    }.get(name, (0.0, _LONGEST_STAGE))
    _validation.column(name, values, low, high)


def check_audible(
    factors: ToyFactors, n_partials: int, sample_rate: int, duration: float
) -> None:  # fmt: skip
    """Raise if levels together leave a clip silent: it would have no ratio to its noise.

    Every condition below is monotonic in each number, so that the least and the greatest level of
    each factor decide. A set of drawn clips renders other levels, too, so all of them count.
    """
    levels = {name: np.unique(factors.values(name)) for name in UNITS}
    ends = [v if name == "harmonics" else v[[0, -1]] for name, v in levels.items()]
    value = dict(zip(UNITS, np.ix_(*ends), strict=True))
    lowest = np.where(value["harmonics"] == HARMONICS.index("even"), 2.0, 1.0)  # partial's number
    stretch = np.sqrt(1.0 + (lowest**2 - 1.0) * value["inharmonicity"])
    amplitude = 1.0 + value["slope"] * (lowest - 1.0) / n_partials
    over = (value["sustain"] == 0.0) & (value["attack"] + value["decay_time"] < 2.0 / sample_rate)
    for names, takes, silent in (
        (("slope", "harmonics"), f"that leave each clip one of its {n_partials} partials",
         (amplitude <= 0.0) | (lowest > n_partials)),
        (("f0", "inharmonicity", "harmonics"),
         f"that leave each clip a partial below sample_rate / 2 = {sample_rate / 2:g} Hz",
         value["f0"] * lowest * stretch >= sample_rate / 2 * (1 - 1e-12)),
        (("attack", "decay_time", "sustain", "release"),
         f"whose envelope lasts in clips of {duration:g} s",
         over | ((value["release"] >= duration) & (value["attack"] > 0.0))),
    ):  # fmt: skip
        if silent.any():
            first = dict(zip(UNITS, np.argwhere(silent)[0], strict=True))
            got = (_text(name, value[name].ravel()[first[name]]) for name in names)
            raise ValueError(
                f"{', '.join(names[:-1])} and {names[-1]} take values {takes}, got {', '.join(got)}"
            )


def _text(name: str, value: float) -> str:
    return f"{name} {HARMONICS[int(value)]!r}" if name == "harmonics" else f"{name} {value:g}"


def gain(factors: ToyFactors, n_partials: int, sample_rate: int, samples: int) -> float:
    """The amplitude with which signal and noise stay within [-1, 1], for any draw of the noise.

    P partials of amplitude g sum to at most P g; their root mean square sets the noise's.
    """
    rise = 1.0 + max(0.0, float(factors.values("slope").max()))
    noise = 10.0 ** (-float(factors.values("snr_db").min()) / 20.0)
    level = loudest(n_partials, float(factors.values("f0").min()), sample_rate, samples)
    reach = n_partials + _LOUDEST_NORMAL * level * noise
    return float(min(_PEAK / n_partials, 1.0 / reach) / rise)


def loudest(n_partials: int, f0: float, sample_rate: int, samples: int) -> float:
    """An upper bound of the root mean square of up to P partials of amplitude 1.

    That of a sum of sines is bounded by their Gram matrix: g^2 / 2 times the sum over all pairs of
    |D(f_n - f_m)| + |D(f_n + f_m)|, where |D(f)| <= min(1, 1 / (N sin(pi f / rate))) is the mean of
    exp(2 pi i f t) over N samples, or over a window that rises and falls but once. The partials lie
    at least ``f0`` apart, and as much above 0; all but one of them ``f0`` or more below
    half the rate. About ``sqrt(P / 2)`` where the clip holds many periods of f0, P where it holds
    hardly one.
    """
    count = max(1, min(n_partials, math.ceil(sample_rate / 2 / f0) - 1))  # the others are silent

    def mean(steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """|D| at a distance of so many f0 from 0 or from the rate."""
        sine = np.sin(np.pi * np.minimum(steps * f0 / sample_rate, 0.5))
        result: NDArray[np.float64] = 1.0 / np.maximum(samples * sine, 1.0)
        return result

    apart = np.arange(1, count)  # n - m
    both = np.arange(2 * count - 1)  # (n - 1) + (m - 1), and the same counted from above
    pairs = count - np.abs(both - (count - 1))
    power = count + 2.0 * ((count - apart) * mean(apart)).sum()
    power += (pairs * (mean(both + 2) + mean(both))).sum()
    return math.sqrt(min(0.5 * power, float(count**2)))

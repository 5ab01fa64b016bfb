"""Smoothness and monotonicity of an attribute along traversals of a code.

Watcharasupat et al. 2022, "Latte: Cross-framework Python Package for Evaluation of Latent-based
Generative Models", after Watcharasupat 2021, "Controllable Music". Both look at the differences of
an attribute a that a step of a code z induces, D = (a[t + 1] - a[t]) / (z[t + 1] - z[t]).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis import _validation
from fastdis.metrics._counts.columns import plain
from fastdis.metrics._metric import Entry, describe, warn

Array = NDArray[np.float64]

_REDUCE: dict[str, int | tuple[int, int]] = {"all": (0, 1), "attribute": 0, "sample": 1}
_UNEVEN = 1e-3  # of a step
_ROUNDINGS = 8


@describe(
    Entry(
        "smoothness", "Smoothness", "Watcharasupat et al. 2022",
        "none of them (control of an attribute)",
        "An attribute changes evenly along its code.",
        "Whether it changes at all: an attribute that stays put scores 1.",
    ),
)  # fmt: skip
def smoothness(
    positions: Any, attributes: Any, *, maximum: str = "lehmer", reduce: str = "all"
) -> float | Array:
    """How evenly does an attribute change along a traversal of its code?

    1 - C(|D2|) / (R(D) / step) for each trajectory: D2 are the differences of D by steps, C their
    maximum and R the range (largest minus smallest) of D. 0 to 1, higher is better. A straight
    line scores 1; with three positions there is one D2, and all but a line scores 0.

    C is by default Lehmer's mean, sum D2^2 / sum |D2|, which one outlier cannot decide alone.

    An attribute that moves on a line as far as rounding lets it has R = 0 and scores 1, also one
    that does not move at all, which a warning says. (latte's own code divides one rounding error
    by another there, gives NaN where some trajectories of an attribute are exactly lines, and
    turns the fraction's sign for falling positions.)

    Parameters
    ----------
    positions
        ``(N, T)`` or ``(N, T, K)``: N traversals of a code at T >= 3 places in equal steps, rising
        or falling; of one code for each attribute, or of one for all.
    attributes
        ``(N, T)`` or ``(N, T, K)``: the attributes measured there.
    maximum
        ``"lehmer"``, or ``"max"`` for the largest value itself.
    reduce
        ``"all"`` for the mean, a float; ``"attribute"`` for each attribute's mean ``(K,)``;
        ``"sample"`` for each traversal's ``(N,)``; ``"none"`` for all ``(N, K)``.

    Raises
    ------
    TypeError, ValueError
        If the two are not finite real numbers of such shapes, or steps differ by over a
        thousandth and more than rounding.

    Examples
    --------
    >>> import numpy as np
    >>> z = np.linspace(-1, 1, 9)[None]
    >>> smoothness(z, 3 * z + 1)
    1.0
    >>> print(f"{smoothness(z, z**2):.3f}, {smoothness(z, np.sign(z)):.3f}")
    0.857, 0.000
    """
    _validation.choice("maximum", maximum, ("lehmer", "max"))
    _validation.choice("reduce", reduce, (*_REDUCE, "none"))
    z, a, precision = _traversals(positions, attributes, 3)
    step = _steps(z)
    mean = step.mean(axis=1, keepdims=True)
    largest = np.abs(z).max(axis=1, keepdims=True)
    if (np.abs(step - mean) > _UNEVEN * np.abs(mean) + 2 * precision * largest).any():
        raise ValueError("positions takes equal steps along each traversal, got others")
    first = np.diff(_scaled(a), axis=1)  # the units of both, and the step, cancel
    second = np.abs(np.diff(first, axis=1))
    total, peak = second.sum(axis=1), second.max(axis=1)
    if maximum == "lehmer":
        peak = (second**2).sum(axis=1) / np.where(total > 0, total, 1.0)
    spread = np.ptp(first, axis=1)
    blur = 1 + largest[:, 0] / np.abs(step).min(axis=1) * np.abs(first).max(axis=1)
    line = spread <= _ROUNDINGS * precision * blur
    score = np.where(line, 1.0, 1.0 - np.minimum(peak / np.where(line, 1.0, spread), 1.0))
    still = np.asarray(~first.any(axis=(0, 1)))
    if still.any():
        warn("smoothness", [f"{_named(still)} do not move, which counts as 1"])
    return _reduced(score, np.ones_like(score), reduce)


@describe(
    Entry(
        "monotonicity", "Monotonicity", "Watcharasupat et al. 2022",
        "none of them (control of an attribute)",
        "An attribute rises wherever its code rises.",
        "By how much it changes; -1 is as orderly as 1.",
        low=-1.0,
    ),
)  # fmt: skip
def monotonicity(
    positions: Any, attributes: Any, *, threshold: float = 1e-3, reduce: str = "all"
) -> float | Array:
    """Does an attribute always rise, or always fall, along a traversal of its code?

    The mean sign of D over those steps where |D| exceeds a threshold. -1 to 1: 1 where the
    attribute always rises with its code, -1 where it always falls, 0 where it does both alike.

    A trajectory in which no |D| exceeds the threshold has no sign and is left out of the means; an
    attribute or a traversal of which nothing is left scores 0. A warning says so. (latte's own
    code gives NaN there.)

    Parameters
    ----------
    positions
        ``(N, T)`` or ``(N, T, K)``: N traversals of a code at T >= 2 places, rising or falling; of
        one code for each attribute, or of one for all.
    attributes
        ``(N, T)`` or ``(N, T, K)``: the attributes measured there.
    threshold
        What |D| must exceed, in the unit of the attribute by that of the code.
    reduce
        As in :func:`smoothness`.

    Raises
    ------
    TypeError, ValueError
        If the two are not finite real numbers of such shapes, or the threshold is negative.

    Examples
    --------
    >>> import numpy as np
    >>> z = np.linspace(-1, 1, 9)[None]
    >>> monotonicity(z, np.exp(z)), monotonicity(z, -z), monotonicity(z, z**2)
    (1.0, -1.0, 0.0)
    """
    threshold = _validation.number("threshold", threshold, 0.0)
    _validation.choice("reduce", reduce, (*_REDUCE, "none"))
    z, a, _ = _traversals(positions, attributes, 2)
    step = _steps(z)
    with np.errstate(over="ignore"):
        change = np.diff(a, axis=1)
    sign = np.sign(change) * np.sign(step) * (np.abs(change) > threshold * np.abs(step))
    moves = np.count_nonzero(sign, axis=1)
    score = sign.sum(axis=1) / np.maximum(moves, 1)
    if not moves.all():
        still = ~moves.any(axis=0)
        left = f"; {_named(still)} score 0" if still.any() else ""
        warn("monotonicity", [
            f"{np.count_nonzero(moves == 0)} of {moves.size} trajectories do not change by more "
            f"than {threshold:g} and are left out{left}"
        ])  # fmt: skip
    return _reduced(score, (moves > 0).astype(np.float64), reduce)


def _traversals(positions: Any, attributes: Any, fewest: int) -> tuple[Array, Array, float]:
    """Positions and attributes as ``(N, T, K)``, and the coarser of their precisions."""
    arrays, precision = [], 0.0
    for name, value in (("positions", positions), ("attributes", attributes)):
        given = _validation.regular(name, plain(value))
        if given.dtype.kind == "f":
            precision = max(precision, float(np.finfo(given.dtype).eps))
        array = _validation.finite(name, _validation.array(name, given, (2, 3), np.float64))
        arrays.append(array[..., None] if array.ndim == 2 else array)
    z, a = arrays
    if z.shape[:2] != a.shape[:2] or z.shape[2] not in (1, a.shape[2]):
        raise ValueError(
            "positions and attributes take (N, T) or (N, T, K), and positions one code or as many "
            f"as there are attributes, got shapes {np.shape(positions)} and {np.shape(attributes)}"
        )
    if not a.size or a.shape[1] < fewest:
        raise ValueError(
            f"attributes takes at least one traversal of at least {fewest} positions, "
            f"got shape {np.shape(attributes)}"
        )
    return z, a, max(precision, float(np.finfo(np.float64).eps))


def _steps(z: Array) -> Array:
    with np.errstate(over="ignore"):
        step = np.diff(z, axis=1)
    one_way = (step > 0).all(axis=1) | (step < 0).all(axis=1)
    if not (one_way.all() and np.isfinite(step).all()):
        raise ValueError("positions takes values that rise, or fall, along each traversal")
    return step


def _scaled(a: Array) -> Array:
    """Each trajectory within -2 to 2, by a power of two, so that equal changes stay equal."""
    exponent = np.frexp(np.abs(a).max(axis=1, keepdims=True))[1]
    result: Array = a / np.ldexp(1.0, exponent - 1)
    return result


def _reduced(score: Array, weight: Array, reduce: str) -> float | Array:
    """The mean over what ``reduce`` says of scores of weight 1 (others are 0); 0 of none."""
    if reduce == "none":
        return score
    axis = _REDUCE[reduce]
    result = score.sum(axis=axis) / np.maximum(weight.sum(axis=axis), 1.0)
    return float(result) if reduce == "all" else np.asarray(result)


def _named(attributes: NDArray[np.bool_]) -> str:
    return f"attributes {', '.join(map(str, np.flatnonzero(attributes)))}"

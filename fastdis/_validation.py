"""The only place where a user's arguments are checked and arrays are cast.

Every error names the argument, what it got and what it takes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1 << 16  # values checked at once, so that they and the results stay in the cache
FASTEST_RATE = 1e12  # Hz; well beyond it 2 pi f could overflow
LOUDEST = 1e30  # float32 holds sums and products of what stays below


def describe(value: Any) -> str:
    """A short text for an error: type and shape of an array, else the value itself."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def integer(name: str, value: Any, minimum: int = 1, maximum: int | None = None) -> int:
    """``value`` as an int in ``[minimum, maximum]``; a whole float is not an integer."""
    takes = f"an integer >= {minimum}" + (f" and <= {maximum}" if maximum is not None else "")
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} takes {takes}, got {describe(value)}")
    if value < minimum or (maximum is not None and value > maximum):
        raise ValueError(f"{name} takes {takes}, got {value}")
    return int(value)


def number(
    name: str, value: Any, minimum: float = -np.inf, maximum: float = np.inf, above: float = -np.inf
) -> float:
    """``value`` as a finite float with ``minimum <= value <= maximum`` and ``value > above``."""
    if isinstance(value, bool | np.bool_ | str) or not np.isscalar(value):
        raise TypeError(f"{name} takes a number, got {describe(value)}")
    try:
        result = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise TypeError(f"{name} takes a number, got {describe(value)}") from None
    except OverflowError:  # an int beyond the floats
        result = np.inf
    if not np.isfinite(result):
        raise ValueError(f"{name} takes a finite number, got {result}")
    if result < minimum or result > maximum or result <= above:
        low = f"> {above:g}" if above > -np.inf else f">= {minimum:g}"
        bounds = [low] if low != ">= -inf" else []
        bounds += [f"<= {maximum:g}"] if maximum < np.inf else []
        raise ValueError(f"{name} takes a number {' and '.join(bounds)}, got {result:g}")
    return result


def choice(name: str, value: Any, allowed: Iterable[str]) -> str:
    """``value`` if it is one of ``allowed``; the error names the near miss."""
    options = list(allowed)
    if isinstance(value, str) and value in options:
        return value
    near = difflib.get_close_matches(str(value), options, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    error = ValueError if isinstance(value, str) else TypeError
    raise error(f"{name} takes one of {', '.join(map(repr, options))}, got {describe(value)}{hint}")


# How a protocol is named, and how it is stored: files written before it was called "corrected"
# hold "sound", so that every file does, and two names of one protocol compare as equal.
_STORED = {"published": "published", "corrected": "sound", "sound": "sound"}


def protocol(name: str, value: Any) -> str:
    """``value`` as it is stored: ``"published"``, or ``"sound"`` for ``"corrected"``.

    ``"sound"`` is the former name of ``"corrected"``, and stays one.
    """
    return _STORED[choice(name, value, _STORED)]


def protocol_title(value: str) -> str:
    """A stored protocol by the name that is shown; any other text as it is."""
    return "corrected" if value == "sound" else value


def choice_indices(name: str, value: Any, allowed: tuple[str, ...]) -> NDArray[np.int32]:
    """One or a sequence of names out of ``allowed``, or of their indices, as indices ``(B,)``."""
    named = ", ".join(map(repr, allowed))
    takes = f"{name} takes one or a sequence of {named}, or of their indices"
    try:
        result = np.atleast_1d(np.asarray(value))
    except ValueError as error:  # ragged nesting
        raise ValueError(f"{takes}, got a ragged sequence ({error})") from None
    if result.ndim != 1:
        raise ValueError(f"{takes}, got {describe(result)}")
    if result.size == 0:
        return np.zeros(0, np.int32)
    if result.dtype.kind in "iu":
        bad = (result < 0) | (result >= len(allowed))
        if bad.any():
            i = int(np.argmax(bad))
            raise ValueError(f"{takes} from 0 to {len(allowed) - 1}, got {result[i]} at index {i}")
        return np.ascontiguousarray(result, np.int32)
    if result.dtype.kind not in "UO":
        raise TypeError(f"{takes}, got {describe(value)}")
    names = result.tolist()
    known = {each: allowed.index(choice(name, each, allowed)) for each in dict.fromkeys(names)}
    return np.array([known[each] for each in names], np.int32)


def regular(name: str, value: Any) -> NDArray[Any]:
    """``value`` as an array of whatever it holds."""
    if np.ma.is_masked(value):
        raise ValueError(f"{name} takes an array without masked values, got some")
    try:
        return np.asarray(value)
    except ValueError as error:  # ragged nesting
        raise ValueError(f"{name} takes a regular array, got a ragged one ({error})") from None


def array(
    name: str, value: Any, ndim: int | tuple[int, ...], dtype: Any = np.float32
) -> NDArray[Any]:
    """``value`` as a C-contiguous, aligned array of real numbers; no copy where it is one."""
    return _real(name, regular(name, value), ndim, dtype)


def _real(
    name: str, result: NDArray[Any], ndim: int | tuple[int, ...], dtype: Any = np.float32
) -> NDArray[Any]:
    """As :func:`array`, of what :func:`regular` returned."""
    if result.dtype.kind not in "fiub":
        raise TypeError(f"{name} takes real numbers, got dtype {result.dtype}")
    ranks = (ndim,) if isinstance(ndim, int) else ndim
    if result.ndim not in ranks:
        takes = " or ".join(map(str, ranks))
        raise ValueError(f"{name} takes {takes} dimension(s), got shape {result.shape}")
    result = np.ascontiguousarray(result, dtype=dtype) if result.ndim else result.astype(dtype)
    return result if result.flags.aligned else result.copy()  # a map may begin at any byte


def finite(name: str, value: NDArray[Any], first_row: int = 0) -> NDArray[Any]:
    """``value`` if it holds no NaN and no infinity; the error names the first bad place.

    ``first_row`` is where these rows begin in the user's array.
    """
    flat = value.reshape(-1)  # a view, as far as arrays come from `array`
    for start in range(0, flat.size, _BLOCK):
        good = np.isfinite(flat[start : start + _BLOCK])
        if not good.all():
            first = start + int(np.argmin(good))
            where = tuple(int(i) for i in np.unravel_index(first, value.shape))
            index = (first_row + where[0], *where[1:]) if where else ()
            shown = index[0] if len(index) == 1 else index
            at = f" at index {shown}" if index else ""
            raise ValueError(f"{name} takes finite values, got {value[where]}{at}")
    return value


def audio(name: str, value: Any) -> tuple[NDArray[np.float32], bool]:
    """``(T,)`` or ``(B, T)`` as finite float32 ``(B, T)``; True if there was no batch axis."""
    result = finite(name, array(name, value, (1, 2)))
    return (result[None], True) if result.ndim == 1 else (result, False)


def clips(name: str, value: Any) -> tuple[NDArray[np.float32], bool]:
    """As :func:`audio`, but of floating-point kind, at least one sample long, and of any values.

    Integers are refused, because their full scale is unknown. NaN and infinity pass: the kernels
    look for them while they read the samples.
    """
    given = regular(name, value)
    if given.dtype.kind in "iub":
        raise TypeError(
            f"{name} takes floating-point audio, full scale in [-1, 1], got dtype {given.dtype}"
        )
    result = _real(name, given, (1, 2))
    if result.shape[-1] == 0:
        raise ValueError(f"{name} takes at least one sample per clip, got shape {result.shape}")
    return (result[None], True) if result.ndim == 1 else (result, False)


def spectra(name: str, value: Any, dtype: Any = np.float32) -> tuple[NDArray[Any], bool]:
    """``(F, frames)`` or ``(B, F, frames)`` as finite ``(B, F, frames)``, and whether it had no B.

    ``dtype`` float32 takes magnitudes or powers, which are not negative; complex64 takes all.
    """
    real = np.dtype(dtype).kind == "f"
    result = regular(name, value)
    if real or result.dtype.kind != "c":
        result = _real(name, result, (2, 3), dtype)
    elif result.ndim not in (2, 3):
        raise ValueError(f"{name} takes 2 or 3 dimension(s), got shape {result.shape}")
    result = finite(name, np.ascontiguousarray(result, dtype=dtype))
    parts = result.view(np.float32)
    if real and parts.min(initial=0) < 0:
        raise ValueError(f"{name} takes values >= 0, got {parts.min():g}")
    peak = max(parts.max(initial=0), -parts.min(initial=0))
    if peak > LOUDEST:
        raise ValueError(f"{name} takes values up to {LOUDEST:g}, got {peak:g}")
    return (result[None], True) if result.ndim == 2 else (result, False)


def column(
    name: str, value: Any, minimum: float = -np.inf, maximum: float = np.inf
) -> NDArray[np.float64]:
    """A scalar or ``(B,)`` as finite float64 ``(B,)``, every value in ``[minimum, maximum]``."""
    result = finite(name, np.atleast_1d(array(name, value, (0, 1), np.float64)))
    bad = (result < minimum) | (result > maximum)
    if bad.any():
        i = int(np.argmax(bad))
        raise ValueError(
            f"{name} takes values in [{minimum:g}, {maximum:g}], got {result[i]:g} at index {i}"
        )
    return result


def batch_size(columns: dict[str, NDArray[Any]]) -> int:
    """The length that all columns share, single values aside."""
    lengths = {name: len(column) for name, column in columns.items() if len(column) != 1}
    if len(set(lengths.values())) > 1:
        got = ", ".join(f"{name} ({length},)" for name, length in lengths.items())
        *names, last = columns
        raise ValueError(f"{', '.join(names)} and {last} take one value or one length, got {got}")
    return next(iter(lengths.values()), 1)


def table(
    name: str, value: Any, minimum: float = -np.inf, maximum: float = np.inf
) -> NDArray[np.float64]:
    """A scalar or ``(B, P)`` as finite float64, every value in ``[minimum, maximum]``."""
    result = finite(name, array(name, value, (0, 2), np.float64))
    if result.size and not (minimum <= result.min() and result.max() <= maximum):
        bad = (result < minimum) | (result > maximum)
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        at = f" at index {where}" if where else ""
        raise ValueError(
            f"{name} takes values in [{minimum:g}, {maximum:g}], got {result[where]:g}{at}"
        )
    return result


def clip_length(rate: float, seconds: float) -> int:
    """The number of samples of a clip, at least one."""
    length = rate * seconds
    if not 0.5 < length < 2**53:
        raise ValueError(
            f"duration takes a clip of at least one sample and at most 2^53, got {seconds:g} s "
            f"at {rate:g} Hz"
        )
    return round(length)


def indices(name: str, value: Any, size: int) -> NDArray[np.int64]:
    """``value`` (an int, a slice or integers) as int64 ``(B,)`` with ``0 <= value < size``."""
    if isinstance(value, slice):
        return np.arange(*value.indices(size), dtype=np.int64)
    result = np.atleast_1d(np.asarray(value))
    if result.size == 0:
        return np.zeros(0, np.int64)
    if result.dtype.kind not in "iu" or result.ndim != 1:
        raise TypeError(f"{name} takes integers of shape (B,), got {describe(result)}")
    bad = (result < 0) | (result >= size)
    if bad.any():
        got = result[int(np.argmax(bad))]
        raise IndexError(f"{name} takes values from 0 to {size - 1}, got {got}")
    return result.astype(np.int64, copy=False)


def unsigned(name: str, value: Any) -> NDArray[np.uint64]:
    """An integer or integers ``(B,)`` from 0 to 2^64 - 1 as uint64 ``(B,)``."""
    result = np.atleast_1d(regular(name, value))
    if result.ndim != 1:
        raise ValueError(f"{name} takes integers of shape (B,), got {describe(result)}")
    if result.dtype.kind == "u" or (result.dtype.kind == "i" and result.min(initial=0) >= 0):
        return result.astype(np.uint64, copy=False)
    # Python's own numbers may be of no one kind that NumPy has.
    each = np.atleast_1d(np.asarray(value, dtype=object))
    return np.array([integer(name, v, 0, 2**64 - 1) for v in each], np.uint64)


def flag(name: str, value: Any) -> bool:
    """``value`` as a bool; neither 1 nor "yes" is one."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} takes True or False, got {describe(value)}")
    return bool(value)


def output(name: str, value: Any, shape: tuple[int, ...], dtype: Any = np.float32) -> NDArray[Any]:
    """``value`` if it is an array that a kernel can write ``shape`` of ``dtype`` into."""
    takes = f"{name} takes a writeable C-contiguous {np.dtype(dtype)} array of shape {shape}"
    if not isinstance(value, np.ndarray) or value.dtype != dtype:
        raise TypeError(f"{takes}, got {describe(value)}")
    if value.shape != shape:
        raise ValueError(f"{takes}, got {describe(value)}")
    for fault, found in (
        ("not contiguous", not value.flags.c_contiguous),
        ("read-only", not value.flags.writeable),
        ("not aligned", not value.flags.aligned),
    ):
        if found:
            raise ValueError(f"{takes}, got one that is {fault}")
    return value

"""The only place where a user's arguments are checked and arrays are cast.

Every error names the argument, what it got and what it takes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOUDEST_SPECTRUM = 1e30  # float32 holds sums and products of what stays below


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


def regular(name: str, value: Any) -> NDArray[Any]:
    """``value`` as an array of whatever it holds."""
    try:
        return np.asarray(value)
    except ValueError as error:  # ragged nesting
        raise ValueError(f"{name} takes a regular array, got a ragged one ({error})") from None


def array(
    name: str, value: Any, ndim: int | tuple[int, ...], dtype: Any = np.float32
) -> NDArray[Any]:
    """``value`` as a C-contiguous array of real numbers; no copy where it already is one."""
    result = regular(name, value)
    if result.dtype.kind not in "fiub":
        raise TypeError(f"{name} takes real numbers, got dtype {result.dtype}")
    ranks = (ndim,) if isinstance(ndim, int) else ndim
    if result.ndim not in ranks:
        takes = " or ".join(map(str, ranks))
        raise ValueError(f"{name} takes {takes} dimension(s), got shape {result.shape}")
    return np.ascontiguousarray(result, dtype=dtype) if result.ndim else result.astype(dtype)


def finite(name: str, value: NDArray[Any]) -> NDArray[Any]:
    """``value`` if it holds no NaN and no infinity; the error names the first bad place."""
    bad = ~np.isfinite(value)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        place = where[0] if len(where) == 1 else where
        raise ValueError(f"{name} takes finite values, got {value[where]} at index {place}")
    return value


def audio(name: str, value: Any) -> tuple[NDArray[np.float32], bool]:
    """``(T,)`` or ``(B, T)`` as finite float32 ``(B, T)``; True if there was no batch axis."""
    result = finite(name, array(name, value, (1, 2)))
    return (result[None], True) if result.ndim == 1 else (result, False)


def spectra(name: str, value: Any, dtype: Any = np.float32) -> tuple[NDArray[Any], bool]:
    """``(F, frames)`` or ``(B, F, frames)`` as finite ``(B, F, frames)``, and whether it had no B.

    ``dtype`` float32 takes magnitudes or powers, which are not negative; complex64 takes all.
    """
    real = np.dtype(dtype).kind == "f"
    result = regular(name, value)
    if real or result.dtype.kind != "c":
        result = array(name, value, (2, 3), dtype)
    elif result.ndim not in (2, 3):
        raise ValueError(f"{name} takes 2 or 3 dimension(s), got shape {result.shape}")
    result = finite(name, np.ascontiguousarray(result, dtype=dtype))
    parts = result.view(np.float32)
    if real and parts.min(initial=0) < 0:
        raise ValueError(f"{name} takes values >= 0, got {parts.min():g}")
    peak = max(parts.max(initial=0), -parts.min(initial=0))
    if peak > LOUDEST_SPECTRUM:
        raise ValueError(f"{name} takes values up to {LOUDEST_SPECTRUM:g}, got {peak:g}")
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
    if not (value.flags.c_contiguous and value.flags.writeable):
        fault = "read-only" if value.flags.c_contiguous else "not contiguous"
        raise ValueError(f"{takes}, got one that is {fault}")
    return value

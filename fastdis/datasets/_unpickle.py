"""Read a pickle of arrays, dicts, lists and texts without trusting it.

Nothing of NumPy is handed to the pickle: the names it may ask for are stand-ins that only note what
they were given. Arrays are then built here from plain kinds of numbers and texts. A name that is
not listed is refused, and nothing is executed.
"""

from __future__ import annotations

import pickle
import sys
from typing import IO, Any

import numpy as np

_SWAPPED = ">" if sys.byteorder == "little" else "<"
_PLAIN = "biufUS"  # kinds of dtype whose bytes are values, never addresses


class _Dtype:
    """Stands in for ``numpy.dtype``: keeps its name, such as ``"f8"``, and its byte order."""

    def __init__(self, name: Any, *_: Any) -> None:
        self.name, self.order = name, "="

    def __setstate__(self, state: Any) -> None:
        self.order = state[1]
        if any(part is not None for part in state[2:5]):
            raise pickle.UnpicklingError("a dtype with fields is refused")

    def plain(self) -> np.dtype[Any]:
        """The dtype itself, if its kind is plain."""
        if not isinstance(self.name, str) or self.order not in ("<", ">", "=", "|"):
            raise pickle.UnpicklingError(f"dtype {self.name!r} is refused")
        dtype = np.dtype(self.name)
        if dtype.kind not in _PLAIN:
            raise pickle.UnpicklingError(f"dtype {self.name!r} is refused")
        return dtype.newbyteorder("S") if self.order == _SWAPPED else dtype


class _Array:
    """Stands in for ``numpy.ndarray``: keeps shape, dtype and data."""

    state: tuple[Any, _Dtype, bool, Any] | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran_order, data = state
        self.state = (shape, dtype, fortran_order, data)

    def plain(self) -> Any:
        """The array, or for an object array the list of its (plain) elements."""
        if self.state is None or not isinstance(self.state[1], _Dtype):
            raise pickle.UnpicklingError("an array without contents is refused")
        shape, dtype, fortran_order, data = self.state
        if dtype.name in ("O", "O8"):
            if not isinstance(data, list):
                raise pickle.UnpicklingError("an object array that is no list is refused")
            return _plain(data[0]) if shape == () and len(data) == 1 else _plain(data)
        flat = np.frombuffer(data, dtype.plain())
        return flat.reshape(shape, order="F" if fortran_order else "C").copy()


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _from_buffer(data: Any, dtype: Any, shape: Any, order: str) -> _Array:
    array = _Array()
    array.state = (shape, dtype, order == "F", data)
    return array


def _scalar(dtype: Any, data: Any) -> _Array:
    return _from_buffer(data, dtype, (), "C")


def _encode(text: str, encoding: str) -> bytes:
    """How older protocols spell bytes."""
    if encoding != "latin1" or not isinstance(text, str):
        raise pickle.UnpicklingError(f"encoding {encoding!r} is refused")
    return text.encode("latin1")


_ADMITTED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
}
for _core in ("numpy.core", "numpy._core"):  # NumPy 1 and 2
    _ADMITTED[f"{_core}.multiarray", "_reconstruct"] = _reconstruct
    _ADMITTED[f"{_core}.multiarray", "scalar"] = _scalar
    _ADMITTED[f"{_core}.numeric", "_frombuffer"] = _from_buffer


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"the pickle asks for {module}.{name}, which is refused")
        return _ADMITTED[module, name]


def _plain(value: Any) -> Any:
    """Stand-ins replaced by what they stand for, within dicts and lists."""
    if isinstance(value, _Array):
        return value.plain()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | bytes | int | float):
        return value
    raise pickle.UnpicklingError(f"a {type(value).__name__} is refused")


def load(file: IO[bytes]) -> Any:
    """The arrays, dicts, lists and texts in a pickle.

    Raises
    ------
    pickle.UnpicklingError
        If it asks for anything else, or is damaged.
    """
    try:
        return _plain(_Unpickler(file).load())
    except pickle.UnpicklingError:
        raise
    except Exception as error:  # a damaged stream may fail in any stand-in
        raise pickle.UnpicklingError(f"damaged pickle: {error}") from error

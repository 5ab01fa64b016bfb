"""Factors and codes as every metric reads them: finite arrays of equal length, and factor kinds.

The kind of a factor decides how it is counted (kept levels or bins) and how it is predicted
(classified or regressed).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from fastdis import _kernels, _validation
from fastdis._threads import parallel_for
from fastdis.metrics._counts import torch_columns
from fastdis.metrics._counts.mapped_files import row_blocks

Discrete = bool | Sequence[bool] | None

_GRAIN = 1 << 15  # rows worth a task
_READ = tuple(map(np.dtype, ("f8", "f4", "i8", "i4", "i1", "u1")))  # as they are, by kernels
EXACT = 2.0**53  # beyond it a float64 holds only every other integer


@runtime_checkable
class Table(Protocol):
    """Factors with names, as a FactorTable or the columns of a file have them.

    A ``space``, if there is one, says the kinds of the factors; ``integers``, one bool per factor,
    which columns held integers, bools or text before they became columns of one array.
    """

    values: NDArray[Any]
    names: Sequence[str]


@dataclass(frozen=True)
class Data:
    """N rows of K factors and D codes.

    ``kinds[k]`` is ``"categorical"``, ``"ordinal"`` or ``"continuous"``. A factor given as text
    holds the positions of its sorted ``labels[k]``, which is None for numbers. ``whole[k]`` says
    that the values are whole numbers.
    """

    factors: NDArray[Any]  # float32, float64 or integers, in any layout
    codes: NDArray[Any]  # float32 or float64, in any layout
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    labels: tuple[NDArray[Any] | None, ...]
    whole: tuple[bool, ...]
    factor_range: NDArray[np.float64]  # (2, K): low, high
    code_range: NDArray[np.float64]  # (2, D)
    undecided: bool = False  # whether the values alone say which factors keep their levels

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was guessed about the factors."""
        return _remarks(self.kinds, self.whole) if self.undecided else ()

    @property
    def discrete(self) -> tuple[bool, ...]:
        """Which factors keep their levels."""
        return tuple(kind != "continuous" for kind in self.kinds)


def read(
    factors: Any, codes: Any, bins: int, discrete: Discrete, first: Data | None = None
) -> Data:
    """Check and cast what a user passed to a metric; a later chunk follows the ``first`` one.

    Raises
    ------
    TypeError, ValueError
        If the arrays are not of real numbers (factors also of text) with two dimensions, differ
        in length, are empty, or hold a NaN or an infinity, or if chunks are not alike.
    """
    table = table_of(factors)
    given = two_dimensional("factors", factors if table is None else table.values)
    values, labels = _factor_columns(given)
    code_values = real_columns("codes", two_dimensional("codes", codes))
    return assembled(values, code_values, labels, given.dtype.kind, table, bins, discrete, first)


def table_of(factors: Any) -> Table | None:
    """The factors if they are a table; a tensor has attributes of these names, too."""
    is_table = isinstance(factors, Table) and isinstance(factors.values, np.ndarray)
    return factors if is_table else None


def assembled(
    values: Any,
    codes: Any,
    labels: tuple[NDArray[Any] | None, ...],
    dtype_kind: str,
    table: Table | None,
    bins: int,
    discrete: Discrete,
    first: Data | None = None,
) -> Data:
    """Cast columns, arrays or tensors, with what metrics want to know of them, which is checked."""
    if len(values) != len(codes):
        raise ValueError(
            "factors and codes take the same number of rows, "
            f"got {len(values)} factors and {len(codes)} codes"
        )
    if first is not None:
        _check_chunk(values, codes, first)
        discrete = first.discrete
    factor_range, whole_values = column_facts("factors", values)
    if dtype_kind in "iu" and np.abs(factor_range).max() > EXACT:
        raise ValueError(
            "factors takes integers up to 2**53, got larger ones; number them anew, as with "
            "numpy.unique(column, return_inverse=True)"
        )
    whole = tuple(whole_values.tolist())
    names = table.names if table is not None else (f"factor {k}" for k in range(len(labels)))
    space, integers = (getattr(table, name, None) for name in ("space", "integers"))
    decided = discrete is not None or space is not None or integers is not None
    if integers is None:
        integers = (dtype_kind in "iubUS",) * len(labels)
    text = dtype_kind in "US"
    kinds = _kinds(space, integers, text, values, whole, factor_range, bins, discrete)
    return Data(
        values, codes, tuple(map(str, names)), kinds, labels, whole, factor_range,
        column_range("codes", codes),
        undecided=not decided and dtype_kind == "f",
    )  # fmt: skip


def _check_chunk(factors: NDArray[Any], codes: NDArray[Any], first: Data) -> None:
    expected, got = (len(first.names), first.codes.shape[1]), (factors.shape[1], codes.shape[1])
    if got != expected:
        raise ValueError(
            f"chunks take the same factors and number of codes: {expected[0]} factors and "
            f"{expected[1]} codes in the first one, got {got[0]} and {got[1]}"
        )


def block(x: NDArray[Any], start: int, stop: int) -> NDArray[Any]:
    """Rows of ``x`` as a kernel takes them: of a type it reads, contiguous, aligned, writeable.

    Only these rows are copied, so that a file larger than the memory can be read through a map.
    """
    rows = x[start:stop]
    if rows.dtype not in _READ:
        return rows.astype(np.float64, order="C")
    return rows if rows.flags.c_contiguous and rows.flags.behaved else rows.copy(order="C")


def distinct(column: NDArray[Any], limit: int) -> NDArray[Any] | None:
    """The distinct values in rising order; None if there are more than ``limit``."""
    return distinct_columns(column[:, None], [0], limit)[0]


def distinct_columns(
    x: NDArray[Any], columns: Sequence[int], limit: int
) -> list[NDArray[np.float64] | None]:
    """The distinct values of some columns in rising order; None of one with over ``limit``."""
    if not columns:
        return []
    if not isinstance(x, np.ndarray):
        return torch_columns.distinct_columns(x, columns, limit)
    kernel = _kernels.get("distinct_values")
    single, empty = x.dtype == np.float32, ~np.uint64(0)
    number, bits = (np.float32, np.uint32) if single else (np.float64, np.uint64)
    negative_zero = np.uint64(1 << (31 if single else 63))
    wanted = np.array(columns, np.int64)
    found: list[set[float]] = [set() for _ in columns]

    def work(start: int, stop: int) -> None:
        sets = np.full((len(wanted), 1 << (2 * limit + 1).bit_length()), empty)
        sizes = np.zeros(len(wanted), np.int64)
        for part in row_blocks(start, stop, _GRAIN, x):
            rows = block(x, part.start, part.stop).astype(number, copy=False)
            kernel(rows.view(bits), negative_zero, wanted, limit, sets, sizes)
            if (sizes > limit).all():
                break
        for mine, known in zip(found, sets, strict=True):
            mine.update(known[known != empty].astype(bits).view(number).tolist())

    # A task starts with empty sets, which many rows pay for.
    parallel_for(work, len(x), max(_GRAIN, 16 * limit))
    return [None if len(mine) > limit else np.array(sorted(mine)) for mine in found]


def column_range(name: str, x: NDArray[Any]) -> NDArray[np.float64]:
    """The least and largest value of each column, ``(2, C)``.

    Raises
    ------
    ValueError
        If a value is not finite, or a column spans more than a float64 holds.
    """
    return column_facts(name, x)[0]


def column_facts(name: str, x: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """``column_range``, and which columns hold whole numbers alone."""
    facts = _facts if isinstance(x, np.ndarray) else torch_columns.column_facts
    result, whole = facts(name, x)
    with np.errstate(over="ignore"):
        too_wide = ~np.isfinite(result[1] - result[0])
    if too_wide.any():
        c = int(np.argmax(too_wide))
        low, high = result[:, c]
        raise ValueError(
            f"{name} takes columns whose range fits a float64, got {low:g} to {high:g} "
            f"in column {c}"
        )
    return result, whole


def _facts(name: str, x: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    kernel = _kernels.get("column_range")
    lows, highs, wholes = [], [], []

    def work(start: int, stop: int) -> None:
        low, whole = np.full(x.shape[1], np.inf), np.ones(x.shape[1], bool)
        high = -low
        for part in row_blocks(start, stop, _GRAIN, x):
            if kernel(block(x, part.start, part.stop), low, high, whole) != 0.0:
                _validation.finite(name, x[part.start : stop], first_row=part.start)
        lows.append(low)
        highs.append(high)
        wholes.append(whole)

    parallel_for(work, len(x), _GRAIN)
    ends = np.array([np.min(lows, axis=0), np.max(highs, axis=0)])
    return ends, np.logical_and.reduce(wholes)


def two_dimensional(name: str, value: Any) -> NDArray[Any]:
    """An array with rows and columns; a torch tensor becomes one without a need for torch here."""
    array = _validation.regular(name, plain(value))
    if array.ndim == 0:
        got = _validation.describe(value)
        hint = (
            "; of a data set, pass its table()" if callable(getattr(value, "table", None)) else ""
        )
    else:
        got = str(array.shape)
        hint = "; x[:, None] is a column" if array.ndim == 1 else ""
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{name} takes rows and columns, at least one each, got {got}{hint}")
    return array


def plain(value: Any) -> Any:
    """A torch tensor as an array; all else as it is."""
    if not callable(getattr(value, "detach", None)):
        return value
    tensor = value.detach().cpu()
    # NumPy has no bfloat16.
    return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()


def real_columns(name: str, given: NDArray[Any]) -> NDArray[Any]:
    """What ``block`` can read stays where it is, so that a file is not read into memory."""
    if given.dtype.isnative:
        if given.dtype in (np.float32, np.float64):
            return given
        if name == "factors" and given.dtype.kind in "iub":
            return given.view(np.uint8) if given.dtype.kind == "b" else given
    single = given.dtype.kind == "f" and given.dtype.itemsize <= 4
    return _validation.array(name, given, 2, np.float32 if single else np.float64)


def _factor_columns(given: NDArray[Any]) -> tuple[NDArray[Any], tuple[NDArray[Any] | None, ...]]:
    """The factors as numbers ``(N, K)``, and the labels of those given as text."""
    if given.dtype.kind == "O":
        raise TypeError(
            "factors takes numbers or text, got dtype object; cast it, as with "
            "factors.astype(float) or factors.astype(str)"
        )
    if given.dtype.kind not in "US":
        return real_columns("factors", given), (None,) * given.shape[1]
    pairs = [np.unique(column, return_inverse=True) for column in given.T]
    values = np.stack([inverse for _, inverse in pairs], axis=1).astype(np.float64)
    return np.ascontiguousarray(values), tuple(labels for labels, _ in pairs)


def _kinds(
    space: Any,
    integers: Sequence[bool],
    text: bool,
    values: NDArray[Any],
    whole: tuple[bool, ...],
    factor_range: NDArray[np.float64],
    bins: int,
    discrete: Discrete,
) -> tuple[str, ...]:
    """The kind of each factor, by the rule that ``joint_histogram`` states."""
    factors = values.shape[1]
    known = [factor.kind for factor in space.factors] if space is not None else [""] * factors
    levels = [len(factor.values) for factor in space.factors] if space is not None else []
    flags = _flags(discrete, factors)
    guessed = [k for k in range(factors) if flags[k] is None and not known[k]]
    undecided = [k for k in guessed if not integers[k]]
    few = _few_levels(values, whole, factor_range, undecided, bins)
    result = []
    for k in range(factors):
        flag = flags[k]
        if flag is None and known[k]:
            # More levels than bins hold more entropy than any binned code can tell.
            many = known[k] == "ordinal" and levels[k] > bins
            result.append("continuous" if many else known[k])
            continue
        if flag is None:
            flag = integers[k] or few[k]
        if not flag and text:
            raise ValueError(f"discrete takes True for factor {k}, which is text, got False")
        kept = known[k] if known[k] != "continuous" else ""
        by_value = "categorical" if whole[k] else "ordinal"
        result.append((kept or by_value) if flag else "continuous")
    return tuple(result)


def _few_levels(
    x: NDArray[Any],
    whole: tuple[bool, ...],
    ranges: NDArray[np.float64],
    columns: list[int],
    limit: int,
) -> dict[int, bool]:
    """Which of some columns have at most ``limit`` distinct values."""
    # Whole numbers have no room for more in a short range: their rows need no second look.
    short = {k for k in columns if whole[k] and ranges[1, k] - ranges[0, k] < limit}
    rest = [k for k in columns if k not in short]
    found = distinct_columns(x, rest, limit)
    return dict.fromkeys(short, True) | {
        k: levels is not None for k, levels in zip(rest, found, strict=True)
    }


def _remarks(kinds: tuple[str, ...], whole: tuple[bool, ...]) -> tuple[str, ...]:
    """Floats that may be the numbers of categories: what they were taken for, and how to say."""
    result = []
    for taken, text in (
        ("categorical", "taken as categories"),
        ("continuous", "cut into bins, as continuous factors are"),
    ):
        columns = [k for k, kind in enumerate(kinds) if whole[k] and kind == taken]
        if columns:
            result.append(
                f"factors: columns {', '.join(map(str, columns))} hold whole numbers as floats "
                f"and are {text}; pass integers or discrete= to say what they are"
            )
    return tuple(result)


def _flags(discrete: Discrete, factors: int) -> list[bool | None]:
    if discrete is None or isinstance(discrete, bool | np.bool_):
        return [None if discrete is None else bool(discrete)] * factors
    flags = list(discrete) if isinstance(discrete, Sequence | np.ndarray) else None
    if flags is None or not all(isinstance(flag, bool | np.bool_) for flag in flags):
        raise TypeError(f"discrete takes None, a bool or a bool for each factor, got {discrete!r}")
    if len(flags) != factors:
        raise ValueError(f"discrete takes {factors} bools, one per factor, got {len(flags)}")
    return [bool(flag) for flag in flags]

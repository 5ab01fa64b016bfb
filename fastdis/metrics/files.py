"""Factors and codes from plain files, scored without a model."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastdis import _files
from fastdis.factors import FactorTable
from fastdis.metrics._counts.bins import Bins
from fastdis.metrics.evaluation import evaluate
from fastdis.metrics.scores import Scores

if TYPE_CHECKING:
    import pyarrow

_ARRAYS, _TABLES = (".npy", ".npz"), (".parquet", ".pq")


@dataclass(frozen=True)
class Columns:
    """Factors with names: what a metric reads of a table."""

    values: NDArray[Any]
    names: tuple[str, ...]
    integers: tuple[bool, ...]  # which columns held integers, bools or text


def evaluate_files(
    factors: str | Path,
    codes: str | Path,
    metrics: Iterable[str] | None = None,
    *,
    bins: int | Bins | None = None,
    discrete: bool | None = None,
    convention: str = "standard",
    **options: Any,
) -> Scores:
    """:func:`evaluate` of two files, which may be larger than the memory if they are .npy.

    Parameters
    ----------
    factors, codes
        .npy arrays of two dimensions, which are mapped; .npz archives, of the one array in them
        or that named ``factors`` or ``codes``; or Parquet tables (.parquet, .pq), every column a
        factor or a code. Such a column of integers, bools or text is discrete; for one of floats
        its values decide.
    metrics, bins, discrete, convention, options
        As in :func:`evaluate`.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    TypeError, ValueError
        If a file is damaged, pickled or of another kind; else as :func:`evaluate`.
    """
    return evaluate(
        read_factors(factors), read_codes(codes), metrics,
        bins=bins, discrete=discrete, convention=convention, **options,
    )  # fmt: skip


def read_codes(path: str | Path) -> NDArray[Any]:
    """The codes in a file: those of an array, or the columns of a table."""
    if not _is_table("codes", path):
        return _array(path, "codes")
    return np.stack(_columns(path, _table(path), "iuf"), axis=1)


def read_factors(path: str | Path) -> Any:
    """The factors in a file: an array, a FactorTable that was written as such, or Columns."""
    if not _is_table("factors", path):
        return _array(path, "factors")
    table = _table(path)
    if b"fastdis" in (table.schema.metadata or {}):
        return FactorTable.from_parquet(path)
    columns = _columns(path, table, "iufbU")
    integers = tuple(column.dtype.kind in "iub" for column in columns)
    return Columns(np.stack(columns, axis=1), tuple(table.column_names), integers)


def _columns(path: str | Path, table: pyarrow.Table, kinds: str) -> list[NDArray[Any]]:
    """The columns, those of text as the places of their values in alphabetical order."""
    result = []
    for name in table.column_names:
        column = table[name].to_numpy()
        if column.dtype.kind == "O" and all(isinstance(value, str) for value in column):
            column = column.astype(str)
        if column.dtype.kind not in kinds:
            wanted = "numbers or text" if "U" in kinds else "numbers"
            raise TypeError(f"{path} takes {wanted}, got {table[name].type} in column {name!r}")
        if column.dtype.kind == "U":
            column = np.unique(column, return_inverse=True)[1]
        result.append(column)
    return result


def _is_table(name: str, path: str | Path) -> bool:
    suffix = Path(path).suffix.lower()
    if suffix not in (*_ARRAYS, *_TABLES):
        raise ValueError(f"{name} takes a .npy, .npz or .parquet file, got {path}")
    return suffix in _TABLES


def _array(path: str | Path, name: str) -> NDArray[Any]:
    if _holds_objects(path):
        raise TypeError(
            f"{path} takes numbers{' or text' if name == 'factors' else ''}, got Python objects; "
            "cast the array before it is saved, as with x.astype(float)"
        )
    errors = (ValueError, zipfile.BadZipFile, zlib.error)
    with _files.reading(path, "an array of numbers, without pickles", errors):
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            known = loaded.files
            key = name if len(known) != 1 else known[0]
            if key in known:
                return np.asarray(loaded[key])
    got = ", ".join(known) or "none"
    raise ValueError(f"{path} takes one array, or one named {name!r}, got {got}")


def _holds_objects(path: str | Path) -> bool:
    """Whether a .npy file says of itself that its values are pickled."""
    try:
        with open(path, "rb") as file:
            version = np.lib.format.read_magic(file)
            read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
            return version[0] in read and read[version[0]](file)[2].hasobject
    except (OSError, ValueError):  # no such file, or no array: said when it is read
        return False


def _table(path: str | Path) -> pyarrow.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _files.reading(path, "a Parquet table", (pa.ArrowException,)):
        table = pq.read_table(path)
    gaps = [name for name in table.column_names if table[name].null_count]
    if gaps or not table.num_columns:
        got = f"gaps in {', '.join(gaps)}" if gaps else "none"
        raise ValueError(f"{path} takes columns without gaps, got {got}")
    return table

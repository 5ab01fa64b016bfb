"""What varies in a data set: its factors, their levels, and tables of them.

A :class:`FactorSpace` is the grid of all combinations of levels. A row of the grid is addressed
by its flat index (C order: the last factor varies fastest), so the grid itself is never built.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _files, _memory, _validation

KINDS = ("categorical", "ordinal", "continuous")
_LARGEST_WHOLE_GRID = 2**28  # rows; beyond it a forgotten index would fill the memory


@dataclass(frozen=True, eq=False)
class Factor:
    """One factor of variation.

    Parameters
    ----------
    name
        The name in tables and files.
    values
        The levels, finite and distinct. For ``kind="continuous"`` the two ends of the range.
    kind
        ``"categorical"`` (no order), ``"ordinal"`` (ordered levels) or ``"continuous"``. Metrics
        treat a factor by its kind.
    unit
        Such as ``"Hz"``; empty for none.
    labels
        One text per level, such as ``("sine", "square")``; empty for none.

    Raises
    ------
    TypeError, ValueError
        If ``values`` is empty, not finite or not distinct, if ``labels`` has another length, or
        if a continuous factor has not exactly two ends in rising order.

    Examples
    --------
    >>> Factor("frequency", [440.0, 880.0], unit="Hz").size
    2
    """

    name: str
    values: NDArray[np.float64]
    kind: str = "ordinal"
    unit: str = ""
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise TypeError(f"name takes a text that is not empty, got {self.name!r}")
        _validation.choice("kind", self.kind, KINDS)
        where = f"values of factor {self.name!r}"
        values = _validation.finite(where, _validation.array(where, self.values, 1, np.float64))
        values = values.copy()
        values.flags.writeable = False
        if not values.size or np.unique(values).size != values.size:
            raise ValueError(f"{where} takes distinct levels, at least one, got {self.values}")
        if self.kind == "continuous" and (values.size != 2 or values[0] > values[1]):
            raise ValueError(
                f"{where} takes (low, high) for a continuous factor, got {self.values}"
            )
        labels = tuple(str(label) for label in self.labels)
        if len(labels) not in (0, values.size):
            raise ValueError(f"labels takes {values.size} texts or none, got {len(labels)}")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "labels", labels)

    @property
    def size(self) -> int:
        """The number of levels.

        Raises
        ------
        ValueError
            If the factor is continuous.
        """
        if self.kind == "continuous":
            raise ValueError(f"factor {self.name!r} is continuous and has no levels; use sample()")
        return len(self.values)

    def text(self, value: float) -> str:
        """A value as text: its label, or the number with its unit."""
        if self.labels:
            return self.labels[int(np.argmin(np.abs(self.values - value)))]
        number = f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
        return f"{number} {self.unit}".rstrip()

    def to_dict(self) -> dict[str, Any]:
        """A dict of plain texts, numbers and lists; :meth:`from_dict` reads it."""
        return {
            "name": self.name, "values": self.values.tolist(), "kind": self.kind,
            "unit": self.unit, "labels": list(self.labels),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Factor:
        """The factor that :meth:`to_dict` wrote."""
        return cls(**data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Factor) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.name, self.kind, self.values.tobytes(), self.labels))


class FactorSpace:
    """All combinations of the levels of some factors.

    Raises
    ------
    TypeError, ValueError
        If ``factors`` is empty, holds anything but :class:`Factor`, or two share a name.

    Examples
    --------
    >>> space = FactorSpace([Factor("a", [1, 2, 3]), Factor("b", [10, 20])])
    >>> space.size, space.shape
    (6, (3, 2))
    >>> space.grid([5]).values
    array([[ 3., 20.]])
    """

    def __init__(self, factors: Iterable[Factor]) -> None:
        self.factors = tuple(factors)
        if not self.factors:
            raise ValueError("factors takes at least one Factor, got none")
        for factor in self.factors:
            if not isinstance(factor, Factor):
                raise TypeError(f"factors takes Factor objects, got {factor!r}")
        columns = [n for name in self.names for n in (name, f"{name}_level", f"{name}_label")]
        if len(set(columns)) != len(columns):
            raise ValueError(
                "factors takes distinct names, none of them another's with _level or _label, "
                f"got {self.names}"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the factors, in order."""
        return tuple(factor.name for factor in self.factors)

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of levels of each factor."""
        return tuple(factor.size for factor in self.factors)

    @property
    def size(self) -> int:
        """The number of combinations."""
        return math.prod(self.shape)

    def grid(self, index: ArrayLike | slice | None = None) -> FactorTable:
        """The rows of the grid at the given flat indices.

        Parameters
        ----------
        index
            An integer, integers of shape ``(N,)``, a slice, or None for the whole grid.

        Raises
        ------
        IndexError, TypeError
            If ``index`` is not made of integers from 0 to ``size - 1``.
        ValueError
            If a factor is continuous, or the whole grid was asked for and is too large.
        """
        if index is None:
            if self.size > _LARGEST_WHOLE_GRID:
                raise ValueError(f"index takes the rows to build: the whole grid has {self.size:,}")
            index = slice(None)
        rows = _validation.indices("index", index, self.size)
        return self._at_levels(np.stack(np.unravel_index(rows, self.shape), axis=1))

    def index_of(self, levels: ArrayLike) -> NDArray[np.int64]:
        """The flat indices ``(N,)`` of rows given by their levels ``(N, K)``.

        Raises
        ------
        TypeError, ValueError
            If ``levels`` are not integers of that shape, each within its factor's levels.
        """
        rows = np.asarray(levels)
        if rows.dtype.kind not in "iu":
            raise TypeError(f"levels takes integers, got {_validation.describe(rows)}")
        if rows.ndim != 2 or rows.shape[1] != len(self.factors):
            raise ValueError(f"levels takes shape (N, {len(self.factors)}), got {rows.shape}")
        if rows.size and ((rows < 0) | (rows >= self.shape)).any():
            raise ValueError(f"levels takes 0 to {[n - 1 for n in self.shape]}, got others")
        flat: NDArray[np.int64] = np.ravel_multi_index(tuple(rows.T), self.shape).astype(np.int64)
        return flat

    def sample(
        self, n: int, seed: int, correlation: Mapping[tuple[str, str], float] | None = None
    ) -> FactorTable:
        """``n`` rows drawn at random, every level of a factor equally often in expectation.

        Row i depends on ``seed`` and i alone, so a longer sample begins with a shorter one.

        Parameters
        ----------
        n
            The number of rows.
        seed
            A whole number of at least 0.
        correlation
            Pairs of names and the correlation of the normal scores of those factors (a Gaussian
            copula), such as ``{("frequency", "amplitude"): 0.8}``. The distribution of each
            factor on its own stays uniform.

        Raises
        ------
        TypeError, ValueError
            If a name is unknown, a pair is given twice, a correlation is outside [-1, 1], or
            together they are not those of any distribution.
        MemoryError
            If there is no room for the rows.
        """
        n, seed = _validation.integer("n", n, 0), _validation.integer("seed", seed, 0)
        need = 40 * n * len(self.factors)  # bytes, with temporary arrays
        _memory.require(f"n: a sample of {n:,} rows", need, "draw fewer")
        uniform = np.random.Generator(np.random.Philox(seed)).random((n, len(self.factors)))
        if correlation:
            from scipy.special import ndtr, ndtri

            root = self._correlation_root(correlation)
            # random() may return 0, whose normal score is -inf.
            scores = ndtri(np.maximum(uniform, 2.0**-54))
            # A sum in a fixed order: a matrix product rounds differently for other numbers of rows.
            mixed = np.zeros_like(scores)
            for k in range(len(root)):
                mixed += scores[:, k : k + 1] * root[:, k]
            uniform = ndtr(mixed)
            uniform = np.minimum(uniform, np.nextafter(1.0, 0.0))
        values = np.empty_like(uniform)
        levels = np.empty(uniform.shape, np.int32)
        for k, factor in enumerate(self.factors):
            if factor.kind == "continuous":
                low, high = factor.values
                values[:, k], levels[:, k] = low + (high - low) * uniform[:, k], -1
            else:
                levels[:, k] = uniform[:, k] * factor.size
                values[:, k] = factor.values[levels[:, k]]
        return FactorTable(self, values, levels)

    def to_dict(self) -> dict[str, Any]:
        """A dict of plain texts, numbers and lists; :meth:`from_dict` reads it."""
        return {"factors": [factor.to_dict() for factor in self.factors]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FactorSpace:
        """The space that :meth:`to_dict` wrote."""
        return cls(Factor.from_dict(factor) for factor in data["factors"])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FactorSpace) and self.factors == other.factors

    def __hash__(self) -> int:
        return hash(self.factors)

    def __repr__(self) -> str:
        parts = (f"{f.name}: {f.kind if f.kind == 'continuous' else f.size}" for f in self.factors)
        return f"FactorSpace({', '.join(parts)})"

    def _at_levels(self, levels: NDArray[Any]) -> FactorTable:
        columns = [f.values[levels[:, k]] for k, f in enumerate(self.factors)]
        return FactorTable(self, np.stack(columns, axis=1), levels.astype(np.int32))

    def _correlation_root(
        self, correlation: Mapping[tuple[str, str], float]
    ) -> NDArray[np.float64]:
        """R with R R^T the correlation matrix; an eigenvalue root, so that +-1 is allowed."""
        matrix = np.eye(len(self.factors))
        for (a, b), value in correlation.items():
            i, j = (
                self.names.index(_validation.choice("correlation", x, self.names)) for x in (a, b)
            )
            if i == j:
                raise ValueError(f"correlation takes pairs of two factors, got {(a, b)}")
            if matrix[i, j] != 0.0:
                raise ValueError(f"correlation takes each pair once, got {(a, b)} twice")
            matrix[i, j] = matrix[j, i] = _validation.number("correlation", value, -1.0, 1.0)
        eigenvalues, vectors = np.linalg.eigh(matrix)
        if eigenvalues[0] < -1e-9:
            raise ValueError(
                f"correlation takes a positive semidefinite matrix, got {dict(correlation)}"
            )
        root: NDArray[np.float64] = vectors * np.sqrt(np.maximum(eigenvalues, 0.0))
        return root


class FactorTable:
    """The factors of N clips.

    Attributes
    ----------
    values : (N, K) float64
        The values, in the factors' units.
    levels : (N, K) int32
        The position of each value among its factor's levels; -1 where the factor is continuous.

    Raises
    ------
    ValueError
        If the two differ in shape, a value is not finite, or a level is none of its factor's.
    """

    def __init__(self, space: FactorSpace, values: ArrayLike, levels: ArrayLike) -> None:
        self.space = space
        self.values = _validation.array("values", values, 2, np.float64)
        self.levels = _validation.array("levels", levels, 2, np.int32)
        shape = (len(self.values), len(space.factors))
        if self.values.shape != shape or self.levels.shape != shape:
            raise ValueError(
                f"values and levels take shape (N, {shape[1]}), "
                f"got {self.values.shape} and {self.levels.shape}"
            )
        _validation.finite("values", self.values)
        for k, factor in enumerate(space.factors):
            continuous = factor.kind == "continuous"
            low, high = (-1, -1) if continuous else (0, factor.size - 1)
            column = self.levels[:, k]
            if len(column) and not low <= column.min() <= column.max() <= high:
                raise ValueError(
                    f"levels of {factor.name!r} takes {low} to {high}, "
                    f"got {column.min()} to {column.max()}"
                )

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return self.space.names

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, key: Any) -> Any:
        """A column of values by name, else the rows of a slice, a mask or integers as a table."""
        if isinstance(key, str):
            return self.values[:, self.names.index(_validation.choice("name", key, self.names))]
        if isinstance(key, int | np.integer):
            if not -len(self) <= key < len(self):
                raise IndexError(f"a row takes {-len(self)} to {len(self) - 1}, got {key}")
            key = slice(key, key + 1 or None)
        return FactorTable(self.space, self.values[key], self.levels[key])

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, FactorTable)
            and self.space == other.space
            and np.array_equal(self.values, other.values)
            and np.array_equal(self.levels, other.levels)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"FactorTable({len(self)} rows of {self.space!r})"

    def columns(self) -> dict[str, NDArray[Any]]:
        """Every column by name: values, ``<name>_level``, and ``<name>_label`` if it has labels."""
        result: dict[str, NDArray[Any]] = {}
        for k, factor in enumerate(self.space.factors):
            result[factor.name] = self.values[:, k]
            if factor.kind != "continuous":
                result[f"{factor.name}_level"] = self.levels[:, k]
            if factor.labels:
                result[f"{factor.name}_label"] = np.array(factor.labels)[self.levels[:, k]]
        return result

    def to_dict(self) -> dict[str, Any]:
        """A dict of plain texts, numbers and lists; :meth:`from_dict` reads it."""
        return {
            "space": self.space.to_dict(),
            "values": self.values.tolist(),
            "levels": self.levels.tolist(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FactorTable:
        """The table that :meth:`to_dict` wrote."""
        space = FactorSpace.from_dict(data["space"])
        shape = (-1, len(space.factors))
        values, levels = (np.reshape(data[key], shape) for key in ("values", "levels"))
        return cls(space, values, levels.astype(np.int32))

    def to_parquet(
        self, path: str | Path, *, extra: Mapping[str, Sequence[Any]] | None = None
    ) -> Path:
        """Write the columns, with the space in the file's metadata, beside and renamed.

        ``extra`` are further columns for other tools, such as file names.

        Raises
        ------
        OSError
            If the file cannot be written; what was there before stays.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.table({**(extra or {}), **self.columns()})
        table = table.replace_schema_metadata({"fastdis": json.dumps(self.space.to_dict())})
        with _files.replacing(path) as partial:
            pq.write_table(table, partial)
        return Path(path)

    @classmethod
    def from_parquet(cls, path: str | Path) -> FactorTable:
        """The table that :meth:`to_parquet` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is truncated, is no Parquet file, or was written by something else.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        with _files.reading(
            path, "a Parquet table of factors", (pa.ArrowException, KeyError, TypeError)
        ):
            table = pq.read_table(path)
            space = FactorSpace.from_dict(json.loads(table.schema.metadata[b"fastdis"]))
            values = np.empty((len(table), len(space.factors)))
            levels = np.full(values.shape, -1, np.int32)
            for k, factor in enumerate(space.factors):
                values[:, k] = table[factor.name]
                if factor.kind != "continuous":
                    levels[:, k] = table[f"{factor.name}_level"]
        return cls(space, values, levels)

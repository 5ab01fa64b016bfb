"""Scores: what evaluate() gives, as a mapping, a table, a dict, JSON, Parquet or a heat map."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis import _files, _validation
from fastdis.metrics._metric import Score


@dataclass(frozen=True, eq=False)
class Scores(Mapping[str, float]):
    """Scores by name, and what they stand on. Prints as a table.

    Attributes
    ----------
    details
        The :class:`Score` of each name: its value, per-factor and per-code parts, its matrix.
    convention, binning, estimator
        How they were computed, in words.
    bins
        The number of bins of a code.
    n
        The number of rows.
    names : K texts
        The factors.
    codes : D integers
        The columns of the codes that were scored: all except those that ``active`` left out.
    mutual_information : (K, D) float64
        In nats, factors by codes under every convention; the plug-in estimate.
    active : (D,) bool
        Which codes tell anything about any factor; the others are dead.
    warnings : texts
        What was left out, or stands on little.
    intervals
        By name, the ends of the bootstrap confidence interval, where one was asked for.
    confidence
        Of the intervals: 0.95 means 95 %.
    """

    details: dict[str, Score]
    convention: str
    bins: int
    binning: str
    estimator: str
    n: int
    names: tuple[str, ...]
    codes: tuple[int, ...]
    mutual_information: NDArray[np.float64]
    active: NDArray[np.bool_]
    warnings: tuple[str, ...]
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    confidence: float = 0.95

    def __getitem__(self, name: str) -> float:
        return self.details[name].value

    def __iter__(self) -> Iterator[str]:
        return iter(self.details)

    def __len__(self) -> int:
        return len(self.details)

    def to_dict(self) -> dict[str, Any]:
        """A dict of plain texts, numbers and lists, as JSON takes it."""
        return {
            "scores": dict(self),
            "intervals": {name: list(ends) for name, ends in self.intervals.items()},
            "confidence": self.confidence,
            "details": {name: _plain(score) for name, score in self.details.items()},
            "convention": self.convention,
            "bins": self.bins,
            "binning": self.binning,
            "estimator": self.estimator,
            "n": self.n,
            "factors": list(self.names),
            "codes": list(self.codes),
            "active": self.active.tolist(),
            "mutual_information": self.mutual_information.tolist(),
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Scores:
        """The Scores that :meth:`to_dict` gave, also by way of JSON.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is something else.
        """
        if not isinstance(stored["details"], Mapping) or not isinstance(
            stored["intervals"], Mapping
        ):
            raise TypeError(
                "stored takes what Scores.to_dict gives, got details or intervals of another kind"
            )
        return cls(
            details={name: _score(parts) for name, parts in stored["details"].items()},
            convention=str(stored["convention"]),
            bins=int(stored["bins"]),
            binning=str(stored["binning"]),
            estimator=str(stored["estimator"]),
            n=int(stored["n"]),
            names=tuple(stored["factors"]),
            codes=tuple(map(int, stored["codes"])),
            mutual_information=np.array(stored["mutual_information"], np.float64),
            active=np.array(stored["active"], bool),
            warnings=tuple(stored["warnings"]),
            intervals={
                name: (float(low), float(high)) for name, (low, high) in stored["intervals"].items()
            },
            confidence=float(stored["confidence"]),
        )

    def to_json(self, path: str | Path) -> None:
        """Write :meth:`to_dict` as JSON, beside and renamed.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        _files.write_json(path, self.to_dict())

    def to_parquet(self, path: str | Path) -> None:
        """Write a table of one row per number, beside and renamed.

        The columns are ``metric``, ``part`` (``"score"``, ``"low"``, ``"high"``, ``"factor"`` or
        ``"code"``), ``of`` (the name of the factor, the column of the code, else empty) and
        ``value``. Convention, bins and the like stand in the file's metadata as JSON.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        stored = self.to_dict()
        about = {key: stored[key] for key in stored.keys() - {"scores", "intervals", "details"}}
        columns = dict(zip(("metric", "part", "of", "value"), zip(*self._rows(), strict=True),
                           strict=True))  # fmt: skip
        table = pa.table({name: list(column) for name, column in columns.items()})
        table = table.replace_schema_metadata({"fastdis": json.dumps(about, allow_nan=False)})
        with _files.replacing(path) as partial:
            pq.write_table(table, partial)

    def heat_map(self, path: str | Path, name: str | None = None) -> None:
        """Draw a matrix of factors by codes and write it as a picture (.png, .svg or .pdf).

        Parameters
        ----------
        path
            The file; its suffix tells the format.
        name
            A metric whose matrix is drawn, such as ``"dci_disentanglement"`` for the importances;
            None for the mutual information, in nats.

        Raises
        ------
        ValueError
            If the metric was not computed or has no matrix.
        """
        from fastdis.metrics import _heat_map

        if name is None:
            matrix, title = self.mutual_information, "mutual information in nats"
        else:
            given = self.details[_validation.choice("name", name, self.details)].matrix
            if given is None:
                known = [key for key, score in self.details.items() if score.matrix is not None]
                raise ValueError(f"name takes a metric with a matrix, {known}, got {name!r}")
            matrix, title = given, name
        _heat_map.draw(path, matrix, self.names, self.codes, title)

    def _rows(self) -> Iterator[tuple[str, str, str, float]]:
        for name, score in self.details.items():
            yield name, "score", "", score.value
            for part, value in zip(("low", "high"), self.intervals.get(name, ()), strict=False):
                yield name, part, "", value
            for factor, value in score.per_factor.items():
                yield name, "factor", factor, value
            for code, value in score.per_code.items():
                yield name, "code", str(code), value

    def __str__(self) -> str:
        dead = [str(code) for code, tells in zip(self.codes, self.active, strict=True) if not tells]
        head = (
            f"{self.convention} convention, {self.binning}, {self.n} rows, {len(self.codes)} codes"
        )
        if dead:
            head += f" (dead: {', '.join(dead)})"
        if self.estimator != "plugin":
            head += f", {self.estimator} estimates"
        width = max(map(len, self), default=0)
        lines = [self._line(name, width) for name in self]
        return "\n".join([head, *lines, *(f"  ! {text}" for text in self.warnings)])

    def _line(self, name: str, width: int) -> str:
        text = f"  {name:<{width}}  {self[name]:6.3f}"
        if name in self.intervals:
            low, high = self.intervals[name]
            text += f"  [{low:.3f}, {high:.3f}]"
        parts = self.details[name].per_factor
        if len(parts) > 1:
            text += "  " + ", ".join(f"{factor} {value:.3f}" for factor, value in parts.items())
        return text

    __repr__ = __str__


def _plain(score: Score) -> dict[str, Any]:
    return {
        "value": score.value,
        "per_factor": dict(score.per_factor),
        "per_code": {str(code): value for code, value in score.per_code.items()},
        "matrix": None if score.matrix is None else score.matrix.tolist(),
    }


def _score(parts: Mapping[str, Any]) -> Score:
    return Score(
        float(parts["value"]),
        {str(name): float(x) for name, x in parts["per_factor"].items()},
        {int(code): float(x) for code, x in parts["per_code"].items()},
        None if parts["matrix"] is None else np.array(parts["matrix"], np.float64),
    )

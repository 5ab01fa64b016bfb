"""Entropies and mutual informations as arrays, and formulas that read nothing else.

A formula broadcasts over leading axes, so that a thousand resampled histograms are one call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis.metrics._counts.entropies import pair_information
from fastdis.metrics._counts.histogram import NO_INFORMATION, pair_counts
from fastdis.metrics._evidence import Evidence, constant_factors, distortions
from fastdis.metrics._metric import Score

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

TIE = 1e-9  # nats; what differs by less carries the same information


@dataclass(frozen=True, eq=False)
class Information:
    """What the joint counts say of K factors v and D codes z, in nats.

    Leading axes, the same for every array, are resamples of the rows. A constant factor has the
    entropy 0; formulas leave it out or give it a stated value.

    Attributes
    ----------
    mutual : (..., K, D)
        I(v, z), at most H(v).
    factor_entropy : (..., K)
        H(v).
    code_entropy : (..., D)
        H(z).
    joint_entropy : (..., K, D)
        H(v, z).
    bins
        The number of bins of a code.
    factor_mutual : (..., K, K), or None
        I(v_i, v_j), and H(v_i) where i = j; None where no formula asked for it.
    code_span : (D,), or None
        The range of each code over all rows.
    columns : (D,), or None
        Which columns the codes are; None for all in their order.
    """

    mutual: Array
    factor_entropy: Array
    code_entropy: Array
    joint_entropy: Array
    bins: int
    factor_mutual: Array | None = None
    code_span: Array | None = None
    columns: NDArray[np.intp] | None = None

    @property
    def varying(self) -> Mask:
        """Which factors ``(..., K)`` are not constant."""
        return np.asarray(self.factor_entropy > NO_INFORMATION)

    @property
    def alive(self) -> Mask:
        """Which codes ``(..., D)`` are not constant."""
        return np.asarray(self.code_entropy > NO_INFORMATION)

    @property
    def informative(self) -> Mask:
        """Which codes ``(..., D)`` tell anything about any factor."""
        return np.asarray((self.mutual > NO_INFORMATION).any(axis=-2))

    @property
    def normalized(self) -> Array:
        """I(v, z) / H(v), 0 for a constant factor."""
        return ratio(self.mutual, self.factor_entropy[..., None])

    def swapped(self) -> Information:
        """Factors and codes in each other's place."""
        return Information(
            np.swapaxes(self.mutual, -1, -2),
            self.code_entropy,
            self.factor_entropy,
            np.swapaxes(self.joint_entropy, -1, -2),
            self.bins,
        )


@dataclass(frozen=True, eq=False)
class Parts:
    """A score ``(...)`` and what it is made of; NaN in a part marks what was left out."""

    value: Array
    per_factor: Array | None = None  # (..., K)
    per_code: Array | None = None  # (..., D)
    matrix: Array | None = None  # (..., K, D)

    @classmethod
    def of_factors(cls, values: Array, matrix: Array, counted: Any = True) -> Parts:
        """The mean of the ``values (..., K)`` of the factors that are ``counted``."""
        per_factor = among(values, counted)
        return cls(mean(per_factor), per_factor, matrix=matrix)

    @classmethod
    def of_codes(cls, values: Array, matrix: Array, counted: Any = True) -> Parts:
        """The mean of the ``values (..., D)`` of the codes that are ``counted``."""
        per_code = among(values, counted)
        return cls(mean(per_code), per_code=per_code, matrix=matrix)

    def swapped(self) -> Parts:
        """The parts of factors and codes in each other's place."""
        matrix = None if self.matrix is None else np.swapaxes(self.matrix, -1, -2)
        return Parts(self.value, self.per_code, self.per_factor, matrix)


Remark = Callable[[Evidence, Information, Any], Iterable[str]]


@dataclass(frozen=True)
class ArrayFormula:
    """A formula of arrays, in the form that a :class:`~fastdis.metrics._metric.Metric` takes.

    Attributes
    ----------
    parts
        ``parts(information, **options)``, the arithmetic: Parts, or several by name.
    remark
        What there is to say of one score: texts from ``(evidence, information, parts)``.
    swap
        Whether factors and codes change places.
    pairs
        Whether ``information.factor_mutual`` is read.
    """

    parts: Callable[..., Any]
    remark: Remark | None = None
    swap: bool = False
    pairs: bool = False

    def __call__(self, evidence: Evidence, **options: Any) -> Any:
        """The Score of the evidence, or several by name; notes what there is to say."""
        key = ("information", self.pairs)
        if key not in evidence.shared:  # of several formulas, the first one makes it
            evidence.shared[key] = information_of(evidence, self.pairs)
        information: Information = evidence.shared[key]
        parts = self._parts(information, **options)
        if self.remark is not None:
            evidence.note(*self.remark(evidence, information, parts))
        if isinstance(parts, Parts):
            return _score(evidence, parts)
        return {name: _score(evidence, part) for name, part in parts.items()}

    def from_arrays(self, information: Information, **options: Any) -> Any:
        """The value ``(...)`` of every leading index; several by name where there are several."""
        parts = self._parts(information, **options)
        if isinstance(parts, Parts):
            return parts.value
        return {name: part.value for name, part in parts.items()}

    def _parts(self, information: Information, **options: Any) -> Parts | Mapping[str, Parts]:
        result: Parts | Mapping[str, Parts]
        if self.swap:
            result = self.parts(information.swapped(), **options).swapped()
        else:
            result = self.parts(information, **options)
        return result


def information_of(evidence: Evidence, pairs: bool = False) -> Information:
    """The arrays of one evidence.

    Raises
    ------
    ValueError
        If all factors are constant, except under the published convention.
    """
    histogram, estimates = evidence.histogram, evidence.estimates
    if evidence.convention == "standard":
        evidence.note(*constant_factors(evidence), *distortions(evidence))
    result = Information(
        estimates.mutual,
        estimates.factor_entropy,
        estimates.code_entropy,
        estimates.joint_entropy,
        histogram.bins,
        code_span=np.ptp(evidence.all_data.code_range[:, evidence.columns], axis=0),
        columns=evidence.columns,
    )
    if evidence.convention != "published" and not result.varying.any():
        raise ValueError("factors takes at least one factor that varies, got constants")
    if pairs:
        counts = histogram.pairs
        if counts is None and evidence.all_counted is not None:
            raise ValueError(
                "factors takes a histogram made with pairs=True for metrics that read how factors "
                "depend on each other"
            )
        if counts is None:
            counts = pair_counts(evidence.all_data, histogram)
        mutual = pair_information(counts, histogram.levels, evidence.estimator)
        result = replace(result, factor_mutual=mutual)
    return result


def _score(evidence: Evidence, parts: Parts) -> Score:
    names = evidence.all_data.names
    per_factor = () if parts.per_factor is None else zip(names, parts.per_factor, strict=True)
    per_code = () if parts.per_code is None else zip(evidence.columns, parts.per_code, strict=True)
    return Score(
        float(parts.value),
        {name: float(x) for name, x in per_factor if not np.isnan(x)},
        {int(d): float(x) for d, x in per_code if not np.isnan(x)},
        parts.matrix,
    )


def ratio(numerator: Array, denominator: Array) -> Array:
    """numerator / denominator, 0 where the denominator is."""
    safe = np.where(denominator > NO_INFORMATION, denominator, np.inf)
    return np.asarray(numerator / safe)


def gaps(matrix: Array, axis: int) -> Array:
    """The largest value minus the second largest along ``axis``; of a single value, itself."""
    if matrix.shape[axis] == 1:
        return np.asarray(np.take(matrix, 0, axis))
    top = np.partition(matrix, -2, axis)
    return np.asarray(np.take(top, -1, axis) - np.take(top, -2, axis))


def among(values: Array, counted: Any) -> Array:
    """The values that count, NaN in place of the others."""
    return np.asarray(np.where(counted, values, np.nan))


def mean(values: Array) -> Array:
    """The mean over the last axis of what is not NaN; 0 of nothing."""
    counted = ~np.isnan(values)
    total = np.where(counted, values, 0.0).sum(axis=-1)
    return np.asarray(total / np.maximum(counted.sum(axis=-1), 1))


def left_out(evidence: Evidence, _: Information, parts: Parts) -> Iterable[str]:
    """Remark: the codes whose part is missing."""
    assert parts.per_code is not None  # the remark is of metrics that have it
    missing = np.isnan(parts.per_code)
    if missing.any():
        yield f"{evidence.named_codes(missing)} tell nothing about any factor and are left out"
    if missing.all():
        yield "no code is left; the score counts as 0"


def unknown_factors(information: Information) -> Any:
    """Which factors ``(..., K)`` no code tells anything about."""
    return information.mutual.max(axis=-1) < NO_INFORMATION

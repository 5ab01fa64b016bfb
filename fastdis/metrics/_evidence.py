"""What a formula reads, and how a score is asked for: the path that all metrics share.

A metric is a :class:`Metric`, a formula for each convention, and a public function that calls its
``score``. ``evaluate`` hands one :class:`Evidence` to many formulas.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis import _validation
from fastdis.metrics._counts import estimators as _estimators
from fastdis.metrics._counts.bins import Bins, equal_width_edges, outside
from fastdis.metrics._counts.columns import Data, Discrete, read
from fastdis.metrics._counts.conventions import CONVENTIONS, SCALED, counted_as, settled
from fastdis.metrics._counts.grid import usable
from fastdis.metrics._counts.histogram import JointHistogram, counted_on, summary_of
from fastdis.metrics._counts.stream import counted_stream, gathered, stream_of
from fastdis.metrics._counts.torch_rows import counted_tensors, read_tensors, stay

_LARGE_BIAS = 0.1  # of a factor's entropy


@dataclass(eq=False)
class Evidence:
    """The checked data, their histogram (made when first asked for), and notes on the way.

    ``all_data`` and ``all_counted`` hold every code; ``active`` says which of them are scored.
    Rows are missing where the chunks of a stream have been counted and let go.
    """

    all_data: Data
    cut: Bins
    convention: str
    estimator: str = "plugin"
    active: Any = None
    seed: int = 0
    notes: list[str] = field(default_factory=list)
    all_counted: JointHistogram | None = None
    shared: dict[Any, Any] = field(default_factory=dict)  # what formulas make for one another

    @property
    def bins(self) -> int:
        """The number of bins of a code."""
        return self.cut.count

    @cached_property
    def _all_histogram(self) -> JointHistogram:
        if self.all_counted is not None:
            return self.all_counted
        data, *edges = counted_as(self.all_data, self.cut, self.convention)
        if self.convention not in SCALED:
            self.note(*outside(data, *edges))
        return counted_on(data, *edges)

    @cached_property
    def columns(self) -> NDArray[np.intp]:
        """The codes that are scored, by their columns."""
        codes = self.all_data.codes.shape[1]
        if self.active is None:
            return np.arange(codes)
        if isinstance(self.active, str):
            mask = _estimators.informative_codes(self._all_histogram)
        else:
            mask = np.array(self.active)
        if not mask.any():
            self.note("no code is informative; all are scored")
            return np.arange(codes)
        if not mask.all():
            left_out = ", ".join(map(str, np.flatnonzero(~mask)))
            self.note(f"codes {left_out} are not active and left out")
        return np.flatnonzero(mask)

    @cached_property
    def data(self) -> Data:
        """The rows, of the codes that are scored."""
        if len(self.columns) == self.all_data.codes.shape[1]:
            return self.all_data
        return replace(
            self.all_data, codes=self.all_data.codes[:, self.columns],
            code_range=self.all_data.code_range[:, self.columns],
        )  # fmt: skip

    @cached_property
    def histogram(self) -> JointHistogram:
        """The joint histogram under this convention, of the codes that are scored."""
        return self._all_histogram.of_codes(self.columns)

    def note(self, *texts: str) -> None:
        """Add remarks on the score, each of them once."""
        self.notes += [text for text in dict.fromkeys(texts) if text not in self.notes]

    @cached_property
    def varying(self) -> NDArray[np.intp]:
        """The factors that are not constant.

        Raises
        ------
        ValueError
            If all are constant.
        """
        low, high = self.all_data.factor_range
        varies = low < high
        if not all(self.all_data.discrete):
            edges = equal_width_edges(self.all_data.factor_range, self.bins)[:, :-1]
            # A range with no room for the bins' edges would be one bin.
            has_room = usable(edges, [self.bins] * len(edges)) > 1
            varies &= has_room | np.array(self.all_data.discrete)
        if not varies.any():
            raise ValueError("factors takes at least one factor that varies, got constants")
        return np.flatnonzero(varies)

    @cached_property
    def alive(self) -> NDArray[np.intp]:
        """The codes that are not constant, of those that are scored."""
        low, high = self.all_data.code_range[:, self.columns]
        return np.flatnonzero(low < high)

    @cached_property
    def estimates(self) -> _estimators.Estimates:
        """I, H(v), H(z) and H(v, z) of all factors, by the estimator that was asked for."""
        if self.estimator == "miller_madow":
            return _estimators.miller_madow(self.histogram)
        if self.estimator == "kraskov":
            sample = self.sample(_estimators.NEIGHBOUR_ROWS)
            return _estimators.kraskov(self.histogram, sample, self.seed % 2**32, self.note)
        return _estimators.plugin(self.histogram)

    def by_factor(self, values: Sequence[float] | NDArray[np.float64]) -> dict[str, float]:
        """The values of the varying factors by name."""
        return {self.all_data.names[k]: float(x) for k, x in zip(self.varying, values, strict=True)}

    def by_code(
        self, values: Sequence[float] | NDArray[np.float64], codes: NDArray[np.intp] | None = None
    ) -> dict[int, float]:
        """The values of ``codes`` (of all that are scored by default) by column."""
        columns = self.columns if codes is None else self.columns[codes]
        return {int(d): float(x) for d, x in zip(columns, values, strict=True)}

    def sample(self, limit: int) -> Data:
        """At most ``limit`` rows, drawn by the seed; all, in their order, if there are no more."""
        n = len(self.data.codes)
        if n <= limit:
            return self.data
        rows = np.sort(np.random.default_rng(self.seed).choice(n, limit, replace=False))
        return replace(self.data, factors=self.data.factors[rows], codes=self.data.codes[rows])

    def named(self, factors: NDArray[np.intp]) -> str:
        """Factors as a note speaks of them."""
        return ", ".join(repr(self.all_data.names[k]) for k in factors)

    def named_codes(self, scored: NDArray[np.bool_]) -> str:
        """Codes, some of those that are scored, as a note speaks of them."""
        return f"codes {', '.join(map(str, self.columns[scored]))}"


def constant_factors(evidence: Evidence) -> Iterator[str]:
    """Remark: the factors that do not vary, which metrics leave out."""
    constant = np.setdiff1d(np.arange(len(evidence.all_data.names)), evidence.varying)
    if constant.size:
        yield f"constant and left out: {evidence.named(constant)}"


def distortions(evidence: Evidence) -> Iterator[str]:
    """Remark: the varying factors whose mutual information the number of bins distorts.

    No mutual information exceeds log(bins), and the plug-in estimate of independent variables is
    about (bins - 1)(levels - 1) / 2N.
    """
    histogram, varying, bins = evidence.histogram, evidence.varying, evidence.bins
    entropy = histogram.factor_entropy[varying]
    capped = entropy > np.log(bins) + 1e-9
    if capped.any():
        yield (
            f"{bins} bins cannot tell all levels of {evidence.named(varying[capped])} apart and "
            "cap what a code can score; take more bins, or discrete=False for it"
        )
    bias = (bins - 1) * (np.array(histogram.levels)[varying] - 1) / (2 * histogram.n)
    large = bias > _LARGE_BIAS * entropy
    if large.any() and evidence.estimator == "plugin":
        yield (
            f"{histogram.n} rows are few for {bins} bins: mutual information with "
            f"{evidence.named(varying[large])} is overestimated by over {_LARGE_BIAS:.0%} of its "
            "entropy"
        )


def gather(
    factors: Any,
    codes: Any,
    *,
    bins: int | Bins | None = None,
    discrete: Discrete = None,
    convention: str = "standard",
    estimator: str = "plugin",
    active: Any = None,
    seed: int = 0,
    rows: bool = True,
    pairs: bool = False,
) -> Evidence:
    """Check the arguments that all metrics share.

    Without ``rows``, those of a stream or on a device are only counted; ``pairs`` counts factors
    against factors as well.
    """
    _validation.choice("convention", convention, CONVENTIONS)
    _validation.choice("estimator", estimator, _estimators.ESTIMATORS)
    if estimator != "plugin" and convention != "standard":
        raise ValueError(
            f"estimator takes 'plugin' for the {convention} convention, got {estimator!r}"
        )
    cut, discrete = settled(bins, discrete, convention)
    seed = _validation.integer("seed", seed, 0)
    rows = rows or estimator == "kraskov"
    counted: JointHistogram | None = None
    notes: list[str] = []
    if isinstance(factors, JointHistogram):
        _check_histogram_alone(codes, bins, discrete, convention, rows)
        data, counted, cut = summary_of(factors), factors, factors.cut
    elif (stream := stream_of(factors, codes)) is not None:
        if rows:
            data = gathered(stream, cut, discrete)
        else:
            data, counted, notes = counted_stream(stream, cut, discrete, convention, pairs)
    elif not rows and stay(factors, codes):
        tensors = read_tensors(factors, codes, cut.count, discrete)
        data, counted, notes = counted_tensors(tensors, cut, convention, pairs)
    else:
        data = read(factors, codes, cut.count, discrete)
    n = len(data.codes) if counted is None else counted.n
    if n < 2:
        raise ValueError(f"factors and codes take at least 2 rows, got {n}")
    if active is not None:
        active = _checked_active(active, data.codes.shape[1])
    evidence = Evidence(
        data, cut, convention, estimator, active, seed, [*data.remarks, *notes], counted
    )
    _note_a_swap(evidence)
    return evidence


def _check_histogram_alone(
    codes: Any, bins: Any, discrete: Any, convention: str, rows: bool
) -> None:
    """Raise where something else is asked of a histogram than what it has counted."""
    for name, value in (("codes", codes), ("bins", bins), ("discrete", discrete)):
        if value is not None:
            raise TypeError(
                f"{name} takes None beside a JointHistogram, which has its own, got "
                f"{_validation.describe(value)}"
            )
    if convention != "standard":
        raise ValueError(f"convention takes 'standard' for a JointHistogram, got {convention!r}")
    if rows:
        raise ValueError(
            "factors takes rows for metrics that read them and for the kraskov estimator, got a "
            "JointHistogram"
        )


def _checked_active(active: Any, codes: int) -> str | NDArray[np.bool_]:
    if isinstance(active, str):
        return _validation.choice("active", active, ("informative",))
    mask = np.asarray(active)
    if mask.dtype != bool or mask.shape != (codes,):
        raise ValueError(
            f"active takes None, 'informative' or {codes} bools, one per code, got "
            f"{_validation.describe(active)}"
        )
    if not mask.any():
        raise ValueError("active takes at least one True, got none")
    return mask


def _note_a_swap(evidence: Evidence) -> None:
    """Say so where factors look like codes: all continuous, and more than the codes."""
    data = evidence.all_data
    factors, codes = len(data.names), data.codes.shape[1]
    if factors > codes and not any(data.discrete):
        evidence.note(
            f"all {factors} factors are continuous, and more than the {codes} codes: metrics take "
            "(factors, codes), in this order"
        )

"""IRS: how far does a code stay put while all factors but one are changed?

For code d and factor k, with z the code and g a level of the factor:
IRS[k, d] = 1 - E_g max |z - E[z | g]| / max |z - E z|.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from fastdis import _validation
from fastdis.metrics._evidence import Evidence, constant_factors
from fastdis.metrics._metric import Entry, Score, Seeded, metric, metric_of
from fastdis.metrics.from_interventions.draws import Rows, levels_of, some_of
from fastdis.metrics.from_interventions.rendered import encoded, is_rendered

_CLIPS = 10_000  # of a data set that are encoded by default
_FEW = 10  # rows per level, on average


def _irs(
    evidence: Evidence, *, quantile: float = 1.0, by_rows: bool = False, merged: bool = False
) -> Score:
    data, alive = evidence.data, evidence.alive
    levels = levels_of(evidence)
    if merged:
        levels = [_merged(level, evidence.bins) for level in levels]
    usable = _usable(evidence, levels)
    if not alive.size:
        evidence.note("every code is constant; the score counts as 0")
        return Score(0.0, {data.names[k]: 0.0 for k in usable})
    low, high = data.code_range[:, alive]
    codes = np.asarray(data.codes[:, alive], np.float64)
    codes = (codes - low) / (high - low)
    largest = np.abs(codes - codes.mean(axis=0)).max(axis=0)
    moved = np.stack([_deviation(levels[k], codes, quantile, by_rows) for k in usable])
    robust = np.clip(1.0 - moved / largest, 0.0, 1.0)
    best, weight = robust.max(axis=0), largest * ((high - low) / (high - low).max())
    matrix = np.zeros((len(data.names), data.codes.shape[1]))
    matrix[np.ix_(usable, alive)] = robust
    return Score(
        min(float(best @ weight / weight.sum()), 1.0),
        {data.names[k]: float(row.max()) for k, row in zip(usable, robust, strict=True)},
        evidence.by_code(best, alive),
        matrix,
    )


def _usable(evidence: Evidence, levels: list[Rows]) -> Rows:
    """The factors with a level of two samples or more; notes those of none, and of few samples."""
    varying = evidence.varying
    evidence.note(*constant_factors(evidence))
    sizes = {k: np.bincount(levels[k]) for k in varying}
    usable = np.array([k for k in varying if sizes[k].max() > 1], np.intp)
    if not usable.size:
        raise ValueError(
            "factors takes rows of which some agree in a level of a factor, got none; take fewer "
            "bins, or discrete=False for a factor of many levels"
        )
    left_out = np.setdiff1d(varying, usable)
    if left_out.size:
        evidence.note(
            f"no two rows agree in a level of {evidence.named(left_out)}: no intervention, left out"
        )
    few = usable[[sizes[k].sum() < _FEW * np.count_nonzero(sizes[k]) for k in usable]]
    if few.size:
        evidence.note(
            f"fewer than {_FEW} rows per level of {evidence.named(few)}: the largest deviation is "
            "underestimated, and the score too high"
        )
    return usable


def _deviation(
    level: Rows, codes: NDArray[np.float64], quantile: float, by_rows: bool
) -> NDArray[np.float64]:
    """E max |z - E[z | level]| of every code, ``(D,)``: the expectation over the levels."""
    order = np.argsort(level.astype(np.min_scalar_type(level.max())), kind="stable")
    sizes = np.bincount(level)
    sizes = sizes[sizes > 0]
    start = np.cumsum(sizes) - sizes
    ordered = codes[order]
    low, high = np.minimum.reduceat(ordered, start), np.maximum.reduceat(ordered, start)
    # Clipped, so that the mean of equal values is their value, also after rounding.
    mean = np.clip(np.add.reduceat(ordered, start) / sizes[:, None], low, high)
    if quantile == 1.0:
        far = np.maximum(high - mean, mean - low)
    else:
        parts = np.split(ordered, start[1:])
        far = np.stack([
            np.quantile(np.abs(part - m), quantile, axis=0)
            for part, m in zip(parts, mean, strict=True)
        ])  # fmt: skip
    weight = np.where(sizes > 1, sizes, 0) if by_rows else np.ones(len(sizes))
    return np.asarray(np.average(far, axis=0, weights=weight))


def _merged(level: Rows, bins: int) -> Rows:
    """Positions of levels cut into bins of equal width, as disentanglement_lib cuts them."""
    if level.max() < bins:
        return level
    return np.searchsorted(np.linspace(0, level.max(), bins + 1)[1:-1], level, side="right")


@metric(
    Entry(
        "irs", "IRS", "Suter et al. 2019", "modularity",
        "A code stays put while all factors but its own are changed.",
        "Duplicates of a code; noise codes weigh by their range, and outliers decide deviations.",
    ),
    group="interventions", standard=partial(_irs, by_rows=True),
    disentanglement_lib=partial(_irs, quantile=0.99, merged=True), ubisoft=_irs,
)  # fmt: skip
def irs(
    factors: Any,
    codes: Any = None,
    *,
    quantile: float | None = None,
    clips: int = _CLIPS,
    **shared: Unpack[Seeded],
) -> float:
    """Interventional robustness: does a code stay put while all factors but its own are changed?

    While factor k is held at a level, the largest deviation of code d from its mean over the
    samples of that level is what all other factors can do to it; the expectation of that over the
    levels, divided by the code's largest deviation from its mean over all samples, is taken from 1.
    Each code counts by its best factor, weighted by that largest deviation (Suter et al. 2019,
    "Robustly Disentangled Causal Mechanisms: Validating Deep Representations for Interventional
    Robustness"; factors are taken as independent, and each sample as the outcome of its own
    intervention). 0 to 1, higher is better. Several codes for one factor cost nothing; the weights
    make the score depend on the scales of the codes.

    A level of one sample, where nothing else was changed, does not count; a factor that has no
    other level is left out with a warning, and so is a constant one. A constant code weighs
    nothing; if all are, the score is 0, with a warning. What falls below 0 counts as 0. Few samples
    per level show too small a deviation, and so too high a score, which a warning says. The bins of
    a continuous factor keep even a perfect code from 1, by their width.

    ``"standard"``
        The largest deviation; levels are weighted by their numbers of samples.
    ``"disentanglement_lib"``
        The 0.99-quantile of the deviations within a level. Levels weigh alike, those of one sample
        too; a factor of more levels than ``bins`` is cut into as many runs of levels. All samples
        are used, where the library draws 10,000.
    ``"ubisoft"``
        The largest deviation. Levels weigh alike, those of one sample too.

    Parameters
    ----------
    factors, codes
        Arrays, see :func:`joint_histogram`. Or a :class:`fastdis.datasets.Dataset` and a function
        that takes features ``(B, 1, F, frames)`` float32 and gives codes ``(B, D)``.
    seed
        Draws the clips of a data set.
    quantile
        Of the deviations within a level, above 0 and up to 1, which is the largest; None for the
        convention's.
    clips
        Of a data set with more clips, so many are drawn and encoded.

    Raises
    ------
    TypeError, ValueError
        As :func:`mig`; also if no two samples share a level of any factor.

    Examples
    --------
    >>> import numpy as np
    >>> v = np.stack([np.arange(400) % 4, np.arange(400) // 4 % 5], axis=1)
    >>> irs(v, 2.0 * v[:, ::-1]), round(irs(v, v.sum(axis=1, keepdims=True)), 3)
    (1.0, 0.571)
    """
    metric_of(irs).formula(shared.get("convention", "standard"))
    options: dict[str, Any] = {}
    if quantile is not None:
        options["quantile"] = _validation.number("quantile", quantile, maximum=1.0, above=0.0)
    clips = _validation.integer("clips", clips, 2)
    seed = _validation.integer("seed", shared.get("seed", 0), 0)
    if is_rendered(factors, codes):
        rows = some_of(len(factors), clips, np.random.default_rng(seed))
        factors, codes = factors.table(rows), encoded(factors, codes, rows)
    return metric_of(irs).value(factors, codes, **options, **shared)

"""JEMMIG, DCIMIG and Modularity, from mutual information and entropies.

Each formula reads the arrays of :class:`~fastdis.metrics._information.Information`, so that the
published convention can use it with factors and codes in each other's place.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Unpack

import numpy as np

from fastdis.metrics._counts.histogram import NO_INFORMATION
from fastdis.metrics._evidence import Evidence
from fastdis.metrics._information import (
    Array,
    ArrayFormula,
    Information,
    Parts,
    among,
    codes_named,
    gaps,
    left_out,
    mean,
    ratio,
)
from fastdis.metrics._metric import (
    Counted,
    Entry,
    metric,
    metric_of,
)
from fastdis.metrics.from_histograms.mig import mig as mig


def _dcimig(information: Information) -> Parts:
    mutual = information.mutual
    best = mutual.argmax(axis=-2)[..., None, :] == np.arange(mutual.shape[-2])[:, None]
    per_code = gaps(mutual, -2)
    given = np.where(best, per_code[..., None, :], 0.0)
    kept = given.max(axis=-1)
    value = ratio(kept.sum(axis=-1), information.factor_entropy.sum(axis=-1))
    entropy = information.factor_entropy
    per_factor = among(ratio(kept, entropy), information.varying)
    of_code = ratio(per_code, np.take_along_axis(entropy, mutual.argmax(axis=-2), axis=-1))
    return Parts(value, per_factor, of_code, ratio(given, entropy[..., None]))


def _modularity_of(mutual: Array, factors: Any) -> Array:
    """The modularity of each code; 0 of one that tells nothing."""
    known = mutual.max(axis=-2)
    squared = ratio(mutual, known[..., None, :]) ** 2
    rest = (squared.sum(axis=-2) - 1.0) / np.maximum(factors - 1, 1)
    return np.asarray(np.where(known > NO_INFORMATION, 1.0 - rest, 0.0))


def _modularity(information: Information) -> Parts:
    factors = information.varying.sum(axis=-1)[..., None]
    per_code = among(_modularity_of(information.mutual, factors), information.informative)
    return Parts(mean(per_code), per_code=per_code, matrix=information.mutual)


def _modularity_lib(information: Information) -> Parts:
    per_code = _modularity_of(information.mutual, information.mutual.shape[-2])
    return Parts(mean(per_code), per_code=per_code, matrix=information.mutual)


def _untold(information: Information) -> Any:
    """Which factors ``(..., K)`` no code tells anything about."""
    return information.mutual.max(axis=-1) < NO_INFORMATION


def _remark_untold(evidence: Evidence, information: Information, _: Parts) -> Iterable[str]:
    unknown = _untold(information) & information.varying
    if unknown.any():
        names = evidence.named(np.flatnonzero(unknown))
        yield f"no code tells anything about {names}, which scores the worst"


def _remark_no_entropy(_: Evidence, information: Information, __: Parts) -> Iterable[str]:
    if not information.alive.any():
        yield "every code is constant; the score, 0 / 0, counts as 0"


def _remark_silent(evidence: Evidence, information: Information, _: Parts) -> Iterable[str]:
    silent = ~information.informative
    if silent.any():
        yield f"{codes_named(evidence, silent)} tell nothing about any factor and count as 0"


def _remark_untold_published(
    evidence: Evidence, information: Information, _: Parts
) -> Iterable[str]:
    unknown = _untold(information)
    if unknown.any():
        names = evidence.named(np.flatnonzero(unknown))
        yield f"no code tells anything about {names}, which counts as 0"


@metric(
    Entry(
        "dcimig", "DCIMIG", "Sepliarskaia et al. 2019", "holistic",
        "Each factor has a code that tells it in full and tells nothing else.",
        "A second code that holds the same factor, as only the best one counts.",
    ),
    group="histogram",
    standard=ArrayFormula(_dcimig),
    ubisoft=ArrayFormula(_dcimig),
    published=ArrayFormula(_dcimig, _remark_no_entropy, swap=True),
)  # fmt: skip
def dcimig(factors: Any, codes: Any = None, **shared: Unpack[Counted]) -> float:
    """DCIMIG: modularity, compactness and informativeness in one number.

    Each code gives the gap between its two largest mutual informations over factors to its best
    factor; each factor keeps the largest gap it was given; their sum is divided by the sum of
    H(v) (Sepliarskaia et al. 2019, "Evaluating Disentangled Representations").
    0 to 1, higher is better. With one factor, the gap is the mutual information itself.

    Ubisoft differs in its bins alone; the published convention swaps the roles.

    Raises
    ------
    TypeError, ValueError
        As :func:`mig`.
    """
    return metric_of(dcimig).value(factors, codes, **shared)


@metric(
    Entry(
        "modularity", "Modularity", "Ridgeway & Mozer 2018", "modularity",
        "Each code tells about one factor alone.",
        "How much is told: near 1 for faint traces; noise codes count and drag the mean down.",
    ),
    group="histogram",
    standard=ArrayFormula(_modularity, left_out),
    disentanglement_lib=ArrayFormula(_modularity_lib, _remark_silent),
    ubisoft=ArrayFormula(_modularity_lib, _remark_silent),
    published=ArrayFormula(_modularity_lib, _remark_untold_published, swap=True),
)  # fmt: skip
def modularity(factors: Any, codes: Any = None, **shared: Unpack[Counted]) -> float:
    """Modularity: does each code tell about one factor alone?

    The mean over codes of 1 - sum of the other squared I / (I_max^2 (K - 1)) (Ridgeway & Mozer
    2018, "Learning Deep Disentangled Embeddings with the F-Statistic Loss"). 0 to 1, higher is
    better.

    A code that tells nothing about any factor has no modularity: it is left out, with a warning.
    With no code left the score is 0, with a warning; with one factor it is 1. A noise code does
    count, by the little its histogram seems to tell; ``active`` leaves it out.

    Under disentanglement_lib such a code counts as 0, and so it does under ubisoft, where that
    code gives NaN; a constant factor is one of the K for both. The published convention is
    Ubisoft's with the roles swapped.

    Raises
    ------
    TypeError, ValueError
        As :func:`mig`.
    """
    return metric_of(modularity).value(factors, codes, **shared)

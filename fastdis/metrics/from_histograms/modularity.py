"""Modularity (Ridgeway and Mozer 2018): does each code hold one factor?"""

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
    left_out,
    ratio,
    unknown_factors,
)
from fastdis.metrics._metric import Counted, Entry, metric, metric_of


def _modularity_of(mutual: Array, factors: Any) -> Array:
    """The modularity of each code; 0 of one that tells nothing."""
    known = mutual.max(axis=-2)
    squared = ratio(mutual, known[..., None, :]) ** 2
    rest = (squared.sum(axis=-2) - 1.0) / np.maximum(factors - 1, 1)
    return np.asarray(np.where(known > NO_INFORMATION, 1.0 - rest, 0.0))


def _modularity(information: Information) -> Parts:
    factors = information.varying.sum(axis=-1)[..., None]
    per_code = _modularity_of(information.mutual, factors)
    return Parts.of_codes(per_code, information.mutual, information.informative)


def _modularity_lib(information: Information) -> Parts:
    per_code = _modularity_of(information.mutual, information.mutual.shape[-2])
    return Parts.of_codes(per_code, information.mutual)


def _remark_uninformative(evidence: Evidence, information: Information, _: Parts) -> Iterable[str]:
    uninformative = ~information.informative
    if uninformative.any():
        yield f"{evidence.named_codes(uninformative)} tell nothing about any factor and count as 0"


def _remark_unknown(evidence: Evidence, information: Information, _: Parts) -> Iterable[str]:
    unknown = unknown_factors(information)
    if unknown.any():
        names = evidence.named(np.flatnonzero(unknown))
        yield f"no code tells anything about {names}, which counts as 0"


@metric(
    Entry(
        "modularity", "Modularity", "Ridgeway & Mozer 2018", "modularity",
        "Each code is informative about one factor only.",
        "The amount of information: close to 1 even when it is tiny; noise codes lower it.",
    ),
    group="histogram", standard=ArrayFormula(_modularity, left_out),
    disentanglement_lib=ArrayFormula(_modularity_lib, _remark_uninformative),
    ubisoft=ArrayFormula(_modularity_lib, _remark_uninformative),
    published=ArrayFormula(_modularity_lib, _remark_unknown, swap=True),
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
    """
    return metric_of(modularity).value(factors, codes, **shared)

"""DCIMIG (Sepliarskaia et al. 2019): the gap of each code, given to its best factor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Unpack

import numpy as np

from fastdis.metrics._evidence import Evidence
from fastdis.metrics._information import ArrayFormula, Information, Parts, among, gaps, ratio
from fastdis.metrics._metric import Counted, Entry, metric, metric_of


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


def _remark_no_entropy(_: Evidence, information: Information, __: Parts) -> Iterable[str]:
    if not information.alive.any():
        yield "every code is constant; the score, 0 / 0, counts as 0"


@metric(
    Entry(
        "dcimig", "DCIMIG", "Sepliarskaia et al. 2019", "holistic",
        "Each factor has a code that determines it and is informative about no other.",
        "A second code that holds the same factor, as only the best one counts.",
    ),
    group="histogram", standard=ArrayFormula(_dcimig), ubisoft=ArrayFormula(_dcimig),
    published=ArrayFormula(_dcimig, _remark_no_entropy, swap=True),
)  # fmt: skip
def dcimig(factors: Any, codes: Any = None, **shared: Unpack[Counted]) -> float:
    """DCIMIG: modularity, compactness and informativeness in one number.

    Each code gives the gap between its two largest mutual informations over factors to its best
    factor; each factor keeps the largest gap it was given; their sum is divided by the sum of
    H(v) (Sepliarskaia et al. 2019, "Evaluating Disentangled Representations").
    0 to 1, higher is better. With one factor, the gap is the mutual information itself.

    Ubisoft differs in its bins alone; the published convention swaps the roles.
    """
    return metric_of(dcimig).value(factors, codes, **shared)

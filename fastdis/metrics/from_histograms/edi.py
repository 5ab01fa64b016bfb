"""EDI: modularity, compactness and explicitness from how exclusive mutual informations are.

The exclusivity of n shares is the largest less the root mean square of the other n - 1 (Julka,
Wang & Granitzer 2024, "Towards an Improved Metric for Evaluating Disentangled Representations").
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from fastdis.metrics._information import Array, ArrayFormula, Information, Parts, among, ratio
from fastdis.metrics._metric import Counted, Entry, metric, metric_of


@dataclass(frozen=True, eq=False)
class EDI:
    """The three scores, each 0 to 1 and higher is better, and what they stand on.

    Attributes
    ----------
    modularity
        Is each code informative about one factor alone?
    compactness
        Is one code alone informative about each factor?
    explicitness
        How much of each factor's entropy does its best code have?
    shares : (K, D) float64
        I(v, z) as a share of what the codes tell about v.
    """

    modularity: float
    compactness: float
    explicitness: float
    shares: NDArray[np.float64]


def _exclusivity(shares: Array, number: Any) -> Array:
    """The largest over the last axis less the root mean square of the ``number`` - 1 others."""
    largest = shares.max(axis=-1)
    others = np.maximum((shares**2).sum(axis=-1) - largest**2, 0.0)
    return np.asarray(largest - np.sqrt(others / np.maximum(number - 1, 1)))


def _edi(information: Information) -> dict[str, Parts]:
    best_mutual = information.mutual.max(axis=-1)
    shares = ratio(information.mutual, best_mutual[..., None])
    varying, alive = information.varying, information.alive

    of_factors = _exclusivity(shares, alive.sum(axis=-1)[..., None])
    of_codes = _exclusivity(np.swapaxes(shares, -1, -2), varying.sum(axis=-1)[..., None])
    best = shares.argmax(axis=-2)[..., None, :] == np.arange(shares.shape[-2])[:, None]
    given = np.where(best, of_codes[..., None, :], 0.0).sum(axis=-1)

    modularity = Parts.of_factors(np.minimum(given, 1.0), shares, varying)
    explained = ratio(best_mutual, information.factor_entropy)
    return {
        "modularity": replace(modularity, per_code=among(of_codes, alive)),
        "compactness": Parts.of_factors(of_factors, shares, varying),
        "explicitness": Parts.of_factors(explained, shares, varying),
    }


@metric(
    Entry(
        "edi_modularity", "EDI modularity", "Julka et al. 2024", "modularity",
        "Each factor has codes that are informative about it exclusively.",
        "Noise in the codes, as the shares are those of the mutual information.",
    ),
    Entry(
        "edi_compactness", "EDI compactness", "Julka et al. 2024", "compactness",
        "Each factor has one code that is informative about it exclusively.",
        "The amount of information; one duplicate costs less the more codes there are.",
    ),
    Entry(
        "edi_explicitness", "EDI explicitness", "Julka et al. 2024", "explicitness",
        "The best code of each factor determines the factor.",
        "The information that several codes have together; how simple the relation is.",
    ),
    group="histogram", standard=ArrayFormula(_edi),
)  # fmt: skip
def edi(factors: Any, codes: Any = None, **shared: Unpack[Counted]) -> EDI:
    """Exclusivity of codes and factors (Julka, Wang & Granitzer 2024).

    With the shares I(v, z) / I(v, all codes), modularity adds the exclusivity of each code's
    shares to the factor that it tells most about, at most 1 to each factor, and takes the mean
    over factors; compactness is the mean over factors of the exclusivity of their shares;
    explicitness is the mean of I(v, all codes) / H(v).

    The authors estimate I(v, all codes), the information of the codes together, by training a
    network. Counts of one code at a time cannot tell it: here it is the largest I(v, z), a bound
    that their code offers in its place. It is exact where one code holds all that
    the codes tell about the factor; where several hold a factor by parts, explicitness is too
    small. Their code also counts constant codes among the n of compactness; here they change
    nothing. One value alone is its own exclusivity, and a factor that no code tells anything
    about counts as 0; of one that they tell about by chance alone the shares are those of noise.

    Examples
    --------
    >>> import numpy as np
    >>> v = np.stack([np.arange(400) % 4, np.arange(400) // 4 % 4], axis=1)
    >>> scores = edi(v, np.hstack([v, v[:, :1]]))
    >>> scores.modularity, scores.explicitness
    (1.0, 1.0)
    >>> round(scores.compactness, 3)  # of the first factor 1 - sqrt(1 / 2), as two codes tell it
    0.646
    """
    scores = metric_of(edi).score(factors, codes, **shared)
    values = {name: score.value for name, score in scores.items()}
    return EDI(**values, shares=scores["modularity"].matrix)

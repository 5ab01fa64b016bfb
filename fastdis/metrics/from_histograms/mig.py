"""MIG and MIG-sup: the gaps of mutual information between codes and between factors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Unpack

import numpy as np

from fastdis.metrics._evidence import Evidence, constant_factors
from fastdis.metrics._information import (
    Array,
    ArrayFormula,
    Information,
    Parts,
    gaps,
    left_out,
    ratio,
)
from fastdis.metrics._metric import Counted, Entry, metric, metric_of


def _mig(information: Information) -> Parts:
    share = information.normalized
    return Parts.of_factors(gaps(share, -1), share, information.varying)


def _mig_ubisoft(information: Information) -> Parts:
    share = _of_codes(information)
    return Parts.of_factors(gaps(share, -1), share)


def _mig_sup(information: Information) -> Parts:
    share = information.normalized
    return Parts.of_codes(gaps(share, -2), share, information.informative)


def _mig_sup_ubisoft(information: Information) -> Parts:
    share = _of_codes(information)
    return Parts.of_codes(gaps(share, -2), share)


def _of_codes(information: Information) -> Array:
    """I(v, z) / H(z), 0 for a constant code."""
    return ratio(information.mutual, information.code_entropy[..., None, :])


def _remark_constant(evidence: Evidence, *__: Any) -> Iterable[str]:
    return constant_factors(evidence)


def _remark_zeros(evidence: Evidence, information: Information, _: Parts) -> Iterable[str]:
    if not information.varying.all():
        yield f"constant and counted as 0: {evidence.named(np.flatnonzero(~information.varying))}"
    if not information.alive.all():
        yield "a constant code's mutual information, 0 / 0, counts as 0"


def _remark_zeros_published(_: Evidence, information: Information, __: Parts) -> Iterable[str]:
    if not information.varying.all():
        yield "a constant factor's mutual information, 0 / 0, counts as 0"


@metric(
    Entry(
        "mig", "MIG", "Chen et al. 2018", "compactness",
        "One code is informative about each factor, and the second-best code hardly is.",
        "A code that holds two factors; depends on the bins, and on outliers with equal widths.",
    ),
    group="histogram", standard=ArrayFormula(_mig),
    disentanglement_lib=ArrayFormula(_mig, _remark_constant),
    ubisoft=ArrayFormula(_mig_ubisoft, _remark_zeros),
    published=ArrayFormula(_mig_ubisoft, _remark_zeros_published, swap=True),
)  # fmt: skip
def mig(factors: Any, codes: Any = None, **shared: Unpack[Counted]) -> float:
    """Mutual information gap: is each factor held by one code alone?

    The mean over factors of (I_1 - I_2) / H(v), I_1 and I_2 the two largest mutual informations
    of a code with factor v (Chen et al. 2018, "Isolating Sources of Disentanglement in VAEs",
    eq. 6). 0 to 1, higher is better. With one code, I_2 = 0; a constant factor is left out.

    Ubisoft divides each I by H(**code**) before the gap is taken, so that bending a code moves
    the score; a constant factor and a dead code count as 0. The published convention does so with
    the roles swapped: the mean runs over codes, the gap over factors, and I is divided by H(v).

    Raises
    ------
    TypeError, ValueError
        As :func:`joint_histogram`; also for fewer than two rows, or if all factors are constant.

    Examples
    --------
    >>> import numpy as np
    >>> v = np.stack([np.arange(400) % 4, np.arange(400) // 4 % 5], axis=1)
    >>> mig(v, 2.0 * v[:, ::-1]), mig(v, v[:, [0, 0, 1, 1]])
    (1.0, 0.0)
    """
    return metric_of(mig).value(factors, codes, **shared)


@metric(
    Entry(
        "mig_sup", "MIG-sup", "Li et al. 2020", "modularity",
        "Each code is informative about one factor, and hardly about a second one.",
        "Duplicates of a code; codes of little information, noise too, lower the mean.",
    ),
    group="histogram", standard=ArrayFormula(_mig_sup, left_out),
    ubisoft=ArrayFormula(_mig_sup_ubisoft, _remark_zeros),
)  # fmt: skip
def mig_sup(factors: Any, codes: Any = None, **shared: Unpack[Counted]) -> float:
    """MIG-sup: does each code hold one factor alone?

    The mean over codes of the gap between the two largest I(z, v) / H(v) over factors (Li et al.
    2020, "Progressive Learning and Disentanglement of Hierarchical Representations").
    0 to 1, higher is better. It supplements MIG, which does not see a code that holds two factors.
    With one factor, the second is 0. The paper's mean runs over "meaningful" codes: here those
    that tell anything about any factor, or ``active`` ones; with none, the score is 0.

    Ubisoft divides I by H(z), the entropy of the **code**, and its mean runs over all codes; a
    dead one, NaN in that code, counts as 0.

    Examples
    --------
    >>> import numpy as np
    >>> v = np.stack([np.arange(400) % 4, np.arange(400) // 4 % 4], axis=1)
    >>> both = v[:, :1] + 4 * v[:, 1:]
    >>> mig_sup(v, 2.0 * v[:, ::-1]), mig_sup(v, both)
    (1.0, 0.0)
    """
    return metric_of(mig_sup).value(factors, codes, **shared)

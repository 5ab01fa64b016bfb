"""InfoM and InfoC: the share of the largest mutual information in each column and row.

Both read NMI = I(v, z) / H(v) of the codes that are in use (Hsu et al. 2023, "Disentanglement via
Latent Quantization").
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Unpack

import numpy as np

from fastdis.metrics._evidence import Evidence
from fastdis.metrics._information import Array, ArrayFormula, Information, Mask, Parts, ratio
from fastdis.metrics._metric import Counted, Entry, metric, metric_of

_IN_USE = 1 / 20  # of the widest code's range


def _in_use(information: Information) -> Mask:
    span = information.code_span
    wide = True if span is None else span > _IN_USE * span.max()
    return np.asarray(information.alive & wide)


def _share(shares: Array, choices: Array) -> Array:
    """max / sum over the last axis, rescaled from (1 / choices, 1) to (0, 1); 0 of nothing."""
    total, largest = shares.sum(axis=-1), shares.max(axis=-1)
    chance = 1.0 / np.maximum(choices, 1)
    rescaled = ratio(ratio(largest, total) - chance, 1.0 - chance)
    return np.where(total > 0, np.where(choices > 1, np.clip(rescaled, 0.0, 1.0), 1.0), 0.0)


def _infom(information: Information) -> Parts:
    shares = information.normalized
    factors = information.varying.sum(axis=-1)[..., None]
    share = _share(np.swapaxes(shares, -1, -2), factors)
    return Parts.of_codes(share, shares, _in_use(information))


def _infoc(information: Information) -> Parts:
    used = _in_use(information)
    shares = np.where(used[..., None, :], information.normalized, 0.0)
    share = _share(shares, used.sum(axis=-1)[..., None])
    return Parts.of_factors(share, information.normalized, information.varying)


def _remark(evidence: Evidence, information: Information, _: Parts) -> Iterable[str]:
    used = _in_use(information)
    if not used.all():
        yield (
            f"{evidence.named_codes(~used)} have at most a twentieth of the widest code's range "
            "and are left out as not in use"
        )
    if not used.any():
        yield "no code is left; the score counts as 0"


@metric(
    Entry(
        "infom", "InfoM", "Hsu et al. 2023", "modularity",
        "Most of the mutual information of each code is with one factor.",
        "The amount of information; noise codes lower the mean, unless their range is small.",
    ),
    group="histogram", standard=ArrayFormula(_infom, _remark),
)  # fmt: skip
def infom(factors: Any, codes: Any = None, **shared: Unpack[Counted]) -> float:
    """InfoM, modularity: is most of what each code tells about one factor?

    The mean over codes of max NMI / sum NMI over the K factors, rescaled from (1/K, 1) to (0, 1)
    (Hsu et al. 2023). Higher is better.

    Codes not in use are left out: those whose range is at most a twentieth of the widest code's,
    as in the authors' code, for whatever reason codes differ in scale. A code in use that tells
    nothing is at the level of chance and counts as 0; with one factor, one that tells anything
    counts as 1. With no code left the score is 0. Of continuous codes the authors estimate I by
    nearest neighbours, as ``estimator="kraskov"`` does; here they are cut into bins by default.

    Examples
    --------
    >>> import numpy as np
    >>> v = np.stack([np.arange(400) % 4, np.arange(400) // 4 % 4], axis=1)
    >>> both = v[:, :1] + 4 * v[:, 1:]
    >>> infom(v, 2.0 * v[:, ::-1]), infom(v, both)
    (1.0, 0.0)
    """
    return metric_of(infom).value(factors, codes, **shared)


@metric(
    Entry(
        "infoc", "InfoC", "Hsu et al. 2023", "compactness",
        "Most of the mutual information with each factor is that of one code.",
        "The amount of information; which codes are in use depends on their scale.",
    ),
    group="histogram", standard=ArrayFormula(_infoc, _remark),
)  # fmt: skip
def infoc(factors: Any, codes: Any = None, **shared: Unpack[Counted]) -> float:
    """InfoC, compactness: is most of the information about each factor that of one code?

    The mean over factors of max NMI / sum NMI over the D codes in use, rescaled from (1/D, 1) to
    (0, 1) (Hsu et al. 2023). Higher is better. A factor that no code tells anything about
    counts as 0; with one code, one that it tells about counts as 1. See :func:`infom` for the
    codes in use and for the estimate.
    """
    return metric_of(infoc).value(factors, codes, **shared)

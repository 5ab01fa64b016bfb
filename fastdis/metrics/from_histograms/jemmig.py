"""JEMMIG (Do and Tran 2020): joint entropy minus mutual information gap."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Unpack

import numpy as np

from fastdis.metrics._evidence import Evidence
from fastdis.metrics._information import (
    TIE,
    Array,
    ArrayFormula,
    Information,
    Parts,
    gaps,
    unknown_factors,
)
from fastdis.metrics._metric import Counted, Entry, Metric, metric, metric_of, register


def _raw(information: Information, tied: Array) -> Array:
    """H(z*, v) - I_1 + I_2 of each factor, z* of the smallest joint entropy among ``tied``."""
    joint = np.where(tied, information.joint_entropy, np.inf).min(axis=-1)
    return np.asarray(np.maximum(joint - gaps(information.mutual, -1), 0.0))


def _jemmig_bound(information: Information) -> Array:
    return np.asarray(np.log(information.bins) + information.factor_entropy)


def _best(mutual: Array) -> Any:
    return mutual >= mutual.max(axis=-1, keepdims=True) - TIE


def _jemmig_raw(information: Information) -> Parts:
    raw = _raw(information, _best(information.mutual))
    raw = np.where(unknown_factors(information), _jemmig_bound(information), raw)
    return Parts.of_factors(raw, information.mutual, information.varying)


def _jemmig(information: Information) -> Parts:
    raw = _jemmig_raw(information).per_factor
    assert raw is not None
    return Parts.of_factors(1.0 - raw / _jemmig_bound(information), information.mutual)


def _jemmig_ubisoft(information: Information) -> Parts:
    return _jemmig_of(information, _best(information.mutual))


def _jemmig_published(information: Information) -> Parts:
    # Of equal mutual informations, the last: that is what sorting them and taking the end gives.
    mutual = information.mutual
    last = mutual.shape[-1] - 1 - np.argmax(mutual[..., ::-1], axis=-1)
    return _jemmig_of(information, np.arange(mutual.shape[-1]) == last[..., None])


def _jemmig_of(information: Information, tied: Any) -> Parts:
    per_factor = 1.0 - _raw(information, tied) / _jemmig_bound(information)
    return Parts.of_factors(per_factor, information.mutual)


def _remark_unknown(evidence: Evidence, information: Information, _: Parts) -> Iterable[str]:
    unknown = unknown_factors(information) & information.varying
    if unknown.any():
        names = evidence.named(np.flatnonzero(unknown))
        yield f"no code tells anything about {names}, which scores the worst"


_RAW = register(
    Metric("jemmig_raw", {"standard": ArrayFormula(_jemmig_raw, _remark_unknown)}, "histogram"),
    Entry(
        "jemmig_raw", "JEMMIG, raw", "Do & Tran 2020", "holistic",
        "As JEMMIG, in nats, before it is normalised and subtracted from 1.",
        "As JEMMIG; its bound is log(bins) + H(factor), so that other bins give other figures.",
        high=None, better="lower",
    ),
)  # fmt: skip


@metric(
    Entry(
        "jemmig", "JEMMIG", "Do & Tran 2020", "holistic",
        "One code determines each factor, and has no entropy beyond the factor's.",
        "A code finer than its factor loses, as if it held more; noise scores above 0.",
    ),
    group="histogram", standard=ArrayFormula(_jemmig, _remark_unknown),
    ubisoft=ArrayFormula(_jemmig_ubisoft), published=ArrayFormula(_jemmig_published, swap=True),
)  # fmt: skip
def jemmig(
    factors: Any, codes: Any = None, *, normalized: bool = True, **shared: Unpack[Counted]
) -> float:
    """Joint entropy minus mutual information gap: is each factor held by one code, and only it?

    Do & Tran (2020, "Theory and Evaluation Metrics for Learning Disentangled Representations")
    define raw = H(z*, v) - I_1 + I_2, with z* the code of the largest I (of equal ones, that of
    the smallest joint entropy), and divide it by its bound log(bins) + H(v).

    ``normalized=True`` gives the mean over factors of **one minus** that quotient: 0 to 1, higher
    is better. ``normalized=False`` gives the mean of raw in nats: 0 is best, lower is better.

    A factor that no code tells anything about counts as the bound itself, so that it scores 0: by
    the formula, a dead code would gain from its own low entropy.

    Ubisoft follows the formula there: codes that are all dead score up to a half, and so does a
    constant factor. The published convention swaps the roles, too. Both are normalized. Where
    codes tie, Ubisoft's result depends on their order; here it is as above, while the published
    convention takes the last factor as v*, as the published evaluation did.

    Parameters
    ----------
    normalized
        See above; False under the standard convention alone.
    """
    chosen = metric_of(jemmig) if normalized else _RAW
    return chosen.value(factors, codes, **shared)

"""Gaps of mutual information where the factors depend on each other: DMIG, XMIG, DLIG.

They ask which code holds which factor. Unless ``reg_dim`` says so, it is the code that tells most
about it (of equal ones, that of the smaller joint entropy, then that which tells less of all
factors together); a factor that no code tells anything about has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from fastdis import _validation
from fastdis.metrics._counts.histogram import NO_INFORMATION
from fastdis.metrics._evidence import Evidence
from fastdis.metrics._information import TIE, Array, ArrayFormula, Information, Mask, Parts, ratio
from fastdis.metrics._metric import Counted, Entry, metric, metric_of

RegDim = Sequence[int] | None


def _dmig(information: Information, reg_dim: RegDim = None) -> Parts:
    mutual, entropy = information.mutual, information.factor_entropy
    holds = _holds(information, reg_dim)
    held_by = np.where(holds, mutual, -1.0).argmax(axis=-2)[..., None, :]
    bounds = np.take_along_axis(_conditional(information), held_by, axis=-1)
    bounds = np.where(holds.any(axis=-2, keepdims=True), bounds, entropy[..., None])
    no_rival = holds | ~information.alive[..., None, :]  # nor is a dead code
    gap, bound = _gap(_held(mutual, holds), np.where(no_rival, -np.inf, mutual), bounds, entropy)
    share, counted = ratio(_at_least_0(gap, reg_dim), bound), information.varying & (bound > 0)
    return Parts.of_factors(share, information.normalized, counted)


def _xmig(information: Information, reg_dim: RegDim = None) -> Parts:
    mutual = information.mutual
    holds = _holds(information, reg_dim)
    free = ~holds.any(axis=-2, keepdims=True)
    gap = _held(mutual, holds) - np.where(free, mutual, 0.0).max(axis=-1)
    share = ratio(_at_least_0(gap, reg_dim), information.factor_entropy)
    return Parts.of_factors(share, information.normalized, information.varying)


def _dlig(information: Information, reg_dim: RegDim = None) -> Parts:
    mutual, entropy = information.mutual, information.factor_entropy
    holds = _holds(information, reg_dim)
    # Of factors that a code tells as well, the one of the largest entropy: that of a coarser one
    # is a part of it.
    tells = mutual >= mutual.max(axis=-2, keepdims=True) - TIE
    likely = np.where(tells, entropy[..., None], -1.0) if reg_dim is None else holds
    main = likely.argmax(axis=-2)  # (..., D)
    bounds = np.take_along_axis(_conditional(information), main[..., None], axis=-2)
    own = main[..., None] == np.arange(mutual.shape[-2])
    by_code = np.swapaxes(mutual, -1, -2)  # (..., D, K), as the bounds are
    rivals = np.where(own | ~information.varying[..., None, :], -np.inf, by_code)
    alone = np.take_along_axis(entropy, main, axis=-1)
    gap, bound = _gap(_held(by_code, own), rivals, bounds, alone)
    share, counted = ratio(_at_least_0(gap, reg_dim), bound), holds.any(axis=-2) & (bound > 0)
    return Parts.of_codes(share, mutual, counted)


def _holds(information: Information, reg_dim: RegDim) -> Mask:
    """Which code holds each factor ``(..., K, D)``: one per factor at most."""
    mutual = information.mutual
    if reg_dim is not None:
        own, known = _positions(information, reg_dim), information.varying
    else:
        # Ties are broken by terms too small to matter otherwise.
        total = mutual.sum(axis=-2, keepdims=True)
        own = (mutual - TIE * (information.joint_entropy + 1e-3 * total)).argmax(axis=-1)
        known = np.asarray(mutual.max(axis=-1) > NO_INFORMATION)
    return np.asarray((own[..., None] == np.arange(mutual.shape[-1])) & known[..., None])


def _positions(information: Information, reg_dim: Sequence[int]) -> NDArray[np.intp]:
    """Where the codes of ``reg_dim`` stand among those that are scored."""
    factors, codes = information.mutual.shape[-2:]
    columns = np.arange(codes) if information.columns is None else information.columns
    if not isinstance(reg_dim, Sequence | np.ndarray) or isinstance(reg_dim, str):
        raise TypeError(f"reg_dim takes None or a column for each factor, got {reg_dim!r}")
    given = [_validation.integer("reg_dim", column, 0) for column in reg_dim]
    if len(set(given)) != factors or len(given) != factors or not set(given) <= set(columns):
        raise ValueError(
            f"reg_dim takes {factors} different columns, one per factor, of the codes that are "
            f"scored, {', '.join(map(str, columns))}; got {given}"
        )
    return np.searchsorted(columns, given)


def _conditional(information: Information) -> Array:
    """H(v_i | v_j), ``(..., K, K)``; 0 where rounding is all that is left."""
    assert information.factor_mutual is not None  # the formula says that it reads pairs
    result = information.factor_entropy[..., None] - information.factor_mutual
    return np.asarray(np.where(result > TIE, result, 0.0))


def _held(mutual: Array, holds: Mask) -> Array:
    return np.asarray(np.where(holds, mutual, 0.0).sum(axis=-1))


def _gap(held: Array, rivals: Array, bounds: Array, alone: Array) -> tuple[Array, Array]:
    """What is held less the largest of the rivals ``(..., n)``, and the bound that it leaves.

    Of equal rivals, the one that leaves most; without any (all -inf), ``alone``.
    """
    second = np.maximum(rivals.max(axis=-1), 0.0)
    near = rivals >= second[..., None] - TIE
    bound = np.where(near, bounds, -np.inf).max(axis=-1)
    return held - second, np.where(near.any(axis=-1), bound, alone)


def _at_least_0(gap: Array, reg_dim: RegDim) -> Array:
    """Less than 0 is rounding, unless the user has said which code is to be the best."""
    return gap if reg_dim is not None else np.maximum(gap, 0.0)


def _remark_factors(evidence: Evidence, information: Information, parts: Parts) -> Iterable[str]:
    assert parts.per_factor is not None  # DMIG has it
    bound = information.varying & np.isnan(parts.per_factor)
    if bound.any():
        yield f"functions of another factor and left out: {evidence.named(np.flatnonzero(bound))}"
    over = parts.per_factor > 1.0 + TIE
    if over.any():
        yield (
            f"over 1 for {evidence.named(np.flatnonzero(over))}: the rival code tells less about "
            "it than the factor that this code holds"
        )


def _remark_codes(evidence: Evidence, information: Information, parts: Parts) -> Iterable[str]:
    assert parts.per_code is not None  # DLIG has it
    if np.isnan(parts.per_code).all():
        yield "no code holds a factor that is not a function of another; the score counts as 0"
    over = parts.per_code > 1.0 + TIE
    if over.any():
        yield f"over 1 for {evidence.named_codes(over)}, which tell less than the factors share"


@metric(
    Entry(
        "dmig", "DMIG", "Watcharasupat & Lerch 2021", "compactness",
        "One code is informative about each factor, as far as dependent factors allow.",
        "As MIG; exceeds 1 where a rival code knows less than the factors share.",
        high=None,
    ),
    group="histogram", standard=ArrayFormula(_dmig, _remark_factors, pairs=True),
)  # fmt: skip
def dmig(
    factors: Any, codes: Any = None, *, reg_dim: RegDim = None, **shared: Unpack[Counted]
) -> float:
    """Dependency-aware MIG: is each factor held by one code alone, as far as it can be?

    The mean over factors of (I(v, z) - I(v, z')) / H(v | v'), z the code that holds v, z' the
    other code that tells most about v, and v' the factor that z' holds (Watcharasupat & Lerch
    2021, "Evaluation of Latent Space Disentanglement in the Presence of Interdependent
    Attributes"). Where z' holds none, H(v) stands for H(v | v'): with independent factors DMIG is
    MIG. If z' holds several factors, v' is the one that it tells most about.

    Higher is better. 1 if every code holds its factor in full and nothing else that the factor
    does not share. It exceeds 1, with a warning, if z' tells less about v than v' does; it is
    negative only if ``reg_dim`` names a code that does not tell most. A factor that is a function
    of v' has no gap to fill: it is left out, with a warning; with none left the score is 0.

    Parameters
    ----------
    reg_dim
        The code that holds each factor, by K different columns, as a regularized model has it;
        None for the code that tells most.

    Raises
    ------
    TypeError, ValueError
        As :func:`mig`; also if the counts of pairs of levels would take more than 512 MiB.
    """
    return metric_of(dmig).value(factors, codes, reg_dim=reg_dim, **shared)


@metric(
    Entry(
        "xmig", "XMIG", "Watcharasupat 2021", "compactness",
        "Codes that hold no factor have no information about any.",
        "The information of the factors' own codes about each other's factors.",
    ),
    group="histogram", standard=ArrayFormula(_xmig),
)  # fmt: skip
def xmig(
    factors: Any, codes: Any = None, *, reg_dim: RegDim = None, **shared: Unpack[Counted]
) -> float:
    """Dependency-blind MIG: do the codes that hold no factor tell nothing about any?

    The mean over factors of (I(v, z) - I(v, z')) / H(v), z the code that holds v and z' the one
    that tells most about v among the codes that hold no factor (Watcharasupat 2021, "Controllable
    Music"). 0 to 1, higher is better; negative only if ``reg_dim`` names a code that tells less.
    If every code holds a factor, I(v, z') = 0.

    Parameters
    ----------
    reg_dim
        As :func:`dmig`.
    """
    return metric_of(xmig).value(factors, codes, reg_dim=reg_dim, **shared)


@metric(
    Entry(
        "dlig", "DLIG", "Watcharasupat 2021", "modularity",
        "Each code is informative about one factor, as far as dependent factors allow.",
        "Codes that are no factor's best; exceeds 1 if a rival knows less than factors share.",
        high=None,
    ),
    group="histogram", standard=ArrayFormula(_dlig, _remark_codes, pairs=True),
)  # fmt: skip
def dlig(
    factors: Any, codes: Any = None, *, reg_dim: RegDim = None, **shared: Unpack[Counted]
) -> float:
    """Dependency-aware latent information gap: does each code hold one factor, as far as it can?

    The mean over the codes that hold a factor of (I(v, z) - I(v', z)) / H(v | v'), v and v' the
    two factors that the code tells most about (Watcharasupat 2021, "Controllable Music"); with
    ``reg_dim``, v is the factor it was given for. With one factor, I(v', z) = 0. What is said of
    DMIG's range holds here: 1 is best, and a code whose v is a function of v' is left out.

    Parameters
    ----------
    reg_dim
        As :func:`dmig`.

    Raises
    ------
    TypeError, ValueError
        As :func:`dmig`.
    """
    return metric_of(dlig).value(factors, codes, reg_dim=reg_dim, **shared)

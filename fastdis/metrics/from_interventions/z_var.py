"""Z-min and Z-max variance: which code an intervention moves least, or most, by majority vote.

Each batch of clips votes for the code whose variance over the batch, divided by its variance over
all clips, is smallest where one factor is held (the FactorVAE score), or largest where one factor
alone varies. The factor of a vote is then guessed from the code it fell on.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from fastdis.metrics._evidence import Evidence
from fastdis.metrics._metric import Entry, Score, metric, metric_of
from fastdis.metrics.from_interventions.draws import (
    Draws,
    InterventionPlan,
    of_points,
    points_of,
    scored,
    trivial,
)
from fastdis.metrics.from_interventions.rendered import SIZES, Interventions, score_of

_TIE = 1e-9  # variances closer than this part, as rounding alone would, are equal


def _z_var(evidence: Evidence, *, plan: InterventionPlan, draws: Draws | None = None) -> Score:
    draws = points_of(evidence, plan, draws)
    over_all = of_points(evidence, draws.spread[None], _variance)[0]
    deviation = np.sqrt(over_all) * np.ptp(evidence.data.code_range, axis=0)
    alive = np.flatnonzero((over_all > 0) & (deviation >= plan.least_deviation))
    if (score := trivial(evidence, draws, alive)) is not None:
        return score
    ratio = of_points(evidence, draws.rows, _variance)[:, alive] / over_all[alive]
    extreme = ratio.max(axis=1) if plan.kind == "varied" else ratio.min(axis=1)
    votes = (np.abs(ratio - extreme[:, None]) <= _TIE * extreme[:, None]).astype(float)
    votes /= votes.sum(axis=1, keepdims=True)
    known, asked = votes[: plan.train], votes[plan.train :]
    factor, held = draws.factor[: plan.train], draws.factor[plan.train :]
    # (F, D); a code that no vote fell on is taken for no factor.
    counts = np.stack([known[factor == turn].sum(axis=0) for turn in range(len(draws.factors))])
    meant = np.where(counts.any(axis=0), counts.argmax(axis=0), -1)
    right = asked * (held[:, None] == meant)
    won = asked.sum(axis=0)
    matrix = np.zeros((len(evidence.data.names), evidence.data.codes.shape[1]))
    matrix[np.ix_(draws.factors, alive)] = counts / counts.sum(axis=1, keepdims=True)
    return scored(
        evidence, draws, plan, right.sum(axis=1),
        evidence.by_code((right.sum(axis=0)[won > 0] / won[won > 0]), alive[won > 0]), matrix,
    )  # fmt: skip


def _variance(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The variance over a batch: ``(P, batch, D) -> (P, D)``; exactly 0 for equal values."""
    x = x - x[:, :1]
    squares: NDArray[np.float64] = np.einsum("pbd,pbd->pd", x, x) / x.shape[1]
    return np.asarray(np.maximum(squares - x.mean(axis=1) ** 2, 0.0))


_FIXED = {
    "standard": InterventionPlan("fixed", 200, 800, 800),
    "disentanglement_lib": InterventionPlan("fixed", 64, 10_000, 5_000, least_deviation=0.05),
    "ubisoft": InterventionPlan(
        "fixed", 200, 800, 800, equal_levels=True, least_deviation=0.05, rescaled=True
    ),
}  # fmt: skip
_VARIED = {
    "standard": InterventionPlan("varied", 200, 800, 800),
    "ubisoft": InterventionPlan(
        "varied", 200, 800, 800, equal_levels=True, bins=3, least_deviation=0.05, rescaled=True
    ),
}  # fmt: skip


@metric(
    Entry(
        "z_min_var", "Z-min variance (FactorVAE score)", "Kim & Mnih 2018", "modularity",
        "Fixing a factor always leaves the same code with the least variance.",
        "Several codes for one factor; what else a code holds, while the factor stills it most.",
    ),
    group="interventions", defaults=SIZES,
    **{name: partial(_z_var, plan=plan) for name, plan in _FIXED.items()},
)  # fmt: skip
def z_min_var(factors: Any, codes: Any = None, **shared: Unpack[Interventions]) -> float:
    """The FactorVAE score: is the code that a held factor stills always the same one?

    Each batch of clips at one level of factor k votes for the code of the smallest variance,
    relative to its variance over all clips. Each code is taken for the factor that most of its
    votes come from, and the score is the share of fresh votes whose factor it names (Kim & Mnih
    2018, "Disentangling by Factorising", section 4). Chance is 1 / K for K factors, 1 is perfect,
    higher is better. Two codes for one factor cost nothing; one code for two factors does.

    Codes of equal variance share the vote. Constant codes are left out; if no code is left the
    score is 0, and one factor alone scores 1, both with a warning. A factor of which no two rows
    share a level is left out, with a warning. The batches do not depend on the codes; the order
    of the rows changes which are drawn. Votes to learn from and to test come from the same rows:
    of few rows per level, even noise can be remembered and scores above chance.

    ``"standard"``
        800 votes of 200 clips, and as many fresh ones to test. The scale of a code does not
        matter.
    ``"disentanglement_lib"``
        10,000 votes of 64 clips and 5,000 to test. Codes of a standard deviation below 0.05 are
        left out too: scale matters.
    ``"ubisoft"``
        800 and 800 votes of 200 clips, each level of a factor equally likely however many rows it
        has, and codes of a standard deviation below 0.05 left out. The score is (share - 1 / K) /
        (1 - 1 / K): chance is 0, and less may come of bad luck.

    Under each, factors take turns where the libraries draw them, a batch is drawn with
    replacement (Ubisoft's without, until a level's rows are used up), and the variances over all
    clips are those of 10,000, or of all if there are fewer.

    Parameters
    ----------
    factors, codes
        Arrays, or a data set and a function that encodes its clips, as in :func:`z_diff`.
    seed
        Draws the clips.
    batch_size, train_points, test_points
        Other sizes than the convention's: clips per vote, and votes.

    Raises
    ------
    TypeError, ValueError
        As :func:`z_diff`.

    Examples
    --------
    >>> import numpy as np
    >>> v = np.stack([np.arange(400) % 4, np.arange(400) // 4 % 5], axis=1)
    >>> z_min_var(v, 2.0 * v[:, ::-1])
    1.0
    """
    return score_of(metric_of(z_min_var), _FIXED, factors, codes, **shared)


@metric(
    Entry(
        "z_max_var", "Z-max variance", "Kim et al. 2019", "modularity",
        "Varying one factor alone always moves the same code most.",
        "Several codes for one factor; noise codes win votes.",
    ),
    group="interventions", defaults=SIZES,
    **{name: partial(_z_var, plan=plan) for name, plan in _VARIED.items()},
)  # fmt: skip
def z_max_var(factors: Any, codes: Any = None, **shared: Unpack[Interventions]) -> float:
    """Z-max variance: is the code that a factor moves on its own always the same one?

    As :func:`z_min_var`, but the clips of a batch agree in all factors except k, and the vote
    falls on the code of the *largest* relative variance (Kim et al. 2019, "Relevance Factor VAE:
    Learning and Identifying Disentangled Factors"). Chance is 1 / K for K factors, 1 is perfect,
    higher is better. A code of pure noise varies as much as ever under any intervention and wins
    votes from the rest: say which codes are ``active``.

    Only combinations of levels of the other factors count in which factor k varies; a factor
    without any is left out, with a warning. All else is as for :func:`z_min_var`.

    ``"standard"``
        800 votes of 200 clips, and as many fresh ones to test.
    ``"ubisoft"``
        The same sizes. Continuous factors are cut into 3 bins unless ``bins`` says otherwise, for
        many leave few rows that agree, and combinations are equally likely. Codes of a standard
        deviation below 0.05 are left out, and the score is (share - 1 / K) / (1 - 1 / K).

    Parameters
    ----------
    factors, codes
        Arrays, or a data set and a function that encodes its clips, as in :func:`z_diff`.
    seed
        Draws the clips.
    batch_size, train_points, test_points
        Other sizes than the convention's: clips per vote, and votes.

    Raises
    ------
    TypeError, ValueError
        As :func:`z_diff`; also if no two rows agree in all factors but one.

    Examples
    --------
    >>> import numpy as np
    >>> v = np.stack([np.arange(400) % 4, np.arange(400) // 4 % 5], axis=1)
    >>> z_max_var(v, 2.0 * v[:, ::-1])
    1.0
    """
    return score_of(metric_of(z_max_var), _VARIED, factors, codes, **shared)

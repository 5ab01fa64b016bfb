"""Z-diff, the beta-VAE score: do differences of codes tell which factor was held?

A pair of clips agrees in factor k. z_diff = mean over a batch of pairs of |z(1) - z(2)|, and a
linear classifier predicts k from it.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from fastdis.metrics._evidence import Evidence
from fastdis.metrics._fits.fitting import fitting
from fastdis.metrics._metric import Entry, Score, metric, metric_of
from fastdis.metrics.from_interventions.draws import (
    Draws,
    InterventionPlan,
    Rows,
    of_points,
    points_of,
    scored,
    trivial,
)
from fastdis.metrics.from_interventions.rendered import SIZES, Interventions, score_of

_ITERATIONS = 10_000


def _z_diff(
    evidence: Evidence, *, plan: InterventionPlan, scaled: bool = False, draws: Draws | None = None
) -> Score:
    draws = points_of(evidence, plan, draws)
    if (score := trivial(evidence, draws, evidence.alive)) is not None:
        return score
    # Shares of each code's range; (P, batch, 2, D) -> (P, D).
    points = of_points(evidence, draws.rows, lambda x: np.abs(x[:, :, 0] - x[:, :, 1]).mean(axis=1))
    if scaled:
        deviation = points[: plan.train].std(axis=0)
        inputs = points / np.where(deviation > 0, deviation, 1.0)
    else:
        inputs = points * np.ptp(evidence.data.code_range, axis=0)
    predicted = _predicted(inputs[: plan.train], draws.factor[: plan.train], inputs[plan.train :])
    asked = draws.factor[plan.train :]
    # How much of its range a code differs by where a factor is held.
    matrix = np.zeros((len(evidence.data.names), points.shape[1]))
    for turn, k in enumerate(draws.factors):
        matrix[k] = points[draws.factor == turn].mean(axis=0)
    return scored(evidence, draws, plan, (predicted == asked).astype(float), {}, matrix)


def _predicted(
    inputs: NDArray[np.float64], factor: Rows, asked: NDArray[np.float64]
) -> NDArray[np.intp]:
    """The factor that a linear classifier tells for each row of ``asked``."""
    from sklearn.linear_model import LogisticRegression

    # Sums are rounded by the number and the order of the columns: those of dead codes are left out,
    # and the others stand in an order that does not depend on theirs.
    order = np.array([d for d in np.lexsort(inputs[::-1]) if np.ptp(inputs[:, d]) > 0], np.intp)
    with fitting():
        model = LogisticRegression(max_iter=_ITERATIONS).fit(inputs[:, order], factor)
        return np.asarray(model.predict(asked[:, order]))


_PLANS = {
    "standard": InterventionPlan("pairs", 64, 10_000, 5_000),
    "disentanglement_lib": InterventionPlan("pairs", 64, 10_000, 5_000),
    "ubisoft": InterventionPlan("pairs", 200, 10_000, 5_000, equal_levels=True, rescaled=True),
}


@metric(
    Entry(
        "z_diff", "Z-diff (beta-VAE score)", "Higgins et al. 2017", "modularity",
        "A linear classifier finds the factor that pairs of clips share by their differences.",
        "Rotations, and the one factor that no code holds, may cost nothing.",
    ),
    group="interventions", defaults=SIZES,
    **{name: partial(_z_diff, plan=p, scaled=name == "standard") for name, p in _PLANS.items()},
)  # fmt: skip
def z_diff(factors: Any, codes: Any = None, **shared: Unpack[Interventions]) -> float:
    """The beta-VAE score: can a linear classifier tell which factor a pair of clips shares?

    A point is the mean, over a batch of pairs of clips that agree in factor k, of the absolute
    difference of their codes; a linear classifier predicts k from it, and the score is its
    accuracy on fresh points (Higgins et al. 2017, "beta-VAE: Learning Basic Visual Concepts with
    a Constrained Variational Framework", section 3). Chance is 1 / K for K factors, 1 is perfect,
    higher is better. It is lenient: the classifier also finds one factor that no code holds, by
    elimination.

    Codes that are all constant score 0, and one factor alone scores 1, both with a warning. A
    factor of which no two rows share a level is left out, with a warning. The pairs do not depend
    on the codes, so the order of these changes nothing; the order of the rows changes which are
    drawn.

    ``"standard"``
        64 pairs per point, 10,000 points to train a logistic regression (penalty 1) and 5,000 to
        test it. Each code's differences are divided by their standard deviation over the training
        points, so that its scale does not matter.
    ``"disentanglement_lib"``
        The same, except that the differences are taken as they are.
    ``"ubisoft"``
        The same again, with 200 pairs per point, and every level of a factor equally likely however
        many rows it has. The score is (accuracy - 1 / K) / (1 - 1 / K): chance is 0, and less may
        come of bad luck.

    Under each, factors take turns where the libraries draw them, a pair is two different rows,
    and the regression runs until it converges.

    Parameters
    ----------
    factors, codes
        Arrays, see :func:`joint_histogram`: pairs are drawn among the rows that share a level or
        a bin. Or a :class:`fastdis.datasets.Dataset` and a function that takes features
        ``(B, 1, F, frames)`` float32 and gives codes ``(B, D)``, an array or a tensor: the clips
        that were drawn are rendered and encoded, each once. Where the set is the grid of its
        factors, they keep all their levels unless ``discrete`` says otherwise.
    seed
        Draws the pairs.
    batch_size, train_points, test_points
        Other sizes than the convention's: pairs per point, and points.

    Raises
    ------
    TypeError, ValueError
        As :func:`mig`; also if no two rows share a level of any factor.

    Examples
    --------
    >>> import numpy as np
    >>> v = np.stack([np.arange(400) % 4, np.arange(400) // 4 % 5], axis=1)
    >>> z_diff(v, 2.0 * v[:, ::-1])
    1.0
    """
    return score_of(metric_of(z_diff), _PLANS, factors, codes, **shared)

"""InfoE: the share of a factor's entropy that a linear model of the codes explains.

Predictive V-information of linear models: 1 - H_V(v | z) / H_V(v | nothing).
"""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastdis.metrics._evidence import Evidence
from fastdis.metrics._fits import predictors as fits
from fastdis.metrics._fits.fitting import fitting
from fastdis.metrics._metric import Entry, Score, Seeded, metric, metric_of

_LARGE_BIAS = 0.1


@fitting()
def _infoe(evidence: Evidence) -> Score:
    data = evidence.sample(fits.ROWS)
    x, result = fits.whitened(fits.inputs(data.codes)), {}
    for target in fits.targets(evidence, data, fits.KEPT):
        share, bias = (
            _explained_entropy(x, target) if target.classified else _explained_variance(x, target)
        )
        result[target.name] = share
        if bias > _LARGE_BIAS:
            evidence.note(
                f"{len(x)} rows are few for {x.shape[1]} codes: a linear model of noise would "
                f"seem to explain over {_LARGE_BIAS:.0%} of {target.name!r}"
            )
    return fits.mean_score(result)


def _explained_entropy(x: fits.Matrix, target: fits.Target) -> tuple[float, float]:
    """The share of the entropy of the levels that a softmax explains, and what noise would."""
    labels = target.values
    frequency = np.bincount(labels) / len(labels)
    entropy = -float(frequency @ np.log(frequency))
    left = fits.cross_entropy(fits.logistic(x, labels, np.inf).decision_function(x), labels)
    noise = x.shape[1] * (len(frequency) - 1) / (2 * len(x))
    return float(np.clip(1.0 - left / entropy, 0.0, 1.0)), noise / entropy


def _explained_variance(x: fits.Matrix, target: fits.Target) -> tuple[float, float]:
    """R^2 of a linear regression, and what noise would reach."""
    from sklearn.linear_model import LinearRegression

    predicted = LinearRegression().fit(x, target.values).predict(x)
    return fits.explained(target.values, predicted, target.values.mean()), x.shape[1] / len(x)


@metric(
    Entry(
        "infoe", "InfoE", "Hsu et al. 2023", "explicitness",
        "Linear models of the codes explain much of each factor's entropy.",
        "Where factors are held; optimistic where samples are few, as models fit them.",
    ),
    group="predictors", standard=_infoe,
)  # fmt: skip
def infoe(factors: Any, codes: Any = None, **shared: Unpack[Seeded]) -> float:
    """InfoE: how much of each factor can linear models read out of the codes?

    The mean over factors of 1 - H_V(v | z) / H_V(v), with H_V(v | z) the least mean -log p(v | z)
    that a linear model of all codes reaches, and H_V(v) that of a model which sees no codes (Hsu
    et al. 2023, "Disentanglement via Latent Quantization"; V-information is that of Xu et al.
    2020, "A Theory of Usable Information Under Computational Constraints"). 0 to 1, higher is
    better.

    A discrete factor is predicted by a softmax of linear functions, without a penalty; a model
    without codes then knows the frequencies of the levels, so that H_V(v) = H(v). A continuous
    one is predicted by a Gaussian around a linear function, which makes the quotient 1 - R^2.
    No invertible linear map of the codes changes the score: rotated codes are as explicit.

    As the definition has it, models are scored on the samples that they are fitted to: noise alone
    scores about D (levels - 1) / (2 N H(v)), or D / N, which is warned of above 0.1. Of more than
    10,000 samples, 10,000 are drawn by ``seed``; otherwise the order of the samples changes
    nothing. The softmax is fitted by at most 100 steps of L-BFGS from linear discriminants, which
    leaves it a few thousandths short where levels nearly touch. The order of the codes and dead
    codes change nothing; with dead codes alone, the score is 0.

    The published code weights levels equally in the fit but not in the score, and stops after 100
    steps from no weights. It is the same for levels of equal frequency, except for those steps. It
    takes quantized codes as categories; here, codes are numbers.

    A constant factor is left out, and so is a discrete one without two levels that occur twice,
    or with over 1,000 levels.

    Raises
    ------
    TypeError, ValueError
        As :func:`mig`; also if no factor is left.

    Examples
    --------
    >>> import numpy as np
    >>> v = np.stack([np.arange(400) % 4, np.arange(400) // 4 % 5], axis=1)
    >>> mixed = v @ np.array([[1.0, 2.0], [-1.0, 1.0]])
    >>> round(infoe(v, mixed), 3), round(infoe(v, mixed[:, :1]), 3) < 0.6
    (1.0, True)
    """
    return metric_of(infoe).value(factors, codes, **shared)

"""Probes: how well a linear model or a small network predicts each factor from all codes."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastdis import _validation
from fastdis.metrics._evidence import Evidence
from fastdis.metrics._fits import predictors as fits
from fastdis.metrics._fits.fitting import fitting
from fastdis.metrics._metric import Entry, Score, Seeded, metric, metric_of

_MODELS = ("linear", "mlp")
_NETWORK = {"hidden_layer_sizes": 64, "solver": "lbfgs", "alpha": 1.0, "max_iter": 150}


@fitting()
def _probe(evidence: Evidence, model: str = "linear") -> Score:
    _validation.choice("model", model, _MODELS)
    data = evidence.sample(fits.ROWS)
    x, seed, result = fits.inputs(data.codes), evidence.seed, {}
    if model == "linear":
        x = fits.whitened(x)
    for target in fits.targets(evidence, data, ("categorical",)):
        test = fits.held_out(len(x), target.values if target.classified else None, seed)
        fit = _accuracy if target.classified else _r_squared
        result[target.name] = fit(x, target, test, model, seed % 2**32)
    return fits.mean_score(result)


def _accuracy(x: fits.Matrix, target: fits.Target, test: fits.Mask, model: str, seed: int) -> float:
    from sklearn.neural_network import MLPClassifier

    labels = target.values
    if model == "linear":
        fitted = fits.logistic(x[~test], labels[~test], np.inf)
    else:
        fitted = MLPClassifier(random_state=seed, **_NETWORK).fit(x[~test], labels[~test])
    return float(fitted.score(x[test], labels[test]))


def _r_squared(
    x: fits.Matrix, target: fits.Target, test: fits.Mask, model: str, seed: int
) -> float:
    from sklearn.linear_model import LinearRegression
    from sklearn.neural_network import MLPRegressor

    y = target.values
    if model == "linear":
        fitted = LinearRegression().fit(x[~test], y[~test])
    else:
        fitted = MLPRegressor(random_state=seed, **_NETWORK).fit(x[~test], y[~test])
    return fits.explained(y[test], fitted.predict(x[test]), float(y[~test].mean()))


@metric(
    Entry(
        "probe", "Probe", "Alain & Bengio 2016", "explicitness",
        "A linear model, or a small network, predicts each factor from all codes.",
        "Where factors are held; accuracy of guessing is not 0 for categorical factors.",
    ),
    group="predictors", standard=_probe,
)  # fmt: skip
def probe(
    factors: Any, codes: Any = None, *, model: str = "linear", **shared: Unpack[Seeded]
) -> float:
    """How well does a probe predict each factor from all codes?

    The mean over factors of the score of a model fitted on three quarters of the samples, on the
    rest: accuracy for a categorical factor, else R^2 against always saying the mean of the fitted
    samples, 0 where it falls below. 0 to 1, higher is better. It says what the codes hold together,
    not where: a linear probe scores rotated codes alike, an MLP nearly so. Guessing scores 0 in
    R^2, but the frequency of the most frequent level in accuracy.

    ``"linear"`` is least squares, or logistic regression without a penalty (at most 100 steps of
    L-BFGS from linear discriminants); ``"mlp"`` a network with one hidden layer of 64 rectified
    units (at most 150 steps of L-BFGS). Of more than 10,000 samples, 10,000 are drawn, and of a
    categorical factor a quarter of each level is held out. A level that occurs once is fitted
    only.

    Rows and the network's first weights are drawn by ``seed``; so the score depends on the order
    of the samples, a little. The order and the scales of the codes and dead codes change nothing.
    With dead codes alone, R^2 is 0, and accuracy that of the most frequent level.

    A constant factor is left out, and so is a categorical one without two levels that occur
    twice, or with over 1,000 levels.

    Parameters
    ----------
    model
        ``"linear"`` or ``"mlp"``.

    Raises
    ------
    TypeError, ValueError
        As :func:`mig`; also if no factor is left.

    Examples
    --------
    >>> import numpy as np
    >>> v = np.linspace(-1, 1, 400)[:, None]
    >>> z = np.hstack([v**2, (v > 0) - 0.5])
    >>> round(probe(v, z), 1), round(probe(v, z, model="mlp"), 2)
    (0.8, 1.0)
    """
    return metric_of(probe).value(factors, codes, model=model, **shared)

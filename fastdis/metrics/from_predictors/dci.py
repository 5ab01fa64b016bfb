"""DCI: disentanglement, completeness and informativeness from a matrix of code importances.

R[d, k] says how much code d helps a model to predict factor k; D and C are one minus the entropies
of its rows and columns, I is how well the model predicts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from fastdis import _validation
from fastdis.metrics._evidence import Evidence
from fastdis.metrics._fits import importance_models as models
from fastdis.metrics._fits.predictors import KEPT, ROWS, Matrix, mean_score
from fastdis.metrics._fits.problems import problems, solved
from fastdis.metrics._metric import Entry, Score, Seeded, metric, metric_of

_BESIDE_ZERO = 1e-11  # what disentanglement_lib adds to each importance

Chosen = tuple[models.Model, int]  # and at most how many rows it takes

_MODELS: dict[str, Chosen] = {
    "boosted_trees": (models.boosted_trees, 100_000),
    "random_forest": (models.random_forest, ROWS),
    "lasso": (models.lasso, ROWS),
}
_LIB_MODELS = {"boosted_trees": _MODELS["boosted_trees"]}
_UBISOFT_MODELS: dict[str, Chosen] = {
    "random_forest": (models.ubisoft_forest, 2_000),
    "lasso": (models.ubisoft_lasso, ROWS),
}


@dataclass(frozen=True, eq=False)
class DCI:
    """The three scores, each 0 to 1 and higher is better, and what they stand on.

    Attributes
    ----------
    disentanglement
        Does each code help to predict one factor alone?
    completeness
        Is each factor predicted by one code alone?
    informativeness
        How well are the factors predicted by all codes together?
    importance : (D, K) float64
        The importance of each code for each factor; a factor's column sums to 1, or to 0 where
        no code helps or the factor was left out.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    importance: NDArray[np.float64]


def concentration(rows: Matrix) -> Matrix:
    """One minus the entropy of each row to the base of its length; 1 for at most one entry."""
    if rows.shape[1] < 2:
        return np.ones(len(rows))
    sums = rows.sum(axis=1, keepdims=True)
    p = rows / np.where(sums > 0, sums, 1.0)
    terms = p * np.log(np.where(p > 0, p, 1.0))
    return np.asarray(np.clip(1.0 + terms.sum(axis=1) / np.log(rows.shape[1]), 0.0, 1.0))


def scores_of(importance: Matrix) -> tuple[float, float]:
    """Disentanglement and completeness of importances ``(D, K)``; 0 where all are 0."""
    total = importance.sum()
    if total == 0:
        return 0.0, 0.0
    share = importance.sum(axis=1) / total
    return float(share @ concentration(importance)), float(_completeness(importance).mean())


def _completeness(importance: Matrix) -> Matrix:
    return np.where(importance.any(axis=0), concentration(importance.T), 0.0)


def parts(
    evidence: Evidence, importance: Matrix, score: Mapping[str, float], counted: NDArray[np.intp]
) -> dict[str, Score]:
    """The Scores of importances ``(D, K)`` by the paper, D and C of the ``counted`` codes alone."""
    names = evidence.data.names
    used = np.array([names.index(name) for name in score])
    part = importance[np.ix_(counted, used)]
    disentanglement, completeness = scores_of(part)
    helps = part.any(axis=1)
    each_code = evidence.by_code(concentration(part)[helps], counted[helps])
    each_factor = dict(zip(score, _completeness(part).tolist(), strict=True))
    for name, column in zip(score, part.T, strict=True):
        if not column.any():
            evidence.note(f"no code helps to predict {name!r}, whose completeness is 0")
    informativeness = mean_score(score)
    return {
        "disentanglement": Score(disentanglement, per_code=each_code, matrix=importance.T),
        "completeness": Score(completeness, each_factor, matrix=importance.T),
        "informativeness": Score(informativeness.value, informativeness.per_factor),
    }


def _fitted(
    evidence: Evidence, model: models.Model, most: int, classified: tuple[str, ...]
) -> tuple[Matrix, dict[str, float]]:
    """Importances ``(D, K)``, and the score of the model of each factor that can be predicted."""
    each, columns = problems(evidence, most, classified)
    names = [problem.target.name for problem in each]
    importance = np.zeros((evidence.data.codes.shape[1], len(evidence.data.names)))
    if not columns.size:
        evidence.note("every code is constant; the scores count as 0")
        return importance, dict.fromkeys(names, 0.0)
    results = solved(each, model)
    for name, (column, _) in zip(names, results, strict=True):
        importance[columns, evidence.data.names.index(name)] = column
    return importance, {name: score for name, (_, score) in zip(names, results, strict=True)}


def _chosen(model: str | None, known: Mapping[str, Chosen]) -> Chosen:
    return known[next(iter(known)) if model is None else _validation.choice("model", model, known)]


def _standard(evidence: Evidence, model: str | None = None) -> dict[str, Score]:
    importance, score = _fitted(evidence, *_chosen(model, _MODELS), ("categorical",))
    return parts(evidence, importance, score, evidence.alive)


def _disentanglement_lib(evidence: Evidence, model: str | None = None) -> dict[str, Score]:
    importance, score = _fitted(evidence, *_chosen(model, _LIB_MODELS), KEPT)
    result = parts(evidence, importance, score, np.arange(len(importance)))
    used = importance[:, [evidence.data.names.index(name) for name in score]]
    if not used.any():
        return result
    d, c = concentration(used + _BESIDE_ZERO), concentration(used.T + _BESIDE_ZERO)
    code_share, factor_share = (used.sum(axis=axis) / used.sum() for axis in (1, 0))
    matrix = importance.T
    return result | {
        "disentanglement": Score(float(d @ code_share), {}, evidence.by_code(d), matrix),
        "completeness": Score(
            float(c @ factor_share), dict(zip(score, c.tolist(), strict=True)), matrix=matrix
        ),
    }


def _ubisoft(evidence: Evidence, model: str | None = None) -> dict[str, Score]:
    importance, score = _fitted(evidence, *_chosen(model, _UBISOFT_MODELS), ())
    return parts(evidence, importance, score, np.arange(len(importance)))


@metric(
    Entry(
        "dci_disentanglement", "DCI disentanglement", "Eastwood & Williams 2018", "modularity",
        "Each code that helps to predict helps with one factor alone.",
        "A factor that several codes hold; depends on the model whose importances it reads.",
    ),
    Entry(
        "dci_completeness", "DCI completeness", "Eastwood & Williams 2018", "compactness",
        "Each factor is predicted from one code alone.",
        "A code that holds two factors; depends on the model whose importances it reads.",
    ),
    Entry(
        "dci_informativeness", "DCI informativeness", "Eastwood & Williams 2018", "explicitness",
        "All codes together predict the factors.",
        "Where the factors are held, and how simply: trees read what is far from linear.",
    ),
    group="predictors", standard=_standard, disentanglement_lib=_disentanglement_lib,
    ubisoft=_ubisoft,
)  # fmt: skip
def dci(
    factors: Any, codes: Any = None, *, model: str | None = None, **shared: Unpack[Seeded]
) -> DCI:
    """Disentanglement, completeness and informativeness (Eastwood & Williams 2018).

    From "A Framework for the Quantitative Evaluation of Disentangled Representations", section 2.
    A model predicts each factor from all codes: a classifier for a categorical factor, else a
    regressor. With P the importances of one code divided by their sum, and log to the base of the
    number of factors, the disentanglement of a code is 1 + sum P log P; the score is the mean
    weighted by each code's share of all importance. Completeness is the same down the columns, to
    the base of the number of codes that are not constant, and its plain mean over factors.
    Informativeness is the mean over factors of the accuracy (categorical) or R^2 (else; at least 0)
    on held-out samples, where the paper gives the error.

    The models:

    ``"boosted_trees"``
        LightGBM's: 100 rounds of trees of depth 3, the loss that splits save being the importance.
        scikit-learn's ``GradientBoostingClassifier`` gives the same matrix to 0.05 and takes tens
        of times as long. Not the paper's choice, but disentanglement_lib's and that of most
        published figures, and so the default.
    ``"random_forest"``
        The paper's: 50 trees, all codes at every split, at least 20 samples per leaf.
    ``"lasso"``
        The paper's: the weights of an L1-penalised regression of standardised codes without their
        signs, divided by their sum; for a categorical factor a logistic one, one level against the
        rest. The penalty is chosen in five folds. It sees no code that is related to a factor by
        more than a line.

    disentanglement_lib classifies every factor that is discrete there, so all of them unless
    ``discrete`` says otherwise; adds 1e-11 to each importance; weights factors by their
    importances in completeness; and counts dead codes, so that they raise completeness. It has
    boosted trees alone.

    Ubisoft's code has a lasso and a random forest, both with parameters chosen in ten folds of the
    samples as they stand, of every factor as a number scaled to 0 to 1. Informativeness is 1 - 12
    MSE on the samples that were fitted, so that noise predicts well; dead codes count. There, the
    loop over codes ends at the first without importance, which makes a dead code in front cost all;
    here it does not. The lasso's weights are taken as they are.

    Rows are held out, a quarter of them, and drawn by ``seed``: at most 100,000 for boosted trees,
    fewer for a factor of over 40 levels, 2,000 for Ubisoft's forest, else 10,000. So the scores
    depend on the order of the samples, a little. The order of the codes changes nothing, nor do
    constant codes under the standard convention. A categorical factor without two levels that occur
    twice or with over 1,000 levels, and a constant factor are left out.

    Parameters
    ----------
    model
        One of the above; None is ``"boosted_trees"``, or ``"random_forest"`` under Ubisoft's
        convention.

    Raises
    ------
    TypeError, ValueError
        As :func:`mig`; also for fewer than 8 samples, or a model that the convention does not have.

    Examples
    --------
    >>> import numpy as np
    >>> v = np.stack([np.arange(400) % 4, np.arange(400) // 4 % 5], axis=1)
    >>> scores = dci(v, 2.0 * v[:, ::-1])
    >>> round(scores.disentanglement, 3), round(scores.completeness, 3)
    (1.0, 1.0)
    >>> scores.importance.round(3).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    scores = metric_of(dci).score(factors, codes, model=model, **shared)
    return DCI(
        **{part: score.value for part, score in scores.items()},
        importance=scores["disentanglement"].matrix.T,
    )

"""DCI-ES: DCI with explicitness (how little capacity probes need) and size (how few the codes are).

E = 1 - area under the loss-capacity curve above its lowest loss / ((k_T - k_1) baseline / 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from fastdis.metrics._evidence import Evidence
from fastdis.metrics._fits.fitting import importances, predictions
from fastdis.metrics._fits.predictors import ROWS, Matrix, mean_score
from fastdis.metrics._fits.problems import Problem, problems, solved
from fastdis.metrics._metric import Entry, Score, Seeded, metric, metric_of
from fastdis.metrics.from_predictors.dci import parts

DEPTHS = (1, 2, 3, 4, 8, 10, 12, 14, 16, 18, 20, 32)
_TREES = 100


@dataclass(frozen=True, eq=False)
class DCIES:
    """The five scores, higher is better, and what they stand on.

    Attributes
    ----------
    disentanglement, completeness, informativeness
        As those of :class:`DCI`, of the probe that predicts best. 0 to 1.
    explicitness
        How little capacity does a probe need to predict the factors as well as it can? -1 to 1.
    size
        Are there as few codes as factors? 0 to 1.
    importance : (D, K) float64
        The importance of each code for each factor; a factor's column sums to 1, or to 0 where
        no code helps or the factor was left out.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    explicitness: float
    size: float
    importance: NDArray[np.float64]


@dataclass(frozen=True)
class _Curve:
    """One factor's probes, by capacity."""

    score: Matrix  # (T,)
    explicitness: float
    importance: Matrix  # (T, D)


def explicitness_of(capacities: Matrix, losses: Matrix, baseline: float) -> float:
    """1 minus the area under the curve above its lowest loss, over the area of a triangle."""
    losses = np.minimum(np.minimum.accumulate(losses), baseline)
    above = losses - losses[-1]
    twice_area = ((above[1:] + above[:-1]) * np.diff(capacities)).sum()
    return float(1.0 - twice_area / ((capacities[-1] - capacities[0]) * baseline))


def _curve(problem: Problem) -> _Curve:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    classified = problem.target.classified
    forest = RandomForestClassifier if classified else RandomForestRegressor
    x, y = problem.fitted()
    model = forest(_TREES, max_depth=DEPTHS[-1], max_features=None, random_state=problem.state).fit(
        x, y
    )
    trees = [tree.tree_ for tree in model.estimators_]
    asked = problem.codes[problem.test].astype(np.float32)
    truth, said = problem.target.values[problem.test], predictions(trees, asked, DEPTHS)
    if classified:
        baseline = 1.0 - 1.0 / problem.classes
        losses = (model.classes_[said.argmax(axis=2)] != truth).mean(axis=1)
    else:
        baseline = 1.0
        losses = ((said[:, :, 0] - truth) ** 2).mean(axis=1) / np.var(truth)
    explicitness = explicitness_of(np.array(DEPTHS, float), losses, baseline)
    importance = importances(trees, x.shape[1], DEPTHS)
    return _Curve(np.maximum(1.0 - losses, 0.0), explicitness, importance)


def _dci_es(evidence: Evidence) -> dict[str, Score]:
    each, columns = problems(evidence, ROWS, ("categorical",))
    names = [problem.target.name for problem in each]
    codes = evidence.data.codes.shape[1]
    importance = np.zeros((codes, len(evidence.data.names)))
    if not columns.size:
        evidence.note("every code is constant; the scores count as 0")
        result = parts(evidence, importance, dict.fromkeys(names, 0.0), evidence.alive)
        return result | {"explicitness": Score(0.0), "size": Score(0.0)}
    curves = solved(each, _curve)
    best = np.mean([curve.score for curve in curves], axis=0).argmax()
    for name, curve in zip(names, curves, strict=True):
        importance[columns, evidence.data.names.index(name)] = curve.importance[best]
    score = {name: float(curve.score[best]) for name, curve in zip(names, curves, strict=True)}
    explicit = {name: curve.explicitness for name, curve in zip(names, curves, strict=True)}
    return parts(evidence, importance, score, evidence.alive) | {
        "explicitness": mean_score(explicit),
        "size": Score(min(1.0, len(evidence.varying) / codes)),
    }


@metric(
    Entry(
        "dci_es_explicitness", "DCI-ES explicitness", "Eastwood et al. 2023", "explicitness",
        "A small model predicts the factors as well as a large one.",
        "How well: noise, which no model predicts, scores 1; read it beside informativeness.",
        low=-1.0,
    ),
    Entry(
        "dci_es_disentanglement", "DCI-ES disentanglement", "Eastwood et al. 2023", "modularity",
        "Each code that helps the best probe to predict helps with one factor only.",
        "A factor that several codes hold.",
    ),
    Entry(
        "dci_es_completeness", "DCI-ES completeness", "Eastwood et al. 2023", "compactness",
        "The best probe predicts each factor from one code only.",
        "A code that holds two factors.",
    ),
    Entry(
        "dci_es_informativeness", "DCI-ES informativeness", "Eastwood et al. 2023", "explicitness",
        "The best probe predicts the factors from all codes together.",
        "Where the factors are held, and how simply.",
    ),
    Entry(
        "dci_es_size", "DCI-ES size", "Eastwood et al. 2023",
        "none of them (number of codes)",
        "No more codes than factors.",
        "What the codes hold; dead codes count.",
    ),
    group="predictors", standard=_dci_es,
)  # fmt: skip
def dci_es(factors: Any, codes: Any = None, **shared: Unpack[Seeded]) -> DCIES:
    """DCI and how easy the codes are to use: explicitness and size (Eastwood et al. 2023).

    From "DCI-ES: An Extended Disentanglement Framework with Connections to Identifiability". Probes
    of growing capacity predict each factor from all codes; their losses are the loss-capacity
    curve. Its explicitness is 1 minus the area between the curve and its lowest loss, divided by
    half the range of capacities times the loss of always saying the same: 1 if the smallest probe
    is as good as any, 0 if the loss falls in a line from that of knowing nothing to 0, -1 if it
    falls to 0 at the largest alone. The score is the mean over factors. Size is the number of
    factors over that of codes, dead ones too; at most 1.

    Read explicitness beside informativeness: codes that tell nothing leave the largest probe no
    better than the smallest, and score 1.

    The probes are random forests of 100 trees, as in the paper, with the maximum depths of its
    authors' code as capacities: 1, 2, 3, 4, 8, 10, ..., 20, 32. Unlike there, splits of classifiers
    see all codes, not a few drawn ones, which would give noise a share of the importance. The
    forest is grown once and cut at each depth, for a split does not look at those below it. The
    loss is 1 - R^2 of an ordered factor, one minus the accuracy for a categorical one, on the
    quarter of the samples that is held out; never more than that of knowing nothing, and never more
    than at a smaller capacity. Disentanglement, completeness and informativeness are those of the
    depth that predicts best, as :func:`dci` defines them. The paper's other probes, multi-layer
    perceptrons and random Fourier features, take minutes and more.

    Of more than 10,000 samples, 10,000 are drawn. These, the held-out ones and the trees depend on
    ``seed``, so the scores depend on the order of the samples, a little. The order of the codes
    changes nothing. The factors that :func:`dci` leaves out are left out here. With dead codes
    alone all scores count as 0.

    Raises
    ------
    TypeError, ValueError
        As :func:`dci`.

    Examples
    --------
    >>> import numpy as np
    >>> v = np.stack([np.arange(400) % 2, np.arange(400) // 2 % 2], axis=1)
    >>> scores = dci_es(v, np.hstack([2.0 * v, 2.0 - v]))
    >>> round(scores.explicitness, 3), scores.size
    (1.0, 0.5)
    """
    scores = metric_of(dci_es).score(factors, codes, **shared)
    return DCIES(
        **{part: score.value for part, score in scores.items()},
        importance=scores["disentanglement"].matrix.T,
    )

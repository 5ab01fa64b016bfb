"""Models that predict a factor from all codes, and how much each code helps them: what DCI reads.

Boosted trees come from LightGBM, the others from scikit-learn.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis.metrics._fits.fitting import predictions
from fastdis.metrics._fits.predictors import Matrix
from fastdis.metrics._fits.problems import Problem

_ROUNDS, _RATE, _DEPTH = 100, 0.1, 3
_CELLS = 4_000_000  # rows times classes; boosting takes some seconds for as many

_TREES = 50
# Leaves this large keep trees from splitting on noise codes to fit the noise of a target.
_MIN_LEAF = 20

_FOLDS = 5
_PENALTIES = (0.001, 0.01, 0.1, 1.0, 10.0)  # inverse, of logistic regressions

_UBISOFT_FOLDS = 10
_UBISOFT_DEPTHS = (8, 16, 32, 64, 128)
_UBISOFT_FEATURES = (0.2, 0.4, 0.8, 1.0)
_UBISOFT_TREES = 10
_UBISOFT_PENALTIES = (0.0001, 0.001, 0.01, 0.1, 0.2, 0.4, 0.8, 1.0)


_liblinear = threading.Lock()  # it has one random state for the whole process

# The importance of each code (D,), and the score.
Model = Callable[[Problem], tuple[Matrix, float]]


def boosted_trees(problem: Problem) -> tuple[Matrix, float]:
    """LightGBM's gradient boosting, with what scikit-learn's own has by default.

    100 rounds at a rate of 0.1 of trees of depth 3, at least 20 samples per leaf; a factor of
    numbers takes the regressor. The importance of a code is the loss that its splits save.
    """
    import lightgbm

    problem = problem.thinned(_CELLS // max(problem.classes, 1))
    x, y = problem.fitted()
    kind = lightgbm.LGBMClassifier if problem.target.classified else lightgbm.LGBMRegressor
    # One thread: factors are fitted side by side, and a fork would leave OpenMP's threads behind.
    model = kind(
        n_estimators=_ROUNDS, learning_rate=_RATE, max_depth=_DEPTH, num_leaves=2**_DEPTH,
        min_child_samples=_leaf_rows(len(x)), importance_type="gain",
        random_state=problem.state % 2**31, deterministic=True, force_col_wise=True, n_jobs=1,
        verbose=-1,
    ).fit(x, y)  # fmt: skip
    gains = _equal_codes_share(np.asarray(model.feature_importances_, np.float64), problem.codes)
    said = np.asarray(model.predict(problem.codes[problem.test]))
    return _shares(gains), problem.score(said)


def random_forest(problem: Problem) -> tuple[Matrix, float]:
    """50 trees, all codes at every split, at least 20 samples per leaf."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    forest = RandomForestClassifier if problem.target.classified else RandomForestRegressor
    x, y = problem.fitted()
    model = forest(
        _TREES, max_features=None, min_samples_leaf=_leaf_rows(len(x)), random_state=problem.state
    ).fit(x, y)
    importance = np.asarray(model.feature_importances_, np.float64)
    return importance, problem.score(model.predict(problem.codes[problem.test]))


def lasso(problem: Problem) -> tuple[Matrix, float]:
    """Weights of an L1-penalised regression of standardised codes, without their signs.

    Logistic, one class against the rest, for classes; the penalty is chosen in five folds.
    """
    from sklearn.linear_model import LassoCV
    from sklearn.preprocessing import StandardScaler

    x, y = problem.fitted()
    scaler = StandardScaler().fit(x)
    x = scaler.transform(x)
    if problem.target.classified:
        model = _l1_logistic(x, y, problem.state)
        weights = sum(np.abs(one.coef_[0]) for one in model.estimators_ if hasattr(one, "coef_"))
    else:
        model = LassoCV(cv=min(_FOLDS, len(x)), random_state=problem.state).fit(x, y)
        weights = np.abs(model.coef_)
    score = problem.score(model.predict(scaler.transform(problem.codes[problem.test])))
    return _shares(weights + np.zeros(x.shape[1])), score


def ubisoft_forest(problem: Problem) -> tuple[Matrix, float]:
    """Ten trees, their depth and share of codes per split chosen in ten folds; scored as fitted."""
    from sklearn.ensemble import RandomForestRegressor

    x, y = problem.codes.astype(np.float32), _unit(problem.target.values)

    def forest(depth: int, features: float) -> Any:
        return RandomForestRegressor(
            _UBISOFT_TREES, max_depth=depth, max_features=features,
            random_state=problem.state,
        )  # fmt: skip

    error = np.zeros((len(_UBISOFT_DEPTHS), len(_UBISOFT_FEATURES)))
    for fitted, asked in _ubisoft_folds(len(x)):
        for j, features in enumerate(_UBISOFT_FEATURES):
            model = forest(max(_UBISOFT_DEPTHS), features).fit(x[fitted], y[fitted])
            trees = [tree.tree_ for tree in model.estimators_]
            said = predictions(trees, x[asked], _UBISOFT_DEPTHS)[:, :, 0]
            error[:, j] += ((said - y[asked]) ** 2).mean(axis=1)
    best_depth, best_features = np.unravel_index(error.argmin(), error.shape)
    model = forest(_UBISOFT_DEPTHS[best_depth], _UBISOFT_FEATURES[best_features]).fit(x, y)
    return np.asarray(model.feature_importances_), _ubisoft_score(y, model.predict(x))


def ubisoft_lasso(problem: Problem) -> tuple[Matrix, float]:
    """A lasso whose penalty is chosen in ten folds; its weights as they are; scored as fitted."""
    from sklearn.linear_model import Lasso

    x, y = problem.codes, _unit(problem.target.values)
    error = np.zeros(len(_UBISOFT_PENALTIES))
    for fitted, asked in _ubisoft_folds(len(x)):
        for i, penalty in enumerate(_UBISOFT_PENALTIES):
            model = Lasso(alpha=penalty, max_iter=5000).fit(x[fitted], y[fitted])
            error[i] += ((model.predict(x[asked]) - y[asked]) ** 2).mean()
    model = Lasso(alpha=_UBISOFT_PENALTIES[error.argmin()]).fit(x, y)
    return np.abs(model.coef_), _ubisoft_score(y, model.predict(x))


def _leaf_rows(rows: int) -> int:
    """How many samples per leaf takes at least: fewer where all are few."""
    return max(1, min(_MIN_LEAF, rows // 50))


def _equal_codes_share(gains: Matrix, codes: Matrix) -> Matrix:
    """Trees split on the first of several equal codes; here they share what it saves."""
    keys = [column.tobytes() for column in codes.T]
    return np.array([np.mean([g for g, other in zip(gains, keys, strict=True) if other == key])
                     for key in keys])  # fmt: skip


def _l1_logistic(x: Matrix, y: NDArray[Any], state: int) -> Any:
    import sklearn
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.multiclass import OneVsRestClassifier

    version = tuple(int(part) for part in sklearn.__version__.split(".")[:2])
    l1 = {"l1_ratio": 1.0} if version >= (1, 8) else {"penalty": "l1"}
    model = OneVsRestClassifier(LogisticRegression(solver="liblinear", random_state=state, **l1))
    folds = min(_FOLDS, int(np.bincount(y).max()))
    with _liblinear:
        if folds < 2:
            return model.fit(x, y)
        grid = {"estimator__C": list(_PENALTIES)}
        return GridSearchCV(model, grid, cv=folds).fit(x, y).best_estimator_


def _ubisoft_folds(rows: int) -> Any:
    from sklearn.model_selection import KFold

    return KFold(min(_UBISOFT_FOLDS, rows)).split(np.empty((rows, 1)))


def _ubisoft_score(y: Matrix, said: Matrix) -> float:
    """One minus the error over a twelfth, which is the variance of a uniform variable."""
    return max(0.0, float(1.0 - 12.0 * np.mean((y - said) ** 2)))


def _unit(values: Matrix) -> Matrix:
    result: Matrix = (values - values.min()) / np.ptp(values)
    return result


def _shares(weights: Matrix) -> Matrix:
    total = weights.sum()
    return weights / total if total > 0 else weights

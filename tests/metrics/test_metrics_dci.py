"""DCI against its definitions written plainly, closed forms, its models and its conventions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import entropy
from sklearn.ensemble import GradientBoostingClassifier, RandomForestRegressor
from sklearn.linear_model import Lasso
from sklearn.model_selection import cross_val_score
from sklearn.tree import DecisionTreeClassifier

from fastdis.metrics import METRICS, MetricWarning
from fastdis.metrics._fits import fitting as _fits
from fastdis.metrics._fits import importance_models as _importance_models
from fastdis.metrics._fits.predictors import held_out
from fastdis.metrics.from_predictors import dci as importance
from fastdis.metrics.from_predictors.dci import dci
from tests.metrics.metric_data import grid, messy

DCI_METRIC = METRICS["dci"]

# What is noted is looked for by name.
pytestmark = pytest.mark.filterwarnings("ignore::fastdis.metrics.MetricWarning")

MODELS = ["boosted_trees", "random_forest", "lasso"]
VALUES = ("disentanglement", "completeness", "informativeness")


def values(scores):
    return [getattr(scores, name) for name in VALUES]


def plain_scores(r):
    """D and C of importances (D, K), code by code and factor by factor."""
    d = sum(row.sum() * (1 - entropy(row, base=len(row))) for row in r if row.any()) / r.sum()
    c = np.mean([1 - entropy(column, base=len(column)) for column in r.T])
    return d, c


def related(rows=400, seed=0):
    """Two factors, a categorical and a continuous one, and codes that tell of them."""
    rng = np.random.default_rng(seed)
    v = np.stack([rng.integers(0, 3, rows), rng.normal(size=rows)], axis=1)
    z = rng.normal(size=(rows, 4))
    z[:, 0] += 4 * v[:, 0]
    z[:, 2] = v[:, 1] + 0.3 * z[:, 2]
    return v, z, {"discrete": [True, False]}


def test_an_importance_matrix_by_hand():
    r = np.array([[0.5, 0.0], [0.5, 0.25], [0.0, 0.75]])
    middle = 1 + (2 / 3 * np.log2(2 / 3) + 1 / 3 * np.log2(1 / 3))
    d = 0.25 * 1 + 0.375 * middle + 0.375 * 1
    c = (
        1 + np.log(0.5) / np.log(3) + 1 + (0.25 * np.log(0.25) + 0.75 * np.log(0.75)) / np.log(3)
    ) / 2
    assert importance.scores_of(r) == pytest.approx((d, c))
    assert importance.scores_of(r) == pytest.approx(plain_scores(r))


@pytest.mark.parametrize("model", MODELS)
def test_scores_follow_from_the_importances(model):
    v, z = messy(300)
    scores = dci(v, z, model=model)
    np.testing.assert_allclose(scores.importance.sum(axis=0), 1.0)
    assert values(scores)[:2] == pytest.approx(plain_scores(scores.importance))
    parts = DCI_METRIC.score(v, z, model=model)
    weights = scores.importance.sum(axis=1) / scores.importance.sum()
    per_code = parts["disentanglement"].per_code
    assert sum(weights[d] * x for d, x in per_code.items()) == pytest.approx(values(scores)[0])
    for name in VALUES[1:]:
        per_factor = parts[name].per_factor
        assert np.mean(list(per_factor.values())) == pytest.approx(parts[name].value)
    np.testing.assert_array_equal(parts["completeness"].matrix, scores.importance.T)


@pytest.mark.parametrize("model", MODELS)
def test_codes_that_hold_one_factor_each(model):
    v, z, kinds = related()
    scores = dci(v, z, model=model, **kinds)
    assert scores.importance[0, 0] > 0.85
    assert scores.importance[2, 1] > 0.85
    assert scores.informativeness > 0.85
    assert min(values(scores)[:2]) > 0.6


def test_a_perfect_representation_with_noise_and_a_dead_code():
    v = grid(4, 5, 3, repeat=10)
    noise = np.random.default_rng(3).normal(size=(len(v), 2))
    z = np.hstack([v[:, ::-1], noise, np.full((len(v), 1), 3.0)])
    for model in ("boosted_trees", "random_forest"):
        scores = dci(v, z, model=model)
        assert values(scores) == pytest.approx([1.0, 1.0, 1.0])
        assert scores.importance.shape == (6, 3)
        np.testing.assert_allclose(scores.importance[:3], np.eye(3)[::-1], atol=1e-6)


def test_duplicated_turned_and_noise_codes():
    rng = np.random.default_rng(4)
    v = rng.normal(size=(1000, 2))
    twice = dci(v, np.hstack([v, v]))
    # Two codes share what they save.
    assert values(twice)[:2] == pytest.approx([1.0, 1 - np.log(2) / np.log(4)], abs=0.02)
    turned = dci(v, np.stack([v.sum(axis=1), v[:, 0] - v[:, 1]], axis=1))
    assert max(values(turned)[:2]) < 0.05
    assert turned.informativeness > 0.9
    noise = dci(v, rng.normal(size=(1000, 3)))
    assert noise.informativeness < 0.02
    assert max(values(noise)[:2]) < 0.2


@pytest.mark.parametrize(
    ("convention", "model"),
    [
        *(("standard", model) for model in MODELS),
        ("disentanglement_lib", "boosted_trees"),
        ("ubisoft", "lasso"),
    ],
)
def test_order_dead_codes_and_threads(convention, model, threads):
    v, z = messy(200)
    options = {"convention": convention, "model": model}
    plain = dci(v, z, **options)
    order = [3, 1, 4, 0, 2]
    turned = dci(v, z[:, order], **options)
    assert values(turned) == pytest.approx(values(plain), abs=1e-9)
    np.testing.assert_allclose(turned.importance, plain.importance[order], atol=1e-9)
    dead = [dci(v, np.insert(z, place, 1.0, axis=1), **options) for place in (0, 5)]
    assert values(dead[0]) == pytest.approx(values(dead[1]), abs=1e-12)
    assert dead[0].disentanglement == pytest.approx(plain.disentanglement, abs=1e-9)
    if convention == "standard":
        assert values(dead[0]) == pytest.approx(values(plain), abs=1e-12)
    else:  # the base of the logarithm counts the dead code, too
        assert dead[0].completeness > plain.completeness + 1e-3
    threads(1)
    alone = dci(v, z, **options)
    assert values(alone) == values(plain)
    assert alone.importance.tobytes() == plain.importance.tobytes()


def test_one_code_one_factor_constant_factors_and_dead_codes_alone():
    v, z = messy(120)
    for convention in ("standard", "disentanglement_lib"):
        one_code = dci(v, z[:, :1], convention=convention)
        assert one_code.completeness == pytest.approx(1.0)
        assert one_code.disentanglement == pytest.approx(0.0, abs=1e-9)
        one_factor = dci(v[:, :1], z, convention=convention)
        assert one_factor.disentanglement == pytest.approx(1.0)
        assert values(dci(v[:, :1], z[:, :1], convention=convention))[:2] == [1.0, 1.0]
        constant = dci(np.insert(v, 1, 7, axis=1), z, convention=convention)
        assert values(constant) == pytest.approx(values(dci(v, z, convention=convention)))
        assert not constant.importance[:, 1].any()
        with pytest.warns(MetricWarning, match="every code is constant"):
            dead = dci(v, np.ones((120, 3)), convention=convention)
        assert values(dead) == [0.0, 0.0, 0.0]
        with pytest.raises(ValueError, match="at least one factor that varies"):
            dci(np.ones((50, 2)), z[:50], convention=convention)


def test_a_far_away_code_and_a_warped_one():
    v, z = messy(300)
    plain = dci(v, z)
    warped = dci(v, np.exp(z))  # trees see the order alone
    assert values(warped) == pytest.approx(values(plain), abs=0.02)
    for model in MODELS:
        plain = dci(v, z, model=model)
        assert values(dci(v, z * 1e150 + 1e152, model=model)) == pytest.approx(
            values(plain), abs=0.02
        )


def test_boosted_trees_find_what_those_of_scikit_learn_find():
    v, z, kinds = related(2000)
    scores = DCI_METRIC.score(v, z, **kinds)
    fitted = ~held_out(2000, v[:, 0].astype(int), 0)
    model = GradientBoostingClassifier(random_state=0).fit(z[fitted], v[fitted, 0])
    found = scores["disentanglement"].matrix[0]
    np.testing.assert_allclose(found, model.feature_importances_, atol=0.05)
    accuracy = scores["informativeness"].per_factor["factor 0"]
    assert accuracy == pytest.approx(model.score(z[~fitted], v[~fitted, 0]), abs=0.02)


def test_a_factor_of_many_levels_is_boosted_on_fewer_rows(monkeypatch):
    v = np.random.default_rng(5).integers(0, 10, (2000, 1))
    full = dci(v, v * 1.0)
    monkeypatch.setattr(_importance_models, "_CELLS", 3000)
    fewer = dci(v, v * 1.0)
    assert values(full) == values(fewer) == [1.0, 1.0, 1.0]


def test_disentanglement_lib_classifies_all_and_weights_factors():
    v, z, _ = related()
    levels = np.stack([v[:, 0], np.digitize(v[:, 1], [-1, 0, 1]) + 0.5], axis=1)
    scores = dci(levels, z, convention="disentanglement_lib")
    r = scores.importance + 1e-11
    shares = scores.importance / scores.importance.sum()
    d = sum(shares[j].sum() * (1 - entropy(r[j], base=2)) for j in range(4))
    c = sum(shares[:, k].sum() * (1 - entropy(r[:, k], base=4)) for k in range(2))
    assert values(scores)[:2] == pytest.approx([d, c])
    # Four classes: a regressor would explain more than a classifier finds.
    assert scores.informativeness == pytest.approx(
        dci(levels.astype(int), z, convention="disentanglement_lib").informativeness
    )


def test_a_factor_that_no_code_helps_with_weighs_nothing_in_disentanglement_lib(monkeypatch):
    v, z = messy(50)
    r = np.array([[0.9, 0.0, 0.5], [0.1, 0.0, 0.5]])
    score = {"factor 0": 0.9, "factor 1": 0.1, "factor 2": 0.9}
    monkeypatch.setattr(importance, "_fitted", lambda *_: (r, score))
    first = 1 - entropy([0.9, 0.1], base=2)
    peer = dci(v, z[:, :2], convention="disentanglement_lib")
    assert peer.completeness == pytest.approx(first / 2)
    assert dci(v, z[:, :2]).completeness == pytest.approx(first / 3)


def test_ubisofts_lasso_is_theirs():
    v, z = messy(150, seed=1)
    scores = DCI_METRIC.score(v, z, convention="ubisoft", model="lasso")
    x, y = ((a - a.min(axis=0)) / np.ptp(a, axis=0) for a in (z, v))
    # A column at a time: in the order that the metric takes them, the steps are the same.
    order = sorted(range(5), key=lambda d: x[:, d].tobytes())
    x = np.ascontiguousarray(x[:, order])
    for k, factor in enumerate(y.T):
        alphas = [0.0001, 0.001, 0.01, 0.1, 0.2, 0.4, 0.8, 1]
        error = [
            -cross_val_score(
                Lasso(alpha=a, max_iter=5000), x, factor, cv=10, scoring="neg_mean_squared_error"
            ).mean()
            for a in alphas
        ]
        model = Lasso(alpha=alphas[int(np.argmin(error))]).fit(x, factor)
        weights = scores["disentanglement"].matrix[k]
        np.testing.assert_allclose(weights[order], np.abs(model.coef_), atol=1e-3)
        informed = max(0.0, 1 - 12 * np.mean((model.predict(x) - factor) ** 2))
        found = list(scores["informativeness"].per_factor.values())[k]
        assert found == pytest.approx(informed, abs=1e-4)


def test_ubisofts_forest_predicts_noise_that_it_was_fitted_on():
    rng = np.random.default_rng(6)
    v, z = rng.uniform(size=(60, 1)), rng.normal(size=(60, 2))
    assert dci(v, z, convention="ubisoft").informativeness > 0.4
    assert dci(v, z).informativeness < 0.1


def test_a_code_without_importance_in_front_costs_nothing_under_ubisofts_convention():
    v = grid(3, 4, repeat=10) + 0.5
    for place in (0, 2):
        z = np.insert(v, place, 1.0, axis=1)
        scores = dci(v, z, convention="ubisoft", model="lasso", discrete=False)
        assert scores.disentanglement == pytest.approx(1.0)


def test_trees_cut_at_a_depth_are_trees_grown_to_it():
    _, z = messy(300)
    x, y = z.astype(np.float32), np.random.default_rng(0).integers(0, 4, 300)
    deep = DecisionTreeClassifier(max_depth=9, random_state=0).fit(x[:, :1], y).tree_
    for depth, node in enumerate(_fits.nodes_by_depth(deep, x[:, :1], 9)):
        if depth:
            grown = DecisionTreeClassifier(max_depth=depth, random_state=0).fit(x[:, :1], y)
            said = grown.classes_[deep.value[node, 0].argmax(axis=1)]
            np.testing.assert_array_equal(said, grown.predict(x[:, :1]))
    forest = RandomForestRegressor(5, max_depth=6, random_state=0).fit(x, y)
    trees = [tree.tree_ for tree in forest.estimators_]
    said = _fits.predictions(trees, x, (1, 6, 20))[:, :, 0]
    np.testing.assert_allclose(said[1], forest.predict(x))
    np.testing.assert_array_equal(said[1], said[2])
    found = _fits.importances(trees, 5, (1, 6, 20))
    np.testing.assert_allclose(found[1], forest.feature_importances_)
    np.testing.assert_array_equal(found[1], found[2])
    assert (found[0] > 0).sum() <= 5  # one split a tree


def test_rare_levels_and_few_rows():
    v = np.array([[0], [0], [1], [1], [2], [0], [1], [0]])
    z = np.random.default_rng(7).normal(size=(8, 2))
    for model in MODELS:
        assert all(0.0 <= x <= 1.0 for x in values(dci(v, z, model=model)))
    with pytest.raises(ValueError, match="at least 8 rows"):
        dci(v[:7], z[:7])


def test_models_that_a_convention_does_not_have():
    v, z = messy(50)
    with pytest.raises(ValueError, match="model takes one of 'boosted_trees', 'random_forest'"):
        dci(v, z, model="boosted_tree")
    with pytest.raises(ValueError, match="model takes one of 'boosted_trees', got 'lasso'"):
        dci(v, z, model="lasso", convention="disentanglement_lib")
    with pytest.raises(ValueError, match="model takes one of 'random_forest', 'lasso'"):
        dci(v, z, model="boosted_trees", convention="ubisoft")
    with pytest.raises(ValueError, match="convention takes 'standard' or"):
        dci(v, z, convention="published")

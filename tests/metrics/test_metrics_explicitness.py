"""Explicitness against its definition: a classifier per level, the area under its ROC curve."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from fastdis.metrics import METRICS
from fastdis.metrics._counts.histogram import MetricWarning
from fastdis.metrics._fits.predictors import held_out, inputs
from fastdis.metrics.from_predictors import explicitness as module
from fastdis.metrics.from_predictors.explicitness import explicitness
from tests.metrics.metric_data import grid, messy

EXPLICITNESS = METRICS["explicitness"]

# Any other warning, such as scikit-learn's on steps, fails the test.
pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.filterwarnings("ignore::fastdis.metrics._counts.histogram.MetricWarning"),
]

CONVENTIONS = ("standard", "disentanglement_lib", "ubisoft")
CHANCE = {"standard": 0.0, "disentanglement_lib": 0.5, "ubisoft": 0.0}


def area(scores, positive):
    """How often a positive row is ranked above a negative one, every pair looked at."""
    above, below = scores[positive], scores[~positive]
    wins = [(x > below).sum() + (x == below).sum() / 2 for x in above]
    return sum(wins) / (len(above) * len(below))


def standardised(codes):
    return (codes - codes.mean(axis=0)) / codes.std(axis=0)


def levels_of(factor):
    return np.unique(factor, return_inverse=True)[1]


def fitted(x, y, **options):
    return LogisticRegression(max_iter=10_000, tol=1e-9, **options).fit(x, y)


def plain_standard(levels, z):
    x, test = standardised(z), held_out(len(z), levels, 0)
    each = [fitted(x[~test], levels[~test] == level) for level in np.unique(levels)]
    return test, np.stack([model.decision_function(x[test]) for model in each], axis=1)


def plain_disentanglement_lib(levels, z):
    x, test = standardised(z), held_out(len(z), levels, 0)
    return test, fitted(x[~test], levels[~test]).predict_proba(x[test])


def plain_ubisoft(levels, z):
    x = (z - z.min(axis=0)) / np.ptp(z, axis=0)
    each = [fitted(x, levels == level, class_weight="balanced") for level in np.unique(levels)]
    likely = np.stack([model.predict_proba(x)[:, 1] for model in each], axis=1)
    return np.ones(len(z), bool), likely / likely.sum(axis=1, keepdims=True)


# The rows that are ranked, and their scores ``(N, L)``.
PLAIN = {
    "standard": plain_standard,
    "disentanglement_lib": plain_disentanglement_lib,
    "ubisoft": plain_ubisoft,
}


@pytest.fixture
def ranked(monkeypatch):
    """The labels and scores of every factor that areas are taken of."""
    seen, mean_auc = [], module._mean_auc

    def spy(labels, scores):
        seen.append((labels, scores))
        return mean_auc(labels, scores)

    monkeypatch.setattr(module, "_mean_auc", spy)
    return seen


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_follows_its_definition(convention, ranked):
    """The scores to what a fit leaves, and the areas of these scores to the last pair."""
    v, z = messy()
    got, areas = explicitness(v, z, convention=convention), []
    for factor, (labels, scores) in zip(v.T, ranked, strict=True):
        levels = levels_of(factor)
        rows, expected = PLAIN[convention](levels, z)
        np.testing.assert_array_equal(labels, levels[rows])
        np.testing.assert_allclose(scores, expected, atol=5e-3)
        areas += [np.mean([area(scores[:, k], labels == k) for k in np.unique(levels)])]
    expected = np.mean(areas) if convention == "disentanglement_lib" else 2 * np.mean(areas) - 1
    assert got == pytest.approx(expected, abs=1e-12)
    assert 0.2 < got < 0.99


def test_ubisoft_scores_the_rows_that_it_fitted():
    v, z = messy()
    assert explicitness(v, z, convention="ubisoft") > explicitness(v, z) + 0.01


@pytest.mark.parametrize("convention", ["standard", "ubisoft"])
def test_a_continuous_factor_is_cut_as_its_histogram_is(convention):
    rng = np.random.default_rng(1)
    v = rng.normal(size=(500, 1))
    z = np.hstack([v + 0.5 * rng.normal(size=(500, 1)), rng.normal(size=(500, 2))])
    unit = (v - v.min()) / np.ptp(v)
    bins = 10 if convention == "ubisoft" else 6
    binned = np.digitize(unit, np.linspace(0, 1, bins + 1)[1:-1])
    got = explicitness(v, z, bins=bins, convention=convention)
    assert got == pytest.approx(explicitness(binned, z, convention=convention), abs=1e-12)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_levels_that_lines_separate_score_one_and_noise_chance(convention):
    v = grid(2, 2, 2, repeat=100)
    assert explicitness(v, -3.0 * v[:, ::-1], convention=convention) == pytest.approx(1.0)
    mixed = v @ np.random.default_rng(0).normal(size=(3, 3))
    assert explicitness(v, mixed, convention=convention) == pytest.approx(1.0)
    noise = np.random.default_rng(1).normal(size=(len(v), 3))
    score = explicitness(v, noise, convention=convention)
    assert abs(score - CHANCE[convention]) < 0.1


def test_the_middle_level_of_a_single_code_is_not_found():
    # 0, 1, 2 alike often: no line has the middle on one end, so its area is 1/2.
    v = np.arange(999)[:, None] % 3
    score = EXPLICITNESS.score(v, 1.0 * v)
    assert score.value == pytest.approx(2 * (1 + 0.5 + 1) / 3 - 1, abs=0.02)
    # Ubisoft divides by the sum over levels, and a softmax bends, so that both do find it.
    assert explicitness(v, 1.0 * v, convention="disentanglement_lib") == pytest.approx(1.0)
    assert explicitness(v, 1.0 * v, convention="ubisoft") > 0.9


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("place", [0, 2, 5])
def test_a_dead_code_changes_nothing(convention, place):
    v, z = messy()
    expected = explicitness(v, z, convention=convention)
    assert explicitness(v, np.insert(z, place, 7.5, axis=1), convention=convention) == expected


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_dead_codes_alone_score_chance(convention):
    v, z = messy()
    assert explicitness(v, np.ones_like(z), convention=convention) == CHANCE[convention]


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_order_offset_and_scale_of_codes_change_nothing(convention):
    v, z = messy()
    expected = explicitness(v, z, convention=convention)
    assert explicitness(v, z[:, [3, 0, 4, 1, 2]], convention=convention) == expected
    moved = explicitness(v, z * [1e-3, 1, 5, 1e200, 1] + [0, 1e3, 0, 0, -2], convention=convention)
    assert moved == pytest.approx(expected, abs=1e-3)
    assert explicitness(v, z.astype(np.float32), convention=convention) == pytest.approx(
        expected, abs=1e-3
    )


def test_duplicated_codes_and_the_order_of_rows_change_little(ranked):
    v, z = messy(3000)
    expected = explicitness(v, z)
    assert explicitness(v, np.hstack([z, z])) == pytest.approx(expected, abs=2e-3)
    order = np.random.default_rng(2).permutation(len(v))
    assert explicitness(v[order], z[order]) == pytest.approx(expected, abs=0.03)
    ranked.clear()
    explicitness(v, z, convention="ubisoft")
    explicitness(v[order], z[order], convention="ubisoft")
    for (labels, scores), (moved_labels, moved_scores) in zip(ranked[:3], ranked[3:], strict=True):
        np.testing.assert_array_equal(moved_labels, labels[order])
        np.testing.assert_allclose(moved_scores, scores[order], atol=1e-3)


def test_one_code_one_factor_and_text():
    v, z = messy()
    for factors, codes in ((v[:, :1], z), (v, z[:, :1]), (v[:, :1], z[:, :1])):
        for convention in CONVENTIONS:
            assert 0.0 <= explicitness(factors, codes, convention=convention) <= 1.0
    assert explicitness(v.astype(str), z) == pytest.approx(explicitness(v, z), abs=1e-12)


def test_parts_by_factor_and_a_constant_factor():
    v, z = messy()
    score = EXPLICITNESS.score(v, z)
    assert list(score.per_factor) == ["factor 0", "factor 1", "factor 2"]
    assert score.value == pytest.approx(np.mean(list(score.per_factor.values())))
    with pytest.warns(MetricWarning, match="constant and left out: 'factor 1'"):
        left = EXPLICITNESS.score(np.insert(v, 1, 7, axis=1), z)
    assert list(left.per_factor.values()) == list(score.per_factor.values())


def test_levels_that_occur_once_are_left_out():
    v, z = messy()
    v[0, 0], v[1, 0] = 50, 60
    with pytest.warns(MetricWarning, match="2 levels of 'factor 0' occur once"):
        score = explicitness(v, z)
    assert 0.0 < score < 1.0
    for convention in CONVENTIONS[1:]:
        assert 0.0 < explicitness(v, z, convention=convention) < 1.0


def test_factors_that_cannot_be_classified_are_left_out():
    v, z = messy()
    each = np.column_stack([v[:, 0], np.arange(len(v))])
    with pytest.warns(MetricWarning, match="'factor 1' has no two levels that occur twice"):
        score = EXPLICITNESS.score(each, z)
    assert list(score.per_factor) == ["factor 0"]
    odd = np.zeros((600, 1), int)
    odd[3] = 1
    for factors in (each[:, 1:], odd, v[:2, :1] * 0 + [[0], [1]]):
        with pytest.raises(ValueError, match="factors takes one that can be predicted"):
            explicitness(factors, z[: len(factors)])
    many = np.column_stack([np.arange(2200) % 2, np.arange(2200) // 2])
    with pytest.warns(MetricWarning, match="has 1100 levels, over the 1000"):
        assert explicitness(many, 1.0 * many[:, :1]) == pytest.approx(1.0)


def test_rows_and_seed():
    v, z = messy(12_000)
    one, other = explicitness(v, z), explicitness(v, z, seed=1)
    assert one == explicitness(v, z)
    assert one != other
    assert one == pytest.approx(other, abs=0.03)
    # Nothing but the rows is drawn here.
    one, other = (explicitness(v, z, convention="ubisoft", seed=seed) for seed in (0, 1))
    assert one != other
    assert one == pytest.approx(other, abs=0.01)


def test_inputs_of_extreme_numbers_are_finite():
    z = np.random.default_rng(0).standard_cauchy(size=(300, 3)) * [1e-300, 1, 1e290]
    x = inputs(z)
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(x.std(axis=0), 1, atol=1e-9)
    assert 0.0 <= explicitness(np.arange(300)[:, None] % 3, z) <= 1.0


def test_held_out_takes_a_quarter_of_each_level():
    labels = np.repeat([0, 1, 2, 3], [1, 2, 5, 400])
    test = held_out(len(labels), labels, 3)
    assert np.bincount(labels[test], minlength=4).tolist() == [0, 1, 1, 100]
    for rows in (2, 3, 9):
        assert held_out(rows, None, 0).sum() == max(1, rows // 4)


def test_what_is_refused():
    v, z = messy()
    with pytest.raises(ValueError, match="convention takes 'standard' or"):
        explicitness(v, z, convention="published")
    with pytest.raises(ValueError, match="factors takes at least one factor that varies"):
        explicitness(v * 0, z)
    with pytest.raises(ValueError, match="codes takes finite values"):
        explicitness(v, z * np.nan)
    with pytest.raises(TypeError, match="seed takes an integer"):
        explicitness(v, z, seed=0.5)

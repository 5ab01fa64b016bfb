"""InfoE against its definition, closed forms in which a linear model is exact, and invariances."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from fastdis.metrics import METRICS
from fastdis.metrics._counts.histogram import MetricWarning
from fastdis.metrics.from_predictors.infoe import infoe
from tests.metrics.metric_data import entropy, grid, information, messy

INFOE = METRICS["infoe"]

# Any other warning, such as scikit-learn's on steps, fails the test.
pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.filterwarnings("ignore::fastdis.metrics._counts.histogram.MetricWarning"),
]


def plain_share_of_levels(factor, z):
    """1 - H(v | z) / H(v), a softmax fitted from no weights until nothing moves any more."""
    labels = np.unique(factor, return_inverse=True)[1]
    x = (z - z.mean(axis=0)) / z.std(axis=0)
    fitted = LogisticRegression(C=np.inf, max_iter=20_000, tol=1e-7).fit(x, labels)
    scores = fitted.decision_function(x)
    if scores.ndim == 1:
        scores = np.stack([0 * scores, scores], axis=1)
    left = -np.mean([row[label] for row, label in zip(log_softmax(scores, axis=1), labels)])  # noqa: B905
    return 1 - left / entropy(factor)


def plain_r_squared(factor, z):
    x = np.column_stack([np.ones(len(z)), z])
    residual = factor - x @ np.linalg.solve(x.T @ x, x.T @ factor)
    return 1 - np.sum(residual**2) / np.sum((factor - factor.mean()) ** 2)


def turn(seed):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(5, 5)))[0]


def test_discrete_factors_follow_the_definition():
    v, z = messy()
    score = INFOE.score(v, z)
    for k, factor in enumerate(v.T):
        expected = plain_share_of_levels(factor, z)
        assert score.per_factor[f"factor {k}"] == pytest.approx(expected, abs=2e-3)
    assert score.value == pytest.approx(np.mean(list(score.per_factor.values())))


def test_continuous_factors_follow_the_definition():
    rng = np.random.default_rng(1)
    v, z = rng.normal(size=(400, 2)) * [1, 1e5], rng.normal(size=(400, 4))
    z[:, :2] += v / [1, 1e5]
    score = INFOE.score(v, z)
    for k, factor in enumerate(v.T):
        assert score.per_factor[f"factor {k}"] == pytest.approx(plain_r_squared(factor, z))


@pytest.mark.parametrize("levels", [2, 5])
def test_of_a_binary_code_it_is_the_mutual_information(levels):
    # A softmax has a weight and a bias for each level, so two values of a code leave it free.
    rng = np.random.default_rng(2)
    v = rng.choice(levels, 900, p=rng.dirichlet(np.ones(levels) * 3))
    code = (rng.random(900) < 0.1 + 0.8 * v / levels).astype(int)
    expected = information(v, code) / entropy(v)
    assert infoe(v[:, None], 1.0 * code[:, None]) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("levels", [4, 20, 100])
def test_any_linear_map_of_the_factors_is_explicit(levels):
    rng = np.random.default_rng(3)
    v = rng.integers(0, levels, size=(4000, 3))
    for z in (v[:, [2, 0, 1]] * [1.0, -5.0, 1e-6], v @ rng.normal(size=(3, 3))):
        assert infoe(v, z) == pytest.approx(1.0, abs=1e-3)
        assert infoe(v + 0.5, z, discrete=False) == pytest.approx(1.0)
    # Two codes that hold three factors cannot be.
    assert infoe(v, v @ rng.normal(size=(3, 2))) < 0.95


def test_no_linear_map_of_the_codes_changes_it():
    v, z = messy()
    expected = infoe(v, z)
    mixed = z @ np.random.default_rng(4).normal(size=(5, 5)) + 3.0
    squeezed = z @ turn(6) @ np.diag([1, 1, 1, 1e-3, 1e-3]) @ turn(7)
    for codes in (mixed, squeezed, np.hstack([z, mixed]), np.hstack([z, z]), z * 1e-200):
        assert infoe(v, codes) == pytest.approx(expected, abs=2e-3)
        assert infoe(v + 0.5, codes, discrete=False) == pytest.approx(
            infoe(v + 0.5, z, discrete=False), abs=1e-9
        )
    assert infoe(v, z**3) != pytest.approx(expected, abs=5e-3)


def test_noise_explains_what_its_freedom_allows():
    rng = np.random.default_rng(5)
    v, z = rng.integers(0, 6, size=(4000, 1)), rng.normal(size=(4000, 8))
    assert infoe(v, z) == pytest.approx(8 * 5 / (2 * 4000 * np.log(6)), rel=0.5)
    assert infoe(rng.normal(size=(4000, 1)), z) == pytest.approx(8 / 4000, rel=0.7)


@pytest.mark.parametrize("discrete", [True, False])
def test_few_rows_are_warned_of(discrete):
    rng = np.random.default_rng(6)
    v, z = rng.integers(0, 6, size=(60, 1)), rng.normal(size=(60, 8))
    with pytest.warns(MetricWarning, match="60 rows are few for 8 codes: .* 'factor 0'"):
        infoe(v, z, discrete=discrete)
    v, z = messy()
    assert not any("few" in str(w.message) for w in _warnings(lambda: infoe(v, z)))


def _warnings(call):
    import warnings

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return caught


@pytest.mark.parametrize("place", [0, 2, 5])
def test_a_dead_code_changes_nothing(place):
    v, z = messy()
    for discrete in (None, False):
        expected = infoe(v, z, discrete=discrete)
        assert infoe(v, np.insert(z, place, -2.0, axis=1), discrete=discrete) == expected
        assert infoe(v, z[:, [4, 2, 0, 1, 3]], discrete=discrete) == expected
        assert infoe(v, np.full_like(z, 3.0), discrete=discrete) == pytest.approx(0.0, abs=1e-12)


def test_order_of_rows_changes_nothing_unless_rows_are_drawn():
    v, z = messy()
    order = np.random.default_rng(7).permutation(len(v))
    assert infoe(v[order], z[order]) == pytest.approx(infoe(v, z), abs=1e-5)
    assert infoe(v, z, seed=5) == infoe(v, z)
    v, z = messy(12_000)
    assert infoe(v, z) == infoe(v, z)
    assert infoe(v, z, seed=1) != infoe(v, z)
    assert infoe(v, z, seed=1) == pytest.approx(infoe(v, z), abs=0.02)


def test_heavy_tails_and_few_rows_stay_in_range():
    rng = np.random.default_rng(8)
    for rows in (4, 9, 300):
        v, z = np.arange(rows)[:, None] % 2, rng.standard_cauchy(size=(rows, 6)) * 1e200
        for discrete in (None, False):
            assert 0.0 <= infoe(v, z, discrete=discrete) <= 1.0


def test_kinds_decide_and_odd_factors_are_left_out():
    v, z = messy()
    both = INFOE.score(v, z, discrete=[True, False, True]).per_factor
    assert both["factor 1"] == pytest.approx(plain_r_squared(v[:, 1], z))
    assert both["factor 0"] == INFOE.score(v, z).per_factor["factor 0"]
    assert infoe(v.astype(str), z) == pytest.approx(infoe(v, z), abs=1e-12)
    odd = np.column_stack([v[:, 0], np.arange(len(v)), np.full(len(v), 4)])
    with pytest.warns(MetricWarning) as caught:
        score = INFOE.score(odd, z)
    assert list(score.per_factor) == ["factor 0"]
    warned = " ".join(str(w.message) for w in caught)
    assert "constant and left out: 'factor 2'" in warned
    assert "'factor 1' has no two levels that occur twice" in warned


def test_one_code_and_one_factor():
    v = grid(4, 5, repeat=20)
    # A code that is the factor; the other is independent of it.
    assert infoe(v, 1.0 * v[:, :1]) == pytest.approx(0.5, abs=1e-3)
    assert infoe(v[:, :1], 1.0 * v) == pytest.approx(1.0, abs=1e-3)


def test_what_is_refused():
    v, z = messy()
    with pytest.raises(ValueError, match="convention takes 'standard' for infoe, got 'ubisoft'"):
        infoe(v, z, convention="ubisoft")
    with pytest.raises(ValueError, match="factors takes one that can be predicted"):
        infoe(np.arange(600)[:, None], z)

"""DCI-ES: explicitness from curves of known area, and codes that are easy or hard to use."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from fastdis.metrics import METRICS, MetricWarning
from fastdis.metrics._fits.predictors import held_out
from fastdis.metrics.from_predictors.dci import scores_of
from fastdis.metrics.from_predictors.dci_es import DEPTHS, dci_es, explicitness_of
from tests.metrics.metric_data import grid

DCI_ES = METRICS["dci_es"]

# What is noted is looked for by name.
pytestmark = pytest.mark.filterwarnings("ignore::fastdis.metrics.MetricWarning")

VALUES = ("disentanglement", "completeness", "informativeness", "explicitness", "size")


def values(scores):
    return [getattr(scores, name) for name in VALUES]


def bits(rows=600, seed=0):
    """Two factors of two levels, and a little noise to be added to codes."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 2, (rows, 2)), 0.1 * rng.normal(size=(rows, 3))


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([0.0, 0.0, 0.0], 1.0),  # the smallest probe is as good as any
        ([0.2, 0.2, 0.2], 1.0),  # also where none is good
        ([0.5, 0.25, 0.0], 0.0),  # in a line from knowing nothing to 0
        ([0.5, 0.5, 0.5], 1.0),
        ([0.9, 0.25, 0.0], 0.0),  # no probe does worse than knowing nothing
        ([0.25, 0.4, 0.0], 0.25),  # nor worse than a smaller one
    ],
)
def test_explicitness_of_curves_by_hand(losses, expected):
    capacities = np.array([1.0, 2.0, 3.0])
    assert explicitness_of(capacities, np.array(losses), 0.5) == pytest.approx(expected)


def test_explicitness_is_minus_1_where_the_largest_probe_alone_can():
    capacities = np.array([0.0, 1.0 - 1e-9, 1.0])
    assert explicitness_of(capacities, np.array([1.0, 1.0, 0.0]), 1.0) == pytest.approx(-1.0)


def test_the_curve_is_that_of_forests_grown_to_each_depth():
    """Cut, not grown: the same up to the draws of the trees."""
    rng = np.random.default_rng(1)
    z = rng.uniform(-2, 2, (1500, 3))
    v = (np.sin(5 * z[:, :1]) + z[:, 1:2] > 0).astype(int)
    test = held_out(1500, v[:, 0], 0)
    losses = []
    for depth in DEPTHS:
        forest = RandomForestClassifier(100, max_depth=depth, max_features=None, random_state=1)
        losses.append(1 - forest.fit(z[~test], v[~test, 0]).score(z[test], v[test, 0]))
    expected = explicitness_of(np.array(DEPTHS, float), np.array(losses), 0.5)
    scores = dci_es(v, z)
    assert expected < 0.95
    assert scores.explicitness == pytest.approx(expected, abs=0.01)
    assert scores.informativeness == pytest.approx(1 - min(losses), abs=0.02)


def test_codes_that_hold_the_factors_and_codes_that_hide_them():
    v, noise = bits()
    plain = dci_es(v, np.hstack([v + noise[:, :2], noise]))
    assert values(plain) == pytest.approx([1.0, 1.0, 1.0, 1.0, 0.4], abs=0.02)
    # A factor that is the parity of four codes is known as well, but to deep trees alone.
    rng = np.random.default_rng(2)
    hidden = rng.integers(0, 2, (2000, 4))
    parity = hidden.sum(axis=1, keepdims=True) % 2
    hard = dci_es(parity, hidden + 0.1 * rng.normal(size=hidden.shape))
    assert hard.informativeness > 0.95
    assert hard.explicitness < plain.explicitness - 0.1


def test_noise_has_nothing_to_wait_for():
    v, noise = bits()
    scores = dci_es(v, noise)
    assert scores.explicitness > 0.9
    assert scores.informativeness < 0.6


def test_scores_follow_from_the_parts():
    rng = np.random.default_rng(3)
    v = np.stack([rng.integers(0, 3, 300), rng.normal(size=300)], axis=1)
    z = np.hstack([v @ rng.normal(size=(2, 3)), rng.normal(size=(300, 1))])
    options = {"discrete": [True, False]}
    scores, parts = dci_es(v, z, **options), DCI_ES.score(v, z, **options)
    assert values(scores)[:2] == pytest.approx(scores_of(scores.importance))
    np.testing.assert_allclose(scores.importance.sum(axis=0), 1.0)
    np.testing.assert_array_equal(parts["disentanglement"].matrix, scores.importance.T)
    for name in VALUES[1:4]:
        per_factor = list(parts[name].per_factor.values())
        assert np.mean(per_factor) == pytest.approx(parts[name].value)
    assert scores.size == 0.5
    turned = dci_es(v, z[:, [2, 0, 3, 1]], **options)
    assert values(turned) == pytest.approx(values(scores), abs=1e-9)
    np.testing.assert_allclose(turned.importance, scores.importance[[2, 0, 3, 1]], atol=1e-9)


def test_dead_codes_and_constant_factors(threads):
    v, noise = bits(200)
    z = v + noise[:, :2]
    plain = values(dci_es(v, z))
    for place in (0, 2):
        got = values(dci_es(v, np.insert(z, place, 0.7, axis=1)))
        assert got[:4] == pytest.approx(plain[:4], abs=1e-12)
        assert got[4] == pytest.approx(2 / 3)  # a dead code makes the codes no smaller
    assert values(dci_es(np.insert(v, 1, 7, axis=1), z)) == pytest.approx(plain, abs=1e-12)
    assert dci_es(v, z[:, :1]).size == 1.0
    with pytest.warns(MetricWarning, match="every code is constant"):
        assert values(dci_es(v, np.ones((200, 2)))) == [0.0] * 5
    threads(1)
    assert values(dci_es(v, z)) == plain


def test_one_code_one_factor_and_what_is_refused():
    v = grid(3, repeat=40)
    scores = dci_es(v, v * 2.0)
    assert values(scores) == pytest.approx([1.0, 1.0, 1.0, 1.0, 1.0], abs=0.03)
    with pytest.raises(ValueError, match="at least 8 rows"):
        dci_es(v[:7], v[:7])
    with pytest.raises(ValueError, match="convention takes 'standard' for dci_es"):
        dci_es(v, v * 2.0, convention="ubisoft")

"""k-NN accuracy against neighbours found one by one, groups of codes, and stated parts."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from fastdis.metrics import METRICS
from fastdis.metrics._counts.histogram import MetricWarning
from fastdis.metrics.from_predictors.knn import GroupAccuracy, knn_accuracy
from tests.metrics.metric_data import grid, messy

KNN_ACCURACY = METRICS["knn_accuracy"]

pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.filterwarnings("ignore::fastdis.metrics._counts.histogram.MetricWarning"),
]


def halves(rows):
    return np.arange(rows) % 2 == 0


def plain_accuracy(factor, z, train, k):
    """Each row's neighbours sorted by distance; of levels with equal votes, the lowest."""
    right = []
    for row, level in zip(z[~train], factor[~train], strict=True):
        near = np.argsort(((z[train] - row) ** 2).sum(axis=1))[:k]
        votes = Counter(factor[train][near].tolist())
        most = max(votes.values())
        right.append(min(said for said, n in votes.items() if n == most) == level)
    return np.mean(right)


def plain_r_squared(factor, z, train, k):
    error = []
    for row, value in zip(z[~train], factor[~train], strict=True):
        near = np.argsort(((z[train] - row) ** 2).sum(axis=1))[:k]
        error.append(value - factor[train][near].mean())
    return 1 - np.sum(np.square(error)) / np.sum((factor[~train] - factor[train].mean()) ** 2)


@pytest.mark.parametrize("k", [1, 2, 5, 30])
def test_follows_its_definition(k):
    v, z = messy()
    train = halves(len(v))
    score = KNN_ACCURACY.score(v, z, train=train, k=k)
    numbers = KNN_ACCURACY.score(v, z, train=train, k=k, discrete=False)
    for i, factor in enumerate(v.T):
        name = f"factor {i}"
        assert score.per_factor[name] == pytest.approx(plain_accuracy(factor, z, train, k))
        expected = max(0.0, plain_r_squared(factor, z, train, k))
        assert numbers.per_factor[name] == pytest.approx(expected)
    assert score.value == pytest.approx(np.mean(list(score.per_factor.values())))
    assert knn_accuracy(v, z, train=train, k=k) == score.value


def test_many_codes_agree_with_scikit_learn():
    # Over 15 codes are searched by brute force.
    rng = np.random.default_rng(0)
    v, train = rng.integers(0, 6, size=(900, 1)), rng.random(900) < 0.7
    z = rng.normal(size=(900, 24)) + 1e4
    z[:, :2] += v
    # Distances one by one: products of matrices would lose digits to the offset.
    model = KNeighborsClassifier(5, algorithm="kd_tree").fit(z[train], v[train, 0])
    expected = model.score(z[~train], v[~train, 0])
    assert knn_accuracy(v, z, train=train) == pytest.approx(expected)
    fitted = KNeighborsRegressor(5, algorithm="kd_tree").fit(z[train], v[train, 0])
    error = np.sum((fitted.predict(z[~train]) - v[~train, 0]) ** 2)
    expected = 1 - error / np.sum((v[~train, 0] - v[train, 0].mean()) ** 2)
    assert knn_accuracy(v, z, train=train, discrete=False) == pytest.approx(expected)


def test_groups_tell_their_own_factor_alone():
    v = grid(4, 6, repeat=40)
    rng = np.random.default_rng(1)
    z = np.hstack([rng.normal(size=(len(v), 2)), v @ [[3.0, 0, 0], [0, 3.0, 3.0]]])
    z[:, 2:] += 0.01 * rng.normal(size=(len(v), 3))
    groups = {"variation": slice(0, 2), "timbre": 2, "pitch": np.array([3, 4])}
    parts = knn_accuracy(v, z, groups=groups)
    assert isinstance(parts, GroupAccuracy)
    assert parts.factors == ("factor 0", "factor 1")
    assert parts.groups == ("variation", "timbre", "pitch")
    # Chance, which is 1/4 and 1/6, where a group does not know.
    expected = [[0.25, 1.0, 0.25], [1 / 6, 1 / 6, 1.0]]
    np.testing.assert_allclose(parts.accuracy, expected, atol=0.1)
    for g, columns in enumerate(([0, 1], [2], [3, 4])):
        alone = KNN_ACCURACY.score(v, z[:, columns]).per_factor
        np.testing.assert_array_equal(parts.accuracy[:, g], list(alone.values()))
    own = {"factor 0": "timbre", "factor 1": "pitch"}
    a = parts.accuracy
    gaps = [a[0, 1] - max(a[0, 0], a[0, 2]), a[1, 2] - max(a[1, 0], a[1, 1])]
    assert parts.gap(own) == pytest.approx(np.mean(gaps))
    assert parts.gap({"factor 0": "variation"}) == pytest.approx(a[0, 0] - 1.0)
    assert str(parts).splitlines()[0].split() == ["variation", "timbre", "pitch"]
    assert repr(parts) == str(parts)


def test_the_gap_pairs_groups_and_factors_of_one_name():
    parts = GroupAccuracy(
        ("pitch", "timbre"), ("timbre", "rest"), np.array([[0.2, 0.9], [0.7, 0.6]])
    )
    assert parts.gap() == pytest.approx(0.1)
    alone = GroupAccuracy(("pitch",), ("pitch",), np.array([[0.4]]))
    assert alone.gap() == pytest.approx(0.4)
    with pytest.raises(
        ValueError, match="own takes one of 'timbre', 'rest', got 'tembre'; did you"
    ):
        parts.gap({"pitch": "tembre"})
    with pytest.raises(ValueError, match="own takes one of 'pitch', 'timbre', got 'x'"):
        parts.gap({"x": "rest"})
    with pytest.raises(
        ValueError, match="own takes the group of at least one of the factors pitch"
    ):
        GroupAccuracy(("pitch",), ("z",), np.ones((1, 1))).gap()


def test_scores_are_parts_by_group():
    v, z = messy()
    scores = KNN_ACCURACY.score(v, z, groups={"a": [0, 1], "b": slice(2, None)})
    assert list(scores) == ["a", "b"]
    table = knn_accuracy(v, z, groups={"a": [1, 0], "b": [2, 3, 4]}).accuracy
    for g, score in enumerate(scores.values()):
        assert list(score.per_factor.values()) == table[:, g].tolist()
        assert score.value == pytest.approx(table[:, g].mean())


def test_scored_codes_of_a_group():
    v, z = messy()
    active = np.array([True, False, True, True, True])
    some = knn_accuracy(v, z, groups={"a": [0, 1], "b": [3]}, active=active)
    same = knn_accuracy(v, z, groups={"a": [0], "b": [3]})
    np.testing.assert_array_equal(some.accuracy, same.accuracy)
    with pytest.raises(ValueError, match="groups takes at least one code that is scored for 'a'"):
        knn_accuracy(v, z, groups={"a": [1]}, active=active)


def test_distances_are_those_of_the_space():
    v, z = messy()
    expected = knn_accuracy(v, z)
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(5, 5)))[0]
    for codes in (z * 1e200, z * 1e-200, z + 100.0, z @ turn):
        assert knn_accuracy(v, codes) == pytest.approx(expected, abs=0.01)
    # Nearly collapsed noise does not count, as it would if codes were standardised.
    noise = 1e-6 * np.random.default_rng(3).normal(size=(len(z), 30))
    assert knn_accuracy(v, np.hstack([z, noise])) == pytest.approx(expected, abs=0.01)
    assert knn_accuracy(v, z * [100.0, 1, 1, 1, 1]) != expected


@pytest.mark.parametrize("seed", range(5))
def test_dead_codes_and_the_order_of_codes_change_nothing(seed):
    rng = np.random.default_rng(seed)
    v = rng.integers(0, 4, size=(300, 1))
    z = np.round(rng.normal(size=(300, 4)) + 0.3 * v)  # many equal distances
    expected = knn_accuracy(v, z)
    for codes in (z[:, [2, 0, 3, 1]], z[:, ::-1], *(np.insert(z, i, 5.0, axis=1) for i in (0, 4))):
        assert knn_accuracy(v, codes) == expected


def test_a_dead_group_says_the_most_frequent_level():
    v = np.repeat([3, 1, 2], [50, 120, 130])[:, None]
    train = np.concatenate([halves(50), halves(120), halves(130)])
    dead = np.ones((300, 2))
    assert knn_accuracy(v, dead, train=train) == pytest.approx(65 / 150)
    assert knn_accuracy(v, dead, train=train, discrete=False) == pytest.approx(0.0, abs=1e-3)
    tie = np.repeat([1, 0], 100)[:, None]
    assert knn_accuracy(tie, dead[:200], train=halves(200)) == 0.5


def test_levels_outside_the_training_part_are_errors():
    v = np.repeat([0, 1, 2], 40)[:, None]
    train = halves(120) & (v[:, 0] != 2)
    assert knn_accuracy(v, 1.0 * v, train=train) == pytest.approx(40 / 80)
    # A factor that does not vary in the training part.
    only = v[:, 0] == 0
    assert knn_accuracy(v, 1.0 * v, train=only) == 0.0
    assert knn_accuracy(v, 1.0 * v, train=only, discrete=False) == 0.0


def test_frames_of_a_clip_stay_together_where_it_is_stated():
    # Frames are nearly equal within a clip and tell nothing between clips.
    rng = np.random.default_rng(5)
    clip = np.repeat(np.arange(120), 20)
    v, z = rng.integers(0, 4, 120)[clip][:, None], rng.normal(size=(120, 3))[clip]
    z = z + 1e-3 * rng.normal(size=z.shape)
    assert knn_accuracy(v, z) > 0.9
    assert knn_accuracy(v, z, train=clip < 90) < 0.5


def test_perfect_noise_one_code_and_one_factor():
    v = grid(4, 5, 3, repeat=10)
    z = v[:, ::-1] * 2.0
    assert knn_accuracy(v, z) == 1.0
    assert knn_accuracy(v + 0.5, z, discrete=False) == pytest.approx(1.0, abs=0.01)
    noise = np.random.default_rng(6).normal(size=(len(v), 3))
    assert knn_accuracy(v, noise) < 0.5
    assert knn_accuracy(v + 0.5, noise, discrete=False) == 0.0
    assert knn_accuracy(v[:, :1], z[:, 2:]) == 1.0
    assert 0.0 <= knn_accuracy(v, z[:, :1]) <= 1.0
    names = np.array(["flute", "oboe", "viola"])[v[:, 2:]]
    assert knn_accuracy(names, z[:, :1]) == 1.0


def test_odd_factors_are_left_out():
    v, z = messy()
    odd = np.column_stack([v[:, 0], np.arange(len(v)), np.full(len(v), 4)])
    with pytest.warns(MetricWarning) as caught:
        parts = knn_accuracy(odd, z, groups={"a": 0, "b": [1, 2]})
    assert parts.factors == ("factor 0",)
    assert parts.accuracy.shape == (1, 2)
    warned = " ".join(str(w.message) for w in caught)
    assert "constant and left out: 'factor 2'" in warned
    assert "'factor 1' has no two levels that occur twice" in warned


def test_rows_and_seed():
    v, z = messy(30_000)
    one, other = knn_accuracy(v, z), knn_accuracy(v, z, seed=1)
    assert one == knn_accuracy(v, z)
    assert one != other
    assert one == pytest.approx(other, abs=0.03)
    order = np.random.default_rng(7).permutation(len(v))
    assert knn_accuracy(v[order], z[order]) == pytest.approx(one, abs=0.03)
    # However few rows are left to predict, they are all predicted.
    right = 7 * knn_accuracy(v[:, :1], z, train=np.arange(len(v)) >= 7)
    assert right == pytest.approx(round(right))


def test_what_is_refused():
    v, z = messy()
    for k, error, message in (
        (0, ValueError, "k takes an integer >= 1, got 0"),
        (2.0, TypeError, "k takes an integer >= 1"),
        (451, ValueError, "k takes at most the 450 rows of the training part, got 451"),
    ):
        with pytest.raises(error, match=message):
            knn_accuracy(v, z, k=k)
    for groups, error, message in (
        ({}, TypeError, "groups takes columns by name"),
        ([0, 1], TypeError, "groups takes columns by name"),
        ({"a": []}, ValueError, "groups takes at least one code that is scored for 'a'"),
        ({"a": slice(9, 12)}, ValueError, "groups takes at least one code"),
        ({"a": [0, 5]}, IndexError, r"groups\['a'\] takes values from 0 to 4, got 5"),
        ({"a": [0.5]}, TypeError, r"groups\['a'\] takes integers"),
    ):
        with pytest.raises(error, match=message):
            knn_accuracy(v, z, groups=groups)
    for train in (np.ones(600, bool), np.zeros(600, bool), halves(599), np.arange(600) % 2):
        with pytest.raises(
            ValueError, match="train takes 600 bools, one per row and some of either"
        ):
            knn_accuracy(v, z, train=train)
    with pytest.raises(ValueError, match="convention takes 'standard' for knn_accuracy"):
        knn_accuracy(v, z, convention="ubisoft")

"""SAP against its definitions written plainly, closed forms, and what its conventions do."""

from __future__ import annotations

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import cross_val_score
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from fastdis.metrics import METRICS, MetricWarning
from fastdis.metrics._counts.columns import read
from fastdis.metrics._fits import single_code as _single_code
from fastdis.metrics.from_predictors.sap import sap
from tests.metrics.metric_data import cells, grid, messy

SAP = METRICS["sap"]

# What is noted is looked for by name.
pytestmark = pytest.mark.filterwarnings("ignore::fastdis.metrics.MetricWarning")

CONVENTIONS = ["standard", "disentanglement_lib", "ubisoft", "published"]


def plain_threshold_accuracy(labels, code):
    """Every choice of thresholds tried, for two or three labels."""
    rank = [int((code < x).sum() + (code <= x).sum()) for x in code]
    sizes = np.bincount(labels).tolist()
    mean_rank = [
        Fraction(sum(np.array(rank)[labels == c].tolist()), n) for c, n in enumerate(sizes)
    ]
    rising = sorted(range(len(sizes)), key=mean_rank.__getitem__)
    cuts = [-np.inf, *np.unique(code) + 1e-9]
    best = 0.0
    for order in (np.array(rising), np.array(rising[::-1])):
        for low in cuts:
            for high in cuts if len(order) == 3 else [np.inf]:
                said = order[(code > low).astype(int) + (code > max(low, high))]
                best = max(best, np.mean([np.mean(said[labels == c] == c) for c in order]))
    return best


def r_squared(x, y):
    return np.corrcoef(x, y)[0, 1] ** 2


def gap(scores):
    first, second = sorted(scores, reverse=True)[:2]
    return first - second


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 3))
def test_thresholds_are_the_best_there_are(seed, classes):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, 15)])
    code = rng.integers(0, 6, len(labels)) + labels * rng.integers(0, 3) * 1.0
    got = _single_code.threshold_accuracy(labels, code)
    assert got == pytest.approx(plain_threshold_accuracy(labels, code), abs=1e-12)


def test_single_precision_is_sorted_as_it_stands():
    rng = np.random.default_rng(9)
    special = [0.0, -0.0, 1e-45, -1e-45, 3e38, -3e38, 1.0, -1.0]
    code = np.concatenate([rng.normal(size=500), special]).astype(np.float32)
    order = _single_code._order(code)
    assert sorted(order) == list(range(len(code)))
    np.testing.assert_array_equal(code[order], np.sort(code))
    labels = rng.integers(0, 3, len(code))
    expected = _single_code.threshold_accuracy(labels, code.astype(float))
    assert _single_code.threshold_accuracy(labels, code) == expected


def test_each_factor_is_scored_by_its_kind():
    rng = np.random.default_rng(0)
    classes, level, number = rng.integers(0, 3, 60), rng.integers(0, 5, 60), rng.normal(size=60)
    v = np.stack([classes, level + 0.5, number], axis=1)
    z = np.stack([(classes > 1) + 0.3 * rng.normal(size=60), level + number, -number], axis=1)
    expected = np.stack(
        [
            [plain_threshold_accuracy(classes, code) for code in z.T],
            *([r_squared(factor, code) for code in z.T] for factor in v.T[1:]),
        ]
    )
    score = SAP.score(v, z)
    np.testing.assert_allclose(score.matrix, expected, atol=1e-12)
    gaps = [gap(row) for row in expected]
    assert score.value == pytest.approx(np.mean(gaps), abs=1e-12)
    assert list(score.per_factor.values()) == pytest.approx(gaps, abs=1e-12)
    assert sap(v, z) == score.value


def test_three_levels_in_another_order_are_classes_and_no_line():
    v = np.repeat([0, 1, 2], 100)[:, None]
    z = np.stack([np.array([5.0, 0.0, 1.0])[v[:, 0]], np.zeros(300)], axis=1)
    assert sap(v, z) == pytest.approx(1 - 1 / 3)
    assert sap(v + 0.5, z) == pytest.approx(r_squared(v[:, 0], z[:, 0]))
    assert sap(v, z, discrete=False) == sap(v + 0.5, z)
    assert sap(np.array(["a", "b", "c"])[v], z) == sap(v, z)
    warped = np.stack([np.exp(z[:, 0]), z[:, 1]], axis=1)
    assert sap(v, warped) == sap(v, z)


@pytest.mark.parametrize("rows", [2, 300, 4096, 9001])
def test_r_squared_in_blocks_of_rows(rows):
    rng = np.random.default_rng(rows)
    v, z = rng.normal(size=(rows, 2)), rng.normal(size=(rows, 3)).astype(np.float32)
    z[:, 0] += v[:, 1] * 2
    v[:, 1] += 1e6
    got = _single_code.r_squared(read(v, z, 20, False))
    expected = [[r_squared(a, b) for b in z.T.astype(float)] for a in v.T]
    np.testing.assert_allclose(got, expected, atol=1e-9)


def test_r_squared_of_numbers_whose_squares_overflow_or_whose_first_rows_are_far_away():
    rng = np.random.default_rng(1)
    v = np.arange(10_000)[:, None] % 7 + 0.5
    z = v + rng.normal(size=v.shape)
    plain = SAP.score(v, z).matrix
    for scale in (1e-300, 1e300):
        matrix = SAP.score(v * scale, z / scale, discrete=False).matrix
        np.testing.assert_allclose(matrix, plain, rtol=1e-9)
    z[:4096] += 1e6  # a whole block, whose mean is what all are held to at first
    expected = r_squared(v[:, 0], z[:, 0])
    np.testing.assert_allclose(SAP.score(v, z).matrix, [[expected]], rtol=1e-6)


def test_more_threads_change_no_bit(threads):
    rng = np.random.default_rng(2)
    v = np.stack([rng.integers(0, 4, 20_000), rng.normal(size=20_000)], axis=1)
    z = rng.normal(size=(20_000, 5)) + v[:, :1]
    found = []
    for n in (1, 3):
        threads(n)
        found.append(SAP.score(v, z, discrete=[True, False]).matrix.tobytes())
    assert found[0] == found[1]


def test_a_mapped_file_is_not_read_into_memory(tmp_path, threads):
    threads(2)
    rows = 400_000
    for name, columns in (("v", 2), ("z", 6)):
        x = np.random.default_rng(3).normal(size=(rows, columns)).astype(np.float32)
        np.save(tmp_path / f"{name}.npy", x)
    v, z = (np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in "vz")
    sap(v[:1000], z[:1000])
    tracemalloc.start()
    try:
        assert sap(v, z, discrete=False) < 1e-3
        assert tracemalloc.get_traced_memory()[1] < z.nbytes / 3
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_closed_forms(convention):
    v = grid(2, 2, 2, repeat=100)
    rng = np.random.default_rng(4)
    perfect = 2.0 * v[:, [2, 0, 1]] - 3.0
    # Chance is 0 of a line, 1/2 of a classifier.
    best = 1.0 if convention == "published" else 0.5
    assert sap(v, perfect, convention=convention) == pytest.approx(best, abs=0.05)
    assert sap(v, np.hstack([perfect, perfect]), convention=convention) == pytest.approx(
        best if convention == "published" else 0.0,  # where factors vie for a code
        abs=1e-12,
    )
    turned = np.stack([v[:, 0] + v[:, 1], v[:, 0] - v[:, 1], v[:, 2]], axis=1) * 1.0
    score = SAP.score(v, turned, convention=convention)
    parts = score.per_code if convention == "published" else score.per_factor
    assert list(parts.values()) == pytest.approx([0.0, 0.0, best], abs=0.1)
    noise = sap(v, rng.normal(size=(len(v), 4)), convention=convention)
    assert 0.0 <= noise < 0.15


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_dead_codes_one_code_one_factor_and_a_constant_factor(convention):
    v, z = messy(150)
    plain = sap(v, z, convention=convention)
    for place in (0, 5):
        dead = np.insert(z, place, 0.3, axis=1)
        got = sap(v, dead, convention=convention)
        expected = plain * 5 / 6 if convention == "published" else plain
        assert got == pytest.approx(expected, abs=1e-12)
    constant = np.insert(v, 1, 7, axis=1)
    got = SAP.score(constant, z, convention=convention)
    if convention != "published":
        assert got.value == pytest.approx(plain, abs=1e-12)
        assert list(got.per_factor) == ["factor 0", "factor 2", "factor 3"]
        with pytest.raises(ValueError, match="at least one factor that varies"):
            sap(np.ones((50, 2)), z[:50], convention=convention)
    for factors, codes in ((v[:, :1], z), (v, z[:, :1]), (v, np.ones((150, 2)))):
        score = SAP.score(factors, codes, convention=convention)
        assert 0.0 <= score.value <= 1.0
        assert score.matrix.shape == (factors.shape[1], codes.shape[1])
    assert sap(v, np.ones((150, 2)), convention=convention) == 0.0


def test_a_single_code_is_held_against_one_that_tells_nothing():
    v = grid(4, 5)
    assert sap(v, v[:, :1] * 1.0) == pytest.approx((1 - 1 / 4) / 2)
    two = grid(2, repeat=100)
    for convention in ("disentanglement_lib", "ubisoft"):
        assert sap(two, two * 3.0, convention=convention) == pytest.approx(0.5, abs=0.1)
    assert sap(v + 0.5, v[:, :1] * 1.0, convention="ubisoft") == pytest.approx(0.5)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 4), st.integers(2, 40))
def test_order_changes_nothing_and_no_score_leaves_its_range(seed, factors, codes, rows):
    rng = np.random.default_rng(seed)
    v = rng.integers(0, 4, (rows, factors))
    v[:2, 0] = [0, 1]
    z = np.round(rng.normal(size=(rows, codes)), 1)
    turned = rng.permutation(codes)
    for convention in CONVENTIONS:
        score = sap(v, z, convention=convention)
        assert 0.0 <= score <= 1.0
        assert sap(v, z[:, turned], convention=convention) == pytest.approx(score, abs=1e-9)
    order = rng.permutation(rows)
    assert sap(v[order], z[order]) == pytest.approx(sap(v, z), abs=1e-9)


def test_disentanglement_lib_takes_linear_svms_of_all_factors():
    v, z = cells()
    score = SAP.score(v, z, convention="disentanglement_lib", seed=5)
    order = np.random.default_rng(5).permutation(600)
    fitted, asked = order[:400], order[400:]
    expected = np.empty((3, 3))
    for k, factor in enumerate(v.T):
        for d in range(3):
            model = LinearSVC(C=0.01, class_weight="balanced", tol=1e-9, max_iter=100_000)
            model.fit(z[fitted][:, [d]], factor[fitted])
            side = model.decision_function(z[asked][:, [d]])
            lead = np.abs(side) if side.ndim == 1 else np.diff(np.sort(side))[:, -1]
            assert lead.min() > 0.01  # no row is a tie
            expected[k, d] = np.mean(model.predict(z[asked][:, [d]]) == factor[asked])
    np.testing.assert_allclose(score.matrix, expected, atol=1e-12)
    assert score.value == pytest.approx(np.mean([gap(row) for row in score.matrix]))
    v, z = messy(300)
    numbers = v + 0.5 * np.random.default_rng(0).normal(size=v.shape)
    lines = sap(numbers, z, convention="disentanglement_lib", discrete=False)
    assert lines == pytest.approx(sap(numbers, z, discrete=False), abs=1e-12)


def test_one_level_against_the_rest_loses_levels_in_the_middle_of_a_code_and_sees_its_scale():
    v = grid(8, repeat=200)
    z = np.hstack([v, 0.003 * v]) * 1.0
    assert SAP.score(v, z).matrix.tolist() == [[1.0, 1.0]]
    assert SAP.score(v, z, convention="ubisoft").matrix.tolist() == [[1.0, 1.0]]
    large, small = SAP.score(v, z, convention="disentanglement_lib").matrix[0]
    assert large == pytest.approx(0.5, abs=0.15)
    assert small < 0.3


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_codes_as_large_and_small_as_they_come(convention):
    v, z = messy(60)
    for scale in (1e-300, 1e80, 1e300):
        assert 0.0 <= sap(v, z * scale, convention=convention) <= 1.0


def test_ubisoft_takes_trees_on_their_training_rows():
    v, z = messy(200, seed=3)
    score = SAP.score(v, z, convention="ubisoft")
    scaled = (z - z.min(axis=0)) / np.ptp(z, axis=0)
    for k, d in ((0, 0), (1, 3), (2, 4)):
        code, factor = scaled[:, [d]], v[:, k]

        def tree(depth):
            return DecisionTreeClassifier(max_depth=depth)

        cross = [cross_val_score(tree(n), code, factor, cv=10).mean() for n in range(1, 10)]
        model = tree(1 + int(np.argmax(cross))).fit(code, factor)
        assert score.matrix[k, d] == pytest.approx(np.mean(model.predict(code) == factor))
    # Noise scores well above chance on rows that were fitted.
    noise = np.random.default_rng(6).normal(size=(200, 2))
    assert SAP.score(v, noise, convention="ubisoft").matrix[0].max() > 0.3


def test_ubisoft_takes_lines_where_no_factor_is_categorical():
    rng = np.random.default_rng(7)
    v, z = rng.normal(size=(100, 2)), rng.normal(size=(100, 3))
    assert sap(v, z, convention="ubisoft") == sap(v, z)
    mixed = np.hstack([v, rng.integers(0, 2, (100, 1))])
    score = SAP.score(mixed, z, convention="ubisoft", discrete=[False, False, True])
    assert score.matrix.min() > 0.1  # accuracies of ten bins, on rows that were fitted


def test_factors_of_too_many_levels_are_cut_for_a_classifier():
    v = np.arange(1500)[:, None]
    with pytest.warns(MetricWarning, match="'factor 0' has over 1000 levels and is cut into bins"):
        score = SAP.score(v, np.hstack([v, -v]) * 1.0, convention="ubisoft", bins=5)
    assert score.matrix == pytest.approx(1.0, abs=0.01)


def test_published_swaps_the_roles():
    rng = np.random.default_rng(8)
    v, z = rng.normal(size=(100, 2)), rng.normal(size=(100, 3))
    expected = [gap([r_squared(code, factor) for factor in v.T]) for code in z.T]
    score = SAP.score(v, z, convention="published")
    assert score.value == pytest.approx(np.mean(expected))
    assert score.per_code == pytest.approx(dict(enumerate(expected)))


def test_only_the_codes_that_are_scored_count():
    v, z = messy(200)
    active = np.array([True, False, True, True, False])
    with pytest.warns(MetricWarning, match="codes 1, 4 are not active"):
        assert sap(v, z, active=active) == sap(v, z[:, active])

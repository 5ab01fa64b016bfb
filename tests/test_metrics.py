"""Each metric against its definition written plainly, closed forms, invariances, edge cases."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastdis as fd
from fastdis import metrics
from fastdis.metrics import MetricWarning, importance, separability

HISTOGRAM_METRICS = ["mig", "dcimig", "jemmig", "modularity"]
FAST_METRICS = [*HISTOGRAM_METRICS, "sap"]

# The small samples here rightly draw notes on bias; the tests on notes look for them by name.
pytestmark = pytest.mark.filterwarnings("ignore::fastdis.metrics.MetricWarning")


def grid(*sizes, repeat=1):
    """All combinations of levels, ``(N, K)`` integers."""
    rows = np.stack(np.meshgrid(*map(np.arange, sizes), indexing="ij"), axis=-1)
    return np.tile(rows.reshape(-1, len(sizes)), (repeat, 1))


def messy(rows=600, seed=0):
    """Factors of several kinds and codes that mix them."""
    rng = np.random.default_rng(seed)
    v = np.stack(
        [rng.integers(0, 4, rows), rng.integers(0, 7, rows) ** 2, rng.integers(0, 3, rows)]
    )
    z = np.tanh(rng.normal(size=(5, 3)) @ (v / [[4], [36], [3]])) + 0.1 * rng.normal(size=(5, rows))
    return v.T, z.T


# --- the definitions, plainly: loops, numpy.unique, no histogram of the package ---


def entropy(*columns):
    _, n = np.unique(np.stack(columns, axis=1), axis=0, return_counts=True)
    return -sum(m / sum(n) * np.log(m / sum(n)) for m in n.tolist())


def information(a, b):
    return entropy(a) + entropy(b) - entropy(a, b)


def cut(column, bins):
    edges = np.histogram_bin_edges(column, bins)
    return np.digitize(column, edges[1:-1])


def plain_mig(v, z):
    gaps = []
    for factor in v.T:
        first, second = sorted((information(factor, code) for code in z.T), reverse=True)[:2]
        gaps.append((first - second) / entropy(factor))
    return np.mean(gaps)


def plain_jemmig(v, z, bins, normalized=True):
    scores = []
    for factor in v.T:
        told = [information(factor, code) for code in z.T]
        first, second = sorted(told, reverse=True)[:2]
        raw = entropy(factor, z[:, int(np.argmax(told))]) - first + second
        scores.append(1 - raw / (np.log(bins) + entropy(factor)) if normalized else raw)
    return np.mean(scores)


def plain_dcimig(v, z):
    given_to = [0.0] * v.shape[1]
    for code in z.T:
        told = [information(factor, code) for factor in v.T]
        first, second = sorted(told, reverse=True)[:2]
        best = int(np.argmax(told))
        given_to[best] = max(given_to[best], first - second)
    return sum(given_to) / sum(entropy(factor) for factor in v.T)


def plain_modularity(v, z):
    scores = []
    for code in z.T:
        told = [information(factor, code) for factor in v.T]
        rest = sum(x**2 for x in told) - max(told) ** 2
        scores.append(1 - rest / (max(told) ** 2 * (v.shape[1] - 1)))
    return np.mean(scores)


@pytest.mark.parametrize("bins", [5, 20, 300])
def test_histogram_metrics_follow_their_definitions(bins):
    v, z = messy()
    binned = np.stack([cut(code, bins) for code in z.T], axis=1)
    assert metrics.mig(v, z, bins=bins) == pytest.approx(plain_mig(v, binned), abs=1e-12)
    assert metrics.dcimig(v, z, bins=bins) == pytest.approx(plain_dcimig(v, binned), abs=1e-12)
    expected = plain_modularity(v, binned)
    assert metrics.modularity(v, z, bins=bins) == pytest.approx(expected, abs=1e-12)
    for normalized in (True, False):
        got = metrics.jemmig(v, z, bins=bins, normalized=normalized)
        assert got == pytest.approx(plain_jemmig(v, binned, bins, normalized), abs=1e-12)


def test_a_continuous_factor_is_cut_like_a_code():
    rng = np.random.default_rng(1)
    v, z = rng.normal(size=(500, 3)), rng.normal(size=(500, 4))
    z[:, :3] += v
    cut_v, cut_z = (np.stack([cut(c, 9) for c in x.T], axis=1) for x in (v, z))
    assert metrics.mig(v, z, bins=9) == pytest.approx(plain_mig(cut_v, cut_z), abs=1e-12)


def test_sap_of_ordered_factors_is_the_gap_in_r_squared():
    rng = np.random.default_rng(2)
    v, z = rng.normal(size=(300, 2)), rng.normal(size=(300, 4)) + 1e6
    z[:, :2] += 2 * v
    gaps = []
    for factor in v.T:
        r2 = sorted(np.corrcoef(factor, code)[0, 1] ** 2 for code in z.T)
        gaps.append(r2[-1] - r2[-2])
    assert metrics.sap(v, z) == pytest.approx(np.mean(gaps), abs=1e-9)


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


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 3))
def test_thresholds_of_sap_are_the_best_there_are(seed, classes):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, 15)])
    code = rng.integers(0, 6, len(labels)) + labels * rng.integers(0, 3)
    got = separability.threshold_accuracy(labels, code)
    assert got == pytest.approx(plain_threshold_accuracy(labels, code), abs=1e-12)


def test_sap_decides_by_each_factors_kind():
    # Three levels that a code separates, but in another order: classes, not a line.
    v = np.repeat([0, 1, 2], 100)[:, None]
    z = np.stack([np.array([5.0, 0.0, 1.0])[v[:, 0]], np.zeros(300)], axis=1)
    assert metrics.sap(v, z) == pytest.approx(1 - 1 / 3)
    assert metrics.sap(v + 0.5, z) == pytest.approx(np.corrcoef(v[:, 0], z[:, 0])[0, 1] ** 2)
    assert metrics.sap(v, z, discrete=False) == metrics.sap(v + 0.5, z)
    assert metrics.sap(np.array(["a", "b", "c"])[v], z) == metrics.sap(v, z)


def test_dci_of_an_importance_matrix_by_hand():
    r = np.array([[0.5, 0.0], [0.5, 0.25], [0.0, 0.75]])
    middle = 1 + (2 / 3 * np.log2(2 / 3) + 1 / 3 * np.log2(1 / 3))
    d = 0.25 * 1 + 0.375 * middle + 0.375 * 1
    c = (
        1 + np.log(0.5) / np.log(3) + 1 + (0.25 * np.log(0.25) + 0.75 * np.log(0.75)) / np.log(3)
    ) / 2
    assert importance.scores_of(r) == pytest.approx((d, c))


# --- closed forms ---


def test_a_perfect_representation_in_any_order():
    v = grid(4, 5, 3)
    z = np.stack([2.0 * v[:, 2], -v[:, 0] + 7.0, v[:, 1] / 3], axis=1)
    scores = metrics.evaluate(v, z, FAST_METRICS)
    for name in HISTOGRAM_METRICS:
        assert scores[name] == pytest.approx(1.0, abs=1e-12), name
    assert scores["sap"] == pytest.approx(1 - np.mean([1 / 4, 1 / 5, 1 / 3]))
    assert metrics.jemmig(v, z, normalized=False) == pytest.approx(0.0, abs=1e-12)


def test_dci_of_a_perfect_representation_with_noise_and_a_dead_code():
    v = grid(4, 5, 3, repeat=10)
    noise = np.random.default_rng(3).normal(size=(len(v), 2))
    z = np.hstack([v[:, ::-1], noise, np.full((len(v), 1), 3.0)])
    scores = metrics.dci(v, z)
    assert scores.disentanglement == pytest.approx(1.0)
    assert scores.completeness == pytest.approx(1.0)
    assert scores.informativeness == pytest.approx(1.0)
    assert scores.importance.shape == (6, 3)
    np.testing.assert_allclose(scores.importance[:3], np.eye(3)[::-1], atol=1e-9)


def test_duplicated_codes_leave_no_gap():
    v = grid(4, 5)
    z = np.hstack([v, v]) * 1.5
    assert metrics.mig(v, z) == 0.0
    assert metrics.sap(v, z) == 0.0
    # Each code still tells about one factor alone.
    assert metrics.modularity(v, z) == 1.0
    assert metrics.dcimig(v, z) == pytest.approx(1.0)
    # raw = H(v) - H(v) + H(v).
    expected = np.mean([1 - np.log(n) / np.log(20 * n) for n in (4, 5)])
    assert metrics.jemmig(v, z) == pytest.approx(expected)


def test_independent_codes_tell_exactly_nothing():
    full = grid(4, 3, 5)
    v, z = full[:, :2], full[:, 2:] * 1.0
    assert not metrics.joint_histogram(v, z).active.any()
    for name in ("mig", "dcimig", "jemmig", "modularity"):
        assert getattr(metrics, name)(v, z) == 0.0, name


def test_one_code_and_one_factor():
    v = grid(4, 5)
    # The second largest mutual information of a single code is 0.
    h = np.log([4, 5])
    assert metrics.mig(v, v[:, :1]) == pytest.approx(0.5)
    assert metrics.dcimig(v, v[:, :1]) == pytest.approx(h[0] / h.sum())
    assert metrics.modularity(v, v[:, :1]) == 1.0
    assert metrics.sap(v, v[:, :1]) == pytest.approx((1 - 1 / 4) / 2)
    for name in HISTOGRAM_METRICS:
        assert getattr(metrics, name)(v[:, :1], v * 1.0) == pytest.approx(1.0), name
    for factors, codes in ((v[:, :1], v), (v, v[:, :1]), (v[:, :1], v[:, :1])):
        scores = metrics.evaluate(factors, codes * 1.0)
        assert all(0.0 <= score <= 1.0 for score in scores.values())


def test_a_finer_code_costs_jemmig_whichever_of_equal_codes_comes_first():
    v = grid(4, repeat=50)
    fine = v + np.linspace(0, 0.9, len(v))[:, None]
    coarse = np.hstack([v * 1.0, fine])
    assert metrics.jemmig(v, coarse, normalized=False) == pytest.approx(np.log(4))
    assert metrics.jemmig(v, coarse[:, ::-1]) == pytest.approx(metrics.jemmig(v, coarse))


# --- invariances ---


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 4), st.integers(2, 60))
def test_order_changes_nothing_and_scores_stay_in_range(seed, factors, codes, rows):
    rng = np.random.default_rng(seed)
    v = rng.integers(0, 4, (rows, factors))
    v[:2, 0] = [0, 1]  # at least one factor varies
    z = np.round(rng.normal(size=(rows, codes)), 1)
    rows_order, codes_order = rng.permutation(rows), rng.permutation(codes)
    scores = metrics.evaluate(v, z, FAST_METRICS, bins=6)
    shuffled = metrics.evaluate(v[rows_order], z[rows_order][:, codes_order], FAST_METRICS, bins=6)
    for name, value in scores.items():
        assert 0.0 <= value <= 1.0, name
        assert shuffled[name] == pytest.approx(value, abs=1e-9), name


def test_neither_the_order_of_codes_nor_a_dead_one_changes_dci():
    v, z = messy(200)
    plain = metrics.dci(v, z)
    for codes in (
        z[:, [3, 1, 4, 0, 2]],
        np.insert(z, 0, 1.0, axis=1),
        np.insert(z, 5, 1.0, axis=1),
    ):
        scores = metrics.dci(v, codes)
        assert scores.disentanglement == pytest.approx(plain.disentanglement, abs=1e-12)
        assert scores.completeness == pytest.approx(plain.completeness, abs=1e-12)
        assert scores.informativeness == plain.informativeness
    assert metrics.dci(v, z + 1e7, seed=0).disentanglement == pytest.approx(
        plain.disentanglement, abs=0.05
    )


@pytest.mark.parametrize("name", FAST_METRICS)
def test_a_dead_code_changes_nothing(name):
    v, z = messy()
    z = z.astype(np.float64)
    for place in (0, 5):
        with_dead = np.insert(z, place, 0.3, axis=1)
        assert getattr(metrics, name)(v, with_dead) == getattr(metrics, name)(v, z)


def test_threads_and_the_backend_change_no_bit(monkeypatch):
    rng = np.random.default_rng(4)
    v = rng.integers(0, 5, (200_000, 2))
    z = rng.normal(size=(200_000, 3)).astype(np.float32)
    before = fd.get_num_threads()
    tables = []
    try:
        for threads in (1, 2, 5):
            fd.set_num_threads(threads)
            tables.append(metrics.joint_histogram(v, z).table)
    finally:
        fd.set_num_threads(before)
    monkeypatch.setenv("FASTDIS_BACKEND", "numpy")
    tables.append(metrics.joint_histogram(v, z).table)
    assert all(np.array_equal(table, tables[0]) for table in tables)


# --- the histogram ---


def test_counts_are_those_of_numpy():
    rng = np.random.default_rng(5)
    v, z = rng.normal(size=(1000, 2)), rng.normal(size=(1000, 3))
    histogram = metrics.joint_histogram(v, z, bins=7)
    assert histogram.counts.shape == (3, 2, 7, 7)
    for d in range(3):
        for k in range(2):
            expected, *_ = np.histogram2d(z[:, d], v[:, k], bins=7)
            np.testing.assert_array_equal(histogram.counts[d, k], expected)


def test_levels_are_kept_and_their_entropies_are_plain():
    v, z = messy()
    histogram = metrics.joint_histogram(v, z, bins=11)
    assert histogram.n == 600
    assert histogram.levels == (4, 7, 3)
    assert histogram.factor_levels[1].tolist() == [0, 1, 4, 9, 16, 25, 36]
    for k, factor in enumerate(v.T):
        assert histogram.factor_entropy[k] == pytest.approx(entropy(factor))
        for d, code in enumerate(z.T):
            b = cut(code, 11)
            assert histogram.code_entropy[d] == pytest.approx(entropy(b))
            assert histogram.joint_entropy[k, d] == pytest.approx(entropy(factor, b))
            assert histogram.mutual_information[k, d] == pytest.approx(information(factor, b))


def test_sums_of_shards_are_one_pass_to_the_bit():
    rng = np.random.default_rng(6)
    v = np.stack([np.repeat([0.1, 5.0, 7.5, 100.0], 50), rng.normal(size=200)], axis=1)
    z = rng.normal(size=(200, 3))
    whole = metrics.joint_histogram(v, z, bins=8)
    # Sorted by level, so that no shard has seen them all.
    parts = [
        metrics.joint_histogram(v[rows], z[rows], like=whole)
        for rows in (slice(0, 30), slice(30, 110), slice(110, 200))
    ]
    assert parts[0].levels == (1, 8)
    total = sum(parts)
    np.testing.assert_array_equal(total.table, whole.table)
    np.testing.assert_array_equal(total.factor_levels[0], whole.factor_levels[0])
    np.testing.assert_array_equal(total.mutual_information, whole.mutual_information)


def test_text_levels_add_up_too():
    v, z = np.array([["b"], ["a"], ["c"], ["a"]]), np.array([[0.0], [1.0], [2.0], [3.0]])
    whole = metrics.joint_histogram(v, z, bins=2)
    parts = [metrics.joint_histogram(v[r], z[r], like=whole) for r in (slice(0, 2), slice(2, 4))]
    assert parts[1].factor_levels[0].tolist() == ["a", "c"]
    np.testing.assert_array_equal((parts[0] + parts[1]).table, whole.table)


def test_histograms_on_other_bins_do_not_add():
    v, z = messy()
    one, other = metrics.joint_histogram(v, z), metrics.joint_histogram(v, 2 * z)
    with pytest.raises(ValueError, match="like="):
        one + other
    with pytest.raises(ValueError, match="agree"):
        one + metrics.joint_histogram(v, z, bins=5)
    with pytest.raises(ValueError, match="like takes"):
        metrics.joint_histogram(v, z[:, :2], like=one)
    with pytest.raises(TypeError):
        one + 1
    with pytest.warns(MetricWarning, match="end bins"):
        assert metrics.joint_histogram(v, 2 * z, like=one).n == len(z)


# --- what may be passed ---


def test_the_kinds_of_a_table_decide():
    space = fd.FactorSpace(
        [
            fd.Factor("shape", [0, 1, 2], "categorical"),
            fd.Factor("pitch", np.linspace(100, 900, 50)),
            fd.Factor("gain", [0.0, 1.0], "continuous"),
        ]
    )
    table = space.sample(500, seed=0)
    histogram = metrics.joint_histogram(table, table.values, bins=50)
    assert histogram.names == ("shape", "pitch", "gain")
    assert histogram.discrete == (True, True, False)
    assert histogram.levels == (3, 50, 50)
    # No code of 10 bins could tell 50 levels, so an ordered factor is cut into as many.
    assert metrics.joint_histogram(table, table.values, bins=10).levels == (3, 10, 10)
    given_flags = metrics.joint_histogram(
        table, table.values, bins=10, discrete=[True, False, False]
    )
    assert given_flags.levels == (3, 10, 10)
    # A plain array: 50 distinct values are more than 10 bins.
    assert metrics.joint_histogram(table.values, table.values, bins=10).levels == (3, 10, 10)


def test_array_types_that_hold_the_same_numbers_score_the_same():
    torch = pytest.importorskip("torch")
    v, z = messy()
    z = z.astype(np.float32)
    expected = metrics.mig(v, z)
    frozen = z.copy()
    frozen.flags.writeable = False
    unaligned = np.frombuffer(b"x" + z.tobytes(), np.float32, offset=1).reshape(z.shape)
    for codes in (z.astype(np.float64), np.asfortranarray(z), frozen, unaligned, z.astype(">f4"),
                  z.tolist(), torch.tensor(z, requires_grad=True)):  # fmt: skip
        assert metrics.mig(v, codes) == expected
    for factors in (
        v.astype(float),
        v.astype(np.uint8),
        torch.tensor(v),
        v.astype(str),
        v.tolist(),
    ):
        assert metrics.mig(factors, z) == pytest.approx(expected, abs=1e-12)
    half = torch.tensor(z).to(torch.bfloat16)
    assert metrics.mig(v, half) == metrics.mig(v, half.float())


def test_levels_beyond_a_byte_and_far_apart():
    v = np.repeat(np.arange(400), 3)[:, None] * 1_000_003 - 5
    histogram = metrics.joint_histogram(v, v * 1.0, bins=300)
    assert histogram.levels == (400,)
    assert histogram.factor_entropy[0] == pytest.approx(np.log(400))
    assert metrics.mig(v, v * 1.0, bins=5_000) == pytest.approx(1.0)


def test_levels_with_no_number_between_them_are_told_apart():
    for low in (1.0, -1.0, 0.0, 5e-324, 1e300):
        v = np.array([low, np.nextafter(low, np.inf)] * 8)[:, None]
        histogram = metrics.joint_histogram(v, v, discrete=True)
        assert histogram.counts.sum(axis=2).tolist() == [[[8, 8]]]


def test_extreme_numbers_stay_finite():
    v = grid(4, 5)
    for scale in (1e-300, 1e300):
        scores = metrics.evaluate(v + 0.5, v * scale, FAST_METRICS)
        assert all(np.isfinite(list(scores.values())))
        assert scores["mig"] == pytest.approx(1.0)
    # No room for 20 different edges: dead, as a constant is.
    narrow = 1.0 + v[:, :1] * np.finfo(float).eps
    assert not metrics.joint_histogram(v, narrow).active.any()
    with pytest.warns(MetricWarning, match="constant and left out: 'factor 0'"):
        assert metrics.mig(np.hstack([narrow, v]), v, discrete=False) == pytest.approx(1.0)


def test_constant_factors_are_left_out_with_a_warning():
    v, z = messy()
    with_constant = np.insert(v, 1, 7, axis=1)
    for name in FAST_METRICS:
        with pytest.warns(MetricWarning, match="constant and left out: 'factor 1'"):
            assert getattr(metrics, name)(with_constant, z) == getattr(metrics, name)(v, z)
    with pytest.warns(MetricWarning, match="constant"):
        scores = metrics.dci(with_constant, z)
    assert scores.completeness == metrics.dci(v, z).completeness
    for name in [*FAST_METRICS, "dci"]:
        with pytest.raises(ValueError, match="at least one factor that varies"):
            getattr(metrics, name)(np.ones((50, 2)), z[:50])


def test_codes_that_are_all_dead():
    v = grid(4, 5)
    z = np.ones((len(v), 3))
    scores = metrics.evaluate(v, z)
    assert dict(scores) == dict.fromkeys(scores, 0.0)
    assert not scores.active.any()
    assert any("no code" in text for text in scores.warnings)
    with pytest.warns(MetricWarning, match="codes 0, 1, 2 tell nothing"):
        metrics.modularity(v, z)


def test_dead_codes_do_not_count_in_modularity():
    v = grid(4, 5, repeat=50)
    scores = metrics.evaluate(v, np.insert(v * 1.0, 1, 2.0, axis=1), ["modularity"])
    assert scores["modularity"] == 1.0
    assert scores.active.tolist() == [True, False, True]
    assert scores.warnings == ("codes 1 tell nothing about any factor and are left out",)


def test_what_bins_distort_is_said():
    v, z = messy(60)
    with pytest.warns(MetricWarning, match="60 rows are few for 20 bins"):
        metrics.mig(v, z)
    with pytest.warns(MetricWarning, match="cannot tell all levels of 'factor 0' apart"):
        metrics.mig(np.arange(100)[:, None], np.arange(100.0)[:, None])


BAD = [
    ({"codes": np.ones((9, 2))}, ValueError, "10 factors and 9 codes"),
    ({"codes": np.array([[np.nan, 0]] * 10)}, ValueError, r"codes takes finite.*\(0, 0\)"),
    ({"codes": np.array([[0, -np.inf]] * 10)}, ValueError, "codes takes finite values, got -inf"),
    ({"factors": np.array([[np.nan]] * 10)}, ValueError, "factors takes finite"),
    ({"factors": np.array([[None]] * 10)}, TypeError, "factors.*object"),
    ({"codes": np.array([["a"]] * 10)}, TypeError, "codes takes real numbers"),
    ({"codes": np.ones((10, 2), complex)}, TypeError, "codes takes real numbers"),
    ({"codes": np.array([[-1.5e308], [1.5e308]] * 5)}, ValueError, "range fits a float64"),
    ({"codes": np.ones(10)}, ValueError, r"codes takes rows and columns.*\(10,\)"),
    ({"factors": np.arange(10)}, ValueError, r"factors takes rows and columns.*\(10,\)"),
    ({"codes": np.ones((10, 0))}, ValueError, "codes takes rows and columns"),
    ({"codes": [[1], [1, 2]]}, ValueError, "codes takes a regular array"),
    ({"factors": np.ones((0, 2)), "codes": np.ones((0, 2))}, ValueError, "factors takes rows"),
    ({"factors": [[1]], "codes": [[1.0]]}, ValueError, "at least 2 rows, got 1"),
    ({"factors": np.array([[2**60 + i] for i in range(10)])}, ValueError, r"up to 2\*\*53"),
    ({"bins": 1}, ValueError, "bins"),
    ({"bins": 2.5}, TypeError, "bins"),
    ({"bins": 10**6}, ValueError, "bins"),
    ({"discrete": "yes"}, TypeError, "discrete"),
    ({"discrete": [True]}, ValueError, "discrete takes 2 bools, one a factor, got 1"),
    ({"factors": np.array([["a"], ["b"]] * 5), "discrete": False}, ValueError, "discrete.*text"),
    ({"convention": "standrad"}, ValueError, "did you mean 'standard'"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "error", "message"), BAD, ids=range(len(BAD)))
def test_a_mistake_is_named(change, error, message):
    arguments = {"factors": grid(5, 2), "codes": grid(5, 2) * 0.5} | change
    with pytest.raises(error, match=message):
        metrics.mig(**arguments)


def test_absurd_sizes_are_refused_before_memory_runs_out():
    v = np.arange(200_000, dtype=float)[:, None]
    with pytest.raises(ValueError, match="at most 65536 levels"):
        metrics.mig(v, v, discrete=True)
    v = v[:60_000]
    with pytest.raises(ValueError, match="512 MiB"):
        metrics.mig(v, v, bins=60_000, discrete=True)


def test_dci_says_what_it_needs():
    v = grid(3, 2)
    with pytest.raises(ValueError, match="at least 8 rows, got 6"):
        metrics.dci(v, v * 1.0)
    scores = metrics.dci(grid(4, 2), grid(4, 2) * 1.0)
    assert 0 <= scores.disentanglement <= 1


# --- evaluate ---


def test_evaluate_gathers_the_same_scores():
    v, z = messy()
    scores = metrics.evaluate(v, z, seed=3)
    for name in FAST_METRICS:
        assert scores[name] == getattr(metrics, name)(v, z)
    forest = metrics.dci(v, z, seed=3)
    for part in ("disentanglement", "completeness", "informativeness"):
        assert scores[f"dci_{part}"] == getattr(forest, part)
    histogram = metrics.joint_histogram(v, z)
    np.testing.assert_array_equal(scores.mutual_information, histogram.mutual_information)
    assert (scores.n, scores.bins, scores.convention) == (600, 20, "standard")
    stored = json.loads(json.dumps(scores.to_dict()))
    assert stored["scores"] == dict(scores)
    assert stored["active"] == [True] * 5


def test_evaluate_prints_a_table_and_chooses():
    v, z = messy()
    scores = metrics.evaluate(v, z, ["sap", "mig"])
    assert list(scores) == ["sap", "mig"]
    assert f"mig  {scores['mig']:6.3f}" in str(scores)
    with pytest.raises(ValueError, match="did you mean 'jemmig'"):
        metrics.evaluate(v, z, ["jemig"])
    with pytest.raises(TypeError, match=r"write \['mig'\]"):
        metrics.evaluate(v, z, "mig")

"""Bins by width, quantile, stated range and edges; which codes count; estimates of information."""

from __future__ import annotations

import numpy as np
import pytest

from fastdis import metrics
from fastdis.metrics import Bins, MetricWarning
from fastdis.metrics._evidence import gather
from tests.metrics.metric_data import cut, entropy, information, messy

pytestmark = pytest.mark.filterwarnings("ignore::fastdis.metrics.MetricWarning")


def test_quantile_bins_hold_equally_many_rows():
    z = np.random.default_rng(0).standard_cauchy((1003, 2))
    v = np.arange(1003)[:, None] % 3
    counts = metrics.joint_histogram(v, z, bins=Bins.quantile(10)).counts[:, 0].sum(axis=2)
    assert counts.min() >= 100
    assert counts.max() <= 101


def test_quantile_edges_are_values_of_the_rows():
    """By hand: of 0..9 in 4 bins the edges are the values at ranks 3, 5 and 8."""
    z = np.arange(10.0)[::-1, None]
    histogram = metrics.joint_histogram(np.zeros((10, 1), int), z, bins=Bins.quantile(4))
    assert histogram.code_edges.tolist() == [[0, 3, 5, 8, 9]]
    assert histogram.counts[0, 0, :, 0].tolist() == [3, 2, 3, 2]


def test_ties_leave_fewer_quantile_bins():
    z = np.repeat([0.0, 1.0, 5.0], [90, 5, 5])[:, None]
    v = (z > 0.5).astype(int)
    histogram = metrics.joint_histogram(v, z, bins=Bins.quantile(20))
    assert histogram.counts[0, 0].sum(axis=1)[histogram.counts[0, 0].sum(axis=1) > 0].tolist() == [
        90, 5, 5,
    ]  # fmt: skip
    assert metrics.mig(v, z, bins=Bins.quantile(20)) == pytest.approx(1.0)


@pytest.mark.parametrize("warp", [np.exp, np.arctan, lambda z: z**3, lambda z: 1e6 + 7 * z])
def test_rising_warps_change_no_bit_under_quantile_bins(warp):
    v, z = messy()
    before = metrics.joint_histogram(v, z, bins=Bins.quantile(9))
    after = metrics.joint_histogram(v, warp(z), bins=Bins.quantile(9))
    np.testing.assert_array_equal(after.table, before.table)


def test_an_outlier_ruins_equal_widths_and_not_quantiles():
    rng = np.random.default_rng(1)
    v = rng.integers(0, 8, (3000, 2))
    z = v + 0.1 * rng.normal(size=v.shape)
    z[0] = 1000.0
    assert metrics.mig(v, z) < 0.01
    assert metrics.mig(v, z, bins=Bins.quantile(20)) > 0.8


def test_a_stated_range_is_that_of_numpy_and_needs_no_first_pass():
    v, z = messy()
    for low, high in ((-2, 2), ([-2, -1, -3, -1, -2], [2, 1, 3, 1, 2])):
        stated = metrics.joint_histogram(v, z, bins=Bins.equal_width(7, low, high))
        for d in range(5):
            ends = (np.broadcast_to(low, 5)[d], np.broadcast_to(high, 5)[d])
            expected, _ = np.histogram(np.clip(z[:, d], *ends), 7, ends)
            assert stated.counts[d, 0].sum(axis=1).tolist() == expected.tolist()


def test_given_edges_are_kept_and_what_lies_beyond_goes_to_the_ends():
    z = np.array([-9.0, 0.0, 0.5, 1.0, 2.9, 3.0, 99.0])[:, None]
    with pytest.warns(MetricWarning, match="codes: columns 0 reach beyond the stated edges"):
        histogram = metrics.joint_histogram(np.ones((7, 1), int), z, bins=Bins.given([0, 1, 3, 7]))
    assert histogram.counts[0, 0, :, 0].tolist() == [3, 2, 2]


def test_continuous_factors_are_cut_at_their_own_stated_edges():
    v = np.linspace(0.0, 1.0, 50)[:, None]
    bins = Bins.given([0, 0.25, 0.5, 1], factor_edges=[0, 0.1, 0.9, 1])
    histogram = metrics.joint_histogram(v, v, bins=bins, discrete=False)
    assert histogram.counts[0, 0].sum(axis=0).tolist() == [5, 40, 5]
    low = Bins.equal_width(4, 0, 1, factor_low=0, factor_high=2)
    counts = metrics.joint_histogram(v, v, bins=low, discrete=False).counts[0, 0]
    assert counts.sum(axis=0).tolist() == [25, 24, 1, 0]


BAD_BINS = [
    (lambda: Bins.equal_width(1), ValueError, "count takes an integer >= 2"),
    (lambda: Bins.equal_width(5, low=0), ValueError, "low and high are stated together"),
    (lambda: Bins.equal_width(5, 1, 1), ValueError, "low takes values below high"),
    (lambda: Bins.equal_width(5, 0, np.nan), ValueError, "high takes finite values"),
    (lambda: Bins.given([0, 1, 1]), ValueError, "edges takes rising numbers"),
    (lambda: Bins.given([0, 1, np.inf]), ValueError, "edges takes finite values"),
    (lambda: Bins.given([0, 1]), ValueError, "edges less one takes an integer >= 2"),
    (lambda: Bins.given([0, 1, 2], [0, 1]), ValueError, "factor_edges takes 3 edges"),
    (lambda: Bins.quantile("x"), TypeError, "count takes an integer"),
    (lambda: Bins(5, "foo"), ValueError, "kind takes one of"),
    (lambda: Bins(5, "given"), ValueError, "code_edges takes the edges"),
    (lambda: metrics.mig(*messy(), bins=Bins.given([[0, 1, 2]] * 4)), ValueError, "5 codes, got 4"),
    (lambda: metrics.mig(*messy(), bins=Bins.quantile(10), convention="ubisoft"), ValueError,
     "bins takes a number for the ubisoft convention"),
    (lambda: metrics.mig(*messy(), bins="many"), TypeError, "bins takes an integer"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), BAD_BINS, ids=range(len(BAD_BINS)))
def test_a_mistake_in_the_bins_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_active_codes_alone_are_scored():
    v, z = messy()
    noise = np.random.default_rng(3).normal(size=(600, 7))
    both = np.hstack([noise, z])
    mask = np.arange(12) >= 7
    for name in ("mig", "modularity", "sap"):
        metric = getattr(metrics, name)
        assert metric(v, both, active=mask) == metric(v, z)
    scores = metrics.evaluate(v, both, ["modularity"], active=mask)
    assert set(scores.details["modularity"].per_code) <= set(range(7, 12))
    assert scores.mutual_information.shape == (3, 5)


def test_noise_codes_are_told_from_informative_ones():
    """Seven noise codes drag Modularity down, unless only the informative ones count."""
    rng = np.random.default_rng(4)
    v = rng.integers(0, 5, (4000, 3))
    z = np.hstack([v + 0.05 * rng.normal(size=v.shape), rng.normal(size=(4000, 7))])
    assert metrics.modularity(v, z) < 0.8
    with pytest.warns(MetricWarning, match="codes 3, 4, 5, 6, 7, 8, 9 are not active"):
        assert metrics.modularity(v, z, active="informative") > 0.99
    with pytest.warns(MetricWarning, match="no code is informative; all are scored"):
        metrics.mig(v, z[:, 3:], active="informative")


@pytest.mark.parametrize("active", ["yes", [True], [1, 0, 1, 0, 1], 5, [False] * 5])
def test_active_takes_bools(active):
    with pytest.raises((TypeError, ValueError), match="active takes"):
        metrics.mig(*messy(), active=active)


def plain_miller_madow(a, b):
    def corrected(*columns):
        cells = len(np.unique(np.stack(columns, axis=1), axis=0))
        return entropy(*columns) + (cells - 1) / (2 * len(a))

    return corrected(a) + corrected(b) - corrected(a, b), min(corrected(a), corrected(b))


def test_miller_madow_is_its_formula():
    v, z = messy()
    gaps = []
    for factor in v.T:
        estimates = [plain_miller_madow(factor, cut(code, 20)) for code in z.T]
        first, second = sorted((min(max(i, 0), most) for i, most in estimates), reverse=True)[:2]
        levels = len(np.unique(factor))
        gaps.append((first - second) / (entropy(factor) + (levels - 1) / (2 * len(factor))))
    assert metrics.mig(v, z, estimator="miller_madow") == pytest.approx(np.mean(gaps), abs=1e-12)


def test_the_correction_takes_the_bias_of_noise_away():
    rng = np.random.default_rng(5)
    v, z = rng.integers(0, 10, (500, 2)), rng.normal(size=(500, 3))
    raw = metrics.evaluate(v, z, ["mig"]).mutual_information.mean()
    assert raw > 0.1
    corrected = gather(v, z, estimator="miller_madow").estimates.mutual.mean()
    assert corrected < 0.4 * raw


def test_nearest_neighbours_know_the_information_of_gaussians():
    """I = -log(1 - r^2) / 2 of a pair with correlation r, whatever monotone map warps the code."""
    rng = np.random.default_rng(6)
    v = rng.normal(size=(4000, 1))
    z = 0.8 * v + 0.6 * rng.normal(size=v.shape)
    evidence = gather(v, np.hstack([z, np.sinh(z)]), discrete=False, estimator="kraskov")
    assert evidence.estimates.mutual[0] == pytest.approx([-np.log(1 - 0.64) / 2] * 2, abs=0.06)


def test_heavy_tails_hide_what_nearest_neighbours_see():
    rng = np.random.default_rng(7)
    v = rng.integers(0, 8, (3000, 2))
    z = np.sinh(3 * (v + 0.2 * rng.normal(size=v.shape)))
    assert metrics.mig(v, z) < 0.3
    assert metrics.mig(v, z, estimator="kraskov") > 0.8


def test_a_dead_code_knows_nothing_by_any_estimator():
    v, z = messy()
    dead = np.hstack([np.zeros((600, 1)), z])
    for estimator in ("plugin", "miller_madow", "kraskov"):
        scores = metrics.evaluate(v, dead, ["mig", "jemmig", "modularity"], estimator=estimator)
        assert all(np.isfinite(list(scores.values())))
        alive = metrics.mig(v, z, estimator=estimator)
        assert scores["mig"] == pytest.approx(alive, abs=0.02)


def test_information_is_that_of_the_plain_definition_under_every_bin():
    v, z = messy()
    for bins in (Bins.quantile(8), Bins.equal_width(8, -3, 3)):
        histogram = metrics.joint_histogram(v, z, bins=bins)
        for d, code in enumerate(z.T):
            binned = np.searchsorted(histogram.code_edges[d, 1:-1], code, side="right")
            for k, factor in enumerate(v.T):
                expected = information(factor, binned)
                assert histogram.mutual_information[k, d] == pytest.approx(expected, abs=1e-12)


def test_neighbours_do_not_ask_for_the_order_of_the_codes():
    rng = np.random.default_rng(8)
    v = rng.integers(0, 4, (800, 2))
    z = np.stack([v[:, 0] + (rng.random(800) < 0.3), v[:, 1], rng.integers(0, 3, 800)], axis=1)
    found = {metrics.mig(v, z[:, p], estimator="kraskov") for p in ([0, 1, 2], [2, 1, 0])}
    assert len(found) == 1


def test_neighbours_of_levels_that_occur_once():
    v, z = messy(200)
    v = np.insert(v, 1, np.arange(200), axis=1)
    scores = metrics.evaluate(v, z, ["mig"], estimator="kraskov")
    assert any("no level of 'factor 1' occurs twice" in text for text in scores.warnings)
    assert scores.details["mig"].per_factor["factor 1"] == 0.0
    with pytest.raises(ValueError, match="estimator takes over 3 rows for 'kraskov', got 3"):
        metrics.mig(v[:3], z[:3], estimator="kraskov", discrete=False)

"""Each metric against its definition written plainly, closed forms, and invariances."""

from __future__ import annotations

import numpy as np
import pytest

from fastdis import metrics
from tests.metrics.metric_data import (
    FAST_METRICS,
    HISTOGRAM_METRICS,
    cut,
    entropy,
    grid,
    information,
    messy,
    out_of_range,
)

# The small samples here rightly draw notes on bias; the tests on notes look for them by name.
pytestmark = pytest.mark.filterwarnings("ignore::fastdis.metrics.MetricWarning")


def plain_mig(v, z):
    gaps = []
    for factor in v.T:
        first, second = sorted((information(factor, code) for code in z.T), reverse=True)[:2]
        gaps.append((first - second) / entropy(factor))
    return np.mean(gaps)


def plain_jemmig(v, z, bins, normalized=True):
    scores = []
    for factor in v.T:
        mutual = [information(factor, code) for code in z.T]
        first, second = sorted(mutual, reverse=True)[:2]
        raw = entropy(factor, z[:, int(np.argmax(mutual))]) - first + second
        scores.append(1 - raw / (np.log(bins) + entropy(factor)) if normalized else raw)
    return np.mean(scores)


def plain_dcimig(v, z):
    given_to = [0.0] * v.shape[1]
    for code in z.T:
        mutual = [information(factor, code) for factor in v.T]
        first, second = sorted(mutual, reverse=True)[:2]
        best = int(np.argmax(mutual))
        given_to[best] = max(given_to[best], first - second)
    return sum(given_to) / sum(entropy(factor) for factor in v.T)


def plain_modularity(v, z):
    scores = []
    for code in z.T:
        mutual = [information(factor, code) for factor in v.T]
        rest = sum(x**2 for x in mutual) - max(mutual) ** 2
        scores.append(1 - rest / (max(mutual) ** 2 * (v.shape[1] - 1)))
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


def test_a_perfect_representation_in_any_order():
    v = grid(4, 5, 3)
    z = np.stack([2.0 * v[:, 2], -v[:, 0] + 7.0, v[:, 1] / 3], axis=1)
    scores = metrics.evaluate(v, z, FAST_METRICS)
    for name in HISTOGRAM_METRICS:
        assert scores[name] == pytest.approx(1.0, abs=1e-12), name
    assert scores["sap"] == pytest.approx(1 - np.mean([1 / 4, 1 / 5, 1 / 3]))
    assert metrics.jemmig(v, z, normalized=False) == pytest.approx(0.0, abs=1e-12)


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
        assert not out_of_range(scores)


def test_a_finer_code_costs_jemmig_whichever_of_equal_codes_comes_first():
    v = grid(4, repeat=50)
    fine = v + np.linspace(0, 0.9, len(v))[:, None]
    coarse = np.hstack([v * 1.0, fine])
    assert metrics.jemmig(v, coarse, normalized=False) == pytest.approx(np.log(4))
    assert metrics.jemmig(v, coarse[:, ::-1]) == pytest.approx(metrics.jemmig(v, coarse))


@pytest.mark.parametrize("name", FAST_METRICS)
def test_a_dead_code_changes_nothing(name):
    v, z = messy()
    z = z.astype(np.float64)
    for place in (0, 5):
        with_dead = np.insert(z, place, 0.3, axis=1)
        assert getattr(metrics, name)(v, with_dead) == getattr(metrics, name)(v, z)

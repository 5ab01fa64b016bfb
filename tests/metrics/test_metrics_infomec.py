"""InfoM, InfoC and EDI against their definitions written plainly, and closed forms."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fastdis.metrics import METRICS, MetricWarning
from fastdis.metrics.from_histograms.edi import edi
from fastdis.metrics.from_histograms.infomec import infoc, infom
from tests.metrics.metric_data import cut, entropy, grid, information, messy

EDI_METRIC = METRICS["edi"]
INFOC = METRICS["infoc"]
INFOM = METRICS["infom"]

pytestmark = pytest.mark.filterwarnings("ignore::fastdis.metrics.MetricWarning")


def plain_infomec(v, z, spans):
    used = [d for d, span in enumerate(spans) if span > max(spans) / 20]
    nmi = np.array([[information(f, z[:, d]) / entropy(f) for d in used] for f in v.T])
    factors, codes = nmi.shape
    of_codes = np.mean([max(column) / sum(column) for column in nmi.T])
    of_factors = np.mean([max(row) / sum(row) for row in nmi])
    return (
        (of_codes - 1 / factors) / (1 - 1 / factors),
        (of_factors - 1 / codes) / (1 - 1 / codes),
    )


def exclusivity(values):
    ordered = sorted(values)
    if len(ordered) == 1:
        return ordered[0]
    return ordered[-1] - np.sqrt(np.mean(np.square(ordered[:-1])))


def plain_edi(v, z):
    mutual = np.array([[information(f, code) for code in z.T] for f in v.T])
    shares = mutual / mutual.max(axis=1, keepdims=True)
    given_to = [0.0] * len(shares)
    for column in shares.T:
        given_to[int(np.argmax(column))] += exclusivity(column)
    return (
        np.mean([min(given, 1.0) for given in given_to]),
        np.mean([exclusivity(row) for row in shares]),
        np.mean([max(row) / entropy(f) for row, f in zip(mutual, v.T, strict=True)]),
    )


def three(v, z, **options):
    scores = edi(v, z, **options)
    return scores.modularity, scores.compactness, scores.explicitness


@pytest.mark.parametrize("bins", [5, 40])
def test_scores_follow_their_definitions(bins):
    v, z = messy()
    z[:, 2] *= 1 / 50  # not in use, by its range
    b = np.stack([cut(code, bins) for code in z.T], axis=1)
    expected = plain_infomec(v, b, np.ptp(z, axis=0))
    assert infom(v, z, bins=bins) == pytest.approx(expected[0], abs=1e-12)
    assert infoc(v, z, bins=bins) == pytest.approx(expected[1], abs=1e-12)
    assert three(v, z, bins=bins) == pytest.approx(plain_edi(v, b), abs=1e-12)
    with pytest.warns(MetricWarning, match="codes 2 have at most a twentieth"):
        assert sorted(INFOM.score(v, z).per_code) == [0, 1, 3, 4]


def test_a_perfect_representation_in_any_order():
    v = grid(4, 5, 3)
    for order in itertools.permutations(range(3)):
        z = 2.0 * v[:, order] - 1
        assert infom(v, z) == infoc(v, z) == pytest.approx(1.0)
        assert three(v, z) == pytest.approx((1, 1, 1))


def test_duplicates_and_codes_of_two_factors():
    v = grid(4, 4)
    twice = np.hstack([v, v]) * 1.5
    assert infom(v, twice) == pytest.approx(1.0)
    assert infoc(v, twice) == pytest.approx((1 / 2 - 1 / 4) / (1 - 1 / 4))
    assert three(v, twice) == pytest.approx((1, 1 - np.sqrt(1 / 3), 1))
    both = v[:, :1] + 4.0 * v[:, 1:]
    assert infom(v, both) == pytest.approx(0.0)
    assert infoc(v, both) == pytest.approx(1.0)  # one code
    assert three(v, both) == pytest.approx((0, 1, 1))


def test_half_of_a_factor_is_half_explicit():
    v = grid(4, 4)
    assert three(v, v // 2 * 1.0)[2] == pytest.approx(0.5)
    # The other half in another code: what the two tell together is not seen.
    halves = np.hstack([v // 2, v % 2]) * 1.0
    assert three(v, halves)[2] == pytest.approx(0.5)


def test_rotation_costs_all_but_explicitness():
    rng = np.random.default_rng(0)
    v = rng.normal(size=(20_000, 2))
    turned = v @ np.array([[1, 1], [-1, 1]]) / np.sqrt(2)
    assert infom(v, v) > 0.95
    assert infoc(v, v) > 0.95
    assert max(infom(v, turned), infoc(v, turned), *three(v, turned)[:2]) < 0.05


def test_noise_is_near_chance():
    rng = np.random.default_rng(1)
    v, z = rng.integers(0, 4, (20_000, 2)), rng.normal(size=(20_000, 3))
    assert max(infom(v, z), infoc(v, z)) < 0.2
    assert three(v, z)[2] < 0.01
    full = grid(4, 3, 5)
    assert infom(full[:, :2], full[:, 2:] * 1.0) == infoc(full[:, :2], full[:, 2:] * 1.0) == 0.0
    assert three(full[:, :2], full[:, 2:] * 1.0) == (0, 0, 0)


def test_one_code_and_one_factor():
    v = grid(4, 5)
    for z in (v[:, :1] * 1.0, v * 1.0):
        assert infom(v[:, :1], z[:, :1]) == infoc(v[:, :1], z[:, :1]) == 1.0
        assert three(v[:, :1], z) == pytest.approx((1, 1, 1))
    # The second code tells nothing of the one factor, the level of chance.
    assert infom(v[:, :1], v * 1.0) == 0.5
    assert infoc(v[:, :1], v * 1.0) == 1.0
    assert infom(v, v[:, :1] * 1.0) == 1.0
    assert infoc(v, v[:, :1] * 1.0) == 0.5
    assert three(v, v[:, :1] * 1.0) == pytest.approx((0.5, 0.5, 0.5))


def test_a_dead_code_and_a_constant_factor_change_nothing():
    v, z = messy()
    expected = (infom(v, z), infoc(v, z), *three(v, z))
    for place in (0, 5):
        dead = np.insert(z, place, 0.3, axis=1)
        got = (infom(v, dead), infoc(v, dead), *three(v, dead))
        assert got == pytest.approx(expected, abs=1e-12)
        flat = np.insert(v, place % 4, 7, axis=1)
        got = (infom(flat, z), infoc(flat, z), *three(flat, z))
        assert got == pytest.approx(expected, abs=1e-12)
    ones = np.ones((600, 2))
    with pytest.warns(MetricWarning, match="no code is left"):
        assert infom(v, ones) == 0.0
    assert infoc(v, ones) == 0.0
    assert three(v, ones) == (0, 0, 0)
    for metric in (infom, infoc, edi):
        with pytest.raises(ValueError, match="at least one factor that varies"):
            metric(ones[:, :1], z)


def test_neither_names_a_library_that_has_none():
    v = grid(4, 5)
    for metric in (infom, infoc, edi):
        with pytest.raises(ValueError, match="convention takes 'standard' for"):
            metric(v, v * 1.0, convention="ubisoft")


def test_parts_of_the_scores():
    v, z = messy()
    score = INFOC.score(v, z)
    assert list(score.per_factor) == ["factor 0", "factor 1", "factor 2"]
    assert score.value == pytest.approx(np.mean(list(score.per_factor.values())))
    scores = EDI_METRIC.score(v, np.insert(z, 2, 1.0, axis=1))
    assert list(scores) == ["modularity", "compactness", "explicitness"]
    assert sorted(scores["modularity"].per_code) == [0, 1, 3, 4, 5]
    assert scores["modularity"].matrix.shape == (3, 6)
    np.testing.assert_array_equal(edi(v, z).shares.max(axis=1), 1.0)

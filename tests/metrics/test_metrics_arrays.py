"""JEMMIG, DCIMIG and Modularity as the libraries have them, parts of scores, and batches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fastdis.metrics import GROUPS, METRICS, MetricWarning, dcimig, jemmig, modularity
from fastdis.metrics._evidence import gather
from fastdis.metrics._information import gaps, information_of, mean, ratio
from tests.metrics.metric_data import entropy, grid, information, messy

MIG, DMIG, DLIG, DCIMIG, MODULARITY, JEMMIG, JEMMIG_RAW = (
    METRICS[name]
    for name in ("mig", "dmig", "dlig", "dcimig", "modularity", "jemmig", "jemmig_raw")
)

pytestmark = pytest.mark.filterwarnings("ignore::fastdis.metrics.MetricWarning")


def unit_bins(x, bins=10):
    span = np.ptp(x, axis=0)
    scaled = (x - x.min(axis=0)) / np.where(span > 0, span, 1)
    return np.digitize(scaled, np.linspace(0, 1, bins + 1)[:-1])


def mutual_information(v, b):
    return np.array([[information(f, code) for code in b.T] for f in v.T])


def gap(values):
    first, second = sorted([*values, 0.0], reverse=True)[:2]
    return first - second


def ubisoft_jemmig(v, b, bins=10):
    scores = []
    for f, row in zip(v.T, mutual_information(v, b), strict=True):
        raw = entropy(f, b[:, np.argsort(row)[-1]]) - gap(row)
        scores.append(1 - raw / (entropy(f) + np.log(bins)))
    return np.mean(scores)


def lib_modularity(mutual):
    scores = []
    for column in mutual.T:
        rest = sum(x**2 for x in column) - max(column) ** 2
        scores.append(1 - rest / (max(column) ** 2 * (len(column) - 1)) if max(column) > 0 else 0)
    return np.mean(scores)


def test_each_metric_is_ubisofts():
    v, z = messy()
    b = unit_bins(z)
    mutual, options = mutual_information(v, b), {"convention": "ubisoft"}
    assert jemmig(v, z, **options) == pytest.approx(ubisoft_jemmig(v, b), abs=1e-12)
    assert modularity(v, z, **options) == pytest.approx(lib_modularity(mutual), abs=1e-12)
    given_to = np.zeros(3)
    for column in mutual.T:
        best = int(np.argmax(column))
        given_to[best] = max(given_to[best], gap(column))
    expected = given_to.sum() / sum(entropy(f) for f in v.T)
    assert dcimig(v, z, **options) == pytest.approx(expected, abs=1e-12)


def test_modularity_is_disentanglement_libs():
    v, z = messy()
    b = np.stack([np.digitize(c, np.histogram(c, 20)[1][:-1]) for c in z.T], axis=1)
    got = modularity(v, z, convention="disentanglement_lib")
    assert got == pytest.approx(lib_modularity(mutual_information(v, b)), abs=1e-12)
    for metric in (jemmig, dcimig):
        with pytest.raises(ValueError, match="got 'disentanglement_lib'"):
            metric(v, z, convention="disentanglement_lib")


def test_a_dead_code_has_no_modularity_but_0_in_the_libraries():
    v = grid(4, 5, repeat=20)
    for place in (0, 2):
        dead = np.insert(v * 1.0, place, 3.0, axis=1)
        assert modularity(v, dead) == 1.0
        for convention in ("disentanglement_lib", "ubisoft"):
            with pytest.warns(MetricWarning, match=f"codes {place} tell nothing.*count as 0"):
                assert modularity(v, dead, convention=convention) == pytest.approx(2 / 3)
        # Said to be of no interest, it is not counted.
        active = np.arange(3) != place
        got = modularity(v, dead, convention="disentanglement_lib", active=active)
        assert got == pytest.approx(1.0)


def test_noise_codes_drag_modularity_and_active_ones_do_not():
    rng = np.random.default_rng(0)
    v = grid(4, 5, 3, repeat=20)
    z = np.hstack([v, rng.normal(size=(len(v), 7))])
    assert modularity(v, z) < 0.8
    assert modularity(v, z, active=[True] * 3 + [False] * 7) == pytest.approx(1.0)
    assert modularity(v, z, active="informative") == pytest.approx(1.0)


def test_dead_codes_gain_from_their_low_entropy_in_ubisofts_jemmig_alone():
    v = np.stack([np.arange(1000) % 10, np.arange(1000) // 10 % 7], axis=1)
    dead = np.ones((1000, 4))
    expected = 1 - np.mean([entropy(f) / (entropy(f) + np.log(10)) for f in v.T])
    assert jemmig(v, dead, convention="ubisoft") == pytest.approx(expected)
    assert expected == pytest.approx(0.52, abs=0.01)
    with pytest.warns(MetricWarning, match="no code tells anything about 'factor 0', 'factor 1'"):
        assert jemmig(v, dead) == 0.0


def test_neither_order_nor_one_code_breaks_what_follows_ubisoft():
    v, z = messy()
    tied = np.hstack([z[:, :2], z[:, :2] * 2 + 1])  # duplicates, whose order decides there
    for metric in (jemmig, dcimig, modularity):
        expected = metric(v, tied, convention="ubisoft")
        for order in ([3, 1, 0, 2], [2, 3, 0, 1]):
            got = metric(v, tied[:, order], convention="ubisoft")
            assert got == pytest.approx(expected, abs=1e-12)
        assert 0 <= metric(v, z[:, :1], convention="ubisoft") <= 1
        assert 0 <= metric(v[:, :1], z, convention="ubisoft") <= 1
        for convention in ("ubisoft", "standard"):
            with pytest.raises(ValueError, match="at least one factor that varies"):
                metric(np.ones((600, 1)), z, convention=convention)


def test_a_constant_factor_is_one_of_the_k_in_the_libraries():
    v, z = messy()
    flat = np.insert(v, 0, 7, axis=1)
    b = unit_bins(z)
    got = modularity(flat, z, convention="ubisoft")
    assert got == pytest.approx(lib_modularity(mutual_information(flat, b)), abs=1e-12)
    assert modularity(flat, z) == pytest.approx(modularity(v, z), abs=1e-12)


def test_parts_of_the_scores():
    v, z = messy()
    z = np.insert(z, 0, 1.0, axis=1)
    for metric in (MIG, JEMMIG, JEMMIG_RAW):
        score = metric.score(v, z)
        assert list(score.per_factor) == ["factor 0", "factor 1", "factor 2"]
        assert score.value == pytest.approx(np.mean(list(score.per_factor.values())))
        assert score.matrix.shape == (3, 6)
    score = MODULARITY.score(v, z)
    assert sorted(score.per_code) == [1, 2, 3, 4, 5]
    assert score.value == pytest.approx(np.mean(list(score.per_code.values())))
    score = DCIMIG.score(v, z)
    weights = [entropy(f) for f in v.T]
    assert score.value == pytest.approx(
        np.average(list(score.per_factor.values()), weights=weights)
    )
    assert score.per_code[0] == 0.0
    assert np.count_nonzero(score.matrix) == 5
    # Under the published convention the mean runs over codes.
    score = MIG.score(v, z, convention="published")
    assert not score.per_factor
    assert score.value == pytest.approx(np.mean(list(score.per_code.values())))
    assert score.matrix.shape == (3, 6)


def batch_of(v, z, resamples, **options):
    """Information of resampled rows, one by one and stacked."""
    rng = np.random.default_rng(0)
    each = []
    for _ in range(resamples):
        rows = rng.integers(0, len(v), len(v))
        evidence = gather(v[rows], z[rows], **options)
        each.append(information_of(evidence, pairs=True))
    arrays = ("mutual", "factor_entropy", "code_entropy", "joint_entropy", "factor_mutual")
    stacked = {name: np.stack([getattr(one, name) for one in each]) for name in arrays}
    return each, replace(each[0], code_span=None, **stacked)


@pytest.mark.parametrize("metric", GROUPS["histogram"], ids=lambda metric: metric.name)
def test_a_batch_of_resamples_is_scored_at_once(metric):
    v, z = messy(200)
    z = np.insert(np.insert(v, 1, 5, axis=1) @ np.ones((4, 2)) + z[:, :2], 1, 3.0, axis=1)
    for convention, formula in metric.formulas.items():
        each, batch = batch_of(np.insert(v, 1, 5, axis=1), z, 7, bins=6)
        single = [formula.from_arrays(replace(one, code_span=None)) for one in each]
        together = formula.from_arrays(batch)
        if isinstance(together, dict):
            for part, values in together.items():
                np.testing.assert_allclose(values, [one[part] for one in single], atol=1e-12)
            continue
        assert together.shape == (7,)
        np.testing.assert_allclose(together, single, atol=1e-12, err_msg=convention)
        assert len(set(together.tolist())) > 1


@pytest.mark.parametrize("estimator", ["miller_madow", "kraskov"])
def test_other_estimates_leave_no_score_out_of_its_range(estimator):
    v, z = messy(200)
    for metric in GROUPS["histogram"]:
        score = metric.score(v, z, estimator=estimator)
        for part in score.values() if isinstance(score, dict) else [score]:
            assert 0.0 <= part.value <= (20 if metric in (JEMMIG_RAW, DMIG, DLIG) else 1.0)


def test_helpers():
    assert gaps(np.array([[3.0, 1.0, 2.5], [1.0, 1.0, 0.0]]), -1).tolist() == [0.5, 0.0]
    assert gaps(np.array([[3.0], [1.0]]), -1).tolist() == [3.0, 1.0]
    assert ratio(np.array([1.0, 0.0]), np.array([2.0, 0.0])).tolist() == [0.5, 0.0]
    assert mean(np.array([[1.0, np.nan, 3.0], [np.nan] * 3])).tolist() == [2.0, 0.0]

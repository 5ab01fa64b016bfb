"""IRS against its definition in loops, closed forms, and its edges."""

from __future__ import annotations

import numpy as np
import pytest

from fastdis.metrics import METRICS
from fastdis.metrics._counts.histogram import MetricWarning
from fastdis.metrics.from_interventions.irs import irs
from tests.metrics.metric_data import grid, messy

IRS = METRICS["irs"]

CONVENTIONS = sorted(IRS.formulas)


def plain_irs(v, z, convention, quantile=None, bins=20):
    """The definition, level by level; also the matrix (K, D)."""
    if quantile is None:
        quantile = 0.99 if convention == "disentanglement_lib" else 1.0
    robust = np.zeros((v.shape[1], z.shape[1]))
    for k, factor in enumerate(v.T):
        levels = np.unique(factor)
        if convention == "disentanglement_lib" and len(levels) > bins:
            edges = np.histogram(np.arange(len(levels)), bins)[1]
            factor = np.digitize(np.searchsorted(levels, factor), edges[:-1])
            levels = np.unique(factor)
        for d, code in enumerate(z.T):
            most, share = [], []
            for level in levels:
                rows = code[factor == level]
                most.append(np.quantile(np.abs(rows - np.mean(rows)), quantile))
                share.append(len(rows) if len(rows) > 1 else 0)
            if convention != "standard":
                share = [1] * len(levels)
            expected = sum(m * n for m, n in zip(most, share, strict=True)) / sum(share)
            robust[k, d] = max(0.0, 1 - expected / np.abs(code - code.mean()).max())
    weight = np.abs(z - z.mean(axis=0)).max(axis=0)
    return np.sum(robust.max(axis=0) * weight) / weight.sum(), robust


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_it_follows_its_definition(convention):
    v, z = messy()
    v = np.hstack([v, np.random.default_rng(1).integers(0, 33, (len(v), 1)) ** 2])
    z = z * [1, 30, 0.1, 1, 5] + [0, 0, 7, 0, -100]
    value, robust = plain_irs(v, z, convention)
    assert irs(v, z, convention=convention) == pytest.approx(value, abs=1e-12)
    score = IRS.score(v, z, convention=convention)
    np.testing.assert_allclose(score.matrix, robust, atol=1e-12)
    assert list(score.per_factor.values()) == pytest.approx(list(robust.max(axis=1)), abs=1e-12)
    assert list(score.per_code.values()) == pytest.approx(list(robust.max(axis=0)), abs=1e-12)
    for quantile in (0.5, 1.0):
        expected, _ = plain_irs(v, z, convention, quantile)
        got = irs(v, z, convention=convention, quantile=quantile)
        assert got == pytest.approx(expected, abs=1e-12)


def test_conventions_differ_where_they_say():
    v, z = messy()
    v = np.hstack([v, np.arange(len(v))[:, None] // 2 % 60])
    got = [irs(v, z, convention=convention) for convention in CONVENTIONS]
    assert len(set(got)) == 3
    assert irs(v, z, convention="disentanglement_lib", bins=60, quantile=1.0) == pytest.approx(
        irs(v, z, convention="ubisoft")
    )


def test_a_continuous_factor_is_cut_into_bins():
    rng = np.random.default_rng(2)
    v = rng.random((2000, 2))
    z = np.hstack([v[:, :1], v.sum(axis=1, keepdims=True)])
    low, high = v.min(axis=0), v.max(axis=0)
    cut = np.stack(
        [np.digitize(v[:, k], np.linspace(low[k], high[k], 9)[1:-1]) for k in range(2)], axis=1
    )
    assert irs(v, z, bins=8) == pytest.approx(plain_irs(cut, z, "standard")[0], abs=1e-12)
    # A perfect code moves by half a bin while its factor is held: 1 / 8 of its deviation.
    assert irs(v[:, :2], v, bins=8) == pytest.approx(1 - 1 / 8, abs=0.01)
    assert irs(v, v, bins=8, convention="ubisoft") == pytest.approx(1 - 1 / 8, abs=0.01)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_closed_forms(convention):
    v = grid(4, 5, 6, repeat=20)
    perfect = 2.0 * v[:, [2, 0, 1]]
    for z in (perfect, -perfect, np.hstack([perfect, perfect]), np.exp(perfect)):
        assert irs(v, z, convention=convention) == 1.0
    noise = np.random.default_rng(0).normal(size=(len(v), 4))
    assert irs(v, noise, convention=convention) < (0.35 if "lib" in convention else 0.25)
    # a + b for a, b in 0..n-1: held a leaves (n - 1) / 2 of the n - 1 that it may deviate.
    two = grid(5, 5, repeat=20)
    total = two.sum(axis=1, keepdims=True) * 1.0
    assert irs(two, total, convention=convention) == pytest.approx(0.5)
    assert irs(two, total, convention=convention, active=[True]) == pytest.approx(0.5)


def test_codes_weigh_by_their_largest_deviation():
    v = grid(5, 5, repeat=20)
    total = v.sum(axis=1) * 1.0  # deviates by 4 and scores 1/2; a single factor by 2 and scores 1
    assert irs(v, np.stack([v[:, 0], total], axis=1)) == pytest.approx((2 * 1 + 4 * 0.5) / 6)
    assert irs(v, np.stack([v[:, 0] * 100, total], axis=1)) > 0.98


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_order_and_dead_codes_change_nothing(convention):
    v, z = messy()
    plain = irs(v, z, convention=convention)
    rows, codes = np.random.default_rng(0).permutation(len(v)), [3, 0, 4, 1, 2]
    assert irs(v[rows], z[rows][:, codes], convention=convention) == pytest.approx(plain)
    assert irs(v[:, ::-1], z, convention=convention) == pytest.approx(plain)
    for place in (0, 2, 5):
        with_dead = np.insert(z, place, -3.0, axis=1)
        score = IRS.score(v, with_dead, convention=convention)
        assert score.value == pytest.approx(plain)
        assert place not in score.per_code
        assert (score.matrix[:, place] == 0).all()
    with pytest.warns(MetricWarning, match="every code is constant; the score counts as 0"):
        assert irs(v, np.ones((len(v), 2)), convention=convention) == 0.0


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_edges_have_values(convention):
    v, z = messy()
    plain = irs(v, z, convention=convention)
    for scale in (1e-300, 1e300):
        assert irs(v, z * scale, convention=convention) == pytest.approx(plain)
    assert 0 <= irs(v[:, :1], z[:, :1], convention=convention) <= 1
    assert irs(v, z.astype(np.float32), convention=convention) == pytest.approx(plain, abs=1e-5)
    with pytest.warns(MetricWarning, match="constant and left out: 'factor 1'"):
        with_constant = irs(np.insert(v, 1, 3, axis=1), z, convention=convention)
    assert with_constant == pytest.approx(plain)
    with pytest.raises(ValueError, match="at least one factor that varies"):
        irs(np.ones((30, 2)), z[:30], convention=convention)
    text = np.array(list("abcdefg"))[v[:, [0, 2]]]
    assert irs(text, z, convention=convention) == irs(v[:, [0, 2]], z, convention=convention)


def test_what_falls_below_zero_counts_as_zero():
    """One stray row at each level deviates further from its level than from the mean of all."""
    v = np.repeat([[0], [1]], 100, axis=0)
    z = v * 1.0
    z[0], z[100] = 1, 0
    assert 1 - 0.99 / 0.5 < 0
    for convention in CONVENTIONS:
        assert irs(v, z, convention=convention, quantile=1.0) == 0.0


def test_a_level_of_one_row_shows_nothing():
    v, z = messy()
    v = np.hstack([v, np.arange(len(v))[:, None] % 300])
    v[0, 3], v[1, 3] = 1000, 1001
    value, _ = plain_irs(v, z, "standard")
    with pytest.warns(MetricWarning, match="fewer than 10 rows per level of 'factor 3'"):
        assert irs(v, z) == pytest.approx(value)
    alone = np.hstack([v[:, :3], np.arange(len(v))[:, None]])
    with pytest.warns(MetricWarning, match="no two rows agree in a level of 'factor 3': no inter"):
        score = IRS.score(alone, z)
    assert score.value == irs(v[:, :3], z)
    assert list(score.per_factor) == ["factor 0", "factor 1", "factor 2"]
    assert (score.matrix[3] == 0).all()
    with pytest.raises(ValueError, match="some agree in a level of a factor, got none"):
        irs(alone[:, 3:], z, convention="ubisoft")


def test_a_mistake_is_named():
    v, z = messy()
    for options, error, message in (
        ({"quantile": 0}, ValueError, "quantile takes a number > 0 and <= 1, got 0"),
        ({"quantile": 1.5}, ValueError, "quantile takes"),
        ({"quantile": "all"}, TypeError, "quantile takes a number"),
        ({"clips": 1}, ValueError, "clips takes an integer >= 2, got 1"),
        ({"seed": -1}, ValueError, "seed takes"),
        ({"convention": "published"}, ValueError, "got 'published'"),
        ({"convention": "standrad"}, ValueError, "did you mean 'standard'"),
    ):
        with pytest.raises(error, match=message):
            irs(v, z, **options)
    z[5, 1] = np.nan
    with pytest.raises(ValueError, match="codes takes finite values"):
        irs(v, z)

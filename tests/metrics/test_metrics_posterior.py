"""Informativeness and separation of posteriors against quadrature and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from fastdis.metrics.from_codes.posterior import MAX_ROWS, informativeness, separation

LOG2 = np.log(2)


def far_bits(rows, codes, seed=0):
    """Means so far apart that a code tells its bit without doubt."""
    return np.random.default_rng(seed).integers(0, 2, (rows, codes)) * 40.0


def test_informativeness_by_its_definition():
    rng = np.random.default_rng(0)
    mean, logvar = rng.normal(size=(40, 3)), rng.normal(size=(40, 3)) - 2
    edges = np.linspace(-3, 3, 13)
    edges[[0, -1]] = -np.inf, np.inf
    for d, got in enumerate(informativeness(mean, logvar, bins=12, low=-3, high=3)):
        q = np.diff([stats.norm.cdf(edges, m, np.exp(s / 2))
                     for m, s in zip(mean[:, d], logvar[:, d], strict=True)])  # fmt: skip
        h = stats.entropy(q.mean(axis=0))
        assert got == pytest.approx((h - np.mean(stats.entropy(q, axis=1))) / h, abs=1e-9)


def test_informativeness_of_the_prior_of_points_and_of_a_dead_code():
    mean = np.stack([np.zeros(200), np.linspace(-4, 4, 200), np.full(200, 1.3)], axis=1)
    logvar = np.stack([np.zeros(200), np.full(200, -60.0), np.full(200, -60.0)], axis=1)
    assert informativeness(mean, logvar).tolist() == pytest.approx([0.0, 1.0, 0.0], abs=1e-12)


def test_separation_of_independent_duplicated_and_idle_codes():
    bits = far_bits(4000, 2)
    mean = np.stack([bits[:, 0], bits[:, 1], bits[:, 1], np.zeros(4000)], axis=1)
    result = separation(mean, np.zeros(mean.shape), samples=500)
    assert result.informativeness == pytest.approx([LOG2, LOG2, LOG2, 0], abs=0.02)
    assert result.separability == pytest.approx([0, LOG2, LOG2, 0], abs=0.02)
    assert result.sepin == pytest.approx([LOG2, 0, 0, 0], abs=0.02)
    assert result.weights == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0], abs=0.02)
    assert result.wsepin == pytest.approx(LOG2 / 3, abs=0.02)


def test_a_shared_code_is_told_less_alone():
    # The third code is the parity of the other two: independent of each, not of both.
    bits = far_bits(4000, 2, seed=1)
    mean = np.column_stack([bits, np.abs(bits[:, 0] - bits[:, 1])])
    result = separation(mean, np.zeros(mean.shape), samples=500)
    assert result.informativeness == pytest.approx([LOG2] * 3, abs=0.02)
    assert result.separability == pytest.approx([LOG2] * 3, abs=0.02)
    assert result.sepin == pytest.approx([0] * 3, abs=0.02)


def test_what_is_told_alone_is_what_is_told_less_what_is_shared():
    # For each x by itself codes are independent: INDIN of the paper is SEPIN.
    rng = np.random.default_rng(4)
    mean = rng.normal(size=(500, 1)) + 0.5 * rng.normal(size=(500, 4))
    result = separation(mean, np.full(mean.shape, -1.0))
    assert result.sepin == pytest.approx(result.informativeness - result.separability, abs=1e-12)
    assert min(result.sepin) > 0.02
    assert result.wsepin == pytest.approx(np.average(result.sepin, weights=result.informativeness))


def test_information_of_overlapping_posteriors():
    mean = np.tile([[-0.7], [0.7]], (50, 1))
    density = lambda z: (stats.norm.pdf(z, -0.7) + stats.norm.pdf(z, 0.7)) / 2  # noqa: E731
    h = integrate.quad(lambda z: -density(z) * np.log(density(z)), -12, 12)[0]
    expected = h - 0.5 * np.log(2 * np.pi * np.e)
    got = separation(mean, np.zeros((100, 1)), samples=20_000)
    assert got.informativeness[0] == pytest.approx(expected, abs=0.01)
    assert got.sepin[0] == got.wsepin == pytest.approx(expected, abs=0.01)
    assert got.separability[0] == 0.0


def test_a_seed_fixes_the_draws_and_the_order_of_codes_moves_nothing_but_them():
    rng = np.random.default_rng(2)
    mean, logvar = rng.normal(size=(300, 3)), rng.normal(size=(300, 3)) - 3
    first, again = (separation(mean, logvar, samples=50, seed=1) for _ in range(2))
    np.testing.assert_array_equal(first.sepin, again.sepin)
    assert separation(mean, logvar, samples=50, seed=2).wsepin != first.wsepin
    many = separation(mean, logvar, samples=4000)
    moved = separation(mean[:, ::-1], logvar[:, ::-1], samples=4000)
    assert moved.sepin == pytest.approx(many.sepin[::-1], abs=0.1)
    assert informativeness(mean[:, ::-1], logvar[:, ::-1]) == pytest.approx(
        informativeness(mean, logvar)[::-1]
    )


def test_more_rows_than_the_mixture_takes_are_drawn_from():
    mean = far_bits(MAX_ROWS + 50, 1)
    result = separation(mean, np.zeros(mean.shape), samples=40)
    assert result.informativeness[0] == pytest.approx(LOG2, abs=0.02)


def test_extreme_posteriors_stay_finite():
    rng = np.random.default_rng(3)
    mean = rng.integers(0, 2, (100, 2)) * 20.0
    usual = separation(mean, np.full((100, 2), -10.0), samples=100)
    for scale in (-1e300, -50.0):
        sharp = separation(mean, np.full((100, 2), scale), samples=100)
        assert sharp.wsepin == pytest.approx(usual.wsepin, abs=1e-6)
    broad = separation(mean, np.full((100, 2), 1e300), samples=100)
    assert broad.wsepin == pytest.approx(0.0, abs=1e-6)
    assert np.isfinite(separation(mean * 1e300, mean, samples=10).wsepin)
    assert np.isfinite(informativeness(mean * 1e300, -mean * 1e300)).all()


def test_tensors_and_what_is_refused():
    mean, logvar = torch.randn(30, 2, requires_grad=True), torch.randn(30, 2)
    arrays = mean.detach().numpy(), logvar.numpy()
    np.testing.assert_array_equal(informativeness(mean, logvar), informativeness(*arrays))
    assert separation(mean, logvar, samples=9).wsepin == separation(*arrays, samples=9).wsepin
    good = np.zeros((4, 2))
    for function in (informativeness, separation):
        with pytest.raises(ValueError, match="the same shape"):
            function(good, good[:3])
        with pytest.raises(ValueError, match="logvar takes finite"):
            function(good, good * np.nan)
        with pytest.raises(ValueError, match="mean takes rows and columns"):
            function(good[0], good)
    for options in ({"bins": 1}, {"low": 1.0, "high": 1.0}, {"low": np.nan}):
        with pytest.raises(ValueError, match="takes"):
            informativeness(good, good, **options)
    for options in ({"samples": 0}, {"seed": -1}):
        with pytest.raises(ValueError, match="takes an integer"):
            separation(good, good, **options)

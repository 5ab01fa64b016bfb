"""Smoothness and monotonicity along traversals: definitions, closed forms, and rounding."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fastdis.metrics import MetricWarning
from fastdis.metrics.trajectories import monotonicity, smoothness

Z = np.linspace(-1, 1, 9)[None]


def wiggles(samples=5, places=12, attributes=3, seed=0):
    """Traversals in equal steps of their own, and attributes that wander along them."""
    rng = np.random.default_rng(seed)
    start, step = rng.normal(size=(2, samples, 1, attributes))
    z = start + (np.abs(step) + 0.1) * np.arange(places)[None, :, None]
    return z, rng.normal(size=(samples, places, attributes)).cumsum(axis=1)


# The definitions, a trajectory at a time


def plain_smoothness(z, a, maximum="lehmer"):
    delta = z[1] - z[0]
    first = [(a[t + 1] - a[t]) / delta for t in range(len(a) - 1)]
    second = [abs(first[t + 1] - first[t]) / delta for t in range(len(first) - 1)]
    top = sum(x**2 for x in second) / sum(second) if maximum == "lehmer" else max(second)
    return 1 - top / ((max(first) - min(first)) / delta)


def plain_monotonicity(z, a, threshold):
    slopes = [(a[t + 1] - a[t]) / (z[t + 1] - z[t]) for t in range(len(a) - 1)]
    signs = [np.sign(x) for x in slopes if abs(x) > threshold]
    return sum(signs) / len(signs)


@pytest.mark.parametrize("maximum", ["lehmer", "max"])
def test_smoothness_follows_its_definition(maximum):
    z, a = wiggles()
    expected = [[plain_smoothness(z[i, :, k], a[i, :, k], maximum) for k in range(3)]
                for i in range(5)]  # fmt: skip
    got = smoothness(z, a, maximum=maximum, reduce="none")
    np.testing.assert_allclose(got, expected, atol=1e-12)


@pytest.mark.parametrize("threshold", [0.0, 1e-3, 0.7])
def test_monotonicity_follows_its_definition(threshold):
    z, a = wiggles()
    z = np.sort(z + 0.1 * np.random.default_rng(1).normal(size=z.shape), axis=1)  # unequal steps
    expected = [[plain_monotonicity(z[i, :, k], a[i, :, k], threshold) for k in range(3)]
                for i in range(5)]  # fmt: skip
    got = monotonicity(z, a, threshold=threshold, reduce="none")
    np.testing.assert_allclose(got, expected, atol=1e-12)


@pytest.mark.parametrize("score", [smoothness, monotonicity])
def test_reductions_are_means(score):
    z, a = wiggles()
    each = score(z, a, reduce="none")
    assert each.shape == (5, 3)
    np.testing.assert_allclose(score(z, a, reduce="attribute"), each.mean(axis=0))
    np.testing.assert_allclose(score(z, a, reduce="sample"), each.mean(axis=1))
    assert score(z, a) == pytest.approx(each.mean())
    assert isinstance(score(z, a), float)


# Closed forms


def test_a_line_is_smooth_and_monotone():
    for slope, offset in ((3, 1), (-0.1, 7), (1 / 3, 1e3)):
        assert smoothness(Z, slope * Z + offset) == 1.0
        assert monotonicity(Z, slope * Z + offset) == np.sign(slope)


def test_a_parabola():
    # D runs through T - 1 values of equal distance, so R is T - 2 of them, and each |D2| one.
    for places in (3, 4, 9, 101):
        z = np.linspace(-1, 1, places)[None]
        for maximum in ("lehmer", "max"):
            got = smoothness(z, 2 * z**2 - z, maximum=maximum)
            assert got == pytest.approx(1 - 1 / (places - 2), abs=1e-9)
    assert monotonicity(Z, Z**2) == 0.0
    assert monotonicity(Z, (Z + 2) ** 2) == 1.0


def test_a_jump_and_a_zigzag_are_not_smooth():
    for a in (np.sign(Z - 0.1), np.arange(9)[None] % 2):
        assert smoothness(Z, a, maximum="max") == pytest.approx(0.0)
        assert smoothness(Z, a) == pytest.approx(0.0, abs=1e-12)
    # A kink between two lines: one D2, as large as the range.
    assert smoothness(Z, np.abs(Z)) == pytest.approx(0.0, abs=1e-12)


def test_lehmers_mean_lies_below_the_maximum():
    z, a = wiggles()
    assert (smoothness(z, a, reduce="none") >= smoothness(z, a, maximum="max", reduce="none")).all()


def test_monotonicity_counts_signs():
    a = np.array([[0.0, 1, 2, 1, 2, 2.0001, 3]])  # up, up, down, up, too little, up
    z = np.arange(7.0)[None]
    assert monotonicity(z, a) == pytest.approx(3 / 5)
    assert monotonicity(z, a, threshold=0.0) == pytest.approx(4 / 6)
    assert monotonicity(z, -a) == pytest.approx(-3 / 5)


# What should change nothing


def test_falling_positions():
    z, a = wiggles()
    for score in (smoothness, monotonicity):
        backwards = score(z[:, ::-1], a[:, ::-1], reduce="none")
        np.testing.assert_allclose(backwards, score(z, a, reduce="none"), atol=1e-12)
    np.testing.assert_allclose(smoothness(-z, a), smoothness(z, a))
    assert monotonicity(-z, a) == -monotonicity(z, a)


@pytest.mark.parametrize("unit", [1e-290, 1e-9, 1e9, 1e290])
def test_units_change_nothing(unit):
    z, a = wiggles()
    expected = smoothness(z, a, reduce="none")
    np.testing.assert_allclose(smoothness(z, a * unit, reduce="none"), expected, atol=1e-9)
    np.testing.assert_allclose(smoothness(z * unit, a, reduce="none"), expected, atol=1e-9)
    assert monotonicity(z * unit, a * unit) == monotonicity(z, a)


def test_order_changes_nothing():
    z, a = wiggles()
    samples, attributes = [3, 1, 4, 0, 2], [2, 0, 1]
    for score in (smoothness, monotonicity):
        shuffled = score(z[samples][..., attributes], a[samples][..., attributes])
        assert shuffled == pytest.approx(score(z, a), abs=1e-12)


def test_shapes_of_one_code_and_of_one_attribute():
    z, a = wiggles()
    for score in (smoothness, monotonicity):
        one = score(z[..., 0], a[..., 0], reduce="none")
        assert one.shape == (5, 1)
        np.testing.assert_array_equal(one, score(z[..., :1], a[..., :1], reduce="none"))
        shared = np.repeat(z[..., :1], 3, axis=2)
        np.testing.assert_array_equal(
            score(z[..., 0], a, reduce="none"), score(shared, a, reduce="none")
        )


def test_array_types():
    z, a = wiggles()
    for score in (smoothness, monotonicity):
        assert score(torch.tensor(z, requires_grad=True), torch.tensor(a)) == score(z, a)
        assert score(z.tolist(), a.tolist()) == score(z, a)
    assert monotonicity(np.arange(5)[None], [[0, 1, 2, 3, 4]]) == 1.0


# Rounding, and what stands still


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_rounding_of_a_line_is_not_roughness(dtype):
    rng = np.random.default_rng(2)
    for places in (3, 10, 300):
        z = np.linspace(-3, 3, places, dtype=dtype)[None]
        slopes = rng.normal(size=(200, 1)).astype(dtype)
        a = slopes * z + rng.normal(size=(200, 1)).astype(dtype)
        assert (smoothness(np.repeat(z, 200, axis=0), a, reduce="sample") == 1.0).all()
    assert smoothness(z, z + dtype(0.01) * np.sin(z)) < 1.0
    far = z + dtype(1e4)  # where positions themselves are coarse
    assert smoothness(far, 3 * (far - dtype(1e4))) == 1.0


def test_lines_and_curves_side_by_side():
    z = np.repeat(Z, 2, axis=0)
    a = np.concatenate([Z, Z**2])
    np.testing.assert_allclose(smoothness(z, a, reduce="sample"), [1.0, 1 - 1 / 7])


def test_an_attribute_that_stands_still():
    a = np.stack([Z, np.full_like(Z, 5.0)], axis=-1)
    with pytest.warns(MetricWarning, match="smoothness: attributes 1 do not move, which counts"):
        assert smoothness(Z, a, reduce="attribute").tolist() == [1.0, 1.0]
    message = r"monotonicity: 1 of 2 trajectories .* left out; attributes 1 score 0"
    with pytest.warns(MetricWarning, match=message):
        assert monotonicity(Z, a, reduce="attribute").tolist() == [1.0, 0.0]
    with pytest.warns(MetricWarning, match=message):
        assert monotonicity(Z, a) == 1.0
    with pytest.warns(MetricWarning):
        assert monotonicity(Z, a[..., 1]) == 0.0


def test_trajectories_without_a_sign_do_not_count_in_the_mean():
    z = np.repeat(Z, 3, axis=0)
    a = np.concatenate([Z, 1e-5 * Z, -(Z[:, ::-1] ** 3)])
    with pytest.warns(MetricWarning, match="1 of 3 trajectories .* more than 0.001 and are left"):
        assert monotonicity(z, a) == 1.0
    assert monotonicity(z, a, threshold=1e-6) == 1.0


@pytest.mark.parametrize("seed", range(20))
def test_scores_stay_in_range(seed):
    rng = np.random.default_rng(seed)
    a = np.round(rng.normal(size=(4, rng.integers(3, 8), 3)), 1) * 10.0 ** rng.integers(-6, 7)
    z = np.repeat(np.arange(a.shape[1], dtype=float)[None], 4, axis=0)
    for maximum in ("lehmer", "max"):
        score = smoothness(z, a, maximum=maximum, reduce="none")
        assert ((score >= 0) & (score <= 1)).all()
    score = monotonicity(z, a, threshold=0.0, reduce="none")
    assert ((score >= -1) & (score <= 1)).all()


BAD = [
    ({"positions": Z[0]}, ValueError, "positions takes 2 or 3 dimension"),
    ({"attributes": Z[:, :5]}, ValueError, r"got shapes \(1, 9\) and \(1, 5\)"),
    ({"positions": np.stack([Z, Z], axis=-1)}, ValueError, r"got shapes \(1, 9, 2\) and \(1, 9\)"),
    ({"positions": Z * 0}, ValueError, "positions takes values that rise, or fall"),
    ({"positions": np.abs(Z)}, ValueError, "positions takes values that rise, or fall"),
    ({"positions": np.sign(Z) * 1e308 + Z}, ValueError, "positions takes values that rise"),
    ({"attributes": Z * np.nan}, ValueError, r"attributes takes finite values, got nan"),
    ({"attributes": [["a"] * 9]}, TypeError, "attributes takes real numbers"),
    ({"positions": Z[:, :1], "attributes": Z[:, :1]}, ValueError, "at least one traversal"),
    ({"positions": Z[:0], "attributes": Z[:0]}, ValueError, "at least one traversal"),
    ({"reduce": "mean"}, ValueError, "reduce takes one of 'all', 'attribute', 'sample', 'none'"),
]


@pytest.mark.parametrize("score", [smoothness, monotonicity])
@pytest.mark.parametrize(("change", "error", "message"), BAD, ids=range(len(BAD)))
def test_a_mistake_is_named(score, change, error, message):
    with pytest.raises(error, match=message):
        score(**{"positions": Z, "attributes": Z} | change)


def test_each_says_what_it_needs():
    with pytest.raises(ValueError, match="positions takes equal steps"):
        smoothness(Z**3, Z)
    with pytest.raises(ValueError, match="at least 3 positions"):
        smoothness(Z[:, :2], Z[:, :2])
    with pytest.raises(ValueError, match="maximum takes one of 'lehmer', 'max'"):
        smoothness(Z, Z, maximum="mean")
    with pytest.raises(ValueError, match="threshold takes a number >= 0"):
        monotonicity(Z, Z, threshold=-1.0)
    assert monotonicity(Z**3, Z) == 1.0
    assert monotonicity(Z[:, :2], Z[:, :2]) == 1.0

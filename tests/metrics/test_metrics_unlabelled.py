"""Scores of codes alone: each against its definition, closed forms, and what is awkward."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
import torch
from scipy import linalg

from fastdis import metrics
from fastdis.metrics import GROUPS, METRICS, MetricWarning
from fastdis.metrics._counts.bins import Bins
from fastdis.metrics.from_codes import codes as _codes
from fastdis.metrics.from_codes.active import active_codes, active_units
from fastdis.metrics.from_codes.gaussian import (
    gaussian_total_correlation,
    gaussian_wasserstein_correlation,
    mutual_information_score,
)
from tests.metrics.metric_data import cut, grid, information

# What is said of small and odd samples; the tests on warnings look for them by name.
pytestmark = pytest.mark.filterwarnings("ignore::fastdis.metrics.MetricWarning")

ALL = {
    "total correlation": gaussian_total_correlation,
    "wasserstein": gaussian_wasserstein_correlation,
    "wasserstein normalized": lambda z: gaussian_wasserstein_correlation(z, normalized=True),
    "mutual information": mutual_information_score,
    "active units": active_units,
}
each = pytest.mark.parametrize("score", ALL.values(), ids=ALL)


def mixed(rows=700, codes=4, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, codes)) @ rng.normal(size=(codes, codes)) + rng.normal(size=codes)


def with_covariance(c, rows=50):
    """Rows whose sample covariance is ``c`` up to rounding."""
    z = np.random.default_rng(1).normal(size=(rows, len(c)))
    z -= z.mean(axis=0)
    white = z @ np.linalg.inv(np.linalg.cholesky(np.cov(z.T))).T
    return white @ np.linalg.cholesky(c).T


def equicorrelated(d, rho):
    return np.full((d, d), rho) + (1 - rho) * np.eye(d)


# The definitions


def plain_kl_of_gaussians(c):
    """KL(N(0, c) || N(0, diag c)), term by term."""
    s = np.diag(np.diag(c))
    return 0.5 * (
        np.trace(np.linalg.inv(s) @ c) - len(c) + np.log(np.linalg.det(s) / np.linalg.det(c))
    )


def plain_wasserstein(c):
    s = np.diag(np.diag(c))
    root = linalg.sqrtm(linalg.sqrtm(s) @ c @ linalg.sqrtm(s))
    return np.trace(c + s - 2 * root.real)


def plain_mutual_information(z, bins):
    binned = [cut(code, bins) for code in z.T]
    pairs = [(a, b) for i, a in enumerate(binned) for j, b in enumerate(binned) if i != j]
    return np.mean([information(a, b) for a, b in pairs])


@pytest.mark.parametrize("seed", range(4))
def test_scores_follow_their_definitions(seed):
    z = mixed(seed=seed)
    c = np.cov(z.T)
    assert gaussian_total_correlation(z) == pytest.approx(plain_kl_of_gaussians(c), rel=1e-9)
    assert gaussian_wasserstein_correlation(z) == pytest.approx(plain_wasserstein(c), rel=1e-9)
    assert gaussian_wasserstein_correlation(z, normalized=True) == pytest.approx(
        plain_wasserstein(c) / np.trace(c), rel=1e-9
    )
    for bins in (5, 11):
        got = mutual_information_score(z, bins=bins)
        assert got == pytest.approx(plain_mutual_information(z, bins), abs=1e-12)
    assert active_codes(z, threshold=2.0).tolist() == [np.var(x, ddof=1) > 2.0 for x in z.T]


# Closed forms


@pytest.mark.parametrize("rho", [-0.3, 0.0, 0.2, 0.9, 0.999])
@pytest.mark.parametrize("d", [2, 3, 4])
def test_equally_correlated_codes(d, rho):
    # The eigenvalues of the correlation matrix are 1 + (d - 1) rho, once, and 1 - rho.
    large, small = 1 + (d - 1) * rho, 1 - rho
    z = with_covariance(equicorrelated(d, rho))
    expected = -0.5 * (math.log(large) + (d - 1) * math.log(small))
    assert gaussian_total_correlation(z) == pytest.approx(expected, abs=1e-10)
    expected = 2 * d - 2 * (math.sqrt(large) + (d - 1) * math.sqrt(small))
    assert gaussian_wasserstein_correlation(z) == pytest.approx(expected, abs=1e-10)
    normalized = gaussian_wasserstein_correlation(7 * z, normalized=True)
    assert normalized == pytest.approx(expected / d, abs=1e-10)


def test_two_codes_have_the_mutual_information_of_a_gaussian():
    z = with_covariance(np.array([[4.0, 1.2], [1.2, 1.0]]))
    expected = -0.5 * math.log(1 - 0.6**2)
    assert gaussian_total_correlation(z) == pytest.approx(expected, abs=1e-12)
    # (D^1/2 C D^1/2)^1/2 of two codes has the trace sqrt(tr + 2 sqrt(det)).
    det = 4.0 * (4.0 - 1.2**2)
    expected = 2 * 5 - 2 * math.sqrt(4.0**2 + 1.0 + 2 * math.sqrt(det))
    assert gaussian_wasserstein_correlation(z) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_a_sample_scores_its_distribution_to_sampling_error(rho):
    rows, d = 20_000, 3
    c = equicorrelated(d, rho)
    draws = np.random.default_rng(2).normal(size=(rows, d)) @ np.linalg.cholesky(c).T
    # The estimate is high by d (d - 1) / 4N, and spreads by sqrt(sum of rho^2 / N) about it.
    bias, spread = d * (d - 1) / (4 * rows), math.sqrt(d * (d - 1) / 2 * rho**2 / rows)
    got = gaussian_total_correlation(draws)
    assert abs(got - plain_kl_of_gaussians(c)) < 4 * (bias + 2 * spread)


def test_ar_1_codes():
    # Codes of a stationary AR(1) process: det R = (1 - phi^2)^(d - 1).
    d, phi = 6, 0.8
    z = with_covariance(phi ** np.abs(np.subtract.outer(np.arange(d), np.arange(d))))
    expected = -(d - 1) / 2 * math.log(1 - phi**2)
    assert gaussian_total_correlation(z) == pytest.approx(expected, abs=1e-10)


def test_independent_codes_score_zero():
    z = grid(5, 4, 3) * [1.0, 10.0, 0.1] + [0, 3, 1e4]
    for name, score in ALL.items():
        assert score(z) == pytest.approx(0.0 if name != "active units" else 2, abs=1e-12), name
    assert mutual_information_score(z) == 0.0


def test_duplicated_codes():
    z = np.random.default_rng(3).normal(size=(500, 1))
    with pytest.warns(MetricWarning, match=r"one follows from others of 3 codes.*infinite"):
        got = gaussian_total_correlation(np.hstack([z, -2 * z, z + 1]))
    # Eigenvalues of 3, 0 and 0, and these count as 1e-12.
    assert got == pytest.approx(-0.5 * math.log(3) + math.log(1e12), abs=1e-9)
    for d in (2, 3, 7):
        got = gaussian_wasserstein_correlation(np.tile(z, d), normalized=True)
        assert got == pytest.approx(2 - 2 / math.sqrt(d), abs=1e-12)
        entropy = information(cut(z[:, 0], 20), cut(z[:, 0], 20))
        with pytest.warns(MetricWarning, match="500 rows are few for 20 bins"):
            assert mutual_information_score(np.tile(z, d)) == pytest.approx(entropy)


def test_a_rotation_keeps_white_codes_and_not_others():
    z = with_covariance(np.diag([1.0, 1.0, 1.0]))
    turn = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))[0]
    assert gaussian_total_correlation(z @ turn) == pytest.approx(0.0, abs=1e-12)
    assert gaussian_wasserstein_correlation(z @ turn) == pytest.approx(0.0, abs=1e-12)
    scaled = z * [1.0, 2.0, 3.0]
    # det(turn' C turn) = det C: the total correlation is what the variances gain.
    gain = np.log(np.var(scaled @ turn, axis=0) / np.var(scaled, axis=0)).sum() / 2
    assert gaussian_total_correlation(scaled @ turn) == pytest.approx(gain, abs=1e-10)
    assert gain > 0.1


# Infinite, dead, few


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_linear_relation_is_found_in_either_precision(dtype):
    z = mixed(2000, 3).astype(dtype)
    dependent = np.column_stack([z, z[:, 0] - 2 * z[:, 2] + 5])
    with pytest.warns(MetricWarning, match="infinite"):
        cut_here = gaussian_total_correlation(dependent)
    noise = np.random.default_rng(5).normal(size=len(z)) * 1e-4 * dependent[:, 3].std()
    dependent[:, 3] += noise.astype(dtype)
    # From 1e-4 to 1e-6 of a deviation there are two factors of ten more.
    assert cut_here - gaussian_total_correlation(dependent) == pytest.approx(math.log(100), abs=1)


def test_as_many_codes_as_rows_depend_on_each_other():
    z = mixed(4, 4)
    with pytest.warns(MetricWarning, match="4 rows are too few for 4 codes"):
        assert 13 < gaussian_total_correlation(z) < 30
    assert 0 < gaussian_wasserstein_correlation(z, normalized=True) <= 1


@each
@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_dead_code_is_left_out_with_a_warning(score, place):
    z = mixed()
    dead = np.insert(z, place, 3.7, axis=1)
    if score is active_units:
        assert score(dead) == score(z)
        return
    with pytest.warns(MetricWarning, match=f"constant and left out: codes {place}"):
        assert score(dead) == pytest.approx(score(z), rel=1e-12)


@each
def test_too_few_codes_to_depend_on_each_other(score):
    rows = np.arange(10.0)[:, None]
    for z, alive in ((rows, 1), (rows * 0 + 2, 0), (np.hstack([rows * 0, rows, rows * 0]), 1)):
        assert score(z) == (alive if score is active_units else 0)


def test_nothing_that_varies_is_said():
    for score in list(ALL.values())[:4]:
        with pytest.warns(MetricWarning, match="no code varies; the score counts as 0"):
            score(np.ones((10, 3)))


@each
def test_order_and_offset_change_nothing(score):
    z = mixed()
    rng = np.random.default_rng(6)
    expected = score(z)
    shuffled = z[rng.permutation(len(z))][:, rng.permutation(4)]
    assert score(shuffled) == pytest.approx(expected, rel=1e-10)
    z = np.round(z * 1024) / 1024  # so that the offset rounds nothing
    assert score(z + 2.0**20) == pytest.approx(score(z), rel=1e-6)


def test_the_mutual_information_of_shuffled_rows_is_the_same_to_the_bit():
    z = mixed(5000)
    shuffled = z[np.random.default_rng(7).permutation(len(z))]
    assert mutual_information_score(shuffled) == mutual_information_score(z)


def test_scale_matters_where_it_should():
    z = mixed()
    scale = np.array([1e-3, 1.0, 50.0, 1e4])
    assert gaussian_total_correlation(z * scale) == pytest.approx(gaussian_total_correlation(z))
    assert gaussian_wasserstein_correlation(3 * z) == pytest.approx(
        9 * gaussian_wasserstein_correlation(z)
    )
    assert gaussian_wasserstein_correlation(z * scale, normalized=True) != pytest.approx(
        gaussian_wasserstein_correlation(z, normalized=True)
    )


def test_extreme_numbers():
    z = mixed()
    for name in ("total correlation", "wasserstein normalized", "mutual information"):
        for scale in (2.0**-1000, 2.0**1000):
            assert ALL[name](z * scale) == pytest.approx(ALL[name](z), rel=1e-9), name
    assert gaussian_wasserstein_correlation(z * 1e-300) == 0.0
    assert (active_units(z * 1e-300), active_units(z * 1e300)) == (0, 4)
    with pytest.raises(ValueError, match=r"variance fits a float64.*normalized=True"):
        gaussian_wasserstein_correlation(z * 1e300)
    least = np.nextafter(0, 1) * grid(3, 3)
    assert gaussian_total_correlation(least) == pytest.approx(0.0, abs=1e-12)


# Bins


def test_quantile_bins_see_no_monotone_warp():
    z = mixed(3000)
    warped = np.stack([np.exp(z[:, 0]), z[:, 1] ** 3, -z[:, 2], np.arctan(z[:, 3])], axis=1)
    bins = Bins.quantile(10)
    expected = mutual_information_score(z, bins=bins)
    rising = warped * [1, 1, -1, 1]
    assert mutual_information_score(rising, bins=bins) == pytest.approx(expected, abs=1e-12)
    # Falling turns the side on which an edge's own rows are counted.
    assert mutual_information_score(warped, bins=bins) == pytest.approx(expected, abs=5e-3)
    assert mutual_information_score(warped, bins=10) != pytest.approx(expected, abs=1e-2)


def test_stated_edges_cut_both_codes_of_a_pair():
    z = np.array([[0.1, 0.9], [0.4, 0.2], [0.6, 0.8], [0.9, 0.1]] * 200)
    got = mutual_information_score(z, bins=Bins.given([0.0, 0.5, 1.0]))
    expected = information(z[:, 0] > 0.5, z[:, 1] > 0.5)
    assert got == pytest.approx(expected, abs=1e-12)
    with pytest.warns(MetricWarning, match="codes: columns 0, 1 reach beyond the stated edges"):
        mutual_information_score(z, bins=Bins.given([0.2, 0.5, 0.8]))


# What they take


@each
def test_arrays_of_all_kinds_that_hold_the_same_numbers(score, tmp_path):
    z = mixed().astype(np.float32)
    expected = score(z)
    frozen = z.copy()
    frozen.flags.writeable = False
    unaligned = np.frombuffer(b"x" + z.tobytes(), np.float32, offset=1).reshape(z.shape)
    np.save(tmp_path / "z.npy", z)
    mapped = np.load(tmp_path / "z.npy", mmap_mode="r")
    for codes in (
        *(z.astype(np.float64), np.asfortranarray(z), z.astype(">f4"), z.tolist()),
        *(frozen, unaligned, mapped, torch.tensor(z, requires_grad=True)),
    ):
        assert score(codes) == pytest.approx(expected, rel=1e-12)
    half = torch.tensor(z).to(torch.bfloat16)
    assert score(half) == score(half.float())


@each
@pytest.mark.gpu
def test_codes_on_a_device(score):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    z = mixed().astype(np.float32)
    assert score(torch.tensor(z, device="cuda")) == score(z)


BAD = [
    (np.ones(5), ValueError, r"codes takes rows and columns.*\(5,\)"),
    (np.ones((5, 0)), ValueError, "codes takes rows and columns"),
    (np.ones((1, 3)), ValueError, "codes takes at least 2 rows, got 1"),
    ([[1.0, np.nan], [0.0, 1.0]], ValueError, r"codes takes finite values, got nan.*\(0, 1\)"),
    ([[1.0, 2.0], [0.0, np.inf]], ValueError, "codes takes finite values, got inf"),
    (np.array([["a"], ["b"]]), TypeError, "codes takes real numbers"),
    (np.ones((3, 2), complex), TypeError, "codes takes real numbers"),
    ([[1], [1, 2]], ValueError, "codes takes a regular array"),
    ([[-1.5e308], [1.5e308]], ValueError, "range fits a float64"),
    (None, ValueError, "codes takes rows and columns"),
]


@each
@pytest.mark.parametrize(("codes", "error", "message"), BAD, ids=range(len(BAD)))
def test_a_mistake_is_named(score, codes, error, message):
    with pytest.raises(error, match=message):
        score(codes)


def test_a_wrong_option_is_named():
    z = mixed()
    with pytest.raises(TypeError, match="normalized takes True or False, got 1"):
        gaussian_wasserstein_correlation(z, normalized=1)
    with pytest.raises(ValueError, match="bins takes an integer >= 2"):
        mutual_information_score(z, bins=1)
    with pytest.raises(ValueError, match="threshold takes a number >= 0, got -1"):
        active_units(z, threshold=-1)
    with pytest.raises(ValueError, match="512 MiB"):
        mutual_information_score(z, bins=5000)


# The one pass


@pytest.mark.parametrize("rows", [2, 3, 4095, 4096, 4097, 65_535, 200_003])
def test_covariance_is_that_of_numpy(rows):
    z = mixed(rows, 3) + np.array([0, 1e6, -50])
    codes = _codes.read_codes(z)
    got = _codes.covariance(codes) * np.outer(codes.unit, codes.unit)
    exact = z.astype(np.longdouble)
    exact -= exact.mean(axis=0)
    expected = (exact.T @ exact / (rows - 1)).astype(float)
    assert np.abs(got - expected).max() < 1e-13 * np.diag(expected).max()


def test_threads_change_no_bit(threads):
    codes = _codes.read_codes(mixed(300_000, 3))
    found = []
    for n in (1, 2, 5):
        threads(n)
        found.append(_codes.covariance(codes))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_one_outlier_in_many_rows_costs_no_digits():
    z = np.random.default_rng(8).normal(size=(100_000, 2)) * 1e-6
    z[77_777] = 1.0
    got = _codes.covariance(_codes.read_codes(z))
    exact = z.astype(np.longdouble)
    exact -= exact.mean(axis=0)
    expected = (exact.T @ exact / (len(z) - 1)).astype(float)
    np.testing.assert_allclose(got / got[0, 0], expected / expected[0, 0], rtol=1e-13)


def test_rows_are_not_copied_to_double_precision(tmp_path, threads):
    threads(2)
    np.save(tmp_path / "z.npy", mixed(1_000_000, 4).astype(np.float32))
    z = np.load(tmp_path / "z.npy", mmap_mode="r")
    for score in (gaussian_total_correlation, active_units, mutual_information_score):
        score(z[:5000])  # what is loaded once
        tracemalloc.start()
        score(z)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < z.nbytes / 4, score


# As part of a panel


def test_formulas_give_what_the_functions_give():
    z = mixed(5000)
    v = grid(5, 4, repeat=250)
    for metric in GROUPS["unlabelled"]:
        assert metric.score(v, z).value == getattr(metrics, metric.name)(z)
    active = METRICS["active_units"].score(v, z * [1, 0.01, 1, 1])
    assert active.per_code == {0: 1.0, 1: 0.0, 2: 1.0, 3: 1.0}
    in_bins = METRICS["mutual_information_score"].score(v, z, bins=7)
    assert in_bins.value == mutual_information_score(z, bins=7)


def test_a_panel_names_codes_by_their_columns():
    z = np.insert(mixed(5000), 2, 1.0, axis=1)
    v = grid(5, 4, repeat=250)
    active = np.array([False, True, True, True, True])
    for name in ("gaussian_total_correlation", "mutual_information_score"):
        with pytest.warns(MetricWarning, match="constant and left out: codes 2"):
            METRICS[name].score(v, z, active=active)


def test_the_warning_points_at_the_caller():
    with pytest.warns(MetricWarning) as caught:
        gaussian_total_correlation(np.ones((4, 2)))
    assert {w.filename for w in caught} == {__file__}
    assert metrics.MetricWarning is MetricWarning

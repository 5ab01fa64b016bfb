"""What holds for every metric of the panel: ranges, awkward input, order, warps, copies, noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fastdis import metrics
from fastdis.metrics._catalogue import METRICS
from fastdis.metrics._metric import Score
from tests.metrics.metric_data import grid, messy

pytestmark = pytest.mark.filterwarnings(
    "ignore::fastdis.metrics.MetricWarning", "ignore::sklearn.exceptions.ConvergenceWarning"
)


PANEL = METRICS
ALL = [(name, convention) for name in sorted(PANEL) for convention in PANEL[name].formulas]
# They fit models, or draw thousands of groups.
SLOW = {
    *(one for one in ALL if one[0] in ("dci", "dci_es", "explicitness", "infoe", "knn_accuracy")),
    *(one for one in ALL if one[0] in ("probe", "z_diff", "z_min_var", "z_max_var")),
    *(("sap", convention) for convention in ("disentanglement_lib", "ubisoft")),
}
QUICK = [one for one in ALL if one not in SLOW]
# Which of several equal codes holds a factor is open, so they ask for data without ties.
OF_ONE_CODE = [("dlig", "standard"), ("dmig", "standard"), ("xmig", "standard")]
COUNTED = [one for one in ALL if PANEL[one[0]].group == "histogram"]
LABELLED = [one for one in ALL if PANEL[one[0]].group != "unlabelled"]
MOST = {
    "active_units": math.inf,
    "dlig": math.inf,  # this and DMIG where a rival code tells less than the factors share
    "dmig": math.inf,
    "gaussian_total_correlation": math.inf,
    "gaussian_wasserstein_correlation": math.inf,
    "jemmig_raw": math.inf,
    "mutual_information_score": math.log(20),
}
LEAST = dict.fromkeys(("z_diff", "z_min_var", "z_max_var"), -1.0)  # where chance counts as 0
every = pytest.mark.parametrize(("name", "convention"), ALL)


def parts(name, convention, v, z, **options):
    """The scores of a metric by part."""
    result = PANEL[name].score(v, z, convention=convention, **options)
    return {name: result} if isinstance(result, Score) else result


def values(name, convention, v, z, **options):
    return {part: s.value for part, s in parts(name, convention, v, z, **options).items()}


def check_sound(name, convention, v, z, case):
    """No NaN anywhere, all in range; or an error that says what is taken."""
    try:
        found = parts(name, convention, v, z)
    except ValueError as error:
        if " take" not in str(error):  # "takes at least ...", "take ..."
            raise
        return False
    least = LEAST.get(name, 0.0) if convention == "ubisoft" else 0.0
    for part, score in found.items():
        where = (case, part, score.value)
        assert least - 1e-9 <= score.value <= MOST.get(name, 1.0) + 1e-9, where
        assert math.isfinite(score.value), where
        for each in (*score.per_factor.values(), *score.per_code.values()):
            assert not math.isnan(each), where
        assert score.matrix is None or not np.isnan(score.matrix).any(), where
    return True


def awkward():
    """Factors and codes by name that have broken one implementation or another."""
    rng = np.random.default_rng(0)
    v = grid(4, 3, 2, repeat=4)
    z = v @ rng.normal(size=(3, 3)) + 0.3 * rng.normal(size=(96, 3))
    dead = np.full((96, 1), 0.1)
    lonely = v.copy()
    lonely[:, 0] = 0
    lonely[5, 0] = 1
    return {
        "perfect": (v, v[:, ::-1] * 2.0),
        "dead codes first and last": (v, np.hstack([dead, z, dead])),
        "all codes dead": (v, np.hstack([dead, dead])),
        "duplicated codes": (v, np.hstack([z, z, -z])),
        "one code and one factor": (v[:, :1], z[:, :1]),
        "more factors than codes": (v, z[:, :1]),
        "noise": (v, rng.normal(size=(96, 2))),
        "a constant factor": (np.insert(v, 1, 7, axis=1), z),
        "constant factors": (v * 0, z),
        "two factors that are one": (v[:, [0, 0, 1]], z),
        "a level of one row": (lonely, z),
        "text": (np.array(["low", "high", "higher", "highest"])[v], z),
        "continuous factors, heavy tails": (rng.normal(size=(96, 2)), rng.standard_cauchy((96, 3))),
        "every row per level": (np.arange(96)[:, None], z),
        "binary codes": (v, (z > 0) * 1.0),
        "huge and tiny": (v, z * [1e300, 1e-300, 1.0]),
        "an offset": (v, (z * 1e-3 + 1e4).astype(np.float32)),
        "few rows": (v[::12], z[::12]),
        "two rows": (v[[0, -1]], z[[0, -1]]),
    }


AWKWARD = awkward()
# Enough for the slow ones, with what the histogram metrics share left out.
FEW = [
    *("dead codes first and last", "all codes dead", "duplicated codes", "a constant factor"),
    *("one code and one factor", "a level of one row", "huge and tiny", "two rows"),
    "continuous factors, heavy tails",
]


@every
def test_awkward_input_scores_a_number_in_range(name, convention):
    cases = list(FEW if (name, convention) in SLOW else AWKWARD)
    if (name, convention) == ("sap", "disentanglement_lib"):
        cases.remove("huge and tiny")  # liblinear does not end where squares overflow
    refused = [case for case in cases if not check_sound(name, convention, *AWKWARD[case], case)]
    assert len(refused) < len(cases) / 2, refused


numbers = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 5e-324, 1e-308, 1e300, -1e300, 1 + 2.0**-52]),
    st.floats(-10, 10),
    st.floats(allow_nan=False, allow_infinity=False),
)


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(2, 12), st.integers(1, 3), st.integers(1, 4))
def test_any_finite_numbers_score_a_number_in_range(data, rows, factors, codes):
    v = data.draw(
        st.one_of(
            arrays(np.int64, (rows, factors), elements=st.integers(-2, 3)),
            arrays(np.float64, (rows, factors), elements=numbers),
        )
    )
    z = data.draw(arrays(np.float64, (rows, codes), elements=numbers))
    for name, convention in QUICK:
        check_sound(name, convention, v, z, (name, convention))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 5), st.integers(5, 80))
def test_order_changes_no_quick_score(seed, factors, codes, rows):
    rng = np.random.default_rng(seed)
    v = rng.integers(0, 4, (rows, factors))
    v[:4, 0] = np.arange(4)
    z = np.round(rng.normal(size=(rows, codes)) + v[:, :1], 1)
    by_row, by_code = rng.permutation(rows), rng.permutation(codes)
    for name, convention in QUICK:
        # The logarithm of an eigenvalue that few rows leave near 0 magnifies its rounding.
        rounding = 1e-4 if name == "gaussian_total_correlation" else 1e-9
        expected = values(name, convention, v, z)
        shuffled = values(name, convention, v[by_row], z[by_row])
        assert shuffled == pytest.approx(expected, abs=rounding), (name, convention, "rows")
        if PANEL[name].group == "histogram":
            assert shuffled == expected, (name, convention)
        if (name, convention) not in OF_ONE_CODE:
            turned = values(name, convention, v, z[:, by_code])
            assert turned == pytest.approx(expected, abs=rounding), (name, convention, "codes")


@pytest.mark.parametrize(("name", "convention"), sorted((SLOW | {*OF_ONE_CODE}) & {*ALL}))
def test_the_order_of_codes_changes_no_slow_score(name, convention):
    v, z = messy(100)
    expected = values(name, convention, v, z)
    turned = values(name, convention, v, z[:, [3, 1, 4, 0, 2]])
    assert turned == pytest.approx(expected, abs=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(30, 200), st.integers(2, 12))
def test_a_rising_warp_changes_nothing_under_quantile_bins(seed, rows, bins):
    rng = np.random.default_rng(seed)
    v = np.stack([rng.integers(0, 4, rows), rng.integers(0, 3, rows)], axis=1)
    v[:4, 0], v[:2, 1] = np.arange(4), np.arange(2)
    z = rng.normal(size=(rows, 4)) + v[:, [0, 1, 0, 1]] * rng.uniform(0, 3, 4)
    warped = np.stack([np.exp(z[:, 0]), z[:, 1] ** 3, np.arctan(z[:, 2]), 7 * z[:, 3] - 2], axis=1)
    # Some metrics look at the codes' ranges, to tell which are in use: these stay.
    warped = (warped - warped.min(axis=0)) / np.ptp(warped, axis=0) * np.ptp(z, axis=0)
    cut = metrics.Bins.quantile(bins)
    for name in [name for name, convention in COUNTED if convention == "standard"] + [
        "mutual_information_score"
    ]:
        expected = values(name, "standard", v, z, bins=cut)
        assert values(name, "standard", v, warped, bins=cut) == expected, name


def test_a_warp_does_change_scores_under_bins_of_equal_width():
    v, z = messy(400)
    assert metrics.mig(v, np.exp(3 * z)) != pytest.approx(metrics.mig(v, z), abs=0.01)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_a_copy_of_the_best_codes_leaves_no_gap(seed, codes):
    v, z = messy(120, seed)
    z = z[:, :codes]
    best = metrics.joint_histogram(v, z).mutual_information.argmax(axis=1)
    copied = np.hstack([z, z[:, best]])
    assert metrics.mig(v, copied) == pytest.approx(0.0, abs=1e-12)
    for name, convention in (
        ("mig", "standard"),
        ("mig", "disentanglement_lib"),
        ("mig", "ubisoft"),
        ("sap", "standard"),
    ):
        if (name, convention) in ALL:
            (gap,) = values(name, convention, v, np.hstack([z, z])).values()
            assert gap == pytest.approx(0.0, abs=1e-12), (name, convention)


# How simple a probe does, not how well: noise may need no larger one.
OF_THE_PROBE = {("dci_es", "explicitness"), ("dci_es", "size")}


@pytest.mark.parametrize(("name", "convention"), LABELLED)
def test_more_noise_raises_no_score_in_expectation(name, convention):
    sigmas, seeds = ((0.1, 2.5), 2) if (name, convention) in SLOW else ((0.1, 0.6, 2.5), 8)
    means = []
    for sigma in sigmas:
        found = []
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            v = np.stack([rng.integers(0, 4, 200), rng.integers(0, 3, 200)], axis=1)
            z = v + sigma * rng.normal(size=v.shape)
            scores = values(name, convention, v, z)
            found.append([x for part, x in scores.items() if (name, part) not in OF_THE_PROBE])
        means.append(np.mean(found, axis=0))
    change = np.diff(means, axis=0) * (-1 if name == "jemmig_raw" else 1)
    assert (change < 0.01).all(), means
    assert (change.sum(axis=0) < -0.05).all(), means

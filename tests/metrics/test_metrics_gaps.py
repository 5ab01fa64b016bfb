"""MIG, MIG-sup, DMIG, XMIG and DLIG against their definitions written plainly, and closed forms."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fastdis.metrics import METRICS, MetricWarning, joint_histogram
from fastdis.metrics._counts.columns import read
from fastdis.metrics._counts.entropies import pair_information
from fastdis.metrics._counts.estimators import miller_madow
from fastdis.metrics._counts.histogram import pair_counts
from fastdis.metrics.from_histograms.dmig import dlig, dmig, xmig
from fastdis.metrics.from_histograms.mig import mig, mig_sup
from tests.metrics.metric_data import cut, entropy, grid, information, messy

MIG, MIG_SUP, DMIG, XMIG, DLIG = (
    METRICS[name] for name in ("mig", "mig_sup", "dmig", "xmig", "dlig")
)

pytestmark = pytest.mark.filterwarnings("ignore::fastdis.metrics.MetricWarning")

ALL = (mig, mig_sup, dmig, xmig, dlig)


def gap(values):
    first, second = sorted([*values, 0.0], reverse=True)[:2]
    return first - second


def plain_mig_sup(v, z):
    return np.mean(
        [gap(information(f, code) / entropy(f) for f in v.T) for code in z.T]
    )  # every code tells something


def second(values):
    """Where the largest of the others is, and 0 where there are none."""
    return max(values, key=values.get) if values else None


def plain_dmig(v, z, own):
    """``own[k]`` is the code of factor k."""
    scores = []
    for k, f in enumerate(v.T):
        mutual = {d: information(f, code) for d, code in enumerate(z.T)}
        held = mutual.pop(own[k])
        rival = second(mutual)
        bound = entropy(f)
        if rival in own:
            holder = v[:, max((j for j in range(len(own)) if own[j] == rival),
                              key=lambda j: information(v[:, j], z[:, rival]))]  # fmt: skip
            bound -= information(f, holder)
        scores.append((held - mutual.get(rival, 0.0)) / bound)
    return np.mean(scores)


def plain_xmig(v, z, own):
    free = [code for d, code in enumerate(z.T) if d not in own]
    return np.mean(
        [
            (information(f, z[:, own[k]]) - max((information(f, c) for c in free), default=0.0))
            / entropy(f)
            for k, f in enumerate(v.T)
        ]
    )


def plain_dlig(v, z, own, given=False):
    scores = {}
    for k, d in enumerate(own):
        mutual = {j: information(f, z[:, d]) for j, f in enumerate(v.T)}
        main = k if given else second(mutual)
        held = mutual.pop(main)
        rival = second(mutual)
        bound = entropy(v[:, main])
        if rival is not None:
            bound -= information(v[:, main], v[:, rival])
        scores[d] = (held - mutual.get(rival, 0.0)) / bound
    return np.mean(list(scores.values()))


def best_codes(v, z):
    return [int(np.argmax([information(f, code) for code in z.T])) for f in v.T]


def dependent(rows=3000, seed=0):
    """Three factors, the second often equal to the first, and codes that hold them, and noise."""
    rng = np.random.default_rng(seed)
    v = rng.integers(0, 4, (rows, 3))
    v[:, 1] = np.where(rng.random(rows) < 0.6, v[:, 0], v[:, 1])
    return v, np.hstack([v[:, ::-1], rng.integers(0, 4, (rows, 2))]) * 1.0


@pytest.mark.parametrize("bins", [5, 40])
@pytest.mark.parametrize("codes", [5, 3, 1])
def test_each_gap_follows_its_definition(bins, codes):
    v, z = messy()
    v[:, 2] = np.where(v[:, 0] > 1, 2, v[:, 2])
    z = z[:, :codes]
    b = np.stack([cut(code, bins) for code in z.T], axis=1)
    own = best_codes(v, b)
    assert mig_sup(v, z, bins=bins) == pytest.approx(plain_mig_sup(v, b), abs=1e-12)
    assert dmig(v, z, bins=bins) == pytest.approx(plain_dmig(v, b, own), abs=1e-12)
    assert xmig(v, z, bins=bins) == pytest.approx(plain_xmig(v, b, own), abs=1e-12)
    assert dlig(v, z, bins=bins) == pytest.approx(plain_dlig(v, b, own), abs=1e-12)


@pytest.mark.parametrize("own", [(0, 1, 2), (4, 0, 3)])
def test_reg_dim_says_which_code_holds_which_factor(own):
    v, z = messy()
    b = np.stack([cut(code, 8) for code in z.T], axis=1)
    options = {"bins": 8, "reg_dim": own}
    assert dmig(v, z, **options) == pytest.approx(plain_dmig(v, b, own), abs=1e-12)
    assert xmig(v, z, **options) == pytest.approx(plain_xmig(v, b, own), abs=1e-12)
    assert dlig(v, z, **options) == pytest.approx(plain_dlig(v, b, own, True), abs=1e-12)
    # Columns are those of the codes as passed, whichever of them are scored.
    wider = np.insert(z, 0, 0.3, axis=1)
    moved = [d + 1 for d in own]
    for metric in (dmig, xmig, dlig):
        got = metric(v, wider, bins=8, reg_dim=moved, active=[False, *[True] * 5])
        assert got == pytest.approx(metric(v, z, **options), abs=1e-12)


def test_reg_dim_that_is_no_assignment():
    v, z = grid(3, 4), grid(3, 4) * 1.0
    for wrong in ([0], [0, 0], [0, 2], [0, 1, 1]):
        with pytest.raises(ValueError, match="reg_dim takes 2 different columns"):
            dmig(v, z, reg_dim=wrong)
    for wrong in (3, "01", [0.5, 1], [True, False]):
        with pytest.raises(TypeError, match="reg_dim takes"):
            xmig(v, z, reg_dim=wrong)


def test_dependence_costs_mig_and_not_dmig():
    v, z = dependent()
    shared = information(v[:, 0], v[:, 1])
    expected = 1 - (shared / entropy(v[:, 0]) + shared / entropy(v[:, 1])) / 3
    assert mig(v, z[:, :3], bins=4) == pytest.approx(expected, abs=0.01)
    assert dmig(v, z[:, :3], bins=4) == pytest.approx(1.0, abs=0.01)
    assert dlig(v, z[:, :3], bins=4) == pytest.approx(1.0)
    assert xmig(v, z, bins=4) == pytest.approx(1.0, abs=0.01)


def test_independent_factors_leave_dmig_at_mig():
    v = grid(4, 5, 3)
    codes = np.stack([v[:, 0] + 0.1 * v[:, 1], v[:, 1], v[:, 2] + 0.01 * v[:, 0]], axis=1)
    assert dmig(v, codes) == pytest.approx(mig(v, codes), abs=1e-12)
    assert mig(v, codes) < 0.9


def test_a_perfect_representation_in_any_order():
    v = grid(4, 5, 3)
    for order in itertools.permutations(range(3)):
        for metric in ALL:
            assert metric(v, 2.0 * v[:, order] + 1) == pytest.approx(1.0, abs=1e-12)


def test_what_each_gap_makes_of_duplicates_and_of_codes_of_two_factors():
    v = grid(4, 5)
    twice = np.hstack([v, v]) * 1.5
    # A duplicate is another code that tells as much; each still holds one factor.
    for metric, expected in ((mig, 0), (mig_sup, 1), (dmig, 0), (xmig, 0), (dlig, 1)):
        assert metric(v, twice) == pytest.approx(expected, abs=1e-12)
    both = v[:, :1] + 4.0 * v[:, 1:]
    # MIG does not see that the one code holds two factors.
    for metric, expected in ((mig, 1), (mig_sup, 0), (dmig, 1), (xmig, 1)):
        assert metric(v, both) == pytest.approx(expected, abs=1e-12)
    assert dlig(v, both) == pytest.approx(1 - np.log(4) / np.log(5))


def test_noise_holds_nothing():
    rng = np.random.default_rng(0)
    v, z = rng.integers(0, 4, (20_000, 2)), rng.normal(size=(20_000, 3))
    for metric in ALL:
        assert metric(v, z) < 0.01
    full = grid(4, 3, 5)
    for metric in ALL:
        assert metric(full[:, :2], full[:, 2:] * 1.0) == 0.0


@pytest.mark.parametrize("metric", ALL)
def test_a_dead_code_and_a_constant_factor_change_nothing(metric):
    v, z = messy()
    expected = metric(v, z)
    for place in (0, 5):
        assert metric(v, np.insert(z, place, 0.3, axis=1)) == pytest.approx(expected, abs=1e-12)
    for place in (0, 3):
        with pytest.warns(MetricWarning, match="constant and left out"):
            got = metric(np.insert(v, place, 7, axis=1), z)
        assert got == pytest.approx(expected, abs=1e-12)
    assert metric(v, np.ones((600, 2))) == 0.0
    with pytest.raises(ValueError, match="at least one factor that varies"):
        metric(np.ones((50, 2)), z[:50])


def test_parts_of_the_scores():
    v, z = dependent()
    dead = np.insert(z, 1, 2.0, axis=1)
    for metric in (MIG, DMIG, XMIG):
        score = metric.score(v, dead, bins=4)
        assert list(score.per_factor) == ["factor 0", "factor 1", "factor 2"]
        assert score.value == pytest.approx(np.mean(list(score.per_factor.values())))
        assert score.matrix.shape == (3, 6)
    assert sorted(MIG_SUP.score(v, dead, bins=4).per_code) == [0, 2, 3, 4, 5]
    assert sorted(DLIG.score(v, dead, bins=4).per_code) == [0, 2, 3]
    with pytest.warns(MetricWarning, match="codes 1 tell nothing about any factor"):
        mig_sup(v, dead, bins=4)


def test_a_factor_that_another_determines_has_no_gap_to_fill():
    v = grid(4, 5)
    v = np.insert(v, 2, v[:, 0] // 2, axis=1)
    # The rival of the third factor's code is that of the first, which determines it.
    with pytest.warns(MetricWarning, match="functions of another factor and left out: 'factor 2'"):
        score = DMIG.score(v, v * 1.0)
    assert sorted(score.per_factor) == ["factor 0", "factor 1"]
    assert score.value == pytest.approx(1.0)
    copies = np.repeat(grid(4, repeat=10), 2, axis=1)
    with pytest.warns(MetricWarning, match="left out"):
        assert dmig(copies, copies * 1.0, reg_dim=[0, 1]) == 0.0
    with pytest.warns(MetricWarning, match="no code holds a factor"):
        assert dlig(copies, copies * 1.0) == 0.0


def test_a_constant_factor_is_no_rival():
    a, b = grid(2, 2).T
    v = np.stack([2 * a + b, a, np.zeros(4)], axis=1)
    # The code tells nothing of a, of which the first factor is one half.
    assert dlig(v, b[:, None] * 1.0) == pytest.approx(1.0)


def test_scores_over_one_are_said():
    rng = np.random.default_rng(1)
    v, z = dependent(4000)
    blurred = np.where(rng.random(4000) < 0.25, rng.integers(0, 4, 4000), z[:, 1])
    with pytest.warns(MetricWarning, match="over 1 for 'factor 0'"):
        score = DMIG.score(v, np.stack([z[:, 2], blurred, z[:, 0]], axis=1), bins=4)
    assert score.per_factor["factor 0"] > 1


def test_pairs_of_factors_of_every_kind():
    rng = np.random.default_rng(3)
    levels = [rng.integers(0, 3, 500), rng.integers(0, 2, 500) * 100, rng.normal(size=500)]
    v = np.stack(levels, axis=1)
    v[:, 2] += v[:, 0]

    discrete = [True, True, False]
    data = read(v, v, 7, discrete)
    histogram = joint_histogram(v, v, bins=7, discrete=discrete)
    counts = pair_counts(data, histogram)
    assert counts.shape == (12, 12)
    np.testing.assert_array_equal(counts, counts.T)
    columns = [v[:, 0], v[:, 1], cut(v[:, 2], 7)]
    expected = [[information(a, b) if a is not b else entropy(a) for a in columns]
                for b in columns]  # fmt: skip
    np.testing.assert_allclose(pair_information(counts, histogram.levels), expected, atol=1e-12)
    batch = pair_information(np.stack([counts, 3 * counts]), histogram.levels)
    np.testing.assert_allclose(batch, [expected, expected], atol=1e-12)
    corrected = pair_information(counts, histogram.levels, "miller_madow")
    np.testing.assert_allclose(np.diag(corrected), miller_madow(histogram).factor_entropy)
    cells = len(np.unique(np.stack(columns[::2]), axis=1).T)
    assert corrected[0, 2] == pytest.approx(expected[0][2] + (3 + 7 - cells - 1) / 1000)
    text = np.array(["b", "a", "c"])[v[:, :1].astype(int)]
    data = read(text, v, 7, None)
    counts = pair_counts(data, joint_histogram(text, v))
    assert np.diag(counts).tolist() == [(text == x).sum() for x in "abc"]


def test_chunks_count_pairs_as_the_whole_does():
    v, z = dependent()
    parts = [(v[a : a + 700], z[a : a + 700]) for a in range(0, len(v), 700)]
    for metric in ALL:
        assert metric(parts, bins=4) == metric(v, z, bins=4)


def test_too_many_pairs_of_levels_are_refused():
    v = np.stack([np.arange(40_000), np.arange(40_000) % 7], axis=1)
    with pytest.raises(ValueError, match="factors takes levels whose pairs fit 512 MiB"):
        dmig(v, v[:, 1:] * 1.0)
    assert xmig(v, v[:, 1:] * 1.0) > 0  # reads no pairs


# --- what the libraries do ---


def unit_bins(x, bins=10):
    span = np.ptp(x, axis=0)
    scaled = (x - x.min(axis=0)) / np.where(span > 0, span, 1)
    return np.digitize(scaled, np.linspace(0, 1, bins + 1)[:-1])


@pytest.mark.parametrize("bins", [None, 6])
def test_ubisoft_divides_by_the_entropy_of_the_code(bins):
    v, z = messy()
    b = unit_bins(z, bins or 10)
    share = np.array([[information(f, c) / entropy(c) for c in b.T] for f in v.T])
    options = {"convention": "ubisoft", "bins": bins}
    assert mig(v, z, **options) == pytest.approx(np.mean([gap(row) for row in share]), abs=1e-12)
    expected = np.mean([gap(column) for column in share.T])
    assert mig_sup(v, z, **options) == pytest.approx(expected, abs=1e-12)


def test_a_finer_code_moves_ubisofts_mig_alone():
    v = grid(4, 5, repeat=20)
    fine = v + 0.2 * (np.arange(len(v)) // 20 % 2)[:, None]
    assert mig(v, fine) == mig(v, v * 1.0) == pytest.approx(1.0)
    assert mig(v, v * 1.0, convention="ubisoft") == pytest.approx(1.0)
    ratio = np.mean([np.log(n) / np.log(2 * n) for n in (4, 5)])
    assert mig(v, fine, convention="ubisoft", bins=40) == pytest.approx(ratio)


def test_disentanglement_lib_keeps_levels_and_cuts_codes_in_twenty():
    rng = np.random.default_rng(4)
    v = np.stack([rng.integers(0, 50, 2000) / 7, rng.integers(0, 3, 2000)], axis=1)
    z = np.tanh(v @ rng.normal(size=(2, 4)) / 3) + 0.1 * rng.normal(size=(2000, 4))
    edges = [np.histogram(code, 20)[1][:-1] for code in z.T]
    b = np.stack([np.digitize(c, e) for c, e in zip(z.T, edges, strict=True)], axis=1)
    expected = np.mean([gap(information(f, c) for c in b.T) / entropy(f) for f in v.T])
    assert mig(v, z, convention="disentanglement_lib") == pytest.approx(expected, abs=1e-12)
    with pytest.raises(ValueError, match="for mig_sup, got 'disentanglement_lib'"):
        mig_sup(v, z, convention="disentanglement_lib")


def test_what_is_not_a_number_in_the_libraries():
    v, z = messy()
    with_constant = np.insert(v, 1, 7, axis=1)
    with pytest.warns(MetricWarning, match="constant and left out: 'factor 1'"):
        got = mig(with_constant, z, convention="disentanglement_lib")
    assert got == pytest.approx(mig(v, z, convention="disentanglement_lib"))
    # Ubisoft's code has a value there: a gap of 0.
    with pytest.warns(MetricWarning, match="constant and counted as 0: 'factor 1'"):
        got = mig(with_constant, z, convention="ubisoft")
    assert got == pytest.approx(mig(v, z, convention="ubisoft") * 3 / 4)
    for place in (0, 5):
        dead = np.insert(z, place, 1.0, axis=1)
        with pytest.warns(MetricWarning, match="0 / 0, counts as 0"):
            assert mig(v, dead, convention="ubisoft") == mig(v, z, convention="ubisoft")
        got = mig_sup(v, dead, convention="ubisoft")
        assert got == pytest.approx(mig_sup(v, z, convention="ubisoft") * 5 / 6)
    # One code, or one factor, is an index error there.
    assert 0 < mig(v, z[:, :1], convention="ubisoft") <= 1
    assert mig_sup(v[:, :1], v[:, :1] * 1.0, convention="ubisoft") == pytest.approx(1.0)
    for convention in ("disentanglement_lib", "ubisoft"):
        with pytest.raises(ValueError, match="at least one factor that varies"):
            mig(np.ones((50, 2)), z[:50], convention=convention)


def test_dead_codes_and_the_order_of_factors_change_nothing_in_dmig_and_dlig():
    v, w = np.tile([0, 1], 300), np.repeat([0, 1, 2], 200)
    factors, codes = np.stack([v, v + 2 * w], axis=1), np.stack([v * 1.0, w * 1.0], axis=1)
    with_dead = np.insert(codes, 2, 5.0, axis=1)
    for metric in (dmig, dlig):
        assert metric(factors, with_dead) == metric(factors, codes)
    fine = np.repeat(np.arange(12), 50)
    coarse, other = fine // 3, np.tile(np.arange(3), 200)
    codes = np.stack([coarse * 1.0, other * 1.0], axis=1)
    ways = ([fine, coarse, other], [coarse, fine, other])
    assert len({dlig(np.stack(way, axis=1), codes) for way in ways}) == 1

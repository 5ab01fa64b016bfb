"""Z-diff, Z-min and Z-max variance: what is drawn, the definitions in loops, closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from fastdis.metrics import METRICS as PANEL
from fastdis.metrics._counts.histogram import MetricWarning
from fastdis.metrics._evidence import gather
from fastdis.metrics.from_interventions import z_diff as z_diff_module
from fastdis.metrics.from_interventions.draws import InterventionPlan, points_of
from fastdis.metrics.from_interventions.z_diff import z_diff
from fastdis.metrics.from_interventions.z_var import z_max_var, z_min_var
from tests.metrics.metric_data import grid, messy

Z_DIFF, Z_MIN_VAR, Z_MAX_VAR = (PANEL[name] for name in ("z_diff", "z_min_var", "z_max_var"))
METRICS = {"z_diff": z_diff, "z_min_var": z_min_var, "z_max_var": z_max_var}
BOTH = {
    (metric.name, convention)
    for metric in (Z_DIFF, Z_MIN_VAR, Z_MAX_VAR)
    for convention in metric.formulas
}
EACH = pytest.mark.parametrize(("name", "convention"), sorted(BOTH))
SMALL = {"batch_size": 20, "train_points": 600, "test_points": 600}


def noise(rows, codes, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, codes))


def draws_of(v, kind, equal_levels=False, **options):
    """What a plan draws among the rows of ``v``, and the notes it leaves."""
    evidence = gather(v, np.arange(len(v))[:, None] * 1.0, **options)
    plan = InterventionPlan(kind, 30, 300, 90, equal_levels=equal_levels)
    return points_of(evidence, plan, None), evidence.notes


# What is drawn


@pytest.mark.parametrize("kind", ["pairs", "fixed", "varied"])
def test_a_batch_agrees_in_what_it_should(kind):
    v = np.random.default_rng(0).integers(0, [3, 4, 5], (400, 3))
    draws, _ = draws_of(v, kind)
    assert draws.factor[:7].tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert draws.rows.shape == ((390, 30, 2) if kind == "pairs" else (390, 30))
    for rows, k in zip(draws.rows, draws.factors[draws.factor], strict=True):
        x = v[rows]
        agrees = (x == x[:, :1] if kind == "pairs" else x == x[:1]).reshape(-1, 3).all(axis=0)
        if kind == "varied":
            assert agrees[np.arange(3) != k].all()
        else:
            assert agrees.tolist() == [j == k for j in range(3)]
        if kind == "pairs":
            assert (rows[:, 0] != rows[:, 1]).all()
    # Factor k does vary where all others are held, but for bad luck in a group of few rows.
    spans = [
        np.ptp(v[rows, k]) > 0
        for rows, k in zip(draws.rows[:, :30], draws.factor, strict=True)
        if kind == "varied"
    ]
    assert np.mean(spans or [1]) > 0.9


def test_rows_are_drawn_by_their_share_or_levels_alike():
    v = np.stack([np.arange(1000) < 900, np.arange(1000) % 7], axis=1).astype(int)
    for equal, share in ((False, 0.9), (True, 0.5)):
        for kind in ("pairs", "fixed"):
            draws, _ = draws_of(v, kind, equal)
            first = v[draws.rows[draws.factor == 0].ravel(), 0]
            assert first.mean() == pytest.approx(share, abs=0.1), (equal, kind)
    draws, _ = draws_of(v, "pairs")
    assert set(draws.rows.ravel()) == set(range(1000))


def test_draws_are_fixed_by_the_seed():
    v, _ = messy()
    first, again, other = (draws_of(v, "fixed", seed=seed)[0] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.rows, again.rows)
    assert (first.rows != other.rows).any()
    with_constant = np.insert(v, 1, 5, axis=1)
    np.testing.assert_array_equal(draws_of(with_constant, "fixed", seed=3)[0].rows, first.rows)


def test_a_continuous_factor_is_held_to_a_bin():
    v = np.random.default_rng(0).random((500, 2))
    draws, _ = draws_of(v, "fixed", bins=5)
    for rows, k in zip(draws.rows, draws.factor, strict=True):
        low, high = v[:, k].min(), v[:, k].max()
        bins = np.digitize(v[rows, k], np.linspace(low, high, 6)[1:-1])
        assert len(set(bins)) == 1
        assert len(set(rows)) > 15


def test_ubisoft_cuts_factors_into_three_bins_where_all_but_one_are_held():
    v = np.random.default_rng(0).random((2000, 3))
    z = np.tanh(v @ np.array([[2, 1, 0], [0, 2, 1], [1, 0, 2]]))
    three, five = (np.floor(n * (v - v.min(axis=0)) / np.ptp(v, axis=0)) for n in (3, 5))
    options = {"convention": "ubisoft", **SMALL}
    got = z_max_var(v, z, **options)
    assert got == z_max_var(np.minimum(three, 2).astype(int), z, **options)
    cut_in_five = z_max_var(v, z, bins=5, **options)
    assert cut_in_five == z_max_var(np.minimum(five, 4).astype(int), z, **options) != got


def test_combinations_in_which_nothing_varies_are_not_drawn():
    v = np.array([[0, 0], [0, 0], [0, 1], [1, 0], [2, 5], [2, 5]])
    draws, _ = draws_of(v, "varied")
    for turn, expected in ((0, {0, 1, 3}), (1, {0, 1, 2})):
        assert set(draws.rows[draws.factor == turn].ravel()) == expected


# Definitions, in loops, on the rows that were drawn


def with_draws(metric, convention, v, z, **options):
    evidence = gather(v, z, convention=convention, **options)
    plan = metric.formulas[convention].keywords["plan"]
    draws = points_of(evidence, plan, None)
    return metric.formulas[convention](evidence), draws, plan


@pytest.mark.parametrize("convention", sorted(Z_DIFF.formulas))
def test_z_diff_follows_its_definition(convention, monkeypatch):
    """What the classifier is given, and the score of what it says, which is drawn here."""
    v, z = messy()
    z = (z + 0.7 * noise(*z.shape)) * [1, 3, 0.2, 1, 1]
    given, said = [], np.random.default_rng(1).integers(0, 3, 5_000)
    monkeypatch.setattr(z_diff_module, "_predicted", lambda *x: given.extend(x) or said)
    score, draws, plan = with_draws(Z_DIFF, convention, v, z)
    points = []
    for rows in draws.rows:
        first, second = z[rows[:, 0]], z[rows[:, 1]]
        points.append(np.abs(first - second).sum(axis=0) / len(rows))
    points = np.array(points)
    if convention == "standard":
        points /= points[:10_000].std(axis=0)
    np.testing.assert_allclose(given[0], points[:10_000], rtol=1e-9)
    np.testing.assert_array_equal(given[1], draws.factor[:10_000])
    np.testing.assert_allclose(given[2], points[10_000:], rtol=1e-9)
    right = said == draws.factor[10_000:]
    by_factor = [np.mean(right[draws.factor[10_000:] == k]) for k in range(3)]
    expected = np.array([np.mean(right), *by_factor])
    if convention == "ubisoft":
        expected = (expected - 1 / 3) / (2 / 3)
    assert len(points) == 15_000
    assert plan.batch == (200 if convention == "ubisoft" else 64)
    found = [score.value, *score.per_factor.values()]
    assert found == pytest.approx(expected.tolist(), abs=1e-12)


def test_the_classifier_of_z_diff_is_a_logistic_regression_of_penalty_one():
    rng = np.random.default_rng(2)
    factor = rng.choice(3, 3_000, p=[0.5, 0.3, 0.2])
    points = 0.05 * (np.eye(3)[factor] + 0.3 * rng.normal(size=(3_000, 3)))  # so that it matters
    fitted, asked = points[:2_000], points[2_000:]
    said = z_diff_module._predicted(fitted, factor[:2_000], asked)

    def probabilities(c):
        model = LogisticRegression(C=c, max_iter=10_000, tol=1e-10)
        return model.fit(fitted, factor[:2_000]).predict_proba(asked)

    expected = probabilities(1.0)
    # Where two factors are all but equally likely, the last step of the fit decides.
    sure = np.diff(np.sort(expected))[:, -1] > 0.01
    assert sure.mean() > 0.9
    np.testing.assert_array_equal(said[sure], expected.argmax(axis=1)[sure])
    assert np.mean(said != probabilities(100.0).argmax(axis=1)) > 0.05


@pytest.mark.parametrize(
    ("metric", "convention"),
    [(m, c) for m in (Z_MIN_VAR, Z_MAX_VAR) for c in sorted(m.formulas)],
    ids=lambda x: x if isinstance(x, str) else x.name,
)
def test_variance_votes_follow_their_definition(metric, convention):
    v, z = messy()
    z = z * [1, 3, 0.5, 1, 0.01] + [0, 0, 50, 0, 0]  # the last is below 0.05 in deviation
    score, draws, plan = with_draws(metric, convention, v, z)
    codes = range(4) if convention != "standard" else range(5)
    votes = []
    for rows in draws.rows:
        ratio = [np.var(z[rows, d]) / np.var(z[:, d]) for d in codes]
        votes.append(np.argmax(ratio) if metric is Z_MAX_VAR else np.argmin(ratio))
    n = plan.train
    meant = {}
    for d in codes:
        counts = [np.sum((np.array(votes[:n]) == d) & (draws.factor[:n] == k)) for k in range(3)]
        meant[d] = int(np.argmax(counts)) if sum(counts) else None
    right = [meant[d] == k for d, k in zip(votes[n:], draws.factor[n:], strict=True)]
    share = np.mean(right)
    expected = (share - 1 / 3) / (2 / 3) if convention == "ubisoft" else share
    assert score.value == pytest.approx(expected, abs=1e-12)
    assert len(right) == (5_000 if convention == "disentanglement_lib" else 800)
    by_factor = [np.mean(np.array(right)[draws.factor[n:] == k]) for k in range(3)]
    if convention != "ubisoft":
        assert list(score.per_factor.values()) == pytest.approx(by_factor)
    for d, share in score.per_code.items():
        assert share == pytest.approx(
            np.mean([r for r, w in zip(right, votes[n:], strict=True) if w == d])
        )
    table = [
        [np.mean(np.array(votes[:n])[draws.factor[:n] == k] == d) for d in range(5)]
        for k in range(3)
    ]
    np.testing.assert_allclose(score.matrix, table, atol=1e-12)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_scores_agree_with_a_generator_of_its_own(name):
    """Factors drawn freely, clips made from them one batch at a time: no rows, no groups."""
    sizes, rng = np.array([4, 5, 6]), np.random.default_rng(5)
    mix = np.array([[1, 0.2, 0], [0.1, 1, 0.4], [0, 0.3, 1], [0.5, 0.5, 0.5]])

    def encode(v):
        return np.tanh((v / sizes - 0.5) @ mix.T * 2)

    deviation = encode(grid(*sizes)).std(axis=0)
    points, factor = [], rng.integers(0, 3, 1600)
    for k in factor:
        first, second = rng.integers(0, sizes, (2, 200, 3))
        if name == "z_max_var":
            others = np.arange(3) != k
            first[:, others] = first[0, others]
        elif name == "z_min_var":
            first[:, k] = first[0, k]
        else:
            second[:, k] = first[:, k]
            points.append(np.abs(encode(first) - encode(second)).mean(axis=0) / deviation)
            continue
        ratio = encode(first).var(axis=0) / deviation**2
        points.append(ratio.argmax() if name == "z_max_var" else ratio.argmin())
    points = np.array(points)
    if name == "z_diff":
        points = points / points[:800].std(axis=0)
        predicted = LogisticRegression().fit(points[:800], factor[:800]).predict(points[800:])
    else:
        counts = np.zeros((4, 3))
        np.add.at(counts, (points[:800], factor[:800]), 1)
        predicted = counts.argmax(axis=1)[points[800:]]
    v = grid(*sizes)
    got = METRICS[name](v, encode(v), batch_size=200)
    assert got == pytest.approx(np.mean(predicted == factor[800:]), abs=0.05)
    assert got > 0.4


# Closed forms and invariances


@EACH
def test_perfect_codes_score_one(name, convention):
    v = grid(4, 5, 6, repeat=2)
    codes = 2.0 * v[:, [2, 0, 1]] + 7
    for z in (codes, -codes[:, ::-1], np.hstack([codes, codes]), np.exp(codes)):
        assert METRICS[name](v, z, convention=convention, **SMALL) == 1.0


@EACH
def test_noise_scores_chance(name, convention):
    v = grid(4, 5, 6, repeat=100)
    got = METRICS[name](v, noise(len(v), 6), convention=convention)
    assert got == pytest.approx(0 if convention == "ubisoft" else 1 / 3, abs=0.06)


@EACH
def test_the_order_of_codes_changes_nothing(name, convention):
    v, z = messy()
    z = np.hstack([100 * z] * 8) + 20 * noise(len(z), 40)  # many, so that sums are rounded
    order = np.random.default_rng(0).permutation(40)
    got = [METRICS[name](v, x, convention=convention, **SMALL) for x in (z, z[:, order])]
    assert got[0] == got[1]


@EACH
def test_dead_codes_change_nothing_wherever_they_stand(name, convention):
    v, z = messy()
    plain = METRICS[name](v, z, convention=convention, **SMALL)
    for place in (0, 2, 5):
        with_dead = np.insert(z, place, 4.0, axis=1)
        assert METRICS[name](v, with_dead, convention=convention, **SMALL) == plain


@pytest.mark.parametrize("name", sorted(METRICS))
def test_the_scale_of_codes_matters_to_those_who_say_so(name):
    v, z = messy()
    z = np.round(z * 2**20) / 2**20  # so that scale and offset round nothing
    scaled = z * [2**-20, 8, 1, 2**17, 2**10] + [0, 0, 2**14, 0, 0]
    assert METRICS[name](v, scaled, **SMALL) == METRICS[name](v, z, **SMALL)
    if name != "z_diff":
        small = grid(4, 5, repeat=3) * 0.01
        with pytest.warns(MetricWarning, match="constant, or as good as; the score counts as 0"):
            assert METRICS[name](grid(4, 5, repeat=3), small, convention="ubisoft") == 0.0


def test_rotated_codes_score_less_than_perfect_ones():
    v = grid(6, 6, repeat=5)
    turn = np.sqrt(0.5) * np.array([[1, 1], [-1, 1]])
    for name in ("z_min_var", "z_max_var"):
        assert METRICS[name](v, v @ turn) == 0.5  # both codes vary alike: each takes half a vote
        assert METRICS[name](v, v * 1.0) == 1.0


def test_z_diff_is_lenient_where_z_min_var_is_not():
    """Of three factors two are held by codes: the third is found by elimination."""
    v = grid(5, 5, 5, repeat=2)
    z = np.hstack([v[:, :2], noise(len(v), 2)])
    assert z_diff(v, z) == pytest.approx(1.0, abs=0.02)
    assert z_min_var(v, z[:, :2]) < 0.75
    assert z_max_var(v, z[:, :2]) < 0.75


def test_one_code_for_two_factors_costs_z_min_var():
    v = grid(6, 6, repeat=5)
    assert z_min_var(v, 6.0 * v[:, :1] + v[:, 1:]) == pytest.approx(0.5, abs=0.05)
    assert z_min_var(v, np.repeat(v, 3, axis=1) * 1.0) == 1.0


def test_equal_variances_share_the_vote():
    """Held factor 0 stills codes 0 and 1, which are bijections; code 1 alone is always still."""
    v = grid(4, 6, repeat=2)
    score = Z_MIN_VAR.score(v, np.stack([v[:, 0], v[:, 0] ** 2 + 1.0, v[:, 1]], axis=1))
    np.testing.assert_allclose(score.matrix, [[0.5, 0.5, 0], [0, 0, 1]])
    assert score.per_code == {0: 1.0, 1: 1.0, 2: 1.0}


def test_noise_takes_the_votes_of_z_max_var_unless_it_is_not_active():
    v = grid(4, 5, 6, repeat=5)
    z = np.hstack([v, noise(len(v), 5)])
    assert z_max_var(v, z) < 0.7
    active = np.arange(8) < 3
    with pytest.warns(MetricWarning, match="codes 3, 4, 5, 6, 7 are not active"):
        assert z_max_var(v, z, active=active) == 1.0
    with pytest.warns(MetricWarning, match="codes 0, 1, 2, 3, 4 are not active"):
        score = Z_MAX_VAR.score(v, z[:, ::-1], active=active[::-1])
    assert sorted(score.per_code) == [5, 6, 7]


# Edges


@pytest.mark.filterwarnings("ignore::fastdis.metrics.MetricWarning")
@EACH
def test_edges_have_values(name, convention):
    metric = METRICS[name]
    v, z = messy()
    dead = np.ones((len(v), 3))
    assert metric(v, dead, convention=convention) == 0.0
    assert metric(v[:, :1], z, convention=convention) == 1.0
    assert metric(v[:, :1], dead, convention=convention) == 0.0
    one = metric(v, z[:, :1], convention=convention, **SMALL)
    assert -0.5 <= one <= 1
    for scale in (1e-300, 1e300):
        assert np.isfinite(metric(v, z * scale, convention=convention, **SMALL))
    plain = metric(v, z, convention=convention, **SMALL)
    with_constant = metric(np.insert(v, 0, 7, axis=1), z, convention=convention, **SMALL)
    assert with_constant == plain
    single = metric(v, z.astype(np.float32), convention=convention, **SMALL)
    assert single == pytest.approx(plain, abs=0.02)
    text = np.array(list("abcdefg"))[v[:, [0, 2]]]
    assert metric(text, z, convention=convention, **SMALL) == metric(
        v[:, [0, 2]], z, convention=convention, **SMALL
    )


def test_what_is_left_out_is_said():
    v, z = messy()
    with pytest.warns(MetricWarning, match="every code is constant"):
        z_diff(v, np.ones((len(v), 2)))
    with pytest.warns(MetricWarning, match="'factor 0' is the only factor"):
        z_min_var(v[:, :1], z)
    with pytest.warns(MetricWarning, match="constant and left out: 'factor 1'"):
        z_diff(np.insert(v, 1, 7, axis=1), z, **SMALL)
    each_once = np.hstack([v, np.arange(len(v))[:, None]])
    with pytest.warns(MetricWarning, match="agree in a level of 'factor 3': no intervention, left"):
        assert z_diff(each_once, z, **SMALL) == z_diff(v, z, **SMALL)
    thin = np.array([[0, 0, 0], [0, 0, 1], [1, 1, 0], [2, 1, 0], [1, 0, 3]])
    with pytest.warns(MetricWarning, match="agree in all factors but 'factor 1': no intervention"):
        z_max_var(thin, noise(5, 2), **SMALL)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_no_intervention_at_all_is_an_error(name):
    rows = np.arange(30)
    with pytest.raises(ValueError, match=r"some agree in .* got none; take fewer bins"):
        METRICS[name](np.stack([rows, rows[::-1]], axis=1), noise(30, 2))
    with pytest.raises(ValueError, match="at least one factor that varies"):
        METRICS[name](np.ones((30, 2)), noise(30, 2))


def test_a_mistake_is_named():
    v, z = messy()
    for options, error, message in (
        ({"batch_size": 0}, ValueError, "batch_size takes an integer >= 1, got 0"),
        ({"train_points": 1}, ValueError, "train_points takes an integer >= 2, got 1"),
        ({"train_points": 2}, ValueError, "train_points takes at least one per factor, here 3"),
        ({"test_points": 2.5}, TypeError, "test_points takes an integer"),
        ({"seed": -1}, ValueError, "seed takes"),
        ({"convention": "standrad"}, ValueError, "did you mean 'standard'"),
        ({"convention": "published"}, ValueError, "convention takes .* got 'published'"),
        ({"active": [True]}, ValueError, "active takes"),
    ):
        with pytest.raises(error, match=message):
            z_diff(v, z, **options)
    with pytest.raises(ValueError, match="batch_size takes an integer >= 2, got 1"):
        z_min_var(v, z, batch_size=1)
    with pytest.raises(ValueError, match="'standard' or 'ubisoft' for z_max_var"):
        z_max_var(v, z, convention="disentanglement_lib")

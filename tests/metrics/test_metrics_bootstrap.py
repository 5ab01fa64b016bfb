"""Resampled rows: drawn as stated, counted as if they had been passed, and intervals of scores."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from fastdis import metrics
from fastdis._kernels import reference, resampling
from fastdis.metrics import Bins, _bootstrap
from fastdis.metrics._catalogue import METRICS
from fastdis.metrics._counts.conventions import CONVENTIONS
from fastdis.metrics._counts.entropies import pair_information
from fastdis.metrics._counts.histogram import JointHistogram, pair_counts
from fastdis.metrics._evidence import gather
from fastdis.metrics._information import ArrayFormula
from fastdis.metrics._metric import Score
from tests.metrics.metric_data import messy

SEEDS = [0, 7, 2**40 + 1, 2**64 - 1]


def formulas(convention):
    """The formulas of arrays that a convention has, by name."""
    known = {name: metric.formulas.get(convention) for name, metric in METRICS.items()}
    return {name: f for name, f in known.items() if isinstance(f, ArrayFormula)}


def drawn(n, seed, index):
    """The rows of a resample, by the definition of its stream in integers without a limit."""
    most = 2**64

    def mixed(x):
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % most
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB % most
        return x ^ (x >> 31)

    golden = 0x9E3779B97F4A7C15
    state = mixed((mixed((seed + golden) % most) + (index + 1) * golden) % most)
    return [mixed((state + (i + 1) * golden) % most) * n >> 64 for i in range(n)]


@pytest.mark.parametrize("module", [resampling, reference])
@pytest.mark.parametrize("seed", SEEDS)
def test_draws_are_those_of_the_stated_stream(module, seed):
    for n, index in [(1, 0), (2, 3), (1000, 12)]:
        weights = np.full(n, 9, np.uint32)
        module.resample(np.uint64(seed), np.uint64(index), weights)
        np.testing.assert_array_equal(weights, np.bincount(drawn(n, seed, index), minlength=n))


def test_draws_are_uniform_and_independent():
    n, resamples = 400, 1000
    weights = np.empty((resamples, n), np.uint32)
    for r in range(resamples):
        resampling.resample(np.uint64(3), np.uint64(r), weights[r])
    assert (weights.sum(axis=1) == n).all()
    # Sums of 1000 counts of mean 1 and variance 1 - 1/n.
    assert np.ptp(weights.sum(axis=0)) < 10 * np.sqrt(resamples)
    assert weights.var() == pytest.approx(1 - 1 / n, abs=0.01)
    correlation = np.corrcoef(weights)
    assert np.abs(correlation[~np.eye(resamples, dtype=bool)]).max() < 6 / np.sqrt(n)


@pytest.mark.parametrize("groups", [1, 2, 5])
def test_weighted_counts_agree(groups):
    rng = np.random.default_rng(0)
    lines = rng.integers(0, 50, (300, 4)).astype(np.uint32)
    columns = rng.integers(0, 70, (300, groups)).astype(np.uint32)
    weights = rng.integers(0, 4, 300).astype(np.uint32)
    counts = np.ones((2, 50, 70), np.int64)
    for module, result in zip((resampling, reference), counts, strict=True):
        module.weighted_counts(lines, columns, weights, result)
    np.testing.assert_array_equal(counts[0], counts[1])
    assert counts[0].sum() == 50 * 70 + 4 * groups * weights.sum()


@pytest.mark.parametrize("looked_up", [1, 40, 1000])
def test_entropy_sums_agree(looked_up):
    counts = np.random.default_rng(1).integers(0, 90, (3, 12, 9))
    counts[0, :5] = 0
    lines, columns = np.array([0, 4, 8, 12]), np.array([0, 2, 9])
    x = np.arange(float(looked_up))
    sums = np.full((2, 3, 3, 4), np.nan)
    sums[:, :, -1, -1] = 0.0
    for module, result in zip((resampling, reference), sums, strict=True):
        module.entropy_sums(counts, lines, columns, x * np.log(np.maximum(x, 1)), result)
    np.testing.assert_allclose(sums[0], sums[1], rtol=1e-13)


def evidence_of(factors, codes, **options):
    return gather(factors, codes, seed=5, **options)


def parts_of(evidence, resamples, pairs=False):
    layout, blocks = _bootstrap.resampled_tables(
        evidence.all_data, *edges_of(evidence.histogram), resamples, evidence.seed, pairs
    )
    return layout, np.concatenate(list(blocks))


def edges_of(h):
    """The edges of codes and factors that a histogram was counted on."""
    return h.code_edges, h.cut.factor_edges


def repeated(factors, codes, seed, index):
    rows = np.repeat(np.arange(len(codes)), np.bincount(drawn(len(codes), seed, index),
                                                        minlength=len(codes)))  # fmt: skip
    return np.asarray(factors)[rows], codes[rows]


def mixed_factors(rows=700):
    """A continuous factor, levels with gaps between them, and one that is rarely not 0."""
    rng = np.random.default_rng(2)
    v = np.stack([rng.normal(size=rows), rng.integers(0, 5, rows) * 40.0, rng.random(rows) < 0.01])
    return v.T, rng.normal(size=(rows, 3)) + v.T @ [[1, 0, 0], [0, 0.02, 0], [0, 0, 2.0]]


@pytest.mark.parametrize("text", [False, True])
def test_tables_are_those_of_the_rows_drawn(text):
    factors, codes = mixed_factors()
    if text:
        factors = np.array(["b", "x", "a"])[(factors[:, :2] > [0, 60]).astype(int)]
    evidence = evidence_of(factors, codes)
    layout, tables = parts_of(evidence, 4)
    whole = evidence.histogram
    assert tables.shape == (4, 3 * 20, whole.table.shape[2])
    for r in range(4):
        again = metrics.joint_histogram(*repeated(factors, codes, 5, r), like=whole)
        np.testing.assert_array_equal((again + nothing(whole)).table.reshape(60, -1), tables[r])
    assert layout.lines.tolist() == [0, 20, 40, 60]


def nothing(h):
    """A histogram of no rows that keeps the levels of ``h``."""
    return dataclasses.replace(h, table=np.zeros_like(h.table))


@pytest.mark.parametrize("pairs", [False, True])
def test_entropies_are_those_of_the_histogram(pairs):
    factors, codes = mixed_factors()
    evidence = evidence_of(factors, codes)
    layout, tables = parts_of(evidence, 3, pairs)
    found = _bootstrap.information(layout, tables)
    for r in range(3):
        rows = repeated(factors, codes, 5, r)
        h = metrics.joint_histogram(*rows, like=evidence.histogram)
        for got, expected in [
            (found.mutual, h.mutual_information), (found.joint_entropy, h.joint_entropy),
            (found.factor_entropy, h.factor_entropy), (found.code_entropy, h.code_entropy),
        ]:  # fmt: skip
            np.testing.assert_allclose(got[r], expected, atol=1e-12)
        if pairs:
            counts = pair_counts(gather(*rows).data, h)
            expected = pair_information(counts, h.levels)
            np.testing.assert_allclose(found.factor_mutual[r], expected, atol=1e-12)
    assert (found.factor_mutual is not None) == pairs


def test_what_is_constant_tells_exactly_nothing():
    factors, codes = messy()
    codes[:, 1] = 3.0
    factors[:, 2] = 1
    found = _bootstrap.information(*parts_of(evidence_of(factors, codes), 20))
    assert not found.mutual[:, :, 1].any()
    assert not found.mutual[:, 2].any()
    assert not found.code_entropy[:, 1].any()
    assert not found.factor_entropy[:, 2].any()


@pytest.fixture
def as_they_are(monkeypatch):
    """Every resample is the rows themselves."""
    real = _bootstrap._kernels.get

    def get(name):
        return (lambda seed, index, weights: weights.fill(1)) if name == "resample" else real(name)

    monkeypatch.setattr(_bootstrap._kernels, "get", get)


@pytest.mark.parametrize(
    ("convention", "estimator"),
    [*((convention, "plugin") for convention in CONVENTIONS), ("standard", "miller_madow")],
)
@pytest.mark.parametrize("active", [None, "informative", [True, False, True, True, False]])
def test_the_rows_themselves_have_the_score_itself(as_they_are, convention, estimator, active):
    factors, codes = messy()
    codes[:, 3] = 0.5
    known = formulas(convention)
    evidence = evidence_of(
        factors, codes, convention=convention, estimator=estimator, active=active
    )
    found = _bootstrap.resampled_scores(evidence, known, 2)
    expected = {}
    for name, formula in known.items():
        result = formula(evidence)
        parts = {"": result} if isinstance(result, Score) else result
        expected |= {f"{name}_{part}".rstrip("_"): score.value for part, score in parts.items()}
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], [value, value], atol=1e-10, err_msg=name)


@pytest.mark.parametrize("bins", [Bins.quantile(8), Bins.equal_width(8, low=-3, high=2)])
def test_bins_are_those_of_all_rows(as_they_are, bins):
    evidence = evidence_of(*messy(), bins=bins, active=[True, True, False, True, True])
    known = {"mig": formulas("standard")["mig"]}
    found = _bootstrap.resampled_scores(evidence, known, 1)
    assert found["mig"][0] == pytest.approx(known["mig"](evidence).value, abs=1e-12)


def test_neither_threads_nor_blocks_change_a_score(threads, monkeypatch):
    known, draws = formulas("standard"), []
    for number, cells in [(1, 1 << 22), (3, 1 << 22), (3, 40_000)]:
        threads(number)
        monkeypatch.setattr(_bootstrap, "_CELLS", cells)
        draws.append(_bootstrap.resampled_scores(evidence_of(*messy()), known, 30))
    for other in draws[1:]:
        for name, values in draws[0].items():
            assert (values == other[name]).all()
    assert len(np.unique(draws[0]["mig"])) > 20


def test_joined_factors_count_the_same(monkeypatch):
    evidence = evidence_of(*messy(8000), bins=3)
    _, together = parts_of(evidence, 2)
    sizes = list(evidence.histogram.levels)
    assert len(_bootstrap.joined(sizes, 15, 8000).offset) == 1  # that is what is tested
    monkeypatch.setattr("fastdis.metrics._counts.grid._MOST_LEVELS", 0)
    assert len(_bootstrap.joined(sizes, 15, 8000).offset) == 3
    np.testing.assert_array_equal(parts_of(evidence, 2)[1], together)


def test_seeds_draw_other_rows():
    known = {"mig": formulas("standard")["mig"]}
    data = messy()
    scores = [_bootstrap.resampled_scores(gather(*data, seed=s), known, 5)["mig"] for s in SEEDS]
    assert len(np.unique(scores)) == 20


def test_neighbours_are_not_resampled():
    with pytest.raises(ValueError, match=r"^bootstrap takes 0 for the kraskov estimator.*got 10$"):
        _bootstrap.resampled_scores(evidence_of(*messy(), estimator="kraskov"), {}, 10)


def test_an_interval_is_the_samples_moved_to_the_score():
    values = np.arange(1001) / 2000 + 0.1  # 0.1 to 0.6, mean 0.35
    ends = _bootstrap.intervals({"mig": values}, {"mig": 0.4, "sap": 1.0}, 0.9)
    assert set(ends) == {"mig"}
    np.testing.assert_allclose(ends["mig"], (0.175, 0.625), atol=1e-12)


def test_an_interval_ends_where_scores_do():
    values = np.linspace(0.7, 0.9, 101)
    assert _bootstrap.intervals({"mig": values}, {"mig": 1.0})["mig"][1] == 1.0
    in_nats = _bootstrap.intervals({"jemmig_raw": values}, {"jemmig_raw": 1.0})["jemmig_raw"]
    np.testing.assert_allclose(in_nats, (0.905, 1.095), atol=1e-12)
    assert _bootstrap.intervals({"mig": np.ones(9)}, {"mig": 1.0})["mig"] == (1.0, 1.0)


def test_intervals_hold_the_mean_score_of_such_rows():
    """Of 150 samples; unmoved they would not for jemmig, as resamples tell more than the rows."""
    known = {name: formulas("standard")[name] for name in ("mig", "dcimig", "jemmig", "mig_sup")}
    factors, codes = messy(150 * 250)
    codes += np.random.default_rng(0).normal(size=codes.shape)
    scores, ends, raw = [], [], []
    for seed in range(150):
        rows = slice(250 * seed, 250 * (seed + 1))
        cut = Bins.equal_width(8, low=-3, high=3)
        evidence = gather(factors[rows], codes[rows], bins=cut, seed=seed)
        scores.append({name: formula(evidence).value for name, formula in known.items()})
        samples = _bootstrap.resampled_scores(evidence, known, 200)
        ends.append(_bootstrap.intervals(samples, scores[-1]))
        raw.append({name: np.quantile(x, (0.025, 0.975)) for name, x in samples.items()})
    for name in known:
        mean = np.mean([score[name] for score in scores])
        moved, unmoved = (
            np.mean([low <= mean <= high for low, high in (one[name] for one in each)])
            for each in (ends, raw)
        )
        assert moved > 0.9, (name, moved)
        assert name != "jemmig" or unmoved < 0.7


def test_a_histogram_of_levels_that_do_not_occur_is_not_carried_along():
    """Levels 0 and 1000 leave room for 1001 while they are counted."""
    factors, codes = messy()
    factors[:, 1] = np.where(factors[:, 1] > 10, 1000, 0)
    evidence = evidence_of(factors, codes)
    assert isinstance(evidence.histogram, JointHistogram)
    _, tables = parts_of(evidence, 1)
    assert tables.shape[2] == 4 + 2 + 3

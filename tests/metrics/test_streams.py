"""Chunks in place of arrays: the same scores to the bit, one pass or two, and what goes wrong."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import fastdis as fd
from fastdis import metrics
from fastdis.metrics import Bins
from tests.metrics.metric_data import messy

pytestmark = pytest.mark.filterwarnings("ignore::fastdis.metrics.MetricWarning")

STATED = Bins.equal_width(20, low=-2, high=2)


def pieces(v, z, size=130):
    return [(v[a : a + size], z[a : a + size]) for a in range(0, len(v), size)]


class Counted:
    """A function that gives the chunks anew, and how often it was asked."""

    def __init__(self, chunks):
        self.chunks, self.passes = chunks, 0

    def __call__(self):
        self.passes += 1
        return iter(self.chunks)


@pytest.mark.parametrize("bins", [20, Bins.quantile(20), STATED], ids=str)
def test_chunks_score_like_the_whole_to_the_bit(bins):
    v, z = messy()
    whole = metrics.evaluate(v, z, ["histogram"], bins=bins)
    chunks = metrics.evaluate(pieces(v, z), metrics=["histogram"], bins=bins)
    assert dict(chunks) == dict(whole)
    np.testing.assert_array_equal(chunks.mutual_information, whole.mutual_information)
    assert (chunks.n, chunks.warnings) == (whole.n, whole.warnings)


@pytest.mark.parametrize("convention", ["disentanglement_lib", "ubisoft", "published"])
def test_conventions_of_chunks_are_those_of_the_whole(convention):
    v, z = messy()
    for name in ("mig", "modularity"):
        metric = getattr(metrics, name)
        got = metric(pieces(v, z), convention=convention)
        assert got == metric(v, z, convention=convention)


def test_a_stated_range_takes_one_pass_and_others_two():
    v, z = messy()
    for bins, passes in ((20, 2), (STATED, 1), (Bins.quantile(20), 2)):
        chunks = Counted(pieces(v, z))
        metrics.mig(chunks, bins=bins)
        assert chunks.passes == passes
    assert metrics.mig(iter(pieces(v, z)), bins=STATED) == metrics.mig(v, z, bins=STATED)
    columns = list(zip(*pieces(v, z), strict=True))
    assert metrics.mig(iter(columns[0]), iter(columns[1]), bins=STATED) == metrics.mig(
        v, z, bins=STATED
    )


def test_continuous_factors_of_chunks():
    rng = np.random.default_rng(0)
    v = rng.normal(size=(900, 2))
    z = np.hstack([v, rng.normal(size=(900, 2))])
    assert metrics.mig(pieces(v, z)) == metrics.mig(v, z)
    bins = Bins.equal_width(20, -5, 5, factor_low=-5, factor_high=5)
    assert metrics.mig(iter(pieces(v, z)), bins=bins) == metrics.mig(v, z, bins=bins)


def test_levels_that_come_late_are_counted():
    v = np.repeat(np.arange(6), 50)[:, None]  # sorted: each chunk sees a part of the levels
    z = v + 0.1 * np.random.default_rng(1).normal(size=v.shape)
    text = np.char.add("level ", v.astype(str))
    for factors in (v, v.astype(float), text):
        assert metrics.mig(pieces(factors, z)) == metrics.mig(factors, z)


def test_metrics_that_read_rows_get_all_of_them():
    v, z = messy()
    text = np.char.add("level ", v.astype(str))
    for factors in (v, text):
        assert metrics.sap(pieces(factors, z)) == metrics.sap(factors, z)
        assert metrics.sap(iter(pieces(factors, z))) == metrics.sap(factors, z)
    both = metrics.evaluate(pieces(v, z), metrics=["mig", "sap"])
    assert dict(both) == dict(metrics.evaluate(v, z, ["mig", "sap"]))


def test_tables_and_tensors_come_in_chunks_too():
    space = fd.FactorSpace(
        [fd.Factor("kind", [0, 1, 2], kind="categorical"), fd.Factor("size", np.linspace(0, 1, 5))]
    )
    table = space.sample(700, 0)
    z = torch.tensor(table.values + 0.1)
    chunks = [(table[a : a + 100], z[a : a + 100]) for a in range(0, 700, 100)]
    assert metrics.mig(chunks) == metrics.mig(table, z)
    assert metrics.sap(chunks) == metrics.sap(table, z)


def test_quantiles_of_many_rows_are_those_of_every_second_or_fourth(monkeypatch):
    monkeypatch.setattr("fastdis.metrics._counts.bins._MOST_SORTED", 100)
    v, z = messy()
    bins = Bins.quantile(9)
    whole = metrics.joint_histogram(v, z, bins=bins)
    edges = metrics.joint_histogram(v[::8], z[::8], bins=bins).code_edges
    np.testing.assert_array_equal(whole.code_edges, edges)
    for size in (1, 7, 99, 130, 600):
        chunks = metrics.joint_histogram(pieces(v, z, size), bins=bins)
        np.testing.assert_array_equal(chunks.table, whole.table)


BAD = [
    (lambda v, z: iter(pieces(v, z)), None, ValueError, "stated ranges for chunks"),
    (lambda v, z: [], None, ValueError, "at least one chunk"),
    (lambda v, z: [v], None, TypeError, "pairs"),
    (lambda v, z: v, None, TypeError, "codes takes an array"),
    (lambda v, z: 5, None, TypeError, "an array or an iterator"),
    (lambda v, z: iter([v]), "codes", TypeError, "one of each"),
    (lambda v, z: [(v, z), (v[:, :2], z)], None, ValueError, "the same factors"),
    (lambda v, z: [(v, z), (v, z[:, :2])], None, ValueError, "number of codes"),
    (lambda v, z: [(v, z), (v, z[:9])], None, ValueError, "same number of rows"),
    (lambda v, z: [(v, z), (v, z * np.nan)], None, ValueError, "codes takes finite values"),
    (lambda v, z: [(v[:1], z[:1])], None, ValueError, "at least 2 rows, got 1"),
    (lambda v, z: [(v, z), (v.astype(str), z)], None, (TypeError, ValueError), "text"),
]


@pytest.mark.parametrize(("make", "codes", "error", "message"), BAD, ids=range(len(BAD)))
def test_a_mistake_in_the_chunks_is_named(make, codes, error, message):
    v, z = messy()
    with pytest.raises(error, match=message):
        metrics.mig(make(v, z), z if codes else None)


def test_text_that_comes_class_by_class_scores_like_the_whole():
    v = np.hstack([np.repeat(list("abcd"), 100)[:, None], np.tile(list("xy"), 200)[:, None]])
    z = np.stack([np.repeat(np.arange(4.0), 100), np.tile([0.0, 1.0], 200)], axis=1)
    for size in (1, 100, 150, 200):
        chunks = pieces(v, z, size)
        for name in ("mig", "jemmig", "sap", "irs", "explicitness"):
            metric = getattr(metrics, name)
            assert metric(chunks) == metric(v, z), (name, size)
        for name in ("mig", "jemmig", "sap"):
            metric = getattr(metrics, name)
            whole = metric(v, z, convention="published")
            assert metric(chunks, convention="published") == whole
        both = metrics.evaluate(chunks, metrics=["jemmig", "sap"])
        assert dict(both) == dict(metrics.evaluate(v, z, ["jemmig", "sap"]))
        assert metrics.mig(iter(chunks), bins=STATED) == metrics.mig(v, z, bins=STATED)


def test_all_rows_decide_the_kind_of_a_factor():
    rng = np.random.default_rng(2)
    v = np.stack([rng.normal(size=400), rng.integers(0, 50, 400), np.arange(400) % 3], axis=1)
    z = v + 0.1 * rng.normal(size=v.shape)
    for size in (10, 15, 130):
        assert metrics.mig(pieces(v, z, size)) == metrics.mig(v, z)
        assert metrics.sap(pieces(v, z, size)) == metrics.sap(v, z)
    stated = Bins.equal_width(20, -5, 60, factor_low=-5, factor_high=60)
    assert metrics.mig(pieces(v, z, 10), bins=stated) == metrics.mig(v, z, bins=stated)
    with pytest.raises(ValueError, match="factor 0, factor 1 had at most 20 values"):
        metrics.mig(iter(pieces(v, z, 10)), bins=stated)
    said = {"bins": stated, "discrete": [False, True, True]}
    assert metrics.mig(iter(pieces(v, z, 10)), **said) == metrics.mig(v, z, **said)


def test_chunks_without_rows_are_passed_over():
    v, z = messy()
    chunks = [(v[:0], z[:0]), *pieces(v, z), (v[:0], z[:0])]
    assert metrics.mig(chunks) == metrics.mig(v, z)


def test_a_sum_of_histograms_scores_like_the_whole():
    v, z = messy()
    dead = np.insert(z, 2, 7.0, axis=1)
    whole = metrics.evaluate(v, dead, ["histogram"], bins=STATED)
    parts = [metrics.joint_histogram(*pair, bins=STATED, pairs=True) for pair in pieces(v, dead)]
    scores = metrics.evaluate(sum(parts))
    # InfoM and InfoC look at the range of a code, of which its bins know the ends alone.
    for name in whole.keys() - {"infom", "infoc"}:
        assert scores[name] == pytest.approx(whole[name], abs=1e-12), name
    assert scores.n == 600
    assert metrics.mig(sum(parts), estimator="miller_madow") == pytest.approx(
        metrics.mig(v, dead, bins=STATED, estimator="miller_madow")
    )
    text = metrics.joint_histogram(v.astype(str), z, bins=STATED)
    assert metrics.mig(text) == pytest.approx(metrics.mig(v.astype(str), z, bins=STATED))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda h: metrics.sap(h), ValueError, "factors takes rows"),
        (lambda h: metrics.dmig(h), ValueError, "made with pairs=True"),
        (lambda h: metrics.mig(h, np.ones((3, 2))), TypeError, "codes takes None beside"),
        (lambda h: metrics.mig(h, bins=7), TypeError, "bins takes None beside"),
        (
            lambda h: metrics.mig(h, convention="ubisoft"),
            ValueError,
            "takes 'standard' for a Joint",
        ),
        (lambda h: metrics.mig(h, estimator="kraskov"), ValueError, "kraskov estimator"),
        (lambda h: metrics.evaluate(h, bootstrap=9), ValueError, "factors takes rows"),
    ],
)
def test_what_a_histogram_cannot_tell_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(metrics.joint_histogram(*messy()))

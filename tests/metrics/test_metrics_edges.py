"""Metrics of odd data, what they refuse, and evaluate()."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from fastdis import metrics
from fastdis.metrics import MetricWarning
from tests.metrics.metric_data import FAST_METRICS, HISTOGRAM_METRICS, grid, messy, out_of_range

# The small samples here rightly draw notes on bias; the tests on notes look for them by name.
pytestmark = pytest.mark.filterwarnings("ignore::fastdis.metrics.MetricWarning")


def test_array_types_that_hold_the_same_numbers_score_the_same():
    v, z = messy()
    z = z.astype(np.float32)
    expected = metrics.mig(v, z)
    frozen = z.copy()
    frozen.flags.writeable = False
    unaligned = np.frombuffer(b"x" + z.tobytes(), np.float32, offset=1).reshape(z.shape)
    for codes in (z.astype(np.float64), np.asfortranarray(z), frozen, unaligned, z.astype(">f4"),
                  z.tolist(), torch.tensor(z, requires_grad=True)):  # fmt: skip
        assert metrics.mig(v, codes) == expected
    for factors in (
        v.astype(float),
        v.astype(np.uint8),
        torch.tensor(v),
        v.astype(str),
        v.tolist(),
    ):
        assert metrics.mig(factors, z) == pytest.approx(expected, abs=1e-12)
    half = torch.tensor(z).to(torch.bfloat16)
    assert metrics.mig(v, half) == metrics.mig(v, half.float())


def test_extreme_numbers_stay_finite():
    v = grid(4, 5)
    for scale in (1e-300, 1e300):
        scores = metrics.evaluate(v + 0.5, v * scale, FAST_METRICS)
        assert all(np.isfinite(list(scores.values())))
        assert scores["mig"] == pytest.approx(1.0)
    # No room for 20 different edges: dead, as a constant is.
    narrow = 1.0 + v[:, :1] * np.finfo(float).eps
    assert not metrics.joint_histogram(v, narrow).active.any()
    with pytest.warns(MetricWarning, match="constant and left out: 'factor 0'"):
        assert metrics.mig(np.hstack([narrow, v]), v, discrete=False) == pytest.approx(1.0)


def test_constant_factors_are_left_out_with_a_warning():
    v, z = messy()
    with_constant = np.insert(v, 1, 7, axis=1)
    for name in FAST_METRICS:
        with pytest.warns(MetricWarning, match="constant and left out: 'factor 1'"):
            assert getattr(metrics, name)(with_constant, z) == getattr(metrics, name)(v, z)
    with pytest.warns(MetricWarning, match="constant"):
        scores = metrics.dci(with_constant, z)
    assert scores.completeness == metrics.dci(v, z).completeness
    for name in [*FAST_METRICS, "dci"]:
        with pytest.raises(ValueError, match="at least one factor that varies"):
            getattr(metrics, name)(np.ones((50, 2)), z[:50])


def test_codes_that_are_all_dead():
    v = grid(4, 5)
    z = np.ones((len(v), 3))
    scores = metrics.evaluate(v, z)
    assert not out_of_range(scores)
    known = [*HISTOGRAM_METRICS, "sap", "dci_disentanglement", "infom", "z_min_var", "irs"]
    assert {name: scores[name] for name in known} == dict.fromkeys(known, 0.0)
    assert not scores.active.any()
    assert any("no code" in text for text in scores.warnings)
    with pytest.warns(MetricWarning, match="codes 0, 1, 2 tell nothing"):
        metrics.modularity(v, z)


def test_dead_codes_do_not_count_in_modularity():
    v = grid(4, 5, repeat=50)
    scores = metrics.evaluate(v, np.insert(v * 1.0, 1, 2.0, axis=1), ["modularity"])
    assert scores["modularity"] == 1.0
    assert scores.active.tolist() == [True, False, True]
    assert scores.warnings == ("codes 1 tell nothing about any factor and are left out",)


def test_what_bins_distort_is_said():
    v, z = messy(60)
    with pytest.warns(MetricWarning, match="60 rows are few for 20 bins"):
        metrics.mig(v, z)
    with pytest.warns(MetricWarning, match="cannot tell all levels of 'factor 0' apart"):
        metrics.mig(np.arange(100)[:, None], np.arange(100.0)[:, None])


BAD = [
    ({"codes": np.ones((9, 2))}, ValueError, "10 factors and 9 codes"),
    ({"codes": np.array([[np.nan, 0]] * 10)}, ValueError, r"codes takes finite.*\(0, 0\)"),
    ({"codes": np.array([[0, -np.inf]] * 10)}, ValueError, "codes takes finite values, got -inf"),
    ({"factors": np.array([[np.nan]] * 10)}, ValueError, "factors takes finite"),
    ({"factors": np.array([[None]] * 10)}, TypeError, "factors.*object"),
    ({"codes": np.array([["a"]] * 10)}, TypeError, "codes takes real numbers"),
    ({"codes": np.ones((10, 2), complex)}, TypeError, "codes takes real numbers"),
    ({"codes": np.array([[-1.5e308], [1.5e308]] * 5)}, ValueError, "range fits a float64"),
    ({"codes": np.ones(10)}, ValueError, r"codes takes rows and columns.*\(10,\)"),
    ({"factors": np.arange(10)}, ValueError, r"factors takes rows and columns.*\(10,\)"),
    ({"codes": np.ones((10, 0))}, ValueError, "codes takes rows and columns"),
    ({"codes": [[1], [1, 2]]}, ValueError, "codes takes a regular array"),
    ({"factors": np.ones((0, 2)), "codes": np.ones((0, 2))}, ValueError, "factors takes rows"),
    ({"factors": [[1]], "codes": [[1.0]]}, ValueError, "at least 2 rows, got 1"),
    ({"factors": np.array([[2**60 + i] for i in range(10)])}, ValueError, r"up to 2\*\*53"),
    ({"bins": 1}, ValueError, "bins"),
    ({"bins": 2.5}, TypeError, "bins"),
    ({"bins": 10**6}, ValueError, "bins"),
    ({"discrete": "yes"}, TypeError, "discrete"),
    ({"discrete": [True]}, ValueError, "discrete takes 2 bools, one per factor, got 1"),
    ({"factors": np.array([["a"], ["b"]] * 5), "discrete": False}, ValueError, "discrete.*text"),
    ({"convention": "standrad"}, ValueError, "did you mean 'standard'"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "error", "message"), BAD, ids=range(len(BAD)))
def test_a_mistake_is_named(change, error, message):
    arguments = {"factors": grid(5, 2), "codes": grid(5, 2) * 0.5} | change
    with pytest.raises(error, match=message):
        metrics.mig(**arguments)


def test_absurd_sizes_are_refused_before_memory_runs_out():
    v = np.arange(200_000, dtype=float)[:, None]
    with pytest.raises(ValueError, match="at most 65536 levels"):
        metrics.mig(v, v, discrete=True)
    v = v[:60_000]
    with pytest.raises(ValueError, match="512 MiB"):
        metrics.mig(v, v, bins=60_000, discrete=True)


def test_dci_says_what_it_needs():
    v = grid(3, 2)
    with pytest.raises(ValueError, match="at least 8 rows, got 6"):
        metrics.dci(v, v * 1.0)
    scores = metrics.dci(grid(4, 2), grid(4, 2) * 1.0)
    assert 0 <= scores.disentanglement <= 1


def test_evaluate_gathers_the_same_scores():
    v, z = messy()
    scores = metrics.evaluate(v, z, seed=3)
    for name in FAST_METRICS:
        assert scores[name] == getattr(metrics, name)(v, z)
    forest = metrics.dci(v, z, seed=3)
    for part in ("disentanglement", "completeness", "informativeness"):
        assert scores[f"dci_{part}"] == getattr(forest, part)
    histogram = metrics.joint_histogram(v, z)
    np.testing.assert_array_equal(scores.mutual_information, histogram.mutual_information)
    assert (scores.n, scores.bins, scores.convention) == (600, 20, "standard")
    stored = json.loads(json.dumps(scores.to_dict()))
    assert stored["scores"] == dict(scores)
    assert stored["active"] == [True] * 5


def test_evaluate_prints_a_table_and_chooses():
    v, z = messy()
    scores = metrics.evaluate(v, z, ["sap", "mig"])
    assert list(scores) == ["sap", "mig"]
    assert f"mig  {scores['mig']:6.3f}" in str(scores)
    with pytest.raises(ValueError, match="did you mean 'jemmig'"):
        metrics.evaluate(v, z, ["jemig"])
    with pytest.raises(TypeError, match=r"got 'mig', as in \['mig'\]"):
        metrics.evaluate(v, z, "mig")
    with pytest.raises(TypeError, match="metrics takes a list of names, got 5"):
        metrics.evaluate(v, z, 5)

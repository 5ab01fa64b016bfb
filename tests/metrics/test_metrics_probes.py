"""Probes against plain fits, what they can and cannot learn, and the limits while they fit."""

from __future__ import annotations

import os
import threading
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info

from fastdis.metrics import METRICS
from fastdis.metrics._counts.histogram import MetricWarning
from fastdis.metrics._fits.fitting import fitting
from fastdis.metrics._fits.predictors import held_out
from fastdis.metrics.from_predictors.probe import probe
from tests.metrics.metric_data import cells, grid, messy

PROBE = METRICS["probe"]

# Any other warning, such as scikit-learn's on steps, fails the test.
pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.filterwarnings("ignore::fastdis.metrics._counts.histogram.MetricWarning"),
]


def plain_accuracy(factor, z):
    labels = np.unique(factor, return_inverse=True)[1]
    test = held_out(len(z), labels, 0)
    x = (z - z.mean(axis=0)) / z.std(axis=0)
    fitted = LogisticRegression(C=np.inf, max_iter=20_000, tol=1e-9).fit(x[~test], labels[~test])
    likely = fitted.predict_proba(x[test])
    assert np.diff(np.sort(likely))[:, -1].min() > 0.01  # no row is a tie
    return np.mean(likely.argmax(axis=1) == labels[test])


def plain_r_squared(factor, z):
    test = held_out(len(z), None, 0)
    x = np.column_stack([np.ones(len(z)), z])
    a, y = x[~test], factor[~test]
    error = factor[test] - x[test] @ np.linalg.solve(a.T @ a, a.T @ y)
    return 1 - np.sum(error**2) / np.sum((factor[test] - y.mean()) ** 2)


def test_linear_probe_follows_its_definition():
    v, z = cells()
    score = PROBE.score(v, z)  # whole numbers are categories
    for k, factor in enumerate(v.T):
        assert score.per_factor[f"factor {k}"] == pytest.approx(plain_accuracy(factor, z))
    assert score.value == pytest.approx(np.mean(list(score.per_factor.values())))
    assert 0.5 < score.value < 0.9
    v, z = messy()
    numbers = PROBE.score(v + 0.5, z, discrete=False)
    for k, factor in enumerate(v.T + 0.5):
        expected = plain_r_squared(factor, z)
        assert numbers.per_factor[f"factor {k}"] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("model", ["linear", "mlp"])
def test_factors_that_are_there_are_found_in_any_order(model):
    v = grid(4, 5, 3, repeat=5)
    z = v[:, ::-1] * [2.0, -1.0, 1e-3] + 7.0
    assert probe(v, z, model=model) == pytest.approx(1.0, abs=0.01)
    assert probe(v + 0.5, z, model=model, discrete=False) == pytest.approx(1.0, abs=0.01)
    mixed = v @ np.random.default_rng(0).normal(size=(3, 3))
    assert probe(v + 0.5, mixed, model=model, discrete=False) == pytest.approx(1.0, abs=0.02)


def test_an_mlp_learns_what_no_line_can():
    rng = np.random.default_rng(1)
    z = rng.normal(size=(1500, 2))
    inside = (np.linalg.norm(z, axis=1) < 1.18)[:, None].astype(int)  # about a half
    assert probe(inside, z) < 0.7
    assert probe(inside, z, model="mlp") > 0.95
    square = z[:, :1] ** 2
    assert probe(square, z) < 0.1
    assert probe(square, z, model="mlp") > 0.95


@pytest.mark.parametrize("model", ["linear", "mlp"])
def test_noise_and_dead_codes_score_a_guess(model):
    rng = np.random.default_rng(2)
    v = rng.choice(3, size=(800, 1), p=[0.6, 0.3, 0.1])
    noise = rng.normal(size=(800, 4))
    assert probe(v, noise, model=model) < 0.65
    assert probe(rng.normal(size=(800, 1)), noise, model=model) < 0.05
    dead = np.ones((800, 4))
    assert probe(v, dead, model=model) == pytest.approx(np.mean(v == 0), abs=0.01)
    assert probe(v + 0.5, dead, model=model, discrete=False) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("model", ["linear", "mlp"])
def test_dead_codes_and_the_order_of_codes_change_nothing(model):
    v, z = messy(200)
    for discrete in (None, False):
        expected = probe(v, z, model=model, discrete=discrete)
        changed = [np.insert(z, place, 2.0, axis=1) for place in (0, 2, 5)]
        for codes in (*changed, z[:, [1, 4, 0, 3, 2]]):
            assert probe(v, codes, model=model, discrete=discrete) == expected


def test_linear_probe_of_rotated_and_duplicated_codes():
    v, z = messy(2000)
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(5, 5)))[0]
    for codes in (z @ turn, np.hstack([z, z])):
        assert probe(v, codes) == pytest.approx(probe(v, z), abs=0.01)
        assert probe(v, codes, discrete=False) == pytest.approx(probe(v, z, discrete=False))


def test_linear_probe_of_codes_that_hardly_differ():
    rng = np.random.default_rng(0)
    v = rng.integers(0, 10, size=(6000, 2))
    z = np.hstack([v + 0.5 * rng.normal(size=v.shape), rng.normal(size=(6000, 4))])
    turns = [np.linalg.qr(rng.normal(size=(6, 6)))[0] for _ in range(2)]
    squeezed = z @ turns[0] @ np.diag([1, 1, 1e-3, 1e-3, 1, 1]) @ turns[1]
    assert probe(v, squeezed) == pytest.approx(probe(v, z), abs=0.005)


def test_levels_that_occur_once_are_fitted_only():
    v, z = messy()
    expected = PROBE.score(v, z)
    v[0, 0] = 99
    score = PROBE.score(v, z)
    assert score.per_factor["factor 0"] == pytest.approx(expected.per_factor["factor 0"], abs=0.1)
    odd = np.column_stack([v[:, 0], np.arange(len(v)), np.full(len(v), 4)])
    with pytest.warns(MetricWarning, match="'factor 1' has no two levels that occur twice"):
        assert list(PROBE.score(odd, z).per_factor) == ["factor 0"]
    with pytest.raises(ValueError, match="factors takes one that can be predicted"):
        probe(odd[:, 1:2], z)


@pytest.mark.parametrize("model", ["linear", "mlp"])
def test_few_rows_and_extreme_numbers_stay_in_range(model):
    rng = np.random.default_rng(4)
    for rows in (2, 5, 40):
        v, z = rng.normal(size=(rows, 2)), rng.standard_cauchy(size=(rows, 6)) * 1e200
        assert 0.0 <= probe(v, z, model=model) <= 1.0
        assert (
            0.0 <= probe(np.arange(2 * rows)[:, None] // 2, np.vstack([z, z]), model=model) <= 1.0
        )
    # All but one row say the same, and that row may be held out.
    v = np.full((40, 1), 0.5)
    v[7] = 1.5
    for seed in range(4):
        assert 0.0 <= probe(v, z, model=model, seed=seed, discrete=False) <= 1.0


@pytest.mark.parametrize("model", ["linear", "mlp"])
def test_the_seed_decides(model):
    v, z = messy(300)
    one, other = (probe(v, z, model=model, seed=seed) for seed in (0, 2**40))
    assert one == probe(v, z, model=model)
    assert one != other
    order = np.random.default_rng(5).permutation(300)
    assert probe(v[order], z[order], model=model) == pytest.approx(one, abs=0.15)
    v, z = messy(12_000)
    assert probe(v, z) == probe(v, z)


def test_what_is_refused():
    v, z = messy()
    with pytest.raises(ValueError, match="model takes one of 'linear', 'mlp', got 'mpl'; did you"):
        probe(v, z, model="mpl")
    with pytest.raises(ValueError, match="convention takes 'standard' for probe"):
        probe(v, z, convention="disentanglement_lib")


def _threads():
    return {lib["filepath"]: lib["num_threads"] for lib in threadpool_info()}


def test_a_fit_has_one_thread_and_leaves_the_process_as_it_was():
    with fitting():
        pass  # every library is loaded
    before, filters = _threads(), list(warnings.filters)
    with fitting():
        assert set(_threads().values()) == {1}
        warnings.warn("steps", ConvergenceWarning, stacklevel=1)
    assert _threads() == before
    assert warnings.filters == filters


def test_fits_that_overlap_leave_the_process_as_it_was():
    with fitting():
        pass
    before, filters = _threads(), list(warnings.filters)
    first_in, second_in, first_out, second_out = (threading.Event() for _ in range(4))

    def first():
        with fitting():
            first_in.set()
            second_in.wait(10)
        first_out.set()
        second_out.wait(10)  # alive while the other one restores what this one has set

    def second():
        first_in.wait(10)
        with fitting():
            second_in.set()
            first_out.wait(10)
            during.update(_threads())
        second_out.set()

    during: dict[str, int] = {}
    threads = [threading.Thread(target=work) for work in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(during.values()) == {1}
    assert _threads() == before
    assert warnings.filters == filters


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_can_fit():
    v, z = messy(200)
    expected = probe(v, z)
    child = os.fork()
    if child == 0:
        os._exit(0 if probe(v, z) == expected else 1)
    assert os.waitpid(child, 0)[1] == 0

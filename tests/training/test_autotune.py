"""Autotuning, on trials whose times are set here: the machine's speed decides nothing."""

import dataclasses
import functools
import json
import signal
import time

import pytest
import torch

from fastdis import TrainConfig, load, train, train_many
from fastdis.training import autotune
from fastdis.training.step import ExecutionPlan
from tests.objectives.objective_data import one_thread
from tests.training.training_data import (
    Noted,
    config,
    equal,
    losses,
    parts,
    small_discriminator,
    weights,
)

# 60 steps of a second each: long enough a run for a search.
MEASURED = {"compile": "measure", "memory_format": "measure", "dtype": "measure", "epochs": 15}
PLAIN = "solo, channels_last, float32, eager"


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr("fastdis.objectives.total_correlation.Discriminator", small_discriminator)
    with one_thread():
        yield


@pytest.fixture
def trials(monkeypatch):
    """Call with seconds per step by a part of a plan's name; returns the plans that were tried.

    Gradients are computed, except that those of plans in ``spoil`` are altered; none is compiled.
    """
    real = autotune._time_plan

    def of(seconds, spoil=None):
        tried = []

        def trial(states, plan, *rest):
            tried.append(plan)
            if plan.compiled:
                raise RuntimeError("no compiler\n here")
            found = real(states, plan, *rest)
            for part, spoiled in (spoil or {}).items():
                if part in str(plan):
                    found = autotune._Trial(found.seconds, spoiled(found.gradients))
            here = [value for part, value in seconds.items() if part in str(plan)]
            return autotune._Trial(here[0] if here else 1.0, found.gradients)

        monkeypatch.setattr(autotune, "_time_plan", trial)
        return tried

    return of


def test_the_fastest_is_chosen_recorded_and_kept(trials, tmp_path):
    tried = trials({"contiguous, bfloat16": 0.25, "contiguous": 0.5, "bfloat16": 2.0})
    choice = train(*parts(), Noted(), config(tmp_path, **MEASURED)).choice
    assert choice.plan == ExecutionPlan("contiguous", "bfloat16", False, "solo")
    assert choice.tried == {
        PLAIN: 1.0,
        "solo, contiguous, float32, eager": 0.5,
        "solo, contiguous, bfloat16, eager": 0.25,
        "solo, contiguous, bfloat16, compiled": "RuntimeError: no compiler here",
    }
    saved = json.loads((tmp_path / "plan.json").read_text())
    assert saved == {"device": "cpu", **choice.to_dict()}
    assert autotune.Choice.from_dict(saved) == choice
    tried.clear()
    again = train(*parts(), Noted(), config(tmp_path, **{**MEASURED, "epochs": 16}))
    assert again.choice == choice
    assert not tried


def test_the_search_leaves_what_is_trained_as_it_was(trials):
    trials({"contiguous": 0.5})
    how = config(**{**MEASURED, "dtype": "float64"})
    searched = train(*parts("factor_vae"), Noted(), how)
    assert len(searched.choice.tried) == 3
    named = train(*parts("factor_vae"), Noted(), config(epochs=15))
    assert equal(weights(searched), weights(named))


@pytest.mark.parametrize(
    "spoiled",
    [
        lambda gradients: [1.03 * each for each in gradients],
        lambda gradients: [torch.full_like(each, torch.nan) for each in gradients],
        lambda gradients: [each.roll(1, dims=1) for each in gradients],
    ],
)
def test_one_that_computes_something_else_is_not_chosen(trials, spoiled):
    trials({"bfloat16": 0.1}, {"bfloat16": spoiled})
    result = train(*parts(), Noted(), config(**MEASURED))
    assert result.choice.plan == ExecutionPlan("channels_last", "float32", False, "solo")
    assert isinstance(result.choice.tried["solo, channels_last, bfloat16, eager"], str)


def test_a_little_faster_is_not_faster(trials):
    trials({"contiguous": 0.98})
    assert str(train(*parts(), Noted(), config(**MEASURED)).choice.plan) == PLAIN


def test_short_runs_are_not_searched(trials):
    tried = trials({})
    choice = train(*parts(), Noted(), config(**{**MEASURED, "epochs": 12})).choice
    assert (str(choice.plan), choice.tried, tried) == (PLAIN, {}, [])
    tried = trials({"": 0.5})
    choice = train(*parts(), Noted(), config(**MEASURED)).choice
    assert (str(choice.plan), choice.tried, len(tried)) == (PLAIN, {}, 1)


def test_what_is_named_is_not_searched(trials):
    tried = trials({})
    choice = train(*parts(), Noted(), config(epochs=15)).choice
    assert choice.plan == ExecutionPlan("contiguous", "float64")
    assert not tried
    how = config(**{**MEASURED, "memory_format": "contiguous", "dtype": "bfloat16"})
    choice = train(*parts(), Noted(), how).choice
    assert {(plan.memory_format, plan.dtype) for plan in tried} == {
        ("contiguous", "bfloat16"), ("contiguous", "float32"),  # whose gradient is the reference
    }  # fmt: skip
    assert choice.plan == ExecutionPlan("contiguous", "bfloat16")


def test_the_search_ends_when_its_time_is_up(trials, monkeypatch):
    trials({"contiguous": 0.1})
    monkeypatch.setitem(autotune._SEARCH_SECONDS, "cpu", 0.0)
    choice = train(*parts(), Noted(), config(**MEASURED)).choice
    assert str(choice.plan) == PLAIN
    assert set(choice.tried.values()) == {1.0, "no time left to try it"}


SIXTY_STEPS = {"epochs": 15, "batch_size": 10, "progress": False}


def test_by_default_nothing_is_measured(trials, tmp_path):
    tried = trials({"contiguous": 0.1, "stacked": 0.1})
    assert str(train(*parts(), Noted(), TrainConfig(**SIXTY_STEPS)).choice.plan) == PLAIN
    many = train_many(*parts(), Noted(), TrainConfig(**SIXTY_STEPS), seeds=[0, 1])
    assert many[0].choice.plan == ExecutionPlan(engine="threads")
    assert not tried


def test_tune_measures_what_has_its_default(trials):
    tried = trials({"contiguous, bfloat16": 0.25, "contiguous": 0.5})
    how = TrainConfig(**SIXTY_STEPS, tune="measure")
    assert train(*parts(), Noted(), how).choice.plan == ExecutionPlan("contiguous", "bfloat16")
    assert any(plan.compiled for plan in tried)
    tried.clear()
    how = TrainConfig(**SIXTY_STEPS, tune="measure", dtype="float64", compile="always")
    with pytest.raises(RuntimeError, match="no compiler"):  # also without a search
        train(*parts(), Noted(), how)
    assert {(plan.dtype, plan.compiled) for plan in tried} == {("float64", True)}


def test_tune_measures_the_engine_of_many(trials):
    trials({"stacked": 0.5})
    how = TrainConfig(**SIXTY_STEPS, tune="measure", dtype="float64")
    many = train_many(*parts(), Noted(), how, seeds=[0, 1])
    assert many[0].choice.plan.engine == "stacked"
    many = train_many(*parts(), Noted(), how, seeds=[0, 1], engine="threads")
    assert many[0].choice.plan.engine == "threads"


def test_a_run_of_the_former_version_goes_on_with_what_was_measured(trials, tmp_path):
    """Its choices were "measure" by default, and there was no ``tune``."""
    tried = trials({"contiguous": 0.5})
    before = train(*parts(), Noted(), config(tmp_path, **MEASURED))
    file = tmp_path / "config.json"
    saved = json.loads(file.read_text())
    del saved["config"]["tune"]
    file.write_text(json.dumps(saved))
    tried.clear()
    assert load(tmp_path).config.dtype == "measure"
    longer = TrainConfig(**{**SIXTY_STEPS, "epochs": 16}, path=str(tmp_path))
    after = train(*parts(), Noted(), longer)
    assert after.choice == before.choice
    assert len(after.history) == 16
    assert not tried
    with pytest.raises(ValueError, match="dtype was 'measure', is 'float64'"):
        train(*parts(), Noted(), dataclasses.replace(longer, dtype="float64"))


def test_an_engine_is_chosen_among_many(trials):
    trials({"stacked": 0.5})
    how = config(**{**MEASURED, "dtype": "float64"})
    many = train_many(*parts(), Noted(), how, seeds=[0, 1], engine="measure")
    assert many[0].choice.plan == ExecutionPlan("channels_last", "float64", False, "stacked")
    assert losses(many[1])[-1] == pytest.approx(
        losses(train(*parts(seed=1), Noted(), config(seed=1, epochs=15)))[-1], rel=1e-9
    )


def test_a_compiler_that_takes_too_long_is_broken_off(monkeypatch):
    """And an alarm that the caller has set still comes, at its time."""
    rings = []
    before = signal.signal(signal.SIGALRM, lambda *_: rings.append(time.monotonic()))
    try:
        signal.setitimer(signal.ITIMER_REAL, 1000.0)
        start = time.monotonic()
        with pytest.raises(autotune._TimeLimitError), autotune._time_limit(0.05):
            time.sleep(60.0)
        left, _ = signal.getitimer(signal.ITIMER_REAL)
        assert 1000.0 - (time.monotonic() - start) - 0.5 < left < 1000.0
        with autotune._time_limit(1000.0):
            pass
        assert 0.0 < signal.getitimer(signal.ITIMER_REAL)[0] <= left
        assert not rings
        signal.raise_signal(signal.SIGALRM)
        assert len(rings) == 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def test_compiled_always(monkeypatch):
    """As one graph; a backend that generates no code stands in for one that takes a minute."""
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))
    torch.compiler.reset()
    how = config(compile="always", batch_size=12)
    result = train(*parts("beta_tcvae"), Noted(), how)
    assert result.choice.plan.compiled
    assert len(graphs) == 1  # three batches of an epoch alike
    eager = train(*parts("beta_tcvae"), Noted(), config(batch_size=12))
    for key, weight in weights(eager).items():
        torch.testing.assert_close(weights(result)[key], weight, rtol=1e-9, atol=1e-9)

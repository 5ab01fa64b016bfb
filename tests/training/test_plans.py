"""Which plan is chosen, by trials whose times are told here: the machine's have no say."""

import functools
import json
import signal
import time

import pytest
import torch

from fastdis import train, train_many
from fastdis.training import autotune
from fastdis.training.step import Plan
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

# Beyond the first look: 60 steps and a second a step make the search worth its while.
MEASURED = {"compile": "measure", "memory_format": "measure", "dtype": "measure", "epochs": 15}
PLAIN = "solo, channels_last, float32, eager"


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr("fastdis.objectives.total_correlation.Discriminator", small_discriminator)
    with one_thread():
        yield


@pytest.fixture
def trials(monkeypatch):
    """Call with seconds a step by a part of a plan's name; returns the plans that were tried.

    Their gradients are taken in earnest, but for those in ``spoil``; none is compiled.
    """
    real = autotune._try

    def of(seconds, spoil=None):
        tried = []

        def trial(trainees, plan, *told):
            tried.append(plan)
            if plan.compiled:
                raise RuntimeError("no compiler\n here")
            found = real(trainees, plan, *told)
            for part, spoiled in (spoil or {}).items():
                if part in str(plan):
                    found = autotune._Trial(found.seconds, spoiled(found.gradients))
            here = [value for part, value in seconds.items() if part in str(plan)]
            return autotune._Trial(here[0] if here else 1.0, found.gradients)

        monkeypatch.setattr(autotune, "_try", trial)
        return tried

    return of


def test_the_fastest_is_chosen_recorded_and_kept(trials, tmp_path):
    tried = trials({"contiguous, bfloat16": 0.25, "contiguous": 0.5, "bfloat16": 2.0})
    choice = train(*parts(), Noted(), config(tmp_path, **MEASURED)).choice
    assert choice.plan == Plan("contiguous", "bfloat16", False, "solo")
    assert choice.why == "the fastest that agrees"
    assert choice.tried == {
        PLAIN: 1.0,
        "solo, contiguous, float32, eager": 0.5,
        "solo, contiguous, bfloat16, eager": 0.25,
        "solo, contiguous, bfloat16, compiled": "RuntimeError: no compiler here",
    }
    told = json.loads((tmp_path / "plan.json").read_text())
    assert told == {"device": "cpu", **choice.to_dict()}
    assert autotune.Choice.from_dict(told) == choice
    tried.clear()
    again = train(*parts(), Noted(), config(tmp_path, **{**MEASURED, "epochs": 16}))
    assert again.choice == choice
    assert not tried


def test_the_search_leaves_what_is_trained_as_it_was(trials):
    trials({"contiguous": 0.5})
    told = config(**{**MEASURED, "dtype": "float64"})
    searched = train(*parts("factor_vae"), Noted(), told)
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
    assert result.choice.plan == Plan("channels_last", "float32", False, "solo")
    told = result.choice.tried["solo, channels_last, bfloat16, eager"]
    assert told.startswith("its gradient is off by ")


def test_a_little_faster_is_not_faster(trials):
    trials({"contiguous": 0.98})
    assert str(train(*parts(), Noted(), config(**MEASURED)).choice.plan) == PLAIN


def test_short_runs_are_not_searched(trials):
    tried = trials({})
    choice = train(*parts(), Noted(), config(**{**MEASURED, "epochs": 12})).choice
    assert (str(choice.plan), choice.tried, tried) == (PLAIN, {}, [])
    assert choice.why == "a run of 48 steps is not worth a search"
    tried = trials({"": 0.5})
    choice = train(*parts(), Noted(), config(**MEASURED)).choice
    assert (str(choice.plan), choice.tried, len(tried)) == (PLAIN, {}, 1)
    assert choice.why == "a run of about 30 s is not worth a search"


def test_what_is_named_is_not_searched(trials):
    tried = trials({})
    choice = train(*parts(), Noted(), config(epochs=15)).choice
    assert (choice.plan, choice.why) == (Plan("contiguous", "float64"), "as asked for")
    assert not tried
    told = config(**{**MEASURED, "memory_format": "contiguous", "dtype": "bfloat16"})
    choice = train(*parts(), Noted(), told).choice
    assert {(plan.memory_format, plan.dtype) for plan in tried} == {
        ("contiguous", "bfloat16"), ("contiguous", "float32"),  # what the gradient is held against
    }  # fmt: skip
    assert choice.plan == Plan("contiguous", "bfloat16")


def test_the_search_ends_when_its_time_is_up(trials, monkeypatch):
    trials({"contiguous": 0.1})
    monkeypatch.setitem(autotune._BUDGET, "cpu", 0.0)
    choice = train(*parts(), Noted(), config(**MEASURED)).choice
    assert str(choice.plan) == PLAIN
    assert set(choice.tried.values()) == {1.0, "no time left to try it"}


def test_an_engine_is_chosen_among_many(trials):
    trials({"stacked": 0.5})
    many = train_many(*parts(), Noted(), config(**{**MEASURED, "dtype": "float64"}), seeds=[0, 1])
    assert many[0].choice.plan == Plan("channels_last", "float64", False, "stacked")
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
        with pytest.raises(autotune._TooLongError), autotune._deadline(0.05):
            time.sleep(60.0)
        left, _ = signal.getitimer(signal.ITIMER_REAL)
        assert 1000.0 - (time.monotonic() - start) - 0.5 < left < 1000.0
        with autotune._deadline(1000.0):
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
    told = config(compile="always", batch_size=12)
    result = train(*parts("beta_tcvae"), Noted(), told)
    assert result.choice.plan.compiled
    assert len(graphs) == 1  # three batches of an epoch alike
    eager = train(*parts("beta_tcvae"), Noted(), config(batch_size=12))
    for key, weight in weights(eager).items():
        torch.testing.assert_close(weights(result)[key], weight, rtol=1e-9, atol=1e-9)

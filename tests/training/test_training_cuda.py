"""Training on a GPU: captured, stacked and streamed steps are the plain ones; nothing waits."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fastdis import TrainConfig, models, objectives, train, train_many
from fastdis.training.batches import plan_batches
from fastdis.training.engines import ThreadedEngine
from fastdis.training.loader import Loader
from fastdis.training.state import TrainState
from fastdis.training.step import ExecutionPlan

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
CONFIG = TrainConfig(
    epochs=3, batch_size=10, progress=False, device="cuda", compile="never", dtype="float64",
    memory_format="contiguous",
)  # fmt: skip


def _parts(dataset, name, seed=0):
    return models.build("conv3", 4, dataset.feature_shape, seed=seed), objectives.build(name)


def _largest_difference(a, b):
    return max(
        (p.cpu() - q.cpu()).abs().max().item()
        for p, q in zip(a.parameters(), b.parameters(), strict=True)
    )


@pytest.mark.parametrize("name", objectives.names())
def test_captured_steps_are_those_of_a_cpu(small_sound, name):
    there = train(*_parts(small_sound, name), small_sound, CONFIG)
    here = train(*_parts(small_sound, name), small_sound, replace(CONFIG, device="cpu"))
    assert _largest_difference(there.model, here.model) < 1e-8
    for row, expected in zip(there.history, here.history, strict=True):
        assert row["train"] == pytest.approx(expected["train"], rel=1e-6)
        assert row["validation"] == pytest.approx(expected["validation"], rel=1e-6)


@pytest.mark.parametrize("engine", ["stacked", "threads"])
@pytest.mark.parametrize("name", ["beta_vae", "factor_vae", "beta_tcvae"])
def test_many_in_step_are_each_alone(small_sound, name, engine):
    model, objective = _parts(small_sound, name)
    many = train_many(model, objective, small_sound, CONFIG, seeds=(0, 1, 2), engine=engine)
    for seed, result in enumerate(many):
        alone = train(*_parts(small_sound, name, seed), small_sound, replace(CONFIG, seed=seed))
        assert _largest_difference(result.model, alone.model) < 1e-8


@pytest.mark.parametrize("name", objectives.names())
def test_steps_are_captured_and_wait_for_nothing(small_sound, name):
    """Five batches of ten clips and an odd one, four times over."""
    device = torch.device("cuda")
    plan = ExecutionPlan("contiguous", "float32")
    model, objective = _parts(small_sound, name)
    objective.prepare(4, 51)
    state = TrainState(model, objective, CONFIG)
    state.move_to(plan, device)
    batches = plan_batches(model, objective, small_sound, CONFIG, 1)
    loader = Loader(small_sound.on_device(device), device, plan, (objective.draws, 4))
    engine = ThreadedEngine([state], plan, device)
    losses = []
    for epoch in range(4):
        for batch in loader.training([batches.epoch(0, epoch)], [0], epoch, 0):
            step = torch.zeros((), dtype=torch.int64, device=device)
            if epoch == 3:  # all that there is to capture has been
                torch.cuda.set_sync_debug_mode("error")
            try:
                losses.append(engine.step(batch.x, batch.noise, step))
            finally:
                torch.cuda.set_sync_debug_mode("default")
    assert engine.steps[0].graphs
    assert np.isfinite(torch.stack(losses).cpu().numpy()).all()


def test_models_on_streams_do_not_disturb_each_other(small_sound):
    """Wide linear layers, whose products share a workspace where graphs share a stream."""
    config = replace(CONFIG, dtype="float32", epochs=6)
    model, objective = _parts(small_sound, "factor_vae")
    seeds = range(6)
    many = train_many(model, objective, small_sound, config, seeds=seeds, engine="threads")
    for seed, result in enumerate(many):
        alone = train(
            *_parts(small_sound, "factor_vae", seed), small_sound, replace(config, seed=seed)
        )
        assert _largest_difference(result.model, alone.model) < 1e-4


def test_a_learned_variance_goes_on(small_sound, tmp_path):
    def parts():
        model, _ = _parts(small_sound, "vae")
        return model, objectives.build("vae", likelihood="gaussian_learned")

    train(*parts(), small_sound, replace(CONFIG, path=str(tmp_path), epochs=1))
    broken = train(*parts(), small_sound, replace(CONFIG, path=str(tmp_path)))
    assert _largest_difference(broken.model, train(*parts(), small_sound, CONFIG).model) < 1e-8


@pytest.mark.parametrize("dtype", ["tf32", "bfloat16", "float32"])
def test_lower_precision_learns_as_well(small_sound, dtype):
    config = replace(CONFIG, dtype=dtype, epochs=10)
    history = train(*_parts(small_sound, "vae"), small_sound, config).history
    exact = train(
        *_parts(small_sound, "vae"), small_sound, replace(config, dtype="float64")
    ).history
    assert history[-1]["train"]["loss"] == pytest.approx(exact[-1]["train"]["loss"], rel=0.05)


def test_a_set_beyond_the_memory_comes_through_pinned_memory(small_sound, monkeypatch):
    def full(self, device):
        raise MemoryError("no room")

    expected = train(*_parts(small_sound, "vae"), small_sound, CONFIG)
    monkeypatch.setattr(type(small_sound), "on_device", full)
    found = train(*_parts(small_sound, "vae"), small_sound, CONFIG)
    assert _largest_difference(found.model, expected.model) < 1e-8


def test_a_run_goes_on_to_the_same_weights(small_sound, tmp_path):
    config = replace(CONFIG, path=str(tmp_path))
    train(*_parts(small_sound, "factor_vae"), small_sound, replace(config, epochs=1))
    broken = train(*_parts(small_sound, "factor_vae"), small_sound, config)
    unbroken = train(*_parts(small_sound, "factor_vae"), small_sound, CONFIG)
    assert _largest_difference(broken.model, unbroken.model) < 1e-8


def test_the_fastest_plan_is_found(small_sound, monkeypatch):
    monkeypatch.setattr("fastdis.training.autotune._MIN_RUN_SECONDS", 0.0)
    config = TrainConfig(epochs=40, batch_size=16, progress=False, device="cuda")
    choice = train(*_parts(small_sound, "beta_vae"), small_sound, config).choice
    assert choice.why == "the fastest that agrees"
    assert len(choice.tried) >= 4

"""Every registered model under every objective, and all that training does with a model."""

import functools
import json
import signal

import pytest
import torch

from fastdis import load, models, objectives, train, train_many, training
from fastdis.training import engines, state
from fastdis.training.step import ExecutionPlan
from tests import forks
from tests.models import model_processes
from tests.models.model_data import NAMES, SHAPE, D, inputs, small
from tests.objectives.objective_data import one_thread
from tests.training.exact_runs import Dropped, checkpoints
from tests.training.training_data import Noted, config, equal, losses, small_discriminator, weights

EVERY = pytest.mark.parametrize("name", NAMES)
ALIKE = 1e-9  # float64, added up in another order


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr("fastdis.objectives.total_correlation.Discriminator", small_discriminator)
    with one_thread():
        yield


def run(name, path=None, *, objective="vae", stop=None, **options):
    """Training alone: 36 clips of three epochs of four steps, the last of two clips."""
    settings = config(path, **{"epochs": 3, "batch_size": 11, **options})
    model = small(name, settings.seed)
    return train(model, objectives.build(objective), Noted(stop=stop), settings)


def assert_alike(found, expected):
    for one, other in zip(losses(found), losses(expected), strict=True):
        assert one == pytest.approx(other, rel=ALIKE, abs=ALIKE)
    theirs = weights(expected)
    assert weights(found).keys() == theirs.keys()
    for key, weight in weights(found).items():
        torch.testing.assert_close(weight, theirs[key], rtol=ALIKE, atol=ALIKE, msg=key)


@pytest.mark.parametrize("objective", objectives.names())
@EVERY
def test_two_steps_move_every_weight(name, objective):
    model, cost = small(name).double(), objectives.build(objective).double()
    cost.prepare(D, 36)
    cost.double()
    before = {key: weight.detach().clone() for key, weight in model.named_parameters()}
    optimizer = torch.optim.Adam([*model.parameters(), *cost.parameters()], lr=1e-3)
    noise = torch.randn(cost.draws, 8, D, dtype=torch.float64)
    for step in range(2):
        optimizer.zero_grad()
        terms = cost(model, inputs(8), noise, step)
        assert all(term.isfinite() for term in terms.values())
        (terms["loss"] + terms.get("discriminator", 0.0)).backward()
        for key, weight in model.named_parameters():
            assert weight.grad is not None, key
            assert weight.grad.isfinite().all(), key
            assert weight.grad.abs().max() > 1e-12, key
        optimizer.step()
    assert all((weight != before[key]).any() for key, weight in model.named_parameters())


@functools.cache
def _whole(name):
    return run(name)


@EVERY
def test_a_run_is_saved_and_loaded_and_codes_come_out_alike(name, tmp_path):
    result, data = run(name, tmp_path), Noted()
    again = load(tmp_path)
    assert equal(weights(again), weights(result))
    assert again.model.options() == result.model.options()
    rows = training.split(len(data), 0.2, 42)[1]
    found, expected = (training.encode(each.model, data, rows) for each in (again, result))
    assert all((one == other).all() for one, other in zip(found, expected, strict=True))
    terms = training.evaluate(again.model, again.objective, data, rows, 11, seed=0)
    assert terms == pytest.approx(result.history[-1]["validation"], rel=1e-9)


@EVERY
def test_a_run_that_was_stopped_ends_with_the_same_bits(name, tmp_path):
    """Within an epoch, then at the end of one: with its statistics, and the number of passes."""
    for stop in (7, 3):
        with pytest.raises(KeyboardInterrupt):
            run(name, tmp_path / "broken", stop=(stop, signal.SIGINT))
    broken, whole = run(name, tmp_path / "broken"), run(name, tmp_path / "whole")
    assert equal(weights(broken), weights(whole))
    found, expected = (checkpoints(tmp_path / each) for each in ("broken", "whole"))
    (found, state), (expected, wanted) = found["last.safetensors"], expected["last.safetensors"]
    assert state == wanted
    assert all(torch.equal(found[key], tensor) for key, tensor in expected.items())


@pytest.mark.parametrize("engine", ["threads", "stacked"])
@EVERY
def test_many_in_step_are_what_they_are_alone(name, engine, threads):
    threads(2)
    many = train_many(
        small(name), objectives.build("vae"), Noted(), config(epochs=3, batch_size=11),
        seeds=[0, 1], engine=engine,
    )  # fmt: skip
    assert {result.choice.plan.engine for result in many} == {engine}
    assert_alike(many[0], _whole(name))
    assert_alike(many[1], run(name, seed=1))
    assert not equal(weights(many[0]), weights(many[1]))


@pytest.mark.parametrize("engine", ["threads", "stacked"])
@pytest.mark.parametrize("objective", ["factor_vae", "ada_gvae"])
def test_statistics_and_masks_of_passes_beside_the_gradients(objective, engine, threads):
    """FactorVAE encodes half a batch without a gradient, Ada-GVAE decodes twice a step."""
    threads(2)
    options = {"epochs": 3, "batch_size": 10}
    many = train_many(
        small("cnn"), objectives.build(objective), Noted(), config(**options), seeds=[0, 1],
        engine=engine,
    )  # fmt: skip
    for seed, result in enumerate(many):
        alone = run("cnn", objective=objective, seed=seed, **options)
        assert_alike(result, alone)
        passes = [
            {int(v) for k, v in part.state_dict().items() if k.endswith("passes")}
            for part in (result.model.encoder, result.model.decoder)
        ]
        assert passes == ([{24}, {12}] if objective == "factor_vae" else [{24}, {48}])


@pytest.mark.parametrize("name", ["mlp", "cnn", "conv1d_dilated"])
def test_every_plan_computes_the_same_gradient(name):
    """So that a search has a choice: the masks are the same, whatever the format or the engine."""
    data, plans = Noted(), [
        ExecutionPlan("contiguous", "float64", False, "threads"),
        ExecutionPlan("channels_last", "float64", False, "threads"),
        ExecutionPlan("contiguous", "float64", False, "stacked"),
    ]  # fmt: skip
    x = torch.from_numpy(data.features(range(8))).double().expand(2, 8, *SHAPE)
    noise = torch.randn(2, 1, 8, D, dtype=torch.float64)
    gradients = []
    for plan in plans:
        states = [
            state.TrainState(small(name, seed), objectives.build("vae"), config())
            for seed in (0, 1)
        ]
        for each in states:
            each.move_to(plan, torch.device("cpu"))
        engine = engines.make_engine(states, plan, torch.device("cpu"))
        engine.train(True)
        engine.step(x, noise, torch.tensor(0))
        gradients.append(torch.cat([part.double() for part in engine.gradients()], dim=1))
        engine.close()
    for found in gradients[1:]:
        # The weights lie otherwise in other formats: each model's gradient as a set of numbers.
        torch.testing.assert_close(found.sort().values, gradients[0].sort().values)


def test_a_batch_of_one_clip():
    """36 clips by sevens; maps of 2 x 2, then of one cell: a batch has one value a channel."""
    for options in ({}, {"channels": (4, 4, 4)}):
        model = small("cnn", **options)
        result = train(model, objectives.build("vae"), Noted(), config(batch_size=7))
        assert all(weight.isfinite().all() for weight in weights(result).values())
    many = train_many(model, objectives.build("vae"), Noted(), config(batch_size=7), seeds=[0, 1])
    alone = train(
        small("cnn", **options), objectives.build("vae"), Noted(), config(batch_size=7)
    )  # fmt: skip
    assert_alike(many[0], alone)


def test_two_processes_of_which_one_has_no_clip_of_a_batch(tmp_path):
    """Batch norm and dropout are by the part of each, all else as in one process."""
    started = [forks.start(model_processes.member, rank, 2, str(tmp_path)) for rank in (0, 1)]
    codes = forks.ended(*started)
    notes = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)]
    assert codes == [0, 0], [each["error"] for each in notes]
    for name in NAMES:
        alone = losses(model_processes.run(name, 7))
        for found, other, expected in zip(notes[0][name], notes[1][name], alone, strict=True):
            assert found == other
            if name == "cnn":
                assert found != pytest.approx(expected, rel=1e-6)
                assert found["train loss"] == pytest.approx(expected["train loss"], rel=0.2)
            else:
                assert found == pytest.approx(expected, rel=ALIKE, abs=ALIKE)
    assert notes[0]["different"] == notes[1]["different"] == []  # of a run in two goes


def test_torchs_own_dropout_is_not_stacked():
    """Whose numbers a stack would draw otherwise than each of its models by itself."""
    states = [state.TrainState(Dropped(), objectives.build("vae"), config()) for _ in range(2)]
    assert not engines.can_be_stacked(states)
    assert all(map(engines.uses_torch_generator, states))
    recurrent = Dropped()
    recurrent.drop = torch.nn.LSTM(3, 3, num_layers=2, dropout=0.1)
    assert engines.uses_torch_generator(state.TrainState(recurrent, None, config()))
    recurrent.drop = torch.nn.LSTM(3, 3)
    assert not engines.uses_torch_generator(state.TrainState(recurrent, None, config()))


def test_a_registered_model_with_torchs_own_dropout(monkeypatch):
    """It is trained on threads, and one by one; a stack of it is refused."""

    class Dropping(models.MLPVAE):
        def __init__(self, latent_dim, input_shape, *, hidden, flatten):
            super().__init__(latent_dim, input_shape, hidden=hidden, flatten=flatten)
            self.encoder.append(torch.nn.Dropout(0.2))

        def _own_options(self):
            return {"hidden": list(self.hidden), "flatten": self.flattening.name}

    monkeypatch.setitem(models._REGISTRY, "mlp", (Dropping, {}))
    arguments = small("mlp"), objectives.build("vae"), Noted(), config()
    with pytest.raises(ValueError, match="engine takes 'threads' for a model with dropout that"):
        train_many(*arguments, seeds=[0, 1], engine="stacked")
    many = train_many(*arguments, seeds=[0, 1])
    assert many[0].choice.plan.engine == "threads"


@EVERY
def test_it_is_exported_and_runs_where_the_package_is_not(name, tmp_path):
    model = run(name, tmp_path, epochs=1, dtype="float32").model.eval()
    files = training.export(tmp_path)
    again = training.load_exported(tmp_path / "export")
    encoder, decoder = (
        torch.export.load(files[part]).module() for part in ("encoder", "decoder")
    )  # fmt: skip
    for batch in (1, 5):
        x = inputs(batch, dtype=torch.float32)
        with torch.no_grad():
            mean, logvar = model.encode(x)
            for found in (again.encode(x), encoder(x)):
                torch.testing.assert_close(found[0], mean, rtol=1e-5, atol=1e-6)
                torch.testing.assert_close(found[1], logvar, rtol=1e-5, atol=1e-6)
            for decode in (again.decode, decoder):
                torch.testing.assert_close(decode(mean), model.decode(mean), rtol=1e-5, atol=1e-6)

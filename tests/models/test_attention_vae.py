"""The attention RNN against itself step by step, on any shape, and where training takes it."""

import copy
import signal

import pytest
import torch
from torch.func import functional_call, stack_module_state
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.peers import plain_attention
from fastdis import models, objectives, train, train_many
from fastdis._bench import measure
from fastdis._bench.rows import networks
from fastdis.models.attention_vae import LSTM, AttentionVAE
from fastdis.training import exporting
from tests.objectives.objective_data import one_thread
from tests.training.training_data import SHAPE, Noted, config, equal, losses, weights

CELLS = [plain_attention.cell_of_torch, plain_attention.cell_of_gates]
SHAPES = [(1, 60, 16), (1, 1, 2000), (1, 8, 8), (1, 128, 32), (2, 7, 5), (1, 1, 1), (3, 2, 130)]


@pytest.fixture(autouse=True)
def _one():
    with one_thread():
        yield


def _built(latent_dim, shape, seed=0, **options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AttentionVAE(latent_dim, shape, **options)


def _features(model, rows=3, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(rows, *model.input_shape, generator=generator, dtype=dtype)
    return x, torch.randn(rows, model.latent_dim, generator=generator, dtype=dtype)


@pytest.mark.parametrize("cell", CELLS, ids=["torch", "gates"])
@pytest.mark.parametrize(
    ("latent_dim", "shape", "options"),
    [
        (20, (1, 60, 16), {}),
        (6, (2, 7, 5), {"hidden": 5, "positions": 3}),  # stretches that share a frame
        (4, (1, 3, 11), {"hidden": 6, "patch": 4, "output": "tanh"}),  # a padded patch
        (3, (1, 1, 1), {"output": "linear"}),
    ],
    ids=str,
)
def test_it_is_the_loop_over_steps(latent_dim, shape, options, cell):
    model = _built(latent_dim, shape, **options).double()
    twin = plain_attention.step_by_step(model, cell)
    x, noise = _features(model, dtype=torch.float64)
    told = []
    for each in (model, twin):
        outputs = each(x, noise)
        sum((out * out.sigmoid()).sum() for out in outputs).backward()
        told.append((outputs, [weight.grad for weight in each.parameters()]))
    for found, expected in zip(told[0][0], told[1][0], strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    for found, expected in zip(told[0][1], told[1][1], strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
        assert found.abs().max() > 0 or model.positions == 1


def test_attention_is_bahdanaus_written_out():
    """e_tj = v^T tanh(W s_t + U h_j), a_t = softmax_j, of each step and position by itself."""
    model = _built(6, (1, 4, 5), positions=2, hidden=32).double()
    z = torch.randn(2, 6, dtype=torch.float64)
    found = model.attention(z)
    assert found.shape == (2, 5, 2)
    for t in range(5):
        for b in range(2):
            asked = model.query(z[b]) + model.query_times[t, 0, 0]
            energies = torch.stack([
                model.energy.weight[0] @ torch.tanh(
                    asked + model.key.weight @ z[b, 3 * j : 3 * j + 3] + model.key_positions[j, 0]
                )
                for j in range(2)
            ])  # fmt: skip
            expected = energies.exp() / energies.exp().sum()
            torch.testing.assert_close(found[b, t], expected, rtol=1e-12, atol=1e-12)


def test_the_recurrence_is_torchs_own():
    """Input, forget, cell and output gate in its order; so is the loop that vmap takes."""
    mine, theirs = LSTM(5, 7).double(), torch.nn.LSTM(5, 7).double()
    pairs = zip(theirs.parameters(), (*mine.parameters(), torch.zeros(28)), strict=True)
    with torch.no_grad():
        for weight, value in pairs:
            weight.copy_(value)
    x = torch.randn(4, 3, 5, dtype=torch.float64)
    start = torch.randn(2, 3, 7, dtype=torch.float64)
    expected, _ = theirs(x, tuple(start.unsqueeze(1)))
    for found in (mine(x, tuple(start)), mine._by_steps(x, *start)):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_shape(shape):
    model = _built(6, shape)
    assert 1 <= model.steps <= 64
    x, noise = _features(model)
    x_hat, mean, logvar, z = model(x, noise)
    assert x_hat.shape == x.shape
    assert mean.shape == logvar.shape == z.shape == (3, 6)
    assert torch.equal(model._frames(model._sequence(x)), x)
    again = models.build(**model.options())
    again.load_state_dict(model.state_dict())
    assert again.options() == model.options()
    assert torch.equal(again.encode(x)[0], mean)


def test_a_code_belongs_to_its_stretch_of_time():
    """The encoder reads forwards: what comes later changes no code of before."""
    model = _built(8, (1, 6, 8), positions=4)
    x, _ = _features(model)
    later = x.clone()
    later[..., 4:] = 0.0
    moved = (model.encode(x)[0] != model.encode(later)[0]).any(dim=0)
    assert moved.tolist() == [False] * 4 + [True] * 4


@pytest.mark.parametrize(
    ("latent_dim", "frames", "positions"),
    [(20, 16, 4), (9, 16, 3), (7, 16, 1), (20, 1, 1), (8, 3, 2)],
)
def test_positions_by_default(latent_dim, frames, positions):
    assert _built(latent_dim, (1, 2, frames), hidden=4).positions == positions


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"positions": 3}, ValueError, "positions takes one of 1, 2, 4, 5, 10, .* 20 up to the 16"),
        ({"positions": 20}, ValueError, "positions takes one of .*got 20"),
        ({"positions": 2.0}, TypeError, "positions takes an integer"),
        ({"patch": 17}, ValueError, "patch takes an integer >= 1 and <= 16"),
        ({"hidden": 0}, ValueError, "hidden takes an integer"),
        ({"output": "relu"}, ValueError, "output takes one of 'sigmoid', 'tanh', 'linear'"),
    ],
)
def test_mistakes(options, error, message):
    with pytest.raises(error, match=message):
        AttentionVAE(20, (1, 60, 16), **options)


@pytest.mark.parametrize(("output", "low", "high"), [("sigmoid", 0, 1), ("tanh", -1, 1)])
def test_outputs_are_bounded(output, low, high):
    model = _built(4, (1, 3, 4), output=output)
    x_hat = model.decode(100 * torch.randn(50, 4))
    assert low <= x_hat.min() < x_hat.max() <= high
    assert x_hat.min() < (low + high) / 2 < x_hat.max()


def test_weights_begin_as_said():
    lstm = LSTM(6, 5)
    assert lstm.bias.tolist() == [0.0] * 5 + [1.0] * 5 + [0.0] * 10
    assert torch.allclose(lstm.weight_state.T @ lstm.weight_state, torch.eye(5), atol=1e-5)
    assert lstm.weight_input.abs().max() <= (6 / (6 + 20)) ** 0.5


def test_gradients_in_evaluation_are_those_of_training():
    model = _built(4, (1, 5, 6))
    x, noise = _features(model)
    told = []
    for mode in (True, False):
        loss = model.train(mode)(x, noise)[0].square().sum()
        told.append(torch.autograd.grad(loss, list(model.parameters())))
    assert all(torch.equal(a, b) for a, b in zip(*told, strict=True))


def test_bfloat16_is_near():
    model = _built(8, (1, 20, 16))
    x, noise = _features(model)
    exact = model(x, noise)
    with torch.autocast("cpu", torch.bfloat16):
        found = model(x, noise)
    found[0].float().sum().backward()
    for a, b in zip(found, exact, strict=True):
        assert (a.float() - b).abs().max() < 0.05
    assert all(
        weight.grad.isfinite().all() for weight in model.parameters() if weight.grad is not None
    )


def test_models_are_batched_by_vmap():
    """As the stacked engine has it: weights and features of each model by themselves."""
    members = [_built(4, (1, 5, 6), seed).double() for seed in range(3)]
    weights, buffers = stack_module_state(members)
    base = copy.deepcopy(members[0]).to("meta")
    x, noise = _features(members[0], rows=6, dtype=torch.float64)
    x, noise = x.unflatten(0, (3, 2)), noise.unflatten(0, (3, 2))

    def one(weights, buffers, x, noise):
        return functional_call(base, (weights, buffers), (x, noise))[0]

    found = torch.vmap(one)(weights, buffers, x, noise)
    expected = torch.stack([m(a, b)[0] for m, a, b in zip(members, x, noise, strict=True)])
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    found.square().sum().backward()
    expected.square().sum().backward()
    for key, weight in members[1].named_parameters():
        if weight.grad is not None:
            torch.testing.assert_close(weights[key].grad[1], weight.grad, rtol=1e-9, atol=1e-12)


def test_graphs_for_any_number_of_rows():
    """As an export makes them; without a warning of weights that were assigned."""
    model = _built(4, (1, 5, 6)).eval()
    for part, shape in ((exporting._Encoder(model), (1, 5, 6)), (exporting._Decoder(model), (4,))):
        program = torch.export.export(
            part, (torch.zeros(2, *shape),), strict=False,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
        )  # fmt: skip
        for rows in (1, 3, 17):
            x = torch.rand(rows, *shape)
            found, expected = program.module()(x), part(x)
            for a, b in zip(
                *(t if isinstance(t, tuple) else (t,) for t in (found, expected)), strict=True
            ):
                assert torch.allclose(a, b, atol=1e-6)


def _parts(seed=0):
    return models.build("attention_rnn", 4, SHAPE, hidden=8, seed=seed), objectives.build("vae")


@pytest.mark.parametrize("engine", ["threads", "stacked"])
def test_models_trained_in_step_are_those_trained_alone(engine, threads):
    threads(2)
    many = train_many(*_parts(), Noted(), config(), seeds=[0, 1], engine=engine)
    assert {result.choice.plan.engine for result in many} == {engine}
    for seed, result in enumerate(many):
        alone = train(*_parts(seed), Noted(), config(seed=seed))
        for found, expected in zip(losses(result), losses(alone), strict=True):
            assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_a_run_that_was_stopped_ends_with_the_same_bits(tmp_path):
    told = {"dtype": "float32", "epochs": 3}
    whole = train(*_parts(), Noted(), config(tmp_path / "whole", **told))
    with pytest.raises(KeyboardInterrupt):
        train(*_parts(), Noted(stop=(7, signal.SIGINT)), config(tmp_path / "other", **told))
    again = train(*_parts(), Noted(), config(tmp_path / "other", **told))
    assert equal(weights(again), weights(whole))
    assert losses(again) == losses(whole)


def test_the_rows_compare_the_same_gradient():
    size = networks.Size(6, 5, 4)
    model = networks.model_of(size)
    for cell in CELLS:
        twin = plain_attention.step_by_step(model, cell)
        assert networks.gradient_error(model, twin, size) < 1e-5
        with torch.no_grad():
            twin.decoder.bias[3] += 0.01
        assert networks.gradient_error(model, twin, size) > 1e-4


def test_a_row_that_computes_something_else_is_not_timed(monkeypatch):
    def other(lstm, x, state, cell):
        return plain_attention.cell_of_torch(lstm, x, 0.99 * state, cell)

    monkeypatch.setattr(plain_attention, "cell_of_gates", other)
    assert "not timed" in measure.measure(networks.ROWS[0], "smoke").note


def test_multiply_adds_are_counted_right():
    size = networks.Size(60, 16, 2)
    twin = plain_attention.step_by_step(networks.model_of(size), plain_attention.cell_of_gates)
    with FlopCounterMode(display=False) as counted:
        networks.loss_of()(twin, *networks.batch_of(size)).backward()
    found = counted.get_total_flops() / 2 / size.batch
    assert abs(found - networks.multiply_adds(twin)) < 0.05 * found

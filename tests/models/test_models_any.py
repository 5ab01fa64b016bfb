"""What every registered model keeps to: shapes, options, seeds, kinds of float, bad arguments."""

import pytest
import torch

from fastdis import models
from tests.models.model_data import ANY_SHAPE, NAMES, SHAPE, SMALL, D, inputs, small

EVERY = pytest.mark.parametrize("name", NAMES)
SHAPES = [
    (1, 60, 16), (1, 129, 16), (1, 64, 16), (1, 8, 8), (1, 28, 28), (1, 1, 2000), (2, 5, 7),
    (1, 2, 3), (1, 1, 1), (1, 9, 1),
]  # fmt: skip


def test_every_model_is_among_them():
    assert SMALL.keys() == set(NAMES)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ANY_SHAPE)
def test_any_input_shape_and_any_batch(name, shape):
    """At the defaults; and a gradient comes back, also from one clip, and from none."""
    model = models.build(name, D, shape, seed=0)
    for batch in (3, 1, 0):
        x_hat, mean, logvar, z = model(inputs(batch, shape, torch.float32))
        assert x_hat.shape == (batch, *shape)
        assert mean.shape == logvar.shape == z.shape == (batch, D)
        (x_hat.sum() + mean.sum() + logvar.sum()).backward()
        assert all(w.grad is None or w.grad.isfinite().all() for w in model.parameters())


@EVERY
def test_options_build_the_same_architecture(name):
    model = small(name, shape=(2, 8, 16))
    again = models.build(**model.options())
    assert type(again) is type(model)
    assert again.options() == model.options()
    again.load_state_dict(model.state_dict())
    model.eval(), again.eval()
    x = inputs(shape=(2, 8, 16), dtype=torch.float32)
    noise = torch.randn(3, D)
    for found, expected in zip(again(x, noise), model(x, noise), strict=True):
        assert torch.equal(found, expected)


@EVERY
def test_a_seed_fixes_all_that_is_drawn(name):
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    one, two, other = (small(name, seed) for seed in (7, 7, 8))
    assert torch.equal(torch.rand(2), expected)
    x = inputs(dtype=torch.float32)
    assert all(map(torch.equal, one(x, x[:, 0, 0, :D]), two(x, x[:, 0, 0, :D])))
    assert not torch.equal(one.encode(x)[0], other.encode(x)[0])


@EVERY
def test_the_log_variance_is_bounded(name, monkeypatch):
    model = small(name)
    mean = model._posterior(inputs(dtype=torch.float32))[0]
    assert mean.shape == (3, D)
    wild = torch.tensor([1e9, -1e9, torch.inf, 0.5]).expand(3, D)
    monkeypatch.setattr(model, "_posterior", lambda x: (mean, wild))
    _, logvar = model.encode(inputs(dtype=torch.float32))
    assert logvar[0].tolist() == [20.0, -30.0, 20.0, 0.5]


@pytest.mark.parametrize("output", ["sigmoid", "tanh", "linear"])
@pytest.mark.parametrize("name", ANY_SHAPE)
def test_what_comes_out(name, output):
    model = small(name, output=output).double()
    x_hat = model.decode(100.0 * torch.randn(50, D, dtype=torch.float64))
    low, high = x_hat.min(), x_hat.max()
    assert (low < 0) == (output != "sigmoid")
    if output != "linear":
        assert low >= -1
        assert high <= 1
    else:
        plain = small(name, output="tanh").double()
        code = torch.ones(4, D, dtype=torch.float64)
        torch.testing.assert_close(
            plain.decode(code), small(name, output=output).double().decode(code).tanh()
        )


@EVERY
def test_kinds_of_float_and_memory_formats_change_nothing(name):
    """In training mode, so with the same channels dropped, and the same statistics kept."""
    x, noise = inputs(4), torch.randn(4, D, dtype=torch.float64)
    exact = small(name).double()
    expected = [part.detach() for part in exact(x, noise)]
    last = small(name).double().to(memory_format=torch.channels_last)
    single, half = small(name), small(name)
    for found, wanted in zip(last(x, noise), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-11)
    for found, wanted in zip(single(x.float(), noise.float()), expected, strict=True):
        torch.testing.assert_close(found.double(), wanted, rtol=1e-3, atol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        for found, wanted in zip(half(x.float(), noise.float()), expected, strict=True):
            torch.testing.assert_close(found.double(), wanted, rtol=0.05, atol=0.05)
    for (key, found), wanted in zip(
        last.state_dict().items(), exact.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-11, msg=key)


@EVERY
def test_a_step_compiles_as_one_graph(name):
    model, x, noise = small(name).double(), inputs(4), torch.randn(4, D, dtype=torch.float64)
    expected = small(name).double()(x, noise)
    torch.compiler.reset()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    for found, wanted in zip(compiled(x, noise), expected, strict=True):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("mlp", {"hidden": ()}, ValueError, "hidden takes at least one size, got none"),
        ("mlp", {"hidden": 400}, TypeError, "hidden takes a sequence of sizes, got 400"),
        ("mlp", {"hidden": (400, 0)}, ValueError, "hidden takes an integer >= 1, got 0"),
        ("mlp", {"flatten": "hilbrt"}, ValueError, "flatten takes .* did you mean 'hilbert'"),
        ("mlp", {"output": "softmax"}, ValueError, "output takes one of 'sigmoid', 'tanh', 'lin"),
        ("mlp", {"channels": (3,)}, ValueError, "options of 'mlp' takes .* got 'channels'"),
        ("cnn", {"channels": ()}, ValueError, "channels takes at least one size, got none"),
        ("cnn", {"channels": "16"}, TypeError, "channels takes a sequence of sizes, got '16'"),
        ("cnn", {"hidden": (1.5,)}, TypeError, r"hidden takes an integer >= 1, got 1\.5"),
        ("cnn", {"dropout": 1.0}, ValueError, "dropout takes a number >= 0 and < 1, got 1"),
        ("cnn", {"dropout": -0.1}, ValueError, "dropout takes a number >= 0.*, got -0.1"),
        ("cnn", {"dropout": "0.1"}, TypeError, "dropout takes a number"),
        ("cnn", {"output": None}, TypeError, "output takes one of"),
        ("conv1d", {"kernel_size": 8}, ValueError, "kernel_size takes an odd number, got 8"),
        ("conv1d", {"kernel_size": 3}, ValueError, "kernel_size takes an integer >= 4, got 3"),
        ("conv1d", {"strides": (4, 4)}, ValueError, r"strides takes one for each of 3 channels"),
        ("conv1d", {"strides": (4, 4, 0)}, ValueError, "strides takes an integer >= 1, got 0"),
        ("conv1d", {"channels": ()}, ValueError, "channels takes at least one size, got none"),
        ("conv1d", {"dilations": 2}, TypeError, "dilations takes a sequence of sizes, got 2"),
        ("conv1d_dilated", {"dilations": (1, 0)}, ValueError, "dilations takes an .* >= 1, got 0"),
        ("conv1d", {"flatten": 1}, TypeError, "flatten takes one of 'row', 'column', 'hilbert'"),
    ],
)
def test_bad_options(name, options, error, message):
    with pytest.raises(error, match=message):
        models.build(name, D, SHAPE, **options)


@EVERY
def test_an_input_of_another_shape(name):
    with pytest.raises(ValueError, match=r"x takes shape \(B, 1, 8, 8\), got \(2, 1, 8, 9\)"):
        small(name).encode(torch.rand(2, 1, 8, 9))


@EVERY
def test_a_shape_that_is_none(name):
    with pytest.raises(ValueError, match="input_shape takes"):
        models.build(name, D, (16, 16))
    with pytest.raises(ValueError, match="input_shape takes an integer >= 1, got 0"):
        models.build(name, D, (1, 16, 0))

"""The additive toy report's nets against the layers it describes, and the layers by themselves."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from fastdis import features, models
from fastdis.models._flattening import Flattening
from fastdis.models._regularisers import BatchNorm, ChannelDropout
from tests.models.model_data import D, inputs, small


def _linears(module):
    return [layer for layer in module.modules() if isinstance(layer, nn.Linear)]


def test_the_mlp_is_the_first_net_of_the_report():
    """Linear, ReLU, linear; linear, ReLU, linear, sigmoid: on the rows of a spectrogram."""
    model, x = models.build("mlp", D, (1, 9, 4), seed=0), torch.rand(3, 1, 9, 4)
    down = _linears(model.encoder)[0]
    assert down.out_features == 400
    hidden = down(x.reshape(3, 36)).relu()
    mean, logvar = model.encode(x)
    torch.testing.assert_close(mean, model.mean(hidden))
    torch.testing.assert_close(logvar, model.logvar(hidden))
    one, two = _linears(model.decoder)
    torch.testing.assert_close(
        model.decode(mean), torch.sigmoid(two(one(mean).relu())).reshape(3, 1, 9, 4)
    )


@pytest.mark.parametrize("order", ["column", "hilbert"])
def test_an_order_of_inputs_is_nothing_to_an_mlp(order):
    """With the first weight's columns and the last layer's rows in that order it is the same."""
    shape = (2, 6, 5)
    rows, other = (models.build("mlp", D, shape, seed=0, flatten=o) for o in ("row", order))
    cells = features.flatten_order(shape[1:], order)
    places = torch.cat([torch.from_numpy(cells.copy()) + 30 * channel for channel in (0, 1)])
    x = torch.rand(3, *shape)
    assert not torch.allclose(rows.encode(x)[0], other.encode(x)[0])  # by the draw of weights
    state = rows.state_dict()
    state["encoder.0.weight"] = state["encoder.0.weight"][:, places]
    for key in ("decoder.2.weight", "decoder.2.bias"):
        state[key] = state[key][places]
    other.load_state_dict(state)
    noise = torch.randn(3, D)
    for found, expected in zip(other(x, noise), rows(x, noise), strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("order", ["row", "column", "hilbert"])
def test_flattening_is_that_of_features_channel_after_channel(order):
    x = torch.rand(3, 2, 6, 5)
    flattening = Flattening((2, 6, 5), order)
    assert not flattening.state_dict()
    found = flattening(x)
    for channel in (0, 1):
        for row in (0, 2):
            expected = features.flatten(x[row, channel].numpy(), order)
            assert torch.equal(found[row, channel], torch.from_numpy(expected.copy()))
    assert torch.equal(flattening.inverse(found), x)


def test_the_cnn_convolves_normalises_drops_and_cuts_off():
    """The second net of the report, each layer written out."""
    model = small("cnn", dropout=0.0).double()
    x = inputs(5)
    hidden = x
    kinds = [type(layer) for layer in model.encoder]
    assert kinds == 2 * [nn.Conv2d, BatchNorm, ChannelDropout, nn.ReLU] + [
        nn.Flatten, nn.Linear, nn.ReLU,
    ]  # fmt: skip
    for conv, norm in zip(model.encoder[:8:4], model.encoder[1:8:4], strict=True):
        hidden = functional.conv2d(hidden, conv.weight, stride=2, padding=1)
        mean, variance = hidden.mean((0, 2, 3)), hidden.var((0, 2, 3), correction=0)
        hidden = (hidden - mean[:, None, None]) / (variance[:, None, None] + 1e-5).sqrt()
        hidden = (hidden * norm.weight[:, None, None] + norm.bias[:, None, None]).relu()
    assert hidden.shape == (5, 5, 2, 2)
    hidden = _linears(model.encoder)[0](hidden.flatten(1)).relu()
    torch.testing.assert_close(model.encode(x)[0], model.mean(hidden))
    up = [type(layer) for layer in model.decoder]
    assert up == [
        nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Unflatten, nn.ConvTranspose2d, BatchNorm,
        ChannelDropout, nn.ReLU, nn.ConvTranspose2d, nn.Sigmoid,
    ]  # fmt: skip


def test_an_axis_of_one_cell_is_left_alone():
    model = models.build("cnn", D, (1, 1, 9), seed=0)
    kernels = [layer.kernel_size for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    assert kernels == [(1, 3), (1, 3)]


def test_conv1d_is_torchs_conv1d_and_its_transpose():
    model = small("conv1d", shape=(1, 1, 37)).double()
    x = inputs(3, (1, 1, 37))
    hidden = x[:, 0]
    for layer, stride in zip(model.encoder[:4:2], (4, 2), strict=True):
        hidden = functional.conv1d(hidden, layer.weight[:, :, 0], layer.bias, stride, 2)
        hidden = functional.leaky_relu(hidden, 0.2)
    assert hidden.shape == (3, 5, 5)
    hidden = functional.leaky_relu(_linears(model.encoder)[0](hidden.flatten(1)), 0.2)
    torch.testing.assert_close(model.encode(x)[0], model.mean(hidden))
    z = torch.ones(2, D, dtype=torch.float64)
    up = model.decoder[:4](z).reshape(2, 5, 5)
    layers = [layer for layer in model.decoder if isinstance(layer, nn.ConvTranspose2d)]
    for layer, stride, more in zip(layers, (2, 4), (1, 0), strict=True):
        up = functional.conv_transpose1d(up, layer.weight[:, :, 0], layer.bias, stride, 2, more)
        up = functional.leaky_relu(up, 0.2) if layer is layers[0] else up.tanh()
    torch.testing.assert_close(model.decode(z), up[:, None])


@pytest.mark.parametrize(("name", "field"), [("conv1d", 169), ("conv1d_dilated", 1877)])
def test_the_receptive_field_is_what_a_step_depends_on(name, field):
    model = models.build(name, D, (1, 1, 4096), seed=0).double()
    x = inputs(1, (1, 1, 4096)).requires_grad_()
    front = model.encoder[: [type(each) for each in model.encoder].index(nn.Flatten)]
    with torch.no_grad():
        for weight in front.parameters():  # that no ReLU hides anything
            weight.abs_()
    steps = front(x)
    steps[0, :, 0, steps.shape[3] // 2].sum().backward()
    (seen,) = x.grad[0, 0, 0].nonzero(as_tuple=True)
    assert int(seen[-1] - seen[0]) + 1 == field == model.receptive_field


def test_a_flattening_tells_convolutions_what_is_near():
    """Unlike to an MLP: of the same weights, another function."""
    x = inputs(2, dtype=torch.float32)
    means = {order: small("conv1d", flatten=order).encode(x)[0] for order in ("row", "hilbert")}
    assert not torch.allclose(means["row"], means["hilbert"])


def test_audio_is_in_the_order_of_time_whatever_the_flattening():
    x = inputs(2, (1, 1, 50))
    for order in ("row", "column", "hilbert"):
        assert torch.equal(Flattening((1, 1, 50), order)(x), x[:, 0])


@pytest.mark.parametrize("shape", [(7, 4, 3, 2), (7, 4, 5), (2, 4, 1, 1)])
def test_batch_norm_is_torchs(shape):
    """Outputs, gradients and running statistics; then evaluation."""
    mine = BatchNorm(4).double()
    theirs = (nn.BatchNorm1d if len(shape) == 3 else nn.BatchNorm2d)(4).double()
    for seed in range(3):
        x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        a, b = (x.clone().requires_grad_() for _ in range(2))
        found, expected = mine(a), theirs(b)
        torch.testing.assert_close(found, expected)
        (found**3).sum().backward(), (expected**3).sum().backward()
        torch.testing.assert_close(a.grad, b.grad)
    torch.testing.assert_close(mine.running_mean, theirs.running_mean)
    torch.testing.assert_close(mine.running_var, theirs.running_var)
    torch.testing.assert_close(mine.eval()(x), theirs.eval()(x))


def test_one_value_a_channel_is_normalised_as_in_evaluation():
    norm = BatchNorm(3)
    norm(5.0 + torch.randn(8, 3, 2, 2))
    before = {key: value.clone() for key, value in norm.state_dict().items()}
    x = torch.randn(1, 3, 1, 1)
    found = norm(x)
    assert all(torch.equal(value, before[key]) for key, value in norm.state_dict().items())
    assert torch.equal(found, norm.eval()(x))
    norm.train()(torch.randn(0, 3, 2, 2))  # a process may have no clip of a batch
    assert all(torch.equal(value, before[key]) for key, value in norm.state_dict().items())


def test_dropout_takes_whole_channels_of_some_clips():
    drop = ChannelDropout(0.25)
    x = torch.ones(500, 40, 3, 2)
    one, two = drop(x), drop(x)
    for found in (one, two):
        assert torch.equal(found, found[:, :, :1, :1].expand_as(found))
        assert found.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
        # Binomial: 20,000 draws, four standard deviations.
        assert (found[:, :, 0, 0] == 0).double().mean() == pytest.approx(0.25, abs=0.0125)
    kept = torch.stack([one[:, :, 0, 0] > 0, two[:, :, 0, 0] > 0]).double()
    together = (kept[0] * kept[1]).mean()  # passes are independent
    assert together == pytest.approx(0.75**2, abs=0.015)
    for axis in (1, 2):  # and so are neighbours, of clips and of channels
        near = kept.narrow(axis, 0, kept.shape[axis] - 1) * kept.narrow(
            axis, 1, kept.shape[axis] - 1
        )
        assert near.mean() == pytest.approx(0.75**2, abs=0.015)
    for axis in (1, 2):  # nor has a clip or a channel a share of its own
        shares = kept.mean(dim=(0, axis))
        n = kept.numel() / len(shares)
        assert shares.std() == pytest.approx((0.25 * 0.75 / n) ** 0.5, rel=0.35)
    assert torch.equal(drop.eval()(x), x)


def test_dropout_goes_on_where_it_was_and_each_layer_by_itself():
    torch.manual_seed(0)
    one, other = ChannelDropout(0.5), ChannelDropout(0.5)
    x = torch.ones(20, 10, 1)
    drawn = torch.random.get_rng_state()
    first = one(x)
    assert not torch.equal(first, other(x))
    again = ChannelDropout(0.5)
    assert not torch.equal(torch.random.get_rng_state(), drawn)  # which its key alone comes from
    again.load_state_dict(one.state_dict())
    assert torch.equal(one(x), again(x))
    assert torch.equal(one.double()(x.double()).float(), again(x))


def test_without_dropout_there_is_nothing_to_save():
    drop = ChannelDropout(0.0)
    x = torch.randn(2, 3, 4)
    assert drop(x) is x
    assert not drop.state_dict()

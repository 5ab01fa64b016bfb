"""The convolutional VAEs against the layers the paper and its code describe."""

import pytest
import torch

from fastdis import models


@pytest.mark.parametrize(("name", "parameters"), [("conv3", 1_126_000), ("conv4", 1_300_000)])
def test_size_and_shapes(name, parameters):
    model = models.build(name, 8, (1, 128, 32), seed=0)
    x_hat, mean, logvar, z = model(torch.rand(2, 1, 128, 32))
    assert x_hat.shape == (2, 1, 128, 32)
    assert mean.shape == logvar.shape == z.shape == (2, 8)
    assert 0 < x_hat.min() < x_hat.max() < 1
    assert abs(sum(p.numel() for p in model.parameters()) - parameters) < 0.1 * parameters


def test_three_layers_are_the_reference_layer_by_layer():
    """The same function written out with the weights of the model: convolve, activate, pool."""
    from torch.nn import functional as f

    model = models.build("conv3", 5, (1, 16, 8), seed=0)
    x = torch.rand(3, 1, 16, 8)
    hidden = x
    for layer in (m for m in model.encoder if isinstance(m, torch.nn.Conv2d)):
        assert (layer.kernel_size, layer.padding) == ((3, 3), (1, 1))
        hidden = f.max_pool2d(f.leaky_relu(layer(hidden), 0.01), 2)
    hidden = hidden.flatten(1)
    for layer in (m for m in model.encoder if isinstance(m, torch.nn.Linear)):
        hidden = f.leaky_relu(layer(hidden), 0.01)
    mean, logvar = model.encode(x)
    assert torch.allclose(model.mean(hidden), mean, atol=1e-6)
    assert torch.allclose(model.logvar(hidden), logvar, atol=1e-6)
    widths = [m.out_features for m in model.encoder if isinstance(m, torch.nn.Linear)]
    assert widths == [128, 64]
    up = [m for m in model.decoder if isinstance(m, torch.nn.ConvTranspose2d)]
    assert [m.out_channels for m in up] == [32, 16, 1]
    assert isinstance(model.decoder[-1], torch.nn.Sigmoid)


def test_logvar_is_bounded():
    model = models.build("conv3", 2, (1, 8, 8), seed=0)
    with torch.no_grad():
        model.logvar.bias.copy_(torch.tensor([1e9, -1e9]))
    _, logvar = model.encode(torch.rand(1, 1, 8, 8))
    assert logvar.tolist() == [[20.0, -30.0]]


def test_seed_fixes_the_weights_and_leaves_torch_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    one, two = (models.build("conv3", 4, (1, 16, 8), seed=7) for _ in range(2))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_options_build_the_same_architecture():
    model = models.build("conv4", 3, (2, 32, 16), channels=(4, 8), hidden=(9,))
    again = models.build(**model.options())
    assert again.options() == model.options()
    again.load_state_dict(model.state_dict())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("conv5", 8, (1, 16, 16)), "did you mean"),
        (("conv3", 0, (1, 16, 16)), "latent_dim takes"),
        (("conv3", 8, (1, 20, 16)), "divisible by 8"),
        (("conv4", 8, (1, 16, 8)), "divisible by 16"),
        (("conv3", 8, (16, 16)), "input_shape takes"),
    ],
)
def test_bad_architectures(arguments, message):
    with pytest.raises(ValueError, match=message):
        models.build(*arguments)


def test_input_of_another_shape():
    with pytest.raises(ValueError, match=r"x takes shape \(B, 1, 16, 8\)"):
        models.build("conv3", 2, (1, 16, 8)).encode(torch.rand(1, 1, 8, 16))

"""Ada-GVAE: which codes of a pair are shared, their posterior, and the bound, pair by pair."""

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from fastdis import objectives
from tests.objectives.objective_data import D, Tiny, batch, ready


def _delta(one, two):
    """KL(one || two) of each code of a pair ``(2, D)``, in NumPy."""
    (m, v), (n, w) = ((p[0], np.exp(p[1])) for p in (one, two))
    return 0.5 * (v / w + (m - n) ** 2 / w - 1 - np.log(v / w))


def _shared(one, two, changed):
    """The pair's posteriors after sharing, each ``(2, D)``, plainly."""
    delta = _delta(one, two)
    if changed is None:
        free = delta >= (delta.max() + delta.min()) / 2
    else:
        free = np.isin(np.arange(D), np.argsort(delta)[D - changed :])
    average = np.stack(
        [(one[0] + two[0]) / 2, np.log((np.exp(one[1]) + np.exp(two[1])) / 2)]
    )  # fmt: skip
    return np.where(free, one, average), np.where(free, two, average)


def test_divergence_of_two_gaussians_by_torch_distributions(rng):
    m, v, n, w = torch.from_numpy(rng.normal(size=(4, 5, D)))
    expected = kl_divergence(Normal(m, torch.exp(0.5 * v)), Normal(n, torch.exp(0.5 * w)))
    torch.testing.assert_close(objectives.kl_between(m, v, n, w), expected)


@pytest.mark.parametrize("changed", [None, 1, 2, 3])
@pytest.mark.parametrize("size", [8, 9])  # the last clip of an odd batch has no partner
def test_the_bound_pair_by_pair_in_numpy(changed, size):
    model, objective = Tiny(), ready("ada_gvae", beta=2.0, changed=changed, variance=0.25)
    x, noise = batch(size)
    terms = objective(model, x, noise[:1])
    rows, draws = x[:, 0].numpy(), noise[0].numpy()
    errors, divergences = [], []
    for first in range(4):
        second = first + 4
        pair = _shared(rows[first], rows[second], changed)
        for clip, (mean, logvar) in zip((first, second), pair, strict=True):
            z = torch.from_numpy(mean + draws[clip] * np.exp(logvar / 2))
            x_hat = model.decode(z[None])[0, 0].detach().numpy()
            errors.append(((x_hat - rows[clip]) ** 2).sum() / 0.5)
            divergences.append(0.5 * (mean**2 + np.exp(logvar) - 1 - logvar).sum())
    assert terms["reconstruction"].item() == pytest.approx(np.mean(errors), rel=1e-6)
    assert terms["kl"].item() == pytest.approx(2 * np.mean(divergences), rel=1e-9)


def test_known_and_unknown_numbers_of_changes():
    zeros = torch.zeros(3, 4)
    # delta is half the squared distance: 0, 1/8, 2, 9/2; then ties; then all alike
    two = torch.tensor([[0.0, 0.5, 2.0, 3.0], [0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]])
    free = objectives.free_codes((zeros, zeros), (two, zeros), None)
    assert free.tolist() == [[False, False, False, True], [False, False, True, True], [True] * 4]
    for changed in (1, 2, 3, 4):
        free = objectives.free_codes((zeros, zeros), (two, zeros), changed)
        assert free.sum(dim=1).tolist() == [changed] * 3
    assert objectives.free_codes((zeros, zeros), (two, zeros), 1)[0].tolist() == [False] * 3 + [
        True
    ]


def test_the_direction_is_that_of_the_paper():
    """KL(q(z|x1) || q(z|x2)) of a wide and a narrow posterior is large, the other way small."""
    mean = torch.zeros(1, 2)
    wide_first = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    free = objectives.free_codes((mean, wide_first[0]), (mean, wide_first[1]), None)
    assert free.tolist() == [[True, False]]


def test_shared_codes_are_pulled_together_and_free_ones_apart():
    """The gradient of the KL of a shared code reaches both clips alike; of a free one, its own."""
    one, two = torch.tensor([[0.0, 3.0]]), torch.tensor([[0.5, 0.0]])
    means = [part.requires_grad_() for part in (one, two)]
    posteriors = objectives.with_shared_codes(
        (means[0], torch.zeros(1, 2)), (means[1], torch.zeros(1, 2)), 1
    )
    sum(objectives.kl_divergence(*each) for each in posteriors).backward()
    assert means[0].grad.tolist() == [[0.25, 3.0]]
    assert means[1].grad.tolist() == [[0.25, 0.0]]


def test_all_codes_changed_is_the_beta_vae_of_both_halves():
    x, noise = batch()
    model = Tiny(1)
    ada = ready("ada_gvae", beta=3.0, changed=D)(model, x, noise[:1])
    beta = ready("beta_vae", beta=3.0)(model, x, noise[:1])
    for key, value in beta.items():
        torch.testing.assert_close(ada[key], value)


def test_extreme_variances_stay_finite():
    x = torch.zeros(2, 1, 2, D)
    x[0, 0, 1], x[1, 0, 1] = 20.0, -30.0
    x.requires_grad_()
    terms = ready("ada_gvae").float()(Tiny().float(), x, torch.zeros(1, 2, D))
    assert terms["loss"].isfinite()
    terms["loss"].backward()
    assert x.grad.isfinite().all()

"""Scores of a model over several runs: what each protocol encodes, and on which clips."""

import numpy as np
import pytest
import torch

from fastdis import metrics, models


@pytest.fixture
def model(small_sound):
    return models.build("conv3", 4, small_sound.feature_shape, seed=0).eval()


def test_the_sound_protocol_scores_means_on_drawn_clips(small_sound, model):
    with torch.no_grad():
        mean = model.encode(torch.from_numpy(small_sound.array))[0].numpy()
    by_hand = []
    for run in range(3):
        rows = np.random.default_rng((5, run)).permutation(64)[:51]
        by_hand.append(metrics.mig(small_sound.table(rows), mean[rows]))
    got = metrics.evaluate_model(model, small_sound, runs=3, seed=5, metrics=["mig"])["mig"]
    assert got == pytest.approx((np.mean(by_hand), np.std(by_hand)), abs=1e-6)


def test_what_the_runs_remark_is_said_once(small_sound, model):
    with pytest.warns(metrics.MetricWarning, match="51 rows are few for 20 bins") as said:
        metrics.evaluate_model(model, small_sound, runs=3)
    assert len({str(w.message) for w in said}) == len(said)


def test_the_published_protocol_scores_samples_of_all_clips(small_sound, model):
    scores = metrics.evaluate_model(model, small_sound, convention="published", runs=4)
    assert set(scores) == {"mig", "sap", "dcimig", "jemmig", "modularity"}
    assert scores["mig"][1] > 0  # the noise of the samples
    with torch.no_grad():
        model.logvar.weight.zero_()
        model.logvar.bias.fill_(-30.0)  # as good as no noise
    quiet = metrics.evaluate_model(model, small_sound, convention="published", runs=4)
    assert quiet["mig"][1] < 1e-3
    codes = model.encode(torch.from_numpy(small_sound.array))[0].detach().numpy()
    expected = metrics.mig(small_sound.table(), codes, convention="published")
    assert quiet["mig"][0] == pytest.approx(expected, abs=1e-3)


def test_information_of_perfect_codes_is_one(small_sound):
    class Perfect(torch.nn.Module):
        latent_dim = 3

        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))
            self.rows = iter(torch.from_numpy(small_sound.table().levels).float())

        def encode(self, x):
            codes = torch.stack([next(self.rows) for _ in range(len(x))])
            return codes, torch.zeros_like(codes)

    information = metrics.code_information(Perfect(), small_sound)
    assert information == pytest.approx(np.eye(3), abs=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"convention": "standrad"}, "did you mean 'standard'"),
        ({"runs": 0}, "runs takes"),
        ({"seed": -1}, "seed takes"),
    ],
)
def test_bad_options(small_sound, model, options, message):
    with pytest.raises(ValueError, match=message):
        metrics.evaluate_model(model, small_sound, **options)

"""Scores of a model: what each protocol encodes, and on which clips; the panel, once, of all."""

import json

import numpy as np
import pytest
import torch

from fastdis import metrics, models, training


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


def test_runs_score_the_published_table_and_dci_unless_told(small_sound, model):
    dci = {"dci_disentanglement", "dci_completeness", "dci_informativeness"}
    scores = metrics.evaluate_model(model, small_sound, runs=1)
    assert set(scores) == {"mig", "sap", "dcimig", "jemmig", "modularity", *dci}
    chosen = metrics.evaluate_model(model, small_sound, runs=2, metrics=iter(["mig_sup", "irs"]))
    assert set(chosen) == {"mig_sup", "irs"}


def test_the_panel_scores_the_means_of_all_clips_once(small_sound, model):
    with torch.no_grad():
        mean = model.encode(torch.from_numpy(small_sound.array))[0].numpy()
    names = ["mig", "z_min_var", "active_units"]
    scores = metrics.panel(model, small_sound, metrics=names, seed=3, bootstrap=20, confidence=0.5)
    by_hand = metrics.evaluate(
        small_sound.table(), mean, names, seed=3, bootstrap=20, confidence=0.5
    )
    assert scores.to_dict() == by_hand.to_dict()
    assert scores.n == 64
    low, high = scores.intervals["mig"]
    assert low < high
    assert scores.details["mig"].per_factor.keys() == set(small_sound.table().names)


def test_codes_stand_for_their_model(small_sound, model):
    codes = training.encode(model, small_sound, np.arange(64))
    for convention in metrics.SCORED_BY:
        given = {"convention": convention, "runs": 2, "metrics": ["mig"]}
        expected = metrics.evaluate_model(model, small_sound, **given)
        assert metrics.evaluate_model(codes, small_sound, **given) == expected
    assert dict(metrics.panel(codes, small_sound, metrics=["mig"])) == dict(
        metrics.panel(model, small_sound, metrics=["mig"])
    )
    information = metrics.code_information(codes, small_sound)
    assert np.array_equal(information, metrics.code_information(model, small_sound))


def test_the_panel_comes_back_from_json(small_sound, model):
    scores = metrics.panel(model, small_sound, metrics=["mig", "dci", "active_units", "irs"])
    saved = scores.to_dict()
    again = metrics.Scores.from_dict(json.loads(json.dumps(saved)))
    assert again.to_dict() == saved
    assert str(again) == str(scores)


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

"""Interventions on a data set: the clips that are asked for are rendered, and encoded once."""

from __future__ import annotations

import numpy as np
import pytest

from fastdis import Factor, FactorSpace
from fastdis.metrics._counts.histogram import MetricWarning
from fastdis.metrics.from_interventions.irs import irs
from fastdis.metrics.from_interventions.z_diff import z_diff
from fastdis.metrics.from_interventions.z_var import z_min_var
from tests.metrics.test_metrics_interventions import EACH, METRICS, SMALL


class Clips:
    """A set of tiny clips, each of which shows its factors' levels; ``seen`` are those rendered."""

    def __init__(self, *sizes, order=None):
        factors = [Factor(f"v{k}", np.linspace(0, 1, n)) for k, n in enumerate(sizes)]
        self.space, self.order, self.seen = FactorSpace(factors), order, []

    def __len__(self):
        return self.space.size if self.order is None else len(self.order)

    def table(self, indices=None):
        if self.order is None:
            assert indices is not None, "nobody needs the whole table"
            return self.space.grid(indices)
        return self.space.grid(self.order if indices is None else self.order[indices])

    def batch(self, indices):
        self.seen += list(indices)
        table = self.table(indices)
        features = np.zeros((len(table), 1, 3, 2), np.float32)
        features[:, 0, : table.values.shape[1], 0] = table.values
        return features, table.values


def mixed(features):
    """Codes that hold something of every factor, and much that looks like noise.

    Of one clip at a time, in operations that every machine rounds alike: the codes of a clip do not
    depend on the batch that it is encoded in.
    """
    a, b, c = features[:, 0, :, 0].astype(np.float64).T
    x = np.stack([a + 0.2 * b, 0.3 * a + b + 0.1 * c, c, a - b + c], axis=1)
    return x + 4 * np.mod(1e4 * x, 1)


@EACH
def test_both_ways_in_agree_on_a_grid(name, convention):
    clips = Clips(4, 25, 3)
    table = clips.table(np.arange(300))
    codes = mixed(clips.batch(np.arange(300))[0])
    clips.seen.clear()
    options = {"convention": convention, "seed": 2, **SMALL}
    rendered = METRICS[name](clips, mixed, **options)
    assert len(clips.seen) == len(set(clips.seen)) <= 300
    arrays = METRICS[name](table, codes, discrete=True, **options)
    assert rendered == arrays
    assert -0.5 < rendered < 1


@pytest.mark.parametrize("name", sorted(METRICS))
def test_both_ways_in_agree_on_syntone(small_sound, name):
    def encode(features):
        # Maxima, which no order of the sums of a product can round otherwise.
        return features.reshape(len(features), 16, -1).max(axis=2)

    arrays = METRICS[name](small_sound.table(), encode(small_sound.array), **SMALL)
    assert METRICS[name](small_sound, encode, **SMALL) == arrays


@pytest.mark.parametrize("name", sorted(METRICS))
def test_only_the_clips_that_were_drawn_are_rendered(name):
    clips = Clips(1000, 2000, 3000)  # 6e9: neither listed nor rendered
    sizes = {"batch_size": 4, "train_points": 30, "test_points": 12}
    assert METRICS[name](clips, lambda x: x[:, 0, :, 0], **sizes) > 0.9
    spread = 0 if name == "z_diff" else 10_000
    assert len(clips.seen) <= 42 * 4 * 2 + spread
    assert len(clips.seen) == len(set(clips.seen))


@pytest.mark.parametrize("name", sorted(METRICS))
def test_a_set_in_any_order_is_found_by_its_table(name):
    order = np.random.default_rng(0).permutation(120)
    shuffled, half = Clips(4, 5, 6, order=order), Clips(4, 5, 6, order=order[:60])
    for clips in (shuffled, half):
        assert METRICS[name](clips, mixed, **SMALL) == METRICS[name](
            clips.table(), mixed(clips.batch(np.arange(len(clips)))[0]), **SMALL
        )
        assert METRICS[name](clips, lambda x: x[:, 0, :, 0], **SMALL) == 1.0


def test_factors_of_a_data_set_can_be_cut_into_bins():
    clips = Clips(60, 3, 2, order=np.arange(360))
    codes = mixed(clips.batch(np.arange(360))[0])
    options = {"discrete": False, "bins": 4, **SMALL}
    assert z_min_var(clips, mixed, **options) == z_min_var(clips.table(), codes, **options)
    assert z_min_var(clips, mixed, **SMALL) != z_min_var(clips, mixed, **options)


def test_codes_may_be_tensors():
    import torch

    # Of two powers of two at most in a row, and a clip's second frame is 0: one sum to be rounded.
    weights = np.zeros((4, 6), np.float32)
    weights[[0, 0, 1, 2, 2, 3], [0, 2, 2, 4, 0, 4]] = [1, 2, 1, 4, -1, 2]
    layer = torch.nn.Linear(6, 4, bias=False)
    layer.weight.data = torch.from_numpy(weights)
    model = torch.nn.Sequential(torch.nn.Flatten(), layer)
    clips = Clips(4, 5, 6)
    with_graph = z_min_var(clips, lambda x: model(torch.from_numpy(x)), **SMALL)
    assert with_graph == z_min_var(clips, lambda x: x.reshape(len(x), -1) @ weights.T, **SMALL)


def test_constant_factors_of_a_data_set_are_left_out():
    with pytest.warns(MetricWarning, match="constant and left out: 'v1'"):
        assert z_min_var(Clips(4, 1, 6), lambda x: x[:, 0, ::2, 0], **SMALL) == 1.0
    with pytest.raises(ValueError, match="got none"):
        z_min_var(Clips(4, 1, 1), mixed)


def test_mistakes_with_a_data_set_are_named():
    clips = Clips(4, 5)
    for codes, error, message in (
        (None, TypeError, "codes takes a function"),
        (np.ones((20, 2)), TypeError, r"codes takes a function .* an array of shape \(20, 2\)"),
        (lambda x: x[:3, 0, 0], ValueError, r"one row of as many codes, got shape \(3, 2\) for"),
        (lambda x: x, ValueError, "codes gives takes rows and columns"),
        (lambda x: x[:, 0, 0] * np.nan, ValueError, "codes takes finite values"),
    ):
        with pytest.raises(error, match=message):
            z_diff(clips, codes)
    with pytest.raises(TypeError, match="factors takes a data set where codes is a function"):
        z_diff(np.ones((20, 2)), mixed)
    clips.seen.clear()
    for options in ({"bins": 1}, {"convention": "x"}, {"seed": -1}, {"batch_size": 0}):
        with pytest.raises(ValueError, match=next(iter(options))):
            z_diff(clips, mixed, **options)
    assert not clips.seen


@pytest.mark.filterwarnings("ignore:irs. fewer than 10 rows per level")
@pytest.mark.parametrize("convention", ["standard", "ubisoft"])
def test_irs_of_a_data_set(convention):
    clips = Clips(4, 25, 3)
    table = clips.table(np.arange(300))
    codes = mixed(clips.batch(np.arange(300))[0])
    clips.seen.clear()
    assert irs(clips, mixed, convention=convention) == irs(table, codes, convention=convention)
    assert clips.seen == list(range(300))
    clips.seen.clear()
    some = irs(clips, lambda x: x[:, 0, ::2, 0], convention=convention, clips=100, seed=4)
    assert some > 0.9
    assert len(set(clips.seen)) == 100 == len(clips.seen)
    large = Clips(1000, 2000, 3000)
    assert irs(large, lambda x: x[:, 0, :, 0], convention=convention, clips=500) > 0.8
    with pytest.raises(TypeError, match="codes takes a function"):
        irs(clips, codes)

"""Batches: functions of seed, epoch and number alone; made ahead; what fails there fails here."""

import itertools
import types

import numpy as np
import pytest
import torch

from fastdis import train
from fastdis.training import loader
from fastdis.training.batches import BatchPlan
from fastdis.training.loader import Loader
from fastdis.training.step import ExecutionPlan
from tests.objectives.objective_data import one_thread
from tests.training.training_data import SHAPE, Noted, config, helpers, parts

CPU, EXACT = torch.device("cpu"), ExecutionPlan("contiguous", "float64")
CLIPS = BatchPlan(np.arange(36), np.arange(36, 45), 10, 1)
SEEDS = (0, 5, 7)


def feed(dataset=None, shard=slice(None), plan=EXACT):
    return Loader(dataset or Noted(), CPU, plan, (2, 3), shard)


def batches(seeds=SEEDS, epoch=2, first=0, **options):
    """Of an epoch, for models of some seeds."""
    order = [CLIPS.epoch(seed, epoch) for seed in seeds]
    return list(feed(**options).training(order, seeds, epoch, first))


def same(one, other):
    return torch.equal(one.x, other.x) and torch.equal(one.noise, other.noise)


def test_a_model_gets_the_same_whatever_is_beside_it():
    together = batches()
    assert [tuple(batch.x.shape) for batch in together] == [
        (3, size, *SHAPE) for size in (10, 10, 10, 6)
    ]
    for m, seed in enumerate(SEEDS):
        for number, (batch, alone) in enumerate(zip(together, batches([seed]), strict=True)):
            rows = CLIPS.epoch(seed, 2)[number]
            assert np.array_equal(batch.indices[m], rows)
            assert torch.equal(alone.x[0], torch.from_numpy(Noted().features(rows)).double())
            assert torch.equal(batch.x[m], alone.x[0])
            assert torch.equal(batch.noise[m], alone.noise[0])


def test_an_epoch_may_be_taken_up_anywhere():
    whole = batches()
    for first in (1, 3):
        assert all(map(same, batches(first=first), whole[first:]))
    assert batches(first=4) == []


def test_parts_of_processes_make_the_whole():
    whole = batches()
    for size in (2, 3, 7):  # of 6 clips one of 7 processes gets none
        for number, batch in enumerate(whole):
            for rank in range(size):
                each = batches(shard=slice(rank, None, size))[number]
                assert torch.equal(each.x, batch.x[:, rank::size])
                assert torch.equal(each.noise, batch.noise[:, :, rank::size])
                assert len(each) == len(batch)
    held_out = CLIPS.validation() * 3
    whole = list(feed().validation(held_out, SEEDS))
    halves = [list(feed(shard=slice(r, None, 2)).validation(held_out, SEEDS)) for r in (0, 1)]
    assert all(map(same, whole[::2], halves[0]))
    assert all(map(same, whole[1::2], halves[1]))


def test_all_noise_is_its_own():
    drawn = [batch.noise[m] for epoch in (0, 1) for batch in batches(epoch=epoch) for m in range(3)]
    drawn += [
        each.noise[m] for each in feed().validation(CLIPS.validation(), SEEDS) for m in (0, 1)
    ]
    firsts = torch.stack([noise.flatten()[:20] for noise in drawn])
    assert len(torch.unique(firsts)) == firsts.numel()
    assert firsts.mean().abs() < 4.0 / firsts.numel() ** 0.5


def test_held_out_clips_have_the_same_noise_in_every_epoch():
    both = [list(feed().validation(CLIPS.validation(), SEEDS)) for _ in range(2)]
    assert all(map(same, *both))


def test_clips_that_several_models_take_at_once_are_made_once():
    data = Noted()
    (batch,) = feed(data).validation(CLIPS.validation(), SEEDS)
    assert [rows.tolist() for rows in data.asked] == [CLIPS.held_out.tolist()]
    assert batch.x.shape == (3, 9, *SHAPE)
    assert torch.equal(batch.x[0], batch.x[2])


def test_features_are_of_the_kind_of_the_plan():
    for dtype, kind in (("float32", torch.float32), ("float64", torch.float64)):
        batch = batches(plan=ExecutionPlan(dtype=dtype))[0]
        assert batch.x.dtype == batch.noise.dtype == kind


class _Failing(Noted):
    def features(self, indices):
        if len(self.asked) == 2:
            raise OSError("the disk has gone")
        return super().features(indices)


def test_what_fails_in_the_thread_fails_here_at_its_turn():
    made = feed(_Failing()).training([CLIPS.epoch(0, 0)], [0], 0, 0)
    assert len(next(made)) == len(next(made)) == 10
    with pytest.raises(OSError, match="the disk has gone"):
        next(made)
    with one_thread(), pytest.raises(OSError, match="the disk has gone"):
        train(*parts(), _Failing(), config())
    assert not helpers()


def test_leaving_early_ends_the_thread():
    data = Noted()
    made = feed(data).training([CLIPS.epoch(0, 0)], [0], 0, 0)
    next(made)
    assert len(helpers()) == 1
    made.close()
    assert not helpers()
    assert len(data.asked) <= 2  # one ahead, no more


def test_the_share_of_waiting_is_told(monkeypatch):
    """By a clock that is one second later at every look: one second for every batch."""
    clock = types.SimpleNamespace(perf_counter=map(float, itertools.count()).__next__)
    monkeypatch.setattr(loader, "time", clock)
    each = feed()
    list(each.training([CLIPS.epoch(0, 0)], [0], 0, 0))
    assert each.waited == 4.0
    monkeypatch.setattr("fastdis.training.loop.time", clock)
    with one_thread():
        result = train(*parts(), Noted(), config())
    for row in result.history:  # looks at the start and the end, and two for each of four batches
        assert row["waiting"] == 4.0 / 9.0

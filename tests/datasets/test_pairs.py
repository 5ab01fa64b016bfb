"""Partners of clips: as many factors changed as asked for, by the law that the docstring gives."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import chisquare

from fastdis import Factor, FactorSpace, FactorTable
from fastdis.datasets import Dataset, Pairs, SynTone
from fastdis.datasets import pairs as _pairs


class Clips(Dataset):
    """Clips of these levels, without sound; the whole grid if none are given."""

    sample_rate, feature_shape = 8000, (1, 2, 2)

    def __init__(self, shape, levels=None):
        factors = [Factor(f"f{k}", np.arange(float(n))) for k, n in enumerate(shape)]
        self.space = FactorSpace(factors)
        grid = list(itertools.product(*map(range, shape))) if levels is None else levels
        self.levels = np.array(grid)

    def __len__(self):
        return len(self.levels)

    def table(self, indices=None):
        levels = self.levels[slice(None) if indices is None else indices]
        return FactorTable(self.space, levels.astype(float), levels)

    def audio(self, indices):
        raise AssertionError("pairs need no sound")

    features_of = to_audio = options = audio


def sample(rng, shape, size):
    """Part of a grid in no order, with some clips alike in every factor."""
    return Clips(shape, np.stack([rng.integers(0, n, size) for n in shape], axis=1))


def law(data, clip, changed, among=None):
    """The probability of every row, from the definition, one row at a time."""
    rows = range(len(data)) if among is None else among
    levels = [tuple(each) for each in data.levels.tolist()]
    own, there = levels[clip], {levels[row] for row in rows}
    columns = [set(column) for column in zip(*there, strict=True)]
    varying = sum(len(set(column)) > 1 for column in zip(*levels, strict=True))
    weights = {}
    for each in there:
        differs = [k for k, (a, b) in enumerate(zip(each, own, strict=True)) if a != b]
        choices = [len(columns[k] - {own[k]}) for k in differs]
        weights.setdefault(len(differs), {})[each] = 1 / math.prod(choices)
    numbers = range(1, max(varying - 1, 1) + 1) if changed is None else [changed]
    numbers = [number for number in numbers if number in weights]
    probability = np.zeros(len(data))
    for row in rows:
        for number in numbers:
            mine = weights[number]
            share = mine.get(levels[row], 0.0) / sum(mine.values()) / len(numbers)
            probability[row] += share / sum(levels[other] == levels[row] for other in rows)
    return probability


def test_the_law_of_a_whole_grid():
    """By hand: clip 0 of a 2 x 3 grid; one factor changed, and each as often."""
    data = Clips((2, 3))
    assert np.allclose(law(data, 0, 1), [0, 1 / 4, 1 / 4, 1 / 2, 0, 0])
    assert np.allclose(law(data, 0, 2), [0, 0, 0, 0, 1 / 2, 1 / 2])


@pytest.mark.parametrize("draws", [_pairs._DRAWS, (1,), ()])  # by trial, some of both, by weighing
@pytest.mark.parametrize("changed", [1, 2, 3, None])
@pytest.mark.parametrize("kind", ["grid", "sample", "among", "apart"])
def test_factors_and_levels_follow_the_law(monkeypatch, rng, draws, changed, kind):
    monkeypatch.setattr(_pairs, "_DRAWS", draws)
    data = Clips((3, 4, 2)) if kind == "grid" else sample(rng, (3, 1, 4, 3), 50)
    # Some rows that lack levels which others have; and all rows that lack those of the clip.
    clip, n, last = 5, 4000, data.levels[:, -1]
    among = {
        "among": np.flatnonzero((last != (last[clip] + 1) % 3) & (np.arange(len(last)) % 3 > 0)),
        "apart": np.flatnonzero(last != last[clip]),
    }.get(kind)
    expected = law(data, clip, changed, among)
    found = Pairs(data, changed, among).partners(np.full(n, clip), seed=1)
    counts = np.bincount(found, minlength=len(data))
    possible = expected > 0
    assert possible.sum() > 1
    assert counts[~possible].sum() == 0
    assert chisquare(counts[possible], n * expected[possible]).pvalue > 1e-3


@pytest.mark.parametrize("changed", [1, 2, 3, None])
def test_partners_of_every_clip_differ_in_so_many_factors(changed, rng):
    data = SynTone("sound", num_freqs=30, num_amps=7)
    among = np.sort(rng.permutation(len(data))[: 4 * len(data) // 5])
    clips = rng.permutation(among)
    found = Pairs(data, changed, among).partners(clips, (3, 0, 7))
    assert found.dtype == np.int64
    assert np.isin(found, among).all()
    differ = (data.table(found).levels != data.table(clips).levels).sum(axis=1)
    if changed is None:
        assert chisquare(np.bincount(differ)[1:]).pvalue > 1e-3
        assert differ.max() == 2
    else:
        assert (differ == changed).all()


@pytest.mark.parametrize("changed", [1, 2, 3, None])
def test_a_whole_grid_takes_one_draw(changed, monkeypatch):
    monkeypatch.setattr(_pairs, "_DRAWS", (1,))
    monkeypatch.setattr(Pairs, "_choose", None)
    data = Clips((3, 5, 4))
    found = Pairs(data, changed).partners(np.arange(60), 0)
    assert (data.levels[found] != data.levels).any(axis=1).all()


def test_partners_are_a_function_of_the_clips_and_the_seed(rng):
    data = sample(rng, (5, 4, 3), 40)
    pairs, clips = Pairs(data), rng.integers(0, 40, 300)
    found = pairs.partners(clips, (1, 2))
    assert np.array_equal(pairs.partners(clips.tolist(), [1, 2]), found)
    assert np.array_equal(Pairs(data).partners(clips, np.array([1, 2])), found)
    assert not np.array_equal(pairs.partners(clips, (1, 3)), found)
    assert pairs.partners([], 0).shape == (0,)
    assert np.array_equal(pairs.partners(slice(3, 5), 4), pairs.partners([3, 4], 4))


def test_clips_are_looked_at_in_parts(monkeypatch, rng):
    data = sample(rng, (5, 4, 3), 40)
    clips = rng.integers(0, 40, 200)
    monkeypatch.setattr(_pairs, "_LOOKS", 300)
    found = Pairs(data, 3).partners(clips, 0)
    assert (data.levels[found] != data.levels[clips]).all()


def test_factors_of_one_level_do_not_count():
    data = Clips((1, 3, 1, 2))
    found = Pairs(data).partners(np.arange(6), 0)  # of two that vary, one changes
    assert ((data.levels[found] != data.levels[:6]).sum(axis=1) == 1).all()
    with pytest.raises(ValueError, match=r"changed takes an integer from 1 to 2, .*\(f1, f3\)"):
        Pairs(data, 3)
    # Nor do levels that the space has and the clips have not.
    with pytest.raises(ValueError, match=r"from 1 to 1, .*\(f0\), got 2"):
        Pairs(Clips((4, 5), [(1, 3), (2, 3)]), 2)


def test_numbers_that_a_clip_has_no_partner_for():
    levels = [(0, 0, 0, 0), (1, 0, 0, 0), (1, 1, 1, 0), (1, 1, 1, 1)]  # none differs in two
    found = Pairs(Clips((2, 2, 2, 2), levels)).partners(np.zeros(2000, int), 0)
    assert chisquare(np.bincount(found, minlength=4)[1:3]).pvalue > 1e-3
    assert set(found.tolist()) == {1, 2}


def test_a_factor_that_has_no_other_level_among_the_rows():
    data = Clips((3, 3, 3))
    found = Pairs(data, 2, among=np.arange(9)).partners(np.zeros(200, int), 0)
    assert set(found.tolist()) == {4, 5, 7, 8}


def test_the_smallest_sets():
    assert Pairs(Clips((2,))).partners([0, 1, 0], 0).tolist() == [1, 0, 1]
    assert Pairs(Clips((4, 5), [(3, 0), (1, 2)]), 2).partners([1], 0).tolist() == [0]
    # One row to choose from, with a level that no other row to choose from has.
    data = Clips((3, 3))
    assert Pairs(data, 2, among=[4]).partners([0, 8], 0).tolist() == [4, 4]
    assert Pairs(data, None, among=[4]).partners([3], 0).tolist() == [4]


def test_a_clip_without_a_partner():
    data = Clips((3, 3), [(0, 0), (0, 1), (2, 2)])
    pairs = Pairs(data, 1)
    assert pairs.partners([0, 1], 0).tolist() == [1, 0]
    with pytest.raises(
        ValueError, match=r"exactly 1 of the factors, clip 2 \(f0 2, f1 2\) has none$"
    ):
        pairs.partners([0, 2, 1], 0)
    with pytest.raises(ValueError, match=r"clip 1 .* has none among the 2 rows to choose from"):
        Pairs(data, 1, among=[1, 2]).partners([1], 0)
    threes = Clips((2, 2, 2), [(0, 0, 0), (0, 0, 0), (1, 1, 1)])
    with pytest.raises(ValueError, match="in 1 to 2 of the factors, clip 0"):
        Pairs(threes).partners([0], 0)


def test_bad_input():
    data = Clips((3, 2))
    for options, error, message in (
        ({"changed": 0}, ValueError, "changed takes an integer >= 1, got 0"),
        ({"changed": 1.0}, TypeError, "changed takes an integer"),
        ({"changed": 3}, ValueError, "changed takes an integer from 1 to 2"),
        ({"among": []}, ValueError, "among takes at least one row"),
        ({"among": [6]}, IndexError, "among takes values from 0 to 5, got 6"),
        ({"among": [0.5]}, TypeError, "among takes integers"),
    ):
        with pytest.raises(error, match=message):
            Pairs(data, **options)
    for indices, seed, error, message in (
        ([6], 0, IndexError, "indices takes values from 0 to 5"),
        ([0], -1, ValueError, "seed takes an integer >= 0"),
        ([0], (1, 0.5), TypeError, "seed takes an integer >= 0"),
        ([0], "1", TypeError, "seed takes an integer >= 0"),
    ):
        with pytest.raises(error, match=message):
            Pairs(data).partners(indices, seed)
    with pytest.raises(ValueError, match="more than one level, got none"):
        Pairs(Clips((1, 3), [(0, 2), (0, 2)]))
    with pytest.raises(ValueError, match="fewer than 2\\^63 combinations, got 1"):
        Pairs(Clips((10,) * 19, [(1,) * 19, (2,) * 19]))
    continuous = Clips((2,))
    continuous.space = FactorSpace([Factor("pan", [0.0, 1.0], "continuous")])
    with pytest.raises(ValueError, match="discrete factors, got continuous 'pan'"):
        Pairs(continuous)

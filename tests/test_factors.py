"""Factors, their grid by flat index, sampling, and the way to a file and back."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from fastdis import Factor, FactorSpace, FactorTable


@pytest.fixture
def space():
    return FactorSpace(
        [
            Factor("frequency", [440.0, 880.0, 1760.0], unit="Hz"),
            Factor("amplitude", np.linspace(0.1, 1.0, 5)),
            Factor("shape", [0, 1], "categorical", labels=("sine", "square")),
        ]
    )


def test_last_factor_varies_fastest(space):
    table = space.grid()
    assert len(table) == space.size == 30
    assert table.levels[:4].tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1]]
    assert np.array_equal(table["frequency"], np.repeat([440.0, 880.0, 1760.0], 10))
    assert np.array_equal(space.index_of(table.levels), np.arange(30))


@pytest.mark.parametrize("index", [7, [7], slice(7, 8), np.array([7], np.int32)])
def test_rows_by_any_kind_of_index(space, index):
    assert space.grid(index) == space.grid()[7]


def test_a_huge_grid_is_addressed_without_being_built():
    space = FactorSpace([Factor(name, np.arange(1000)) for name in "abcde"])
    assert space.size == 10**15
    assert space.grid([10**15 - 1, 1]).levels.tolist() == [[999] * 5, [0, 0, 0, 0, 1]]
    with pytest.raises(ValueError, match="index takes the rows"):
        space.grid()


@pytest.mark.parametrize(
    ("index", "error"), [([30], IndexError), ([-1], IndexError), ([0.5], TypeError)]
)
def test_index_outside_the_grid(space, index, error):
    with pytest.raises(error, match="index takes"):
        space.grid(index)


def test_a_longer_sample_begins_with_a_shorter_one(space):
    long, short = space.sample(100, seed=3), space.sample(10, seed=3)
    assert long[:10] == short
    assert space.sample(100, seed=4) != long
    assert len(space.sample(0, seed=0)) == 0


def test_sampling_is_uniform(space):
    levels = space.sample(20_000, seed=0).levels
    for k, size in enumerate(space.shape):
        share = np.bincount(levels[:, k], minlength=size) / len(levels)
        assert np.allclose(share, 1 / size, atol=0.015)


@pytest.mark.parametrize("rho", [-1.0, -0.6, 0.8, 1.0])
def test_correlated_sampling_keeps_the_margins(rho):
    space = FactorSpace([Factor(name, np.arange(50)) for name in "abc"])
    table = space.sample(20_000, seed=1, correlation={("a", "c"): rho})
    expected = 6 / np.pi * np.arcsin(rho / 2)  # rank correlation of a Gaussian copula
    assert spearmanr(table["a"], table["c"])[0] == pytest.approx(expected, abs=0.02)
    assert spearmanr(table["a"], table["b"])[0] == pytest.approx(0, abs=0.03)
    for k in range(3):
        assert np.allclose(np.bincount(table.levels[:, k]) / 20_000, 0.02, atol=0.005)


@pytest.mark.parametrize(
    ("correlation", "message"),
    [
        ({("frequency", "nope"): 0.5}, "nope"),
        ({("frequency", "frequency"): 0.5}, "pairs of two"),
        ({("frequency", "shape"): 1.5}, "<= 1"),
        (dict.fromkeys([("frequency", "shape"), ("frequency", "amplitude")], 0.9), "semidefinite"),
    ],
)  # fmt: skip
def test_impossible_correlations(space, correlation, message):
    with pytest.raises(ValueError, match=message):
        space.sample(5, seed=0, correlation=correlation)


def test_continuous_factors_are_sampled_and_have_no_grid():
    space = FactorSpace([Factor("x", [2.0, 3.0], "continuous"), Factor("y", [1, 2])])
    table = space.sample(1000, seed=0)
    assert 2.0 <= table["x"].min() < 2.05 < 2.95 < table["x"].max() <= 3.0
    assert (table.levels[:, 0] == -1).all()
    with pytest.raises(ValueError, match="continuous"):
        space.grid([0])


def test_round_trips(space, tmp_path):
    table = space.sample(17, seed=5)
    assert FactorTable.from_dict(table.to_dict()) == table
    table.to_parquet(tmp_path / "t.parquet")
    assert FactorTable.from_parquet(tmp_path / "t.parquet") == table
    empty = table[:0]
    assert FactorTable.from_dict(empty.to_dict()) == empty
    continuous = FactorSpace([Factor("x", [0, 1], "continuous")]).sample(3, seed=0)
    continuous.to_parquet(tmp_path / "c.parquet")
    assert FactorTable.from_parquet(tmp_path / "c.parquet") == continuous


def test_other_tools_can_read_the_parquet(space, tmp_path):
    import pyarrow.parquet as pq

    space.grid().to_parquet(tmp_path / "t.parquet")
    table = pq.read_table(tmp_path / "t.parquet").to_pydict()
    assert table["shape_label"][:3] == ["sine", "square", "sine"]
    assert table["frequency_level"][-1] == 2


def test_damaged_and_foreign_tables(space, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pytest.raises(FileNotFoundError, match=r"nothing\.parquet"):
        FactorTable.from_parquet(tmp_path / "nothing.parquet")
    path = space.grid().to_parquet(tmp_path / "t.parquet")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="truncated"):
        FactorTable.from_parquet(path)
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(ValueError, match=r"t\.parquet"):
        FactorTable.from_parquet(path)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("", [1]), TypeError),
        (("a", []), ValueError),
        (("a", [1, 1]), ValueError),
        (("a", [1, np.nan]), ValueError),
        (("a", [[1], [2]]), ValueError),
        (("a", ["x"]), TypeError),
        (("a", [1, 2], "ordinary"), ValueError),
        (("a", [2, 1], "continuous"), ValueError),
        (("a", [1, 2], "ordinal", "", ("one",)), ValueError),
    ],
)
def test_bad_factors(arguments, error):
    with pytest.raises(error):
        Factor(*arguments)


def test_bad_spaces():
    with pytest.raises(ValueError, match="at least one"):
        FactorSpace([])
    with pytest.raises(ValueError, match="distinct names"):
        FactorSpace([Factor("a", [1]), Factor("a", [2])])
    with pytest.raises(TypeError, match="Factor objects"):
        FactorSpace(["a"])
    with pytest.raises(ValueError, match="did you mean 'frequency'"):
        FactorSpace([Factor("frequency", [1])]).grid()["freqency"]


def test_values_cannot_be_changed_behind_the_space():
    values = np.array([1.0, 2.0])
    factor = Factor("a", values)
    values[0] = 9.0
    assert factor.values[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        factor.values[0] = 9.0


def test_tables_are_sequences_of_rows(space):
    table = space.grid()
    assert len(list(table)) == 30
    assert table[-1] == table[29]
    with pytest.raises(IndexError, match="-30 to 29"):
        table[30]


def test_a_correlated_sample_begins_with_a_shorter_one(space):
    correlation = {("frequency", "amplitude"): 0.7}
    long = space.sample(1000, seed=2, correlation=correlation)
    for n in (1, 7):
        assert space.sample(n, seed=2, correlation=correlation) == long[:n]


@pytest.mark.parametrize(
    ("levels", "error"),
    [([[0.5, 1, 1]], TypeError), ([[0, 0, 2]], ValueError), ([[0, 0]], ValueError)],
)
def test_levels_that_are_none(space, levels, error):
    with pytest.raises(error, match="levels takes"):
        space.index_of(levels)


def test_tables_hold_levels_of_their_factors(space):
    for values, levels in (([[440, 0.1, np.nan]], [[0, 0, 0]]), ([[440, 0.1, 0]], [[0, 0, 7]])):
        with pytest.raises(ValueError, match="takes"):
            FactorTable(space, values, levels)


def test_names_that_would_collide_in_a_file():
    with pytest.raises(ValueError, match="distinct names"):
        FactorSpace([Factor("x", [1]), Factor("x_level", [1])])


def test_a_correlation_is_given_once():
    space = FactorSpace([Factor("a", [0.0, 1.0]), Factor("b", [0.0, 1.0])])
    with pytest.raises(ValueError, match=r"each pair once, got \('b', 'a'\) twice"):
        space.sample(3, 0, {("a", "b"): 0.9, ("b", "a"): 0.3})

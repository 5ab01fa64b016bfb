"""Rows on memory-mapped files: counted as in memory, a block at a time, and let go of."""

from __future__ import annotations

import json
import mmap
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fastdis import metrics
from fastdis.metrics import Bins
from fastdis.metrics._counts import mapped_files as _maps
from fastdis.metrics._counts.columns import column_facts, distinct, distinct_columns, read
from fastdis.metrics._counts.conventions import counted_as, unit_edges
from fastdis.metrics._counts.count import binned

linux = pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="reads /proc")


@pytest.fixture
def stored(tmp_path):
    """Writes an array to a file and maps it."""

    def store(x, mode="r", name="x"):
        np.save(tmp_path / f"{name}.npy", x)
        return np.load(tmp_path / f"{name}.npy", mmap_mode=mode)

    return store


def levels_and_codes(rows=30_000):
    rng = np.random.default_rng(0)
    levels = rng.integers(0, [3, 7, 20], (rows, 3))
    return levels, (levels @ rng.normal(size=(3, 4)) + rng.normal(size=(rows, 4))).astype("f4")


def resident(path):
    """Bytes of a mapped file that are in this process's memory."""
    total, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if not line.split()[0].endswith(":"):
            inside = line.endswith(str(path))
        elif inside and line.startswith("Rss:"):
            total += 1024 * int(line.split()[1])
    return total


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_map_is_counted_as_an_array(stored, mode, order):
    factors, codes = levels_and_codes()
    expected = metrics.joint_histogram(factors, codes)
    mapped = stored(np.asarray(factors, order=order), mode, "v"), stored(codes, mode, "z")
    np.testing.assert_array_equal(metrics.joint_histogram(*mapped).table, expected.table)


@pytest.mark.parametrize(
    "dtype", ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8", ">i4", ">f4", "?"]
)
def test_factors_of_every_type(dtype):
    factors, codes = levels_and_codes(5000)
    factors = factors % 2 if dtype == "?" else factors
    expected = metrics.joint_histogram(factors, codes)
    found = metrics.joint_histogram(factors.astype(dtype), codes)
    np.testing.assert_array_equal(found.table, expected.table)
    for got, level in zip(found.factor_levels, expected.factor_levels, strict=True):
        np.testing.assert_array_equal(got, level)


@pytest.mark.parametrize("dtype", ["i1", "i4", "?"])
def test_whole_factors_are_not_copied(dtype):
    factors = levels_and_codes()[0].astype(dtype)
    assert np.shares_memory(read(factors, factors.astype("f4"), 20, None).factors, factors)


def test_extreme_integers_of_few_bits():
    v = np.array([[-128], [127], [0]] * 9, np.int8)
    found = metrics.joint_histogram(v, v.astype("f4"))
    assert found.factor_levels[0].tolist() == [-128, 0, 127]
    assert found.counts[0, 0].sum(axis=0).tolist() == [9, 9, 9]


@linux
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_pages_are_let_go_of(stored, mode, order):
    x = stored(np.ones((400_000, 6), "f4", order), mode)
    for rows in _maps.row_blocks(0, len(x), 10_000, x):
        assert x[rows].sum() == 60_000
    left = resident(x.filename)
    assert left > x.nbytes / 2 if mode == "c" else left < 1e6


@linux
def test_pages_of_a_view_are_let_go_of(stored):
    whole = stored(np.ones((400_000, 6), "f4"))
    x = np.asarray(whole)[5000:-7:3, 1:4]
    assert x.sum() == 3 * len(x)
    assert resident(whole.filename) > 9e6
    list(_maps.row_blocks(0, len(x), 10_000, x))
    assert resident(whole.filename) < 1e6


def test_what_was_written_to_a_map_stays(stored, tmp_path):
    for mode in ("r+", "c"):
        x = stored(np.zeros((300_000, 4), "f4"), mode)
        x[1000:2000] = 7
        metrics.joint_histogram(np.asarray(x), x)
        assert (x[1000:2000] == 7).all()
        assert np.load(tmp_path / "x.npy")[1500, 0] == (7 if mode == "r+" else 0)


def test_blocks_are_all_rows_once():
    x = np.zeros((10, 2))
    parts = list(_maps.row_blocks(3, 10, 4, x))
    assert [(part.start, part.stop) for part in parts] == [(3, 7), (7, 10)]
    assert not list(_maps.row_blocks(3, 3, 4, x))


@pytest.mark.parametrize("view", [np.s_[::-1], np.s_[:, ::-1], np.s_[::2], np.s_[:, :1]])
def test_views_of_maps_that_run_any_way(stored, view):
    factors, codes = levels_and_codes()
    expected = metrics.joint_histogram(factors[view], codes[view])
    found = metrics.joint_histogram(stored(factors, name="v")[view], stored(codes, name="z")[view])
    np.testing.assert_array_equal(found.table, expected.table)


def test_maps_without_a_file_are_left_alone():
    memory = mmap.mmap(-1, 400_000)
    x = np.frombuffer(memory, np.float32).reshape(-1, 4)
    x[:] = 3
    list(_maps.row_blocks(0, len(x), 1000, x))
    assert (x == 3).all()


def test_distinct_values_of_columns():
    rng = np.random.default_rng(1)
    x = np.stack([rng.integers(0, 9, 50_000) / 7, rng.normal(size=50_000), np.full(50_000, -0.0)])
    for dtype in ("f4", "f8"):
        y = x.T.astype(dtype)
        found = distinct_columns(y, [2, 0, 1], 9)
        assert found[0].tolist() == [0.0]
        np.testing.assert_array_equal(found[1], np.unique(y[:, 0]))
        assert found[2] is None
        assert len(distinct(y[:, 1], 50_000)) == len(np.unique(y[:, 1]))
    assert distinct(rng.integers(0, 5, 100), 4) is None


def test_whole_columns_are_told_in_any_block():
    x = np.zeros((200_000, 2), "f4")
    x[150_000, 1] = 0.5
    assert column_facts("x", x)[1].tolist() == [True, False]


@pytest.mark.parametrize("levels", [1000, 1001, 5000])
def test_levels_that_are_no_whole_numbers(levels):
    v = np.repeat(np.arange(levels) / 7, 3)[:, None]
    found = metrics.joint_histogram(v, v, discrete=True, bins=2)
    np.testing.assert_array_equal(found.factor_levels[0], np.arange(levels) / 7)


def scaled_as_published(x, column_range):
    """Each column scaled to 0 to 1 in its own precision, as scikit-learn's MinMaxScaler does."""
    if np.ptp(column_range, axis=0).max() > np.finfo(x.dtype).max:
        x = x.astype(np.float64)
    low, high = column_range.astype(x.dtype)
    span = high - low
    scale = 1 / np.where(span < 10 * np.finfo(x.dtype).eps, x.dtype.type(1), span)
    return x * scale + (0 - low * scale)


def scaled_bins(x, column_range, bins):
    scaled = scaled_as_published(x, column_range).astype(np.float64)
    inner = np.linspace(0.0, 1.0, bins + 1)[1:-1]
    return np.stack([np.searchsorted(inner, column, side="right") for column in scaled.T], axis=1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bins", [2, 10, 64])
def test_edges_of_scaled_columns_part_the_same_rows(dtype, bins):
    rng = np.random.default_rng(bins)
    for turn in range(40):
        size = 10.0 ** rng.uniform(-30, 30, 6)
        grid = rng.integers(0, 11, (200, 6)) / 10  # values at the edges themselves
        x = np.where(turn % 2, grid, rng.normal(size=(200, 6))) * size
        x = (x + size * rng.normal(size=6) * 10.0 ** rng.uniform(-2, 8, 6)).astype(dtype)
        x[:, 1] = x[0, 1]
        x[:, 2] = np.where(rng.random(200) < 0.5, x[0, 2], np.nextafter(x[0, 2], dtype(np.inf)))
        data = read(np.zeros((200, 1), int), x, bins, None)
        edges = unit_edges(data.code_range, bins, dtype)
        found = binned(data, edges, np.zeros((1, bins + 1)))[0].T
        expected = scaled_bins(x, data.code_range, bins).T
        ranges = data.code_range.T
        for mine, theirs, ends, own in zip(found, expected, edges, ranges, strict=True):
            # Where floats are too few for all edges, the bins have other numbers.
            pairs = len(np.unique(np.stack([mine, theirs]), axis=1).T)
            assert pairs == len(np.unique(mine)) == len(np.unique(theirs))
            assert (mine == theirs).all() or len(np.unique(ends)) < bins + 1
            assert (np.diff(ends) >= 0).all()
            assert ends[0] == own[0]
            assert ends[-1] in own


def test_a_range_beyond_float32_is_scaled_in_float64():
    x = np.array([[-3e38], [0], [3e38], [2.9e38]], np.float32)
    data = read(np.zeros((4, 1), int), x, 10, None)
    found = binned(data, unit_edges(data.code_range, 10, np.float32), np.zeros((1, 11)))[0]
    assert found.ravel().tolist() == [0, 5, 9, 9]


def test_the_published_convention_cuts_every_factor():
    factors, codes = levels_and_codes(500)
    data = read(factors, codes, 10, None)
    cut, code_edges, factor_edges = counted_as(data, Bins.equal_width(10), "published")
    assert set(cut.kinds) == {"continuous"}
    assert cut.codes is data.codes
    assert code_edges.shape == (4, 11)
    assert factor_edges[2, [0, -1]].tolist() == [0, 19]
    same, *_ = counted_as(data, Bins.equal_width(10), "ubisoft")
    assert same.kinds == data.kinds
    assert replace(cut, kinds=data.kinds).names == data.names


GROWS = """
import json, sys
import numpy as np
from pathlib import Path
from fastdis import metrics

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))

def count(name):
    v, z = (np.load(f"{sys.argv[1]}/{kind}{name}.npy", mmap_mode="r") for kind in "vz")
    scores = metrics.evaluate(v, z, ["mig", "dmig", "jemmig"])
    return [scores.n, peak()]

print(json.dumps([count("small"), count("large")]))
"""


@linux
@pytest.mark.parametrize("kind", ["i1", "f4", "levels"])
def test_memory_does_not_grow_with_the_file(tmp_path, kind):
    factors, codes = levels_and_codes(100_000)
    factors = factors * np.float32(0.1) if kind == "levels" else factors.astype(kind)
    for name, times in (("small", 3), ("large", 40)):
        np.save(tmp_path / f"v{name}.npy", np.tile(factors, (times, 1)))
        np.save(tmp_path / f"z{name}.npy", np.tile(codes, (times, 1)))
    command = [sys.executable, "-c", GROWS, str(tmp_path)]
    environment = os.environ | {"FASTDIS_NUM_THREADS": "2"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    (_, before), (rows, after) = json.loads(done.stdout)
    assert rows == 4_000_000
    assert after - before < 32  # MB; the codes' file alone has 59 more

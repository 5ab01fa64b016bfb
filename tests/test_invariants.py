"""What holds for every public function of a batch of clips, on the calls of public_calls.py."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from fastdis import _threads
from tests.public_calls import CALLS, OF_ALL_ROWS

pytestmark = pytest.mark.filterwarnings("ignore:.*mel filters hold no")
every = pytest.mark.parametrize("name", CALLS)
with_out = pytest.mark.parametrize("name", [name for name, call in CALLS.items() if call.out])


@pytest.fixture
def smallest_tasks(monkeypatch):
    """Splits every batch as far as it can be, however little work it is."""
    plain = _threads.parallel_for
    modules = [module for name, module in [*sys.modules.items()] if name.startswith("fastdis")]
    for module in modules:
        if getattr(module, "parallel_for", None) is plain:
            monkeypatch.setattr(
                module, "parallel_for", lambda work, count, grain=1: plain(work, count)
            )


@every
def test_a_clip_depends_neither_on_its_batch_nor_on_the_threads(name, threads, smallest_tasks):
    call = CALLS[name]
    threads(1)
    size = len(call.columns[0])
    alone = [call([column[i : i + 1] for column in call.columns]) for i in range(size)]
    expected = np.concatenate(alone)
    assert len(expected) == size
    for number in (1, 2, 3, 8):
        threads(number)
        np.testing.assert_array_equal(call(), expected)
        found = call([column[::-2] for column in call.columns])
        np.testing.assert_array_equal(found, expected[::-2])


@pytest.mark.parametrize("name", [name for name, call in CALLS.items() if call.single])
def test_one_clip_is_a_batch_of_one(name):
    call = CALLS[name]
    expected = call()
    for i in (0, 3):
        found = call([column[i] for column in call.columns])
        assert found.size == expected[i].size
        np.testing.assert_array_equal(found.reshape(expected[i].shape), expected[i])


@every
def test_no_clips_are_none(name):
    call = CALLS[name]
    expected = call()
    found = call([column[:0] for column in call.columns])
    assert found.shape == (0, *expected.shape[1:])
    assert found.dtype == expected.dtype


@every
def test_the_numpy_kernels_give_the_same(name, monkeypatch):
    call = CALLS[name]
    expected = call()
    monkeypatch.setenv("FASTDIS_BACKEND", "numpy")
    found = call()
    assert found.dtype == expected.dtype
    axes = tuple(range(1, expected.ndim))
    error = np.abs(found - expected).max(axis=axes) / np.abs(expected).max(axis=axes)
    assert error.max() <= call.numpy_within


@with_out
def test_out_is_written_and_returned(name, tmp_path):
    call = CALLS[name]
    expected = call()
    whole = np.full((len(expected) + 2, *expected.shape[1:]), 7, expected.dtype)
    out = whole[1:-1]
    assert np.shares_memory(call(out=out), out)
    np.testing.assert_array_equal(out, expected)
    assert (whole[[0, -1]] == 7).all()
    on_disk = np.memmap(tmp_path / "out", expected.dtype, "w+", shape=expected.shape)
    call(out=on_disk)
    np.testing.assert_array_equal(on_disk, expected)
    if call.single:
        clip = [column[1] for column in call.columns]
        of_clip = call(clip)
        out = np.zeros_like(of_clip)
        assert np.shares_memory(call(clip, out=out), out)
        np.testing.assert_array_equal(out, of_clip)


@with_out
def test_an_out_that_cannot_be_written_to_is_refused(name):
    call = CALLS[name]
    expected = call()
    read_only = expected.copy()
    read_only.setflags(write=False)
    for out, error, fault in (
        (expected[:-1].copy(), ValueError, "got an array of shape"),
        (np.zeros(expected.shape), TypeError, "got an array of shape .* and dtype float64"),
        (np.repeat(expected, 2, axis=-1)[..., ::2], ValueError, "not contiguous"),
        (read_only, ValueError, "read-only"),
        ([0.0], TypeError, "got"),
    ):
        with pytest.raises(error, match=rf"out takes a writeable C-contiguous .*{fault}"):
            call(out=out)


def strided(x):
    wide = np.full((*x.shape[:-1], 2 * x.shape[-1]), 77, x.dtype)
    wide[..., ::2] = x
    return wide[..., ::2]


def memory_mapped(x, file, offset):
    mapped = np.memmap(file, x.dtype, "w+", offset, x.shape)
    mapped[...] = x
    mapped.flush()
    return np.memmap(file, x.dtype, "r", offset, x.shape)


OTHER_PRECISION = {"f4": "f8", "f8": "f4", "c8": "c16", "i8": "i4"}
LAYOUTS = {
    "not contiguous": lambda x, _: strided(x),
    "columns first": lambda x, _: np.asfortranarray(x),
    "backwards in memory": lambda x, _: x[::-1].copy()[::-1],
    "the other precision": lambda x, _: x.astype(OTHER_PRECISION[x.dtype.str[1:]]),
    "long double": lambda x, _: x.astype(np.longdouble) if x.dtype.kind == "f" else x,
    "the other byte order": lambda x, _: x.astype(x.dtype.newbyteorder()),
    "memory-mapped": lambda x, file: memory_mapped(x, file, 0),
    "memory-mapped from an odd byte": lambda x, file: memory_mapped(x, file, 3),
    "a list": lambda x, _: x.tolist(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", [*CALLS, *OF_ALL_ROWS])
def test_the_layout_of_arrays_does_not_matter_and_they_are_not_written_to(name, layout, tmp_path):
    call = (CALLS | OF_ALL_ROWS)[name]
    columns = [LAYOUTS[layout](x, tmp_path / str(i)) for i, x in enumerate(call.columns)]
    kept = [np.array(column) for column in columns]
    for column in columns:
        if layout != "a list":
            column.setflags(write=False)
    np.testing.assert_array_equal(call(columns), call())
    for column, copy in zip(columns, kept, strict=True):
        np.testing.assert_array_equal(column, copy)

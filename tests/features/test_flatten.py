"""Flattening: the curve visits every cell once and step by step, and pictures come back exactly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdis.features import flatten, flatten_order, flattening, unflatten

ORDERS = ("row", "column", "hilbert")
LARGE = [
    (2049, 201),
    (201, 2049),
    (129, 16),
    (60, 16),
    (1025, 1024),
    (2, 501),
    (7, 3000),
    (512, 512),
]


def _steps(order, columns):
    """How many rows and columns each step goes."""
    row, column = np.divmod(order, columns)
    return np.abs(np.diff(row)), np.abs(np.diff(column))


def _check_curve(m, n):
    order = flatten_order((m, n), "hilbert")
    assert np.array_equal(np.bincount(order, minlength=m * n), np.ones(m * n)), "each cell once"
    down, right = _steps(order, n)
    assert np.maximum(down, right).max(initial=1) == 1, "no step goes beyond the cells around"
    longer, shorter = max(m, n), min(m, n)
    odd_one = longer % 2 == 1 and shorter % 2 == 0
    assert np.sum(down + right == 2) == (odd_one and shorter > 2)
    assert order[0] == 0
    if not (odd_one and shorter == 2):
        assert order[-1] == (n - 1 if n >= m else (m - 1) * n)


def test_the_curve_of_every_small_picture():
    for m in range(1, 42):
        for n in range(1, 42):
            _check_curve(m, n)


@pytest.mark.parametrize("shape", LARGE)
def test_the_curve_of_a_large_picture(shape):
    _check_curve(*shape)


def _by_quadrants(k):
    """Hilbert's curve on 2^k x 2^k, quadrant after quadrant: (rows, columns)."""
    if k == 0:
        return np.zeros(1, int), np.zeros(1, int)
    row, column = _by_quadrants(k - 1)
    far, turned = 2 ** (k - 1), (column, row)
    rows = [turned[0], row + far, row + far, far - 1 - turned[0]]
    columns = [turned[1], column, column + far, 2 * far - 1 - turned[1]]
    return np.concatenate(rows), np.concatenate(columns)


@pytest.mark.parametrize("k", range(8))
def test_a_square_of_a_power_of_two_has_hilberts_own_curve(k):
    row, column = _by_quadrants(k)
    assert np.array_equal(flatten_order((2**k, 2**k), "hilbert"), row * 2**k + column)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (3, 3), (5, 8), (8, 5), (129, 16)])
def test_a_picture_on_its_side_has_the_same_curve_on_its_side(shape):
    m, n = shape
    if m != n:
        row, column = np.divmod(flatten_order((m, n), "hilbert"), n)
        assert np.array_equal(flatten_order((n, m), "hilbert"), column * m + row)
    x = np.arange(m * n).reshape(m, n)
    assert np.array_equal(flatten(x.T, "row"), flatten(x, "column"))


def _distance(shape, order, most):
    """Mean distance in the picture of cells up to ``most`` places apart on the curve."""
    place = np.stack(np.divmod(flatten_order(shape, order), shape[1]))
    apart = [np.hypot(*(place[:, d:] - place[:, :-d])).mean() for d in range(1, most + 1)]
    return float(np.mean(apart))


@pytest.mark.parametrize(
    ("shape", "most", "hilbert", "row", "column"),
    [
        ((129, 16), 15, 2.94, 5.74, 14.33), ((129, 16), 64, 6.00, 6.04, 42.82),
        ((60, 16), 15, 2.94, 5.74, 12.97), ((2049, 201), 64, 5.97, 51.09, 63.48),
    ],
)  # fmt: skip
def test_what_is_near_on_the_curve_is_near_in_the_picture(shape, most, hilbert, row, column):
    assert _distance(shape, "hilbert", most) == pytest.approx(hilbert, abs=0.01)
    assert _distance(shape, "row", most) == pytest.approx(row, abs=0.01)
    assert _distance(shape, "column", most) == pytest.approx(column, abs=0.01)
    assert hilbert < min(row, column)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 90), st.integers(1, 90), st.lists(st.integers(0, 3), max_size=2),
    st.sampled_from(ORDERS), st.sampled_from(["f2", "f4", "f8", ">f8", "c8", "c16", "i2", "?"]),
)  # fmt: skip
def test_a_picture_comes_back_bit_for_bit(m, n, batch, order, dtype):
    rng = np.random.default_rng(m * n)
    x = rng.integers(0, 2, (*batch, m, n)) if dtype == "?" else 9 * rng.normal(size=(*batch, m, n))
    x = x.astype(dtype)
    v = flatten(x, order)
    assert v.shape == (*batch, m * n)
    assert v.dtype == x.dtype
    assert np.array_equal(v, x.reshape(*batch, m * n)[..., flatten_order((m, n), order)])
    back = unflatten(v, (m, n), order)
    assert back.dtype == x.dtype
    assert np.array_equal(back, x)
    assert np.array_equal(flatten(unflatten(v, (m, n), order), order), v)


def test_rows_and_columns_are_numpys():
    x = np.arange(24.0).reshape(2, 3, 4)
    assert np.array_equal(flatten(x), x.reshape(2, 12))
    assert np.array_equal(flatten(x, "column"), x.transpose(0, 2, 1).reshape(2, 12))
    assert np.array_equal(flatten_order((3, 4)), np.arange(12))
    assert np.shares_memory(flatten(x), x)


@pytest.mark.parametrize("order", ORDERS)
def test_not_a_number_keeps_its_place_and_strides_do_not_matter(order):
    x = np.random.default_rng(0).normal(size=(9, 14, 4)).astype(np.float32)[::2, ::-1, 1:]
    x[1, 2, 1], x[0, 0, 0] = np.nan, -np.inf
    v = flatten(x, order)
    assert np.array_equal(v, flatten(np.ascontiguousarray(x), order), equal_nan=True)
    assert np.array_equal(unflatten(v, (14, 3), order), x, equal_nan=True)
    spread = np.stack([v, v], axis=-1)[..., 0]
    assert np.array_equal(unflatten(spread, (14, 3), order), x, equal_nan=True)


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_is_kept_and_cannot_be_written_to(order):
    cells = flatten_order((17, 12), order)
    assert cells is flatten_order([17, np.int64(12)], order)
    assert cells.dtype == np.int64
    with pytest.raises(ValueError, match="read-only"):
        cells[0] = 1
    before = cells.copy()
    flatten(np.ones((17, 12)), order)[:] = 5  # a result is the caller's own
    assert np.array_equal(flatten_order((17, 12), order), before)


def test_the_curve_is_made_once_for_a_shape(monkeypatch):
    flattening._order.cache_clear()
    flattening._places.cache_clear()
    made, make = [], flattening.hilbert_order

    def noted(*shape):
        made.append(shape)
        return make(*shape)

    monkeypatch.setattr(flattening, "hilbert_order", noted)
    for _ in range(3):
        unflatten(flatten(np.zeros((2, 19, 8)), "hilbert"), (19, 8), "hilbert")
    assert made == [(19, 8)]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: flatten_order((3, 0)), ValueError, r"shape\[1\] takes an integer >= 1, got 0"),
        (lambda: flatten_order((-1, 2)), ValueError, r"shape\[0\] takes an integer >= 1, got -1"),
        (lambda: flatten_order((3.0, 2)), TypeError, r"shape\[0\] takes an integer >= 1, got 3\.0"),
        (lambda: flatten_order(5), TypeError, r"shape takes two integers \(m, n\), got 5"),
        (lambda: flatten_order("35"), TypeError, r"shape takes two integers \(m, n\), got '35'"),
        (lambda: flatten_order((1, 2, 3)), ValueError, r"shape takes two integers.*\(1, 2, 3\)"),
        (lambda: flatten_order((2, 2), "hilber"), ValueError, "order takes.*mean 'hilbert'"),
        (lambda: flatten_order((2, 2), 3), TypeError, "order takes one of 'row', .*got 3"),
        (lambda: flatten(np.zeros(4)), ValueError, r"x takes shape \(\.\.\., m, n\).*got \(4,\)"),
        (lambda: flatten(np.zeros((3, 0, 4))), ValueError, r"at least one cell, got \(3, 0, 4\)"),
        (lambda: flatten([["a"]]), TypeError, "x takes numbers, got dtype <U1"),
        (lambda: flatten([[1, 2], [3]]), ValueError, "x takes a regular array"),
        (lambda: flatten(np.zeros((2, 2)), "rows"), ValueError, "order takes.*mean 'row'"),
        (lambda: unflatten(np.zeros(7), (2, 3)), ValueError, r"\(\.\.\., 6\).*2 x 3, got \(7,\)"),
        (lambda: unflatten(1.0, (1, 1)), ValueError, r"v takes shape \(\.\.\., 1\)"),
        (lambda: unflatten(np.zeros(6), (2, 3), "row "), ValueError, "order takes one of"),
        (lambda: unflatten(["a"], (1, 1)), TypeError, "v takes numbers"),
    ],
)  # fmt: skip
def test_bad_arguments(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_a_curve_beyond_memory_is_refused():
    with pytest.raises(MemoryError, match="flatten_order"):
        flatten_order((2**22, 2**22), "hilbert")

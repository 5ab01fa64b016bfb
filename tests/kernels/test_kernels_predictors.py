"""The kernels of SAP against their NumPy twins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdis._kernels import intervals, reference


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(0, 80), st.integers(1, 40))
def test_intervals_agree(seed, levels, rows, values):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(levels), rng.integers(0, levels, rows)]).astype(np.int32)
    code = np.round(rng.uniform(0, values, len(labels)) + labels * rng.integers(-3, 4))
    order = np.argsort(code)
    for dtype in (np.float64, np.float32):
        columns = code[order].astype(dtype), labels[order], levels
        got, expected = (m.interval_accuracy(*columns) for m in (intervals, reference))
        assert got == pytest.approx(expected, abs=1e-12)
        assert 1 / levels - 1e-12 <= got <= 1 + 1e-12


def test_the_order_of_equal_values_changes_no_bit_of_an_interval():
    rng = np.random.default_rng(0)
    labels, code = rng.integers(0, 3, 500).astype(np.int32), rng.integers(0, 9, 500) * 1.0
    found = set()
    for _ in range(10):
        order = rng.permutation(500)
        order = order[np.argsort(code[order], kind="stable")]
        found.add(intervals.interval_accuracy(code[order], labels[order], 3))
    assert len(found) == 1


@pytest.mark.parametrize("rows", [0, 1, 300])
def test_products_agree_and_add(rows):
    rng = np.random.default_rng(rows)
    x, low, span = rng.normal(size=(rows, 5)), rng.normal(size=5), rng.uniform(1, 2, 5)
    found = []
    for module in (intervals, reference):
        into = np.ones(5), np.ones(5), np.ones((2, 3))
        module.scaled_products(x, low, span, *into)
        found.append(into)
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    u = (x - low) / span
    np.testing.assert_allclose(found[0][2], 1 + u[:, :2].T @ u[:, 2:], atol=1e-9)

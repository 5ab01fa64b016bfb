"""The kernel of the Hilbert curve against its NumPy twin, cell by cell."""

import numpy as np
import pytest

from fastdis._kernels import reference

native = pytest.importorskip("fastdis._kernels._curve")


def _order(module, rows, columns, guard=3):
    """The cells; what lies around them must stay."""
    room = np.full(rows * columns + 2 * guard, -7, np.int64)
    module.hilbert_order(rows, columns, room[guard : len(room) - guard])
    assert (room[:guard] == -7).all()
    assert (room[len(room) - guard :] == -7).all()
    return room[guard : len(room) - guard]


def test_every_small_shape():
    for rows in range(1, 24):
        for columns in range(1, 24):
            shape = (rows, columns)
            assert np.array_equal(_order(native, *shape), _order(reference, *shape)), shape


@pytest.mark.parametrize(
    "shape", [(1, 5000), (5000, 1), (2, 1001), (129, 16), (65, 300), (257, 99)]
)
def test_large_and_thin_shapes(shape):
    assert np.array_equal(_order(native, *shape), _order(reference, *shape))


@pytest.mark.parametrize("module", [native, reference], ids=["native", "twin"])
def test_a_known_curve(module):
    assert _order(module, 3, 5).tolist() == [0, 5, 10, 11, 6, 1, 2, 7, 12, 13, 14, 9, 8, 3, 4]


def test_a_strided_or_narrow_output_is_refused():
    with pytest.raises(ValueError, match="contiguous"):
        native.hilbert_order(3, 4, np.zeros(24, np.int64)[::2])
    with pytest.raises(ValueError, match="mismatch"):
        native.hilbert_order(3, 4, np.zeros(12, np.int32))

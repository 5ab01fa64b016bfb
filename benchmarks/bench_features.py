"""The rows of fastdis._bench.features, each side by side with its peer."""

import pytest

from fastdis._bench import features


@pytest.mark.parametrize("side", ["fastdis", "peer"])
@pytest.mark.parametrize("row", features.ROWS, ids=str)
def test_row(contest, row, side):
    contest(row, side)

"""The rows of fastdis._bench.synthesis, each side by side with its peer."""

import pytest

from fastdis._bench import synthesis


@pytest.mark.parametrize("side", ["fastdis", "peer"])
@pytest.mark.parametrize("row", synthesis.ROWS, ids=str)
def test_row(contest, row, side):
    contest(row, side)

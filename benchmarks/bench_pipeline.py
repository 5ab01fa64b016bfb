"""The rows of fastdis._bench.pipeline, each side by side with its peer."""

import pytest

from fastdis._bench import pipeline


@pytest.mark.parametrize("side", ["fastdis", "peer"])
@pytest.mark.parametrize("row", pipeline.ROWS, ids=str)
def test_row(contest, row, side):
    contest(row, side)

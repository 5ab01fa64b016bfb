"""The rows of fastdis._bench.features and .transforms, each side by side with its peer."""

import pytest

from fastdis._bench import features, transforms


@pytest.mark.parametrize("side", ["fastdis", "peer"])
@pytest.mark.parametrize("row", [*features.ROWS, *transforms.ROWS], ids=str)
def test_row(contest, row, side):
    contest(row, side)

"""Shared small data, and one thread pool width so that tests do not crowd the machine."""

from __future__ import annotations

import numpy as np
import pytest

from fastdis.datasets import SynTone


@pytest.fixture(scope="session")
def small_sound():
    """64 clips of the sound SynTone with their features in memory."""
    return SynTone("sound", num_freqs=4, num_amps=4).in_memory()


@pytest.fixture(scope="session")
def small_published():
    """64 clips of the published SynTone with their features in memory."""
    return SynTone("published", num_freqs=4, num_amps=4).in_memory()


@pytest.fixture
def rng():
    return np.random.default_rng(0)

"""How tests run everywhere alike, shared small data, and a way to set the number of threads."""

from __future__ import annotations

import os

if "PYTEST_XDIST_WORKER" in os.environ:  # one process per core: no more threads of OpenMP and BLAS
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # before NumPy and torch are loaded, which read it

import hypothesis
import numpy as np
import pytest

from fastdis import _threads
from fastdis.datasets import SynTone

# The same examples on every machine and in every order, however slow the machine is.
hypothesis.settings.register_profile("same", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("same")


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


@pytest.fixture(autouse=True)
def number_of_threads():
    """No test leaves another number of threads behind."""
    before = _threads._num_threads
    yield
    if _threads._num_threads != before:
        _threads.set_num_threads(before or 1)  # lets the pool of the test's width go
        _threads._num_threads = before


@pytest.fixture
def threads():
    """Sets the number of threads."""
    return _threads.set_num_threads


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request):
    """Where torch computes; a CPU does on one thread, which is quickest where little is done."""
    import torch

    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield request.param
    torch.set_num_threads(before)

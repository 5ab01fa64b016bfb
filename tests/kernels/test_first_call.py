"""The first call in a fresh process compiles nothing that was compiled before."""

import os
import subprocess
import sys

SCRIPT = """
import numpy as np
from fastdis import metrics
rng = np.random.default_rng(0)
metrics.mig(rng.integers(0, 5, (1000, 3)), rng.normal(size=(1000, 4)))
import sys
from numba.core.dispatcher import Dispatcher
from fastdis._kernels import histogram
kernels = [x for x in vars(histogram).values() if isinstance(x, Dispatcher)]
heavy = [m for m in ("torch", "sklearn", "matplotlib", "pyarrow", "pyfftw") if m in sys.modules]
print(
    all(kernel.nopython_signatures for kernel in kernels),  # declared, hence made on import
    sum(sum(kernel.stats.cache_hits.values()) for kernel in kernels) > 0,
    sum(sum(kernel.stats.cache_misses.values()) for kernel in kernels) > 0,
    heavy,
)
"""


def test_a_second_process_compiles_nothing(tmp_path):
    def cache_state():
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", SCRIPT], text=True, check=True, timeout=250,
            capture_output=True, env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},
        )  # fmt: skip
        return done.stdout.strip()

    assert cache_state() == "True False True []"
    assert cache_state() == "True True False []"

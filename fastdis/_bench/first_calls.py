"""What a fresh process waits for: the import, and the first call of a kernel, caches warm."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import dataclass

import numpy as np

_PROLOGUE = "import time; start = time.perf_counter()\n"
_EPILOGUE = "\nprint(time.perf_counter() - start)"
_REPEATS = 3


@dataclass(frozen=True)
class FirstCall:
    """A statement, the seconds it takes in a process of its own, and how many are allowed.

    ``note`` says why there is no figure where there is none.
    """

    name: str
    at_most: float
    seconds: float = math.nan
    note: str = ""


_CALLS = {
    "`import fastdis`": (0.15, "import fastdis"),
    "`metrics.mig`, from the start of the process": (
        2.0,
        "import numpy as np, fastdis as fd\n"
        "v = np.arange(4000)[:, None] % [5, 8, 10]\n"
        "fd.metrics.mig(v, v + np.sin(v * 9.0))",
    ),
    "`melspectrogram`, from the start of the process": (
        2.0,
        "import numpy as np, fastdis as fd\nfd.melspectrogram(np.zeros((2, 16000)), sr=16000)",
    ),
}


def first_calls() -> list[FirstCall]:
    """The median of three fresh processes each, after one that fills the caches."""
    calls = []
    for name, (at_most, code) in _CALLS.items():
        try:
            seconds = [_seconds(code) for _ in range(1 + _REPEATS)][1:]
        except (OSError, ValueError, subprocess.SubprocessError) as failure:
            note = f"not timed: {type(failure).__name__}: {failure}"
            calls.append(FirstCall(name, at_most, note=" ".join(note.split())))
        else:
            calls.append(FirstCall(name, at_most, float(np.median(seconds))))
    return calls


def _seconds(code: str) -> float:
    command = [sys.executable, "-c", _PROLOGUE + code + _EPILOGUE]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return float(done.stdout)

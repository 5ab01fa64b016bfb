"""Compiles ``peak.c`` at the first use and calls it through ctypes, which releases the GIL."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shlex
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

from fastdis import _files

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FLAGS = ("-O3", "-std=c11", "-fno-math-errno", "-fno-trapping-math", "-shared", "-fPIC")
_SOURCES = (HERE / "peak.c", HERE / "peak.h", HERE / "peak_body.h", ROOT / "csrc/common/simd.h")


@cache
def compiled() -> Callable[[int], int]:
    """A function that does ``1000 rounds`` steps of multiply-adds and returns how many it did.

    Raises
    ------
    OSError
        If there is no C compiler: ``cc``, or what the environment variable CC names.
    subprocess.CalledProcessError
        If it does not compile ``peak.c``.
    """
    command = [*shlex.split(os.environ.get("CC", "cc")), *FLAGS, "-I", str(ROOT / "csrc/common")]
    inputs = b"".join(file.read_bytes() for file in _SOURCES) + repr(command).encode()
    library = ROOT / "build" / "limits" / f"peak-{hashlib.sha256(inputs).hexdigest()[:16]}.so"
    if not library.exists():
        library.parent.mkdir(parents=True, exist_ok=True)
        with _files.replacing(library) as partial:
            whole = [*command, str(_SOURCES[0]), "-o", str(partial)]
            subprocess.run(whole, check=True, capture_output=True, text=True)
    function = ctypes.CDLL(str(library)).fastdis_multiply_adds
    function.argtypes = (ctypes.c_int64, ctypes.c_float, ctypes.POINTER(ctypes.c_float))
    function.restype = ctypes.c_int64

    def multiply_adds(rounds: int) -> int:
        total = ctypes.c_float()
        return int(function(1000 * rounds, 0.5, ctypes.byref(total)))

    return multiply_adds

"""Each SIMD level by itself: a build of that one level passes every kernel's tests."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fastdis import _kernels
from tests.kernels import every_kernel

ROOT = Path(__file__).parents[2]
LEVELS = {"baseline": 0, "x86-64-v3": 3, "x86-64-v4": 4}  # name -> FASTDIS_SIMD_LEVEL
PARTS = ("fastdis", "csrc", "tests", "setup.py", "pyproject.toml", "README.md", "LICENSE")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("gcc") is None, reason="needs GCC"),
    pytest.mark.skipif(not (ROOT / "csrc").is_dir(), reason="needs the C sources"),
]


def _run(copy: Path, *arguments: str, **environment: str) -> str:
    """What Python prints in the copy, whose package comes before the installed one."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=copy, text=True, check=False, timeout=500,
        env=os.environ | {"PYTHONPATH": str(copy)} | environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:]
    return done.stdout


def _build(copy: Path, level: int) -> None:
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("*.so"))
        else:
            shutil.copy2(ROOT / part, copy / part)
    build = ("setup.py", "build_ext", "--inplace", f"-j{os.cpu_count() or 1}")
    _run(copy, *build, CC="gcc", CFLAGS=f"-DFASTDIS_SIMD_LEVEL={level}")


@pytest.fixture(scope="module", params=LEVELS)
def level(request, tmp_path_factory):
    """The name of a level that this CPU has, and a copy of the package built for it alone."""
    oscillator = _kernels.native_module("_oscillator")
    if oscillator is None:
        pytest.skip("no C extension was built here")
    best = oscillator.simd_level()
    if LEVELS[request.param] > LEVELS[best]:
        pytest.skip(f"this CPU has no {request.param}, only {best}")
    copy = tmp_path_factory.mktemp(request.param)
    _build(copy, LEVELS[request.param])
    return request.param, copy


def test_the_kernels_of_a_level_hold_to_their_twins(level):
    name, copy = level
    modules = sorted({m for m in _kernels.NATIVE.values() if m.startswith("_")})
    told = _run(
        copy, "-c",
        "import importlib\n"
        f"for m in {modules}:\n"
        "    print(importlib.import_module(f'fastdis._kernels.{m}').__file__)\n"
        "import fastdis; print(fastdis.backends()['simd'].split()[0])",
    ).split()  # fmt: skip
    assert told[-1] == name
    assert [Path(file).parents[2] for file in told[:-1]] == [copy] * len(modules)
    files = {file.name for file in (copy / "tests" / "kernels").glob("test_kernels_*.py")}
    files -= {f"test_kernels_{module}.py" for module in _kernels.NATIVE.values()}  # of numba
    assert len(files) >= len(modules)
    tests = sorted(f"tests/kernels/{file}" for file in files)
    _run(copy, "-m", "pytest", "-q", "-x", *tests, FASTDIS_BACKEND="native")


def test_levels_with_fused_multiply_adds_give_the_same_bits(level):
    """And noise, a stream of its own, is the same at every level."""
    name, copy = level
    code = (
        "import json; from tests.kernels import every_kernel;"
        "print(json.dumps(every_kernel.digests()))"
    )
    told = json.loads(_run(copy, "-W", "ignore", "-c", code))
    here = every_kernel.digests()
    fused = "baseline" not in (name, _kernels.native_module("_oscillator").simd_level())
    for kernel in here if fused else ("add_noise",):
        assert told[kernel] == here[kernel], kernel


@pytest.mark.skipif(shutil.which("nm") is None, reason="needs nm")
def test_helpers_are_compiled_at_the_level_of_their_callers(level):
    """One left as a function of its own would run at the baseline in every clone."""
    name, copy = level
    if name == "baseline":
        pytest.skip("there is nothing to lose")
    sources = "".join(file.read_text() for file in (copy / "csrc").rglob("*.[ch]"))
    helpers = set(re.findall(r"^static inline [\w\s*]*?\b(\w+)\(", sources, re.MULTILINE))
    helpers -= set(re.findall(r"^static (?!inline)[\w\s*]*?\b(\w+)\(", sources, re.MULTILINE))
    assert helpers
    for library in (copy / "fastdis" / "_kernels").glob("*.so"):
        listed = subprocess.run(
            ["nm", library], capture_output=True, text=True, check=True, timeout=60
        )
        symbols = {line.split()[-1].split(".")[0] for line in listed.stdout.splitlines()}
        strays = sorted(symbols & helpers)
        assert not strays, library.name

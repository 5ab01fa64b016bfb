"""Each SIMD level by itself: the kernels compiled for that level alone pass every kernel's tests.

The installed kernels run at the best level of this CPU, so all other tests test that one. Here the
levels below it are tested, each in a copy of the package.
"""

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


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A copy of the package without extensions, in which Cython has written its C files."""
    copy = tmp_path_factory.mktemp("sources")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("*.so"))
        else:
            shutil.copy2(ROOT / part, copy / part)
    _run(copy, "setup.py", "--version")
    (copy / "objects").mkdir()
    return copy


@pytest.fixture(scope="module")
def best():
    """The level that the installed kernels run at."""
    oscillator = _kernels.native_module("_oscillator")
    if oscillator is None:
        pytest.skip("no C extension was built here")
    return oscillator.simd_level()


@pytest.fixture(scope="module", params=["baseline", "x86-64-v3"])
def level(request, best, sources, tmp_path_factory):
    """The name of a level below the best, and a copy of the package built for it alone."""
    name = request.param
    if LEVELS[name] >= LEVELS[best]:
        pytest.skip(f"the best level of this CPU is {best}")
    copy = tmp_path_factory.mktemp(name) / "copy"
    shutil.copytree(sources, copy)
    _run(copy, "tests/kernels/one_level.py", str(sources / "objects"), str(LEVELS[name]))
    return name, copy


def test_the_kernels_of_a_level_hold_to_their_twins(level):
    name, copy = level
    modules = sorted({m for m in _kernels.NATIVE.values() if m.startswith("_")})
    printed = _run(
        copy, "-c",
        "import importlib\n"
        f"for m in {modules}:\n"
        "    print(importlib.import_module(f'fastdis._kernels.{m}').__file__)\n"
        "import fastdis; print(fastdis.backends()['simd'].split()[0])",
    ).split()  # fmt: skip
    assert printed[-1] == name
    assert [Path(file).parents[2] for file in printed[:-1]] == [copy] * len(modules)
    files = {file.name for file in (copy / "tests" / "kernels").glob("test_kernels_*.py")}
    files -= {f"test_kernels_{module}.py" for module in _kernels.NATIVE.values()}  # of numba
    assert len(files) >= len(modules)
    tests = sorted(f"tests/kernels/{file}" for file in files)
    _run(copy, "-m", "pytest", "-q", "-x", *tests, FASTDIS_BACKEND="native")


def test_levels_with_fused_multiply_adds_give_the_same_bits(level, best):
    """And noise, a stream of its own, is the same at every level."""
    name, copy = level
    code = (
        "import json; from tests.kernels import every_kernel;"
        "print(json.dumps(every_kernel.digests()))"
    )
    there = json.loads(_run(copy, "-W", "ignore", "-c", code))
    here = every_kernel.digests()
    fused = "baseline" not in (name, best)
    for kernel in here if fused else ("add_noise",):
        assert there[kernel] == here[kernel], kernel


@pytest.mark.skipif(shutil.which("nm") is None, reason="needs nm")
def test_helpers_are_compiled_at_the_level_of_their_callers(best):
    """A helper left as a function of its own would run at the baseline in every clone."""
    if best == "baseline":
        pytest.skip("there is nothing to lose")
    sources = "".join(file.read_text() for file in (ROOT / "csrc").rglob("*.[ch]"))
    helpers = set(re.findall(r"^static inline [\w\s*]*?\b(\w+)\(", sources, re.MULTILINE))
    helpers -= set(re.findall(r"^static (?!inline)[\w\s*]*?\b(\w+)\(", sources, re.MULTILINE))
    assert helpers
    clones = 0
    for module in sorted({m for m in _kernels.NATIVE.values() if m.startswith("_")}):
        library = _kernels.native_module(module).__file__
        listed = subprocess.run(
            ["nm", library], capture_output=True, text=True, check=True, timeout=60
        )
        symbols = [line.split()[-1] for line in listed.stdout.splitlines()]
        clones += sum(".arch_x86_64_v" in symbol for symbol in symbols)
        strays = sorted({symbol.split(".")[0] for symbol in symbols} & helpers)
        assert not strays, library
    assert clones, "the installed kernels have no symbols to look at"

"""The package keeps its promises: quick imports, one direction of imports, one page of names."""

import ast
import subprocess
import sys
from pathlib import Path

import fastdis

PACKAGE = Path(fastdis.__file__).parent
STAGES = (
    ("factors",), ("synthesis",), ("features", "nn"), ("datasets",), ("models",), ("objectives",),
    ("training",), ("metrics",), ("reports",), ("studies",), ("cli", "__main__"),
)  # fmt: skip
STAGE = {name: number for number, names in enumerate(STAGES) for name in names}


def _python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout.strip()


def test_import_brings_neither_torch_nor_numba():
    code = (
        "import sys, fastdis; fastdis.Factor; fastdis.oscillator; fastdis.stft; fastdis.datasets;"
        "print([m for m in ('torch', 'numba', 'matplotlib', 'sklearn') if m in sys.modules])"
    )
    assert _python(code) == "[]"


def test_import_takes_under_150_ms():
    code = "import time; t = time.perf_counter(); import fastdis; print(time.perf_counter() - t)"
    assert min(float(_python(code)) for _ in range(5)) < 0.150


def _imports(file: Path) -> set[str]:
    """The modules of the package that a file imports anywhere, at any depth of its code."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("fastdis"):
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("fastdis.")}
    return found


def test_a_stage_imports_only_stages_above_it():
    for file in PACKAGE.rglob("*.py"):
        own = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for name in _imports(file):
            if name.startswith("_") or own == "__init__":
                continue
            assert name in STAGE, f"{file}: {name} is no stage"
            assert own.startswith("_") or STAGE[name] <= STAGE[own], f"{file} imports {name}"


def test_every_public_name_loads_and_is_in_the_stub():
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text())
    listed = set()
    for node in stub.body:
        if isinstance(node, ast.ImportFrom):
            listed |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.AnnAssign):
            listed.add(node.target.id)
    assert listed - {"__all__"} == set(fastdis.__all__)
    for name in fastdis.__all__:
        assert getattr(fastdis, name) is not None


def test_a_wrong_name_is_an_attribute_error():
    assert not hasattr(fastdis, "ocsillator")


def test_the_native_kernels_are_built():
    told = fastdis.backends()
    missing = [name for name, how in told.items() if how.startswith("NumPy")]
    assert not missing, f"{missing} run on their NumPy twins here: {told}"

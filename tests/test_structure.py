"""The package keeps its promises: quick imports, one direction of imports, one page of names."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import fastdis

PACKAGE = Path(fastdis.__file__).parent
STAGES = (
    ("factors",), ("synthesis",), ("features", "nn"), ("datasets",), ("models",),
    ("objectives",), ("training",), ("metrics",), ("reports",), ("studies",), ("_bench",),
    ("cli", "__main__"),
)  # fmt: skip
GROUND = {"_kernels", "_validation", "_threads", "_memory", "_files", "_devices"}
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


def test_import_loads_nothing_of_weight():
    """It takes well under 150 ms because it loads the root and the standard library alone."""
    code = "import sys, fastdis; print(sorted(m for m in sys.modules if m.startswith('fastdis')))"
    assert _python(code) == "['fastdis']"
    code = "import sys; before = len(sys.modules); import fastdis; print(len(sys.modules) - before)"
    assert int(_python(code)) < 30


def _module(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {_module(file): file for file in PACKAGE.rglob("*.py")}


def _imports(file: Path) -> set[str]:
    """The modules of the package that a file imports, at any depth of its code."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file} imports {'.' * node.level}{node.module or ''}"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole != "fastdis.__version__":
                    found.add(whole if whole in FILES else node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.split(".")[0] == "fastdis"} - {_module(file)}


def _unit(module: str) -> str:
    """The stage, or the part of the ground, that a module belongs to."""
    return module.split(".")[1] if "." in module else "__init__"


def test_the_root_holds_the_stages_and_the_ground():
    found = {_unit(module) for module in FILES}
    assert found == {*STAGE, *GROUND, "__init__"}


@pytest.mark.parametrize("module", sorted(FILES))
def test_a_file_imports_only_stages_above_it_and_the_ground(module):
    own = _unit(module)
    for name in sorted(_imports(FILES[module])):
        other = _unit(name)
        if own == "__init__" or other in GROUND:  # the root's lazy names; what every stage may use
            continue
        if other == "__init__":  # whose lazy names reach every stage
            assert STAGE.get(own, -1) >= STAGE["_bench"], f"{module} imports the root"
            continue
        assert own not in GROUND, f"{module}, of the ground, imports {name}"
        assert STAGE[other] <= STAGE[own], f"{module} imports {name}, a later stage"


def _circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """The strongly connected components of more than one module."""

    def reached(start: str) -> set[str]:
        seen, left = set(), [start]
        while left:
            for name in graph.get(left.pop(), ()):
                if name not in seen:
                    seen.add(name)
                    left.append(name)
        return seen

    ahead = {name: reached(name) for name in graph}
    circles = []
    for name in graph:
        circle = {other for other in ahead[name] if name in ahead.get(other, ())}
        if len(circle) > 1 and circle not in circles:
            circles.append(circle)
    return circles


def test_files_import_each_other_in_no_circle():
    graph = {module: _imports(file) for module, file in FILES.items() if file.name != "__init__.py"}
    assert [sorted(circle) for circle in _circles(graph)] == [
        # A method that returns its subclass, which is imported when it is called.
        ["fastdis.datasets.base", "fastdis.datasets.on_device"]
    ]


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

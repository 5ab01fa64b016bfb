"""``setup.py build_ext`` that compiles once what is the same for every SIMD level.

``python tests/kernels/one_level.py OBJECTS LEVEL``, in a copy of the sources. What Cython writes
takes longest to compile, and no level changes it. Its objects are kept in the folder OBJECTS, and
are not optimised: the C that it calls is what the level is about.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import setuptools  # noqa: F401  (brings distutils to Python 3.12 and later)

from distutils.core import run_setup  # isort: skip
from distutils.unixccompiler import UnixCCompiler  # isort: skip


def main(objects: Path, level: str) -> None:
    compile_always = UnixCCompiler._compile

    def compile_once(self, target, source, extension, arguments, options, definitions):
        if not source.startswith("build/cython") or '"simd.h"' in Path(source).read_text():
            return compile_always(
                self, target, source, extension, arguments, options, definitions
            )  # fmt: skip
        kept = objects / Path(target).name
        if not kept.exists():
            options = [*options, "-O0"]
            compile_always(self, target, source, extension, arguments, options, definitions)
            shutil.copy(target, kept)
        return shutil.copy(kept, target)

    UnixCCompiler._compile = compile_once
    os.environ |= {"CC": "gcc", "CFLAGS": f"-DFASTDIS_SIMD_LEVEL={level} -g0"}
    run_setup("setup.py", ["--quiet", "build_ext", "--inplace", f"-j{os.cpu_count() or 1}"])


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])

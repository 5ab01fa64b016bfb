"""The list of C extensions; everything else stands in pyproject.toml."""

from glob import glob

from Cython.Build import cythonize
from setuptools import Extension, setup

# Without a C compiler the package still installs: the NumPy twins run, and backends() says so.
C_FLAGS = ["-O3", "-std=c11", "-fno-math-errno", "-fno-trapping-math"]


def extension(name: str, *sources: str) -> Extension:
    """``name`` is ``folder/_module``; the sources stand in the same folder of ``csrc``."""
    folder, module = name.split("/")
    return Extension(
        f"fastdis._kernels.{module}",
        [f"csrc/{folder}/{source}" for source in (f"{module}.pyx", *sources)],
        depends=glob("csrc/*/*.h"),  # also what takes the headers into a source release
        include_dirs=["csrc/common", f"csrc/{folder}"],
        extra_compile_args=C_FLAGS,
        libraries=["m"],
        optional=True,
    )


EXTENSIONS = [
    extension("additive/_additive", "additive.c", "additive_tiles.c"),
    extension("constant_q/_constant_q", "constant_q.c"),
    extension("curve/_curve", "curve.c"),
    extension("noise/_noise", "noise.c"),
    extension("oscillator/_oscillator", "oscillator.c", "phases.c", "series.c"),
    extension("spectral/_frames", "frames.c"),
    extension("spectral/_partials_mel", "partials_mel.c"),
    extension("spectral/_spectral", "spectral.c", "spectral_inverse.c"),
]

setup(ext_modules=cythonize(EXTENSIONS, language_level=3, build_dir="build/cython"))

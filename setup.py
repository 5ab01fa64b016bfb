"""The list of C extensions; everything else stands in pyproject.toml."""

from glob import glob

from Cython.Build import cythonize
from setuptools import Extension, setup

# Without a C compiler the package still installs: the NumPy twins run, and backends() says so.
C_FLAGS = ["-O3", "-std=c11", "-fno-math-errno", "-fno-trapping-math"]


def extension(name: str, *sources: str) -> Extension:
    return Extension(
        f"fastdis._kernels.{name}",
        [f"csrc/{source}" for source in sources],
        depends=glob("csrc/*.h"),  # also what takes the headers into a source release
        include_dirs=["csrc"],
        extra_compile_args=C_FLAGS,
        libraries=["m"],
        optional=True,
    )


EXTENSIONS = [
    extension("_additive", "_additive.pyx", "additive.c", "additive_tiles.c"),
    extension("_constant_q", "_constant_q.pyx", "constant_q.c"),
    extension("_curve", "_curve.pyx", "curve.c"),
    extension("_frames", "_frames.pyx", "frames.c"),
    extension("_limits", "_limits.pyx", "peak.c"),
    extension("_noise", "_noise.pyx", "noise.c"),
    extension("_oscillator", "_oscillator.pyx", "oscillator.c", "phases.c", "series.c"),
    extension("_partials_mel", "_partials_mel.pyx", "partials_mel.c"),
    extension("_spectral", "_spectral.pyx", "spectral.c", "spectral_inverse.c"),
]

setup(ext_modules=cythonize(EXTENSIONS, language_level=3, build_dir="build/cython"))

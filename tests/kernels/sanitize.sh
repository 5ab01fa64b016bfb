#!/usr/bin/env bash
# The kernels' tests under AddressSanitizer and UndefinedBehaviorSanitizer, once for each SIMD level
# (or for that of FASTDIS_SIMD_LEVEL: 0, 3 or 4), on a copy of the package built for it. Needs GCC.
set -euo pipefail
shopt -s nullglob
python=${PYTHON:-python3}
root=$(cd "$(dirname "$0")/../.." && pwd)
tests=${TESTS:-"tests/kernels/test_kernels_*.py tests/synthesis tests/features
  tests/test_bad_input.py tests/test_invariants.py"}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# No recovery: undefined behaviour ends the run, as a bad address does.
sanitizers="-fsanitize=address,undefined -fno-sanitize-recover=all"

for level in ${FASTDIS_SIMD_LEVEL:-0 3 4}; do
  flag=$([ "$level" = 3 ] && echo avx2 || echo avx512vl)
  if [ "$level" != 0 ] && ! grep -qw "$flag" /proc/cpuinfo; then
    echo "== level $level: not on this machine"
    continue
  fi
  echo "== level $level"
  mkdir "$work/$level"
  cd "$work/$level"
  cp -r "$root"/{fastdis,csrc,tests,setup.py,pyproject.toml,README.md,LICENSE} .
  rm -f fastdis/_kernels/*.so
  CC=gcc CFLAGS="-DFASTDIS_SIMD_LEVEL=$level -g -fno-omit-frame-pointer $sanitizers" \
    LDFLAGS=$sanitizers "$python" setup.py --quiet build_ext --inplace -j"$(nproc)"
  # Python keeps memory until it exits, so leaks are not looked for. A fork beside busy threads
  # hangs in AddressSanitizer's own allocator, so no test forks. Reports do not go through pytest.
  LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" \
    ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
    FASTDIS_BACKEND=native PYTHONPATH=$PWD \
    "$python" -m pytest -q -x -p no:faulthandler --capture=sys -k "not fork" \
    $tests
done

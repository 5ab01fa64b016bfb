#!/usr/bin/env bash
# The kernels' tests under AddressSanitizer and UndefinedBehaviorSanitizer, once a SIMD level
# (FASTDIS_SIMD_LEVEL; all three by default), on a copy of the package built for it. Needs GCC.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
tests=${TESTS:-"tests/test_kernels_*.py tests/test_synthesis.py tests/test_features*.py
  tests/test_inverse.py tests/test_additive*.py tests/test_noise*.py tests/test_bad_input.py"}
shopt -s nullglob

for level in ${FASTDIS_SIMD_LEVEL:-0 3 4}; do
  if [ "$level" != 0 ] && ! /lib64/ld-linux-x86-64.so.2 --help | grep -q "x86-64-v$level (supported"; then
    echo "== level $level: this CPU does not have it"
    continue
  fi
  echo "== level $level"
  copy=$(mktemp -d)
  trap 'rm -rf "$copy"' EXIT
  cp -r "$root"/{fastdis,csrc,tests,setup.py,pyproject.toml,README.md,LICENSE} "$copy"
  cd "$copy"
  rm -f fastdis/_kernels/*.so
  # No recovery: undefined behaviour ends the run, as a bad address does.
  export CC=gcc CFLAGS="-DFASTDIS_SIMD_LEVEL=$level -g -fno-omit-frame-pointer \
    -fsanitize=address,undefined -fno-sanitize-recover=all" LDFLAGS="-fsanitize=address,undefined"
  "$python" setup.py --quiet build_ext --inplace -j"$(nproc)"
  # Python keeps memory until it exits, so leaks are not looked for. A fork beside busy threads
  # hangs in AddressSanitizer's own allocator, so no test of one.
  LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" \
    ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
    FASTDIS_BACKEND=native PYTHONPATH=$copy \
    "$python" -m pytest -q -x -p no:faulthandler -k "not fork" $tests
done

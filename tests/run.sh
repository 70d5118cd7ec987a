#!/usr/bin/env bash
# Runs every test on a fresh Debian 12: tests/run.sh [arguments of ctest, e.g. -R checkpoint]
#
# Installs what is missing (tools/setup.sh test), builds with CUDA and NCCL compiled in where the CUDA
# toolkit is, and ends with ctest's summary.
set -euo pipefail
cd "$(dirname "$0")/.."

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
began=$SECONDS
tools/setup.sh test
echo "run.sh: set-up took $((SECONDS - began)) s"

began=$SECONDS
cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DLANGEVIN_BUILD_TESTS=ON > build.log 2>&1 ||
  { cat build.log; exit 1; }
grep -E "LibTorch:|CUDA and NCCL:" build.log || true
rm -f build.log
ninja -C build
echo "run.sh: the build took $((SECONDS - began)) s"

# Tests with several ranks use both cores of a small machine; they are marked to run alone.
status=0
ctest --test-dir build --output-on-failure --parallel 2 "$@" | tee build/ctest_output.txt || status=$?
skipped=$(grep -c '\*\*\*Skipped' build/ctest_output.txt) || true
echo "run.sh: $skipped tests were skipped; only checks of tests/gpu may be"
exit "$status"

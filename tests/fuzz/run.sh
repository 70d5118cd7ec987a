#!/usr/bin/env bash
# Fuzzes what parses foreign bytes: tests/fuzz/run.sh [SECONDS-A-TARGET] [TARGET...]
#
# Builds the targets with clang's address and undefined-behaviour sanitizers in build-fuzz, makes a
# small seed corpus (kept and grown between runs in build-fuzz/corpus), and lets each target run for
# so long (8 s). Fails for every input that breaks Langevin's own code; the input is kept in
# build-fuzz/crashes.
#
# Crashes inside a library that is not ours are told and counted, and are no failure: foreign files
# are decoded in the sandbox, where they cost one row of rejected.csv. HDF5 1.10.8 is known for
# them, and for leaks after failed opens, so leaks are not looked for in the two targets that use
# it; and shards, which are read outside the sandbox, are to come from people whom one trusts.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${1:-8}
shift || true
all="idx npy npz png jpeg tiff hdf5 nifti dicom sniff csv manifest shard"
targets=${*:-$all}
build=build-fuzz
python=${LANGEVIN_PYTHON:-.deps/venv/bin/python}

flags="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -g -O1"
if [ ! -e "$build/build.ninja" ]; then
  cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=clang-14 \
    -DCMAKE_CXX_COMPILER=clang++-14 -DCMAKE_CXX_FLAGS="$flags" -DLANGEVIN_FUZZ=ON \
    -DLANGEVIN_WITH_TORCH=OFF -DLANGEVIN_BUILD_TESTS=OFF -DLANGEVIN_WERROR=OFF > "$build.log" 2>&1 ||
    { cat "$build.log"; exit 1; }
  rm -f "$build.log"
fi
programs=()
for target in $targets; do programs+=("${target}_fuzz"); done
ninja -C "$build" "${programs[@]}" > "$build/ninja.log" 2>&1 || { tail -40 "$build/ninja.log"; exit 1; }
"$python" tests/fuzz/seeds.py "$build/seeds"

export UBSAN_OPTIONS=print_stacktrace=1
status=0
for target in $targets; do
  mkdir -p "$build/corpus/$target" "$build/crashes"
  leaks=1
  case "$target" in hdf5 | shard | sniff | dicom) leaks=0 ;; esac
  export ASAN_OPTIONS=detect_leaks=$leaks:allocator_may_return_null=1
  end=$((SECONDS + seconds))
  runs=0 foreign=0 own=0
  # After a crash the target goes on with another seed until its time is up.
  while [ $((end - SECONDS)) -gt 0 ] && [ $own = 0 ]; do
    log="$build/$target.log"
    if "$build/tests/fuzz/${target}_fuzz" "$build/corpus/$target" "$build/seeds/$target" \
      -max_total_time=$((end - SECONDS)) -max_len=65536 -timeout=60 -rss_limit_mb=6000 \
      -malloc_limit_mb=2100 -artifact_prefix="$build/crashes/$target-" -print_final_stats=1 \
      > "$log" 2>&1; then
      crashed=no
    else
      crashed=yes
    fi
    done_runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    runs=$((runs + ${done_runs:-0}))
    [ $crashed = no ] && break
    # Whose code was it in? The first frame that is neither a sanitizer's nor the C library's.
    frame=$(grep -E '^ *#[0-9]+ ' "$log" | grep -vE \
      'libc\.so|libstdc|sanitizer|asan|interceptor|libfuzzer|fuzzer::| in (raise|abort|malloc|calloc|realloc|free|operator new|operator delete|__GI_|memcpy|memmove|memset|__memcpy)' |
      head -1 || true)
    if [[ "$frame" == *libhdf5* || "$frame" == *libtiff* || "$frame" == *libjpeg* ||
      "$frame" == *libdeflate* || "$frame" == *libz.so* || "$frame" == *libgdcm* ||
      "$frame" == *libopenjp2* || "$frame" == *libcharls* ]]; then
      foreign=$((foreign + 1))
    else
      own=1
      status=1
      grep -E 'ERROR|runtime error|SUMMARY|^ *#[0-9]+ ' "$log" | head -20 || true
    fi
  done
  coverage=$(grep -oE 'cov: [0-9]+' "$build/$target.log" | tail -1 || true)
  echo "fuzz: $target: ${runs} inputs, ${coverage:-cov: 0}, $own crashes of ours, $foreign inside libraries"
done
rm -rf /dev/shm/langevin_fuzz_*
exit $status

#!/usr/bin/env bash
# From a fresh Debian 12 to trained samples: launch/quickstart.sh [FOLDER]
#
# Installs packages and LibTorch, builds, prepares Fashion-MNIST, trains a small diffusion UNet on two
# MPI ranks, exports it for diffusers, and draws samples. Everything that it makes is in FOLDER
# (default: quickstart). Interrupted, run it again: each step goes on where it was.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=${1:-quickstart}
data=$folder/fashion_mnist run=$folder/run export=$folder/export samples=$folder/samples
ranks=2
steps=6
step=0
began=$SECONDS

say() { step=$((step + 1)); printf '\n[%d/%d] %s (%d s so far)\n' "$step" "$steps" "$1" $((SECONDS - began)); }

say "Packages and LibTorch"
tools/setup.sh build
if ! [ -e /usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz ]; then
  as_root=""
  [ "$(id -u)" = 0 ] || as_root=sudo
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq dataset-fashion-mnist > /dev/null
fi

say "Build"
cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DLANGEVIN_BUILD_TESTS="$([ -e build/tests ] && echo ON || echo OFF)" > /dev/null
ninja -C build langevin

say "Prepare the data: 70,000 images of garments"
mkdir -p "$folder"
build/langevin prepare --input /usr/share/datasets/fashion-mnist --output "$data"

say "Train on $ranks ranks: 60,000 images, some minutes"
# Root is what containers run as. A signal to stop leaves time for a checkpoint.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
launcher=(mpirun -n $ranks --mca odls_base_sigkill_timeout 60)
if [ "$(nproc)" -lt $ranks ]; then
  launcher+=(--oversubscribe --mca mpi_yield_when_idle 1)
fi
# bf16 is twice as fast where the CPU multiplies it in hardware, and many times slower elsewhere.
precision=FP32
grep -qw avx512_bf16 /proc/cpuinfo && precision=BF16
"${launcher[@]}" build/langevin train --set train.precision=$precision --config fashion_mnist_quickstart \
  --data "$data" --output "$run"

say "Export for diffusers"
build/langevin export --run "$run" --output "$export"

say "Draw 64 samples"
build/langevin sample --model "$export" --output "$samples" --count 64 --steps 50

printf '\nDone in %d s.\n  picture:      %s\n  diffusers:    %s\n  run report:   %s\n  data report:  %s\n' \
  $((SECONDS - began)) "$samples/grid.png" "$export" "$run/report.html" "$data/report.html"

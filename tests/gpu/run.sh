#!/usr/bin/env bash
# What needs real GPUs: tests/gpu/run.sh [CHECK...]   (all of them by default)
#
#   nccl_collectives  every collective of NCCL on device tensors (float32, float64, bfloat16; 1 to
#                     3 Mi numbers a slice) equals the Local backend's result, on 2 and on all GPUs
#   train_on_device   a run of 4 steps on one GPU ends, in fp32 and in bf16, and its checkpoint is good
#   ordered_digest    with reduction ORDERED the digest of that run is the same on 1, 2 and all GPUs
#   bench_step        `bench step` on all GPUs prints a step time with ORDERED and with FAST
#   two_on_one_gpu    two ranks that see a single GPU: preflight names the clash, and training with
#                     backend NCCL is refused with exit code 3
#
# Builds what it needs in build/ unless LANGEVIN names a program. A check that lacks its GPUs is
# skipped, loudly: the last line says how many were. Exit code 0 unless a check failed.
set -uo pipefail
cd "$(dirname "$0")/../.."
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

ALL_CHECKS=(nccl_collectives train_on_device ordered_digest bench_step two_on_one_gpu)
SOURCE=/usr/share/datasets/fashion-mnist
checks=("$@")
[ ${#checks[@]} -gt 0 ] || checks=("${ALL_CHECKS[@]}")
gpus=$(nvidia-smi -L 2> /dev/null | grep -c '^GPU') || true
langevin=${LANGEVIN:-build/langevin}
programs=${LANGEVIN_GPU_PROGRAMS:-build/tests/gpu}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

gpus_needed() {
  case "$1" in
    nccl_collectives | ordered_digest) echo 2 ;;
    *) echo 1 ;;
  esac
}

# The powers of two up to the number of GPUs that are to be compared with one: 2, and the largest.
rank_counts() {
  local largest=1
  while [ $((largest * 2)) -le "$gpus" ] && [ "$largest" -lt 16 ]; do largest=$((largest * 2)); done
  echo 2
  [ "$largest" -le 2 ] || echo "$largest"
}

on_ranks() { mpirun -n "$1" --bind-to none "${@:2}"; }

# train RUN RANKS PRECISION: four steps of 16 microbatches of 4.
train() {
  [ -d "$work/data" ] || "$langevin" prepare --input "$SOURCE" --output "$work/data" > /dev/null || return 1
  on_ranks "$2" "$langevin" train --config fashion_mnist_quickstart --data "$work/data" --output "$1" \
    --set train.total_images=256 --set train.global_batch=64 --set train.microbatch=4 \
    --set train.precision="$3" --set distributed.backend=NCCL --set monitor.sample_every_images=0
}

check_nccl_collectives() {
  for ranks in $(rank_counts); do on_ranks "$ranks" "$programs/nccl_collectives" || return 1; done
}

check_train_on_device() {
  for precision in FP32 BF16; do
    train "$work/one-$precision" 1 "$precision" && "$langevin" inspect "$work/one-$precision" || return 1
  done
}

check_ordered_digest() {
  for precision in FP32 BF16; do
    train "$work/ordered-1-$precision" 1 "$precision" || return 1
    expected=$("$langevin" inspect "$work/ordered-1-$precision" --digest) || return 1
    for ranks in $(rank_counts); do
      train "$work/ordered-$ranks-$precision" "$ranks" "$precision" || return 1
      digest=$("$langevin" inspect "$work/ordered-$ranks-$precision" --digest) || return 1
      [ "$digest" = "$expected" ] || { echo "$ranks GPUs, $precision: $digest, 1 GPU: $expected"; return 1; }
    done
  done
}

check_bench_step() {
  for reduction in ordered fast; do
    on_ranks "$gpus" "$langevin" bench step --unet tests/bench/unet_small.json --batch 32 \
      --precision bf16 --steps 5 --reduction "$reduction" --work "$work" | grep step_ms || return 1
  done
}

check_two_on_one_gpu() {
  export CUDA_VISIBLE_DEVICES=0
  on_ranks 2 "$langevin" preflight 2>&1 | tee "$work/preflight.txt"
  grep -qi "gpu" "$work/preflight.txt" || { echo "preflight does not mention the GPU"; return 1; }
  train "$work/clash" 2 FP32
  [ $? = 3 ] || { echo "two ranks on one GPU were not refused with 3"; return 1; }
}

skipped=0
failed=0
for check in "${checks[@]}"; do
  if [ "$(type -t "check_$check")" != function ]; then
    echo "tests/gpu: there is no check \"$check\"; there are ${ALL_CHECKS[*]}" >&2
    exit 2
  fi
  needed=$(gpus_needed "$check")
  if [ "$gpus" -lt "$needed" ]; then
    echo "tests/gpu: SKIPPED $check: needs $needed GPU(s), this machine has $gpus"
    skipped=$((skipped + 1))
    continue
  fi
  if [ -z "${LANGEVIN:-}" ] && [ -z "${built:-}" ]; then
    { tools/setup.sh test && cmake -S . -B build -G Ninja && ninja -C build langevin nccl_collectives; } || exit 1
    built=1
  fi
  if (check_"$check"); then
    echo "tests/gpu: passed $check"
  else
    echo "tests/gpu: FAILED $check"
    failed=$((failed + 1))
  fi
done
echo "tests/gpu: ${#checks[@]} checks, $failed failed, $skipped skipped for want of GPUs"
[ "$failed" = 0 ]

#!/usr/bin/env bash
# Installs what Langevin needs on Debian 12: tools/setup.sh [build|test]
#
#   build  what building and running needs: system packages and LibTorch (the CPU part alone where
#          there is no NVIDIA driver, everything where there is one)
#   test   that, and what the tests compare with: PyTorch, diffusers, h5py, TensorBoard, Slurm
#
# Run again it does only what is missing. Nothing is installed outside Debian's packages and the
# folder .deps of this repository.
set -euo pipefail
cd "$(dirname "$0")/.."

purpose=${1:-build}
case "$purpose" in
  build | test) ;;
  *) echo "usage: tools/setup.sh [build|test]" >&2; exit 2 ;;
esac

TORCH=2.11.0
BUILD_PACKAGES="g++ cmake ninja-build pkg-config libopenmpi-dev openmpi-bin libhdf5-dev libabsl-dev
  protobuf-compiler libprotobuf-dev libcli11-dev nlohmann-json3-dev libspng-dev libturbojpeg0-dev
  libdeflate-dev libjpeg62-turbo-dev libtiff-dev zlib1g-dev libxxhash-dev libgdcm-dev python3-venv
  ca-certificates"
TEST_PACKAGES="libgtest-dev libgmock-dev clang-format clang-tidy dataset-fashion-mnist
  slurm-wlm slurm-wlm-basic-plugins munge iproute2 procps mricron-data
  clang-14 libclang-rt-14-dev"

as_root=""
if [ "$(id -u)" != 0 ]; then
  command -v sudo > /dev/null || { echo "setup: run as root, or install sudo" >&2; exit 1; }
  as_root=sudo
fi

install_packages() {
  local missing=()
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2> /dev/null | grep -q "ok installed" || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return
  echo "setup: installing ${#missing[@]} system packages"
  $as_root apt-get update -qq
  $as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
}

# pip_install FOLDER-OF-VENV ARGUMENTS...: tries again where the network fails once.
pip_install() {
  local venv=$1
  shift
  [ -x "$venv/bin/pip" ] || /usr/bin/python3 -m venv "$venv"
  for attempt in 1 2 3; do
    "$venv/bin/pip" install --quiet --disable-pip-version-check --retries 5 "$@" && return
    echo "setup: pip failed (attempt $attempt of 3)" >&2
    sleep 5
  done
  echo "setup: could not install $*; check the network and run again" >&2
  exit 1
}

install_packages $BUILD_PACKAGES
mkdir -p .deps
if [ "$purpose" = test ]; then
  install_packages $TEST_PACKAGES
  stamp=".deps/venv/.complete-$(cksum < tests/python/requirements.txt | cut -d ' ' -f 1)"
  if [ ! -e "$stamp" ]; then
    echo "setup: installing PyTorch $TORCH and what the tests compare with (5 GB)"
    pip_install .deps/venv -r tests/python/requirements.txt
    touch "$stamp"
  fi
elif ls .deps/venv/.complete-* > /dev/null 2>&1; then
  : # The tests' environment holds LibTorch too.
elif [ -e /proc/driver/nvidia/version ]; then
  if [ ! -e .deps/libtorch/.complete-cuda-$TORCH ]; then
    echo "setup: installing LibTorch $TORCH with CUDA (5 GB)"
    pip_install .deps/pip --upgrade --target .deps/libtorch torch==$TORCH
    touch .deps/libtorch/.complete-cuda-$TORCH
  fi
elif [ ! -e .deps/libtorch/.complete-cpu-$TORCH ]; then
  echo "setup: installing LibTorch $TORCH (1.3 GB)"
  # The wheel's CPU library is linked with two of CUDA's; the other 4 GB are not needed.
  pip_install .deps/pip --upgrade --no-deps --target .deps/libtorch torch==$TORCH \
    nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85
  touch .deps/libtorch/.complete-cpu-$TORCH
fi
echo "setup: everything for \"$purpose\" is there"

#!/usr/bin/env bash
# Builds the CUDA scorer, libgpu_cuda.so, on a machine that needs neither a card nor a driver nor a CUDA toolkit.
#   scripts/build-cuda.sh                          the library, into $CARGO_TARGET_DIR/cuda (default target/cuda)
#   scripts/build-cuda.sh clippy|test [ARGS...]    the same cargo command over the crate with the feature on
# Wants Rust, g++, python3 with pip, and at first the network for 104 MB of wheels. CUDA_PREFIX holds the toolkit (default
# ~/.cache/portcullis/cuda-13.0, 0.4 GB); WHEELS may name a folder that holds the wheels already.
set -euo pipefail
cd "$(dirname "$0")/.."

prefix=${CUDA_PREFIX:-${XDG_CACHE_HOME:-$HOME/.cache}/portcullis/cuda-13.0}

install_toolkit() {
  local work
  work=$(mktemp -d)
  # shellcheck disable=SC2064 # the folder is known now
  trap "rm -rf '$work'" EXIT
  local from=() # where pip's own configuration says
  [ -z "${WHEELS:-}" ] || from=(--no-index --find-links "$WHEELS")
  python3 -m pip download -q --no-deps --only-binary=:all: --require-hashes "${from[@]}" -d "$work" -r gpu/cuda/wheels.txt
  for wheel in "$work"/*.whl; do python3 -m zipfile -e "$wheel" "$work/unpacked"; done
  local home=$work/unpacked/nvidia/cu13
  chmod +x "$home"/bin/* "$home"/nvvm/bin/*
  ln -s lib "$home/lib64"                           # where nvcc.profile looks
  ln -s libcudart.so.13 "$home/lib/libcudart.so"    # the wheel has the versioned name alone
  mkdir -p "$(dirname "$prefix")"
  rm -rf "$prefix"
  mv "$home" "$prefix"
  rm -rf "$work"
  trap - EXIT
}

# Libraries to link against: the right SONAME, every function that cudarc declares, and each answers with an error. The real
# ones (570 MB) are the run-time machine's.
install_stubs() {
  local cudarc
  cudarc=$(cargo metadata --locked --format-version 1 --features gpu-cuda/cuda |
    python3 -c 'import json,sys; print(next(p["manifest_path"] for p in json.load(sys.stdin)["packages"] if p["name"] == "cudarc"))')
  cudarc=$(dirname "$cudarc")
  local stubs=$prefix/lib/stubs name soname module code
  mkdir -p "$stubs.new"
  while read -r name soname module code; do
    grep -oE '^pub unsafe fn (cu|nvrtc)[A-Za-z0-9_]+' "$cudarc/src/$module/sys/mod.rs" | awk '{print $4}' | sort -u |
      sed "s/.*/int &(void) { return $code; }/" >"$stubs.new/$name.c"
    gcc -shared -fPIC -O1 -w -Wl,-soname,"$soname" -o "$stubs.new/$soname" "$stubs.new/$name.c"
    ln -sfn "$soname" "$stubs.new/$name.so"
  done <<'LIBRARIES'
libcuda     libcuda.so.1      driver   100
libcublas   libcublas.so.13   cublas   1
libcublasLt libcublasLt.so.13 cublaslt 1
libcurand   libcurand.so.10   curand   203
libnvrtc    libnvrtc.so.13    nvrtc    11
LIBRARIES
  rm -rf "$stubs"
  mv "$stubs.new" "$stubs"
}

[ -x "$prefix/bin/nvcc" ] || install_toolkit
[ -e "$prefix/lib/stubs/libnvrtc.so" ] || install_stubs

export CUDA_HOME=$prefix PATH=$prefix/bin:$PATH
export NVCC_REAL=$prefix/bin/nvcc NVCC=$PWD/gpu/cuda/nvcc-lean NVCC_CCBIN=${NVCC_CCBIN:-g++}
export CUDA_COMPUTE_CAP=90           # else candle-kernels asks nvidia-smi; 90 becomes sm_90a: Hopper alone
export CUDARC_CUDA_VERSION=13000
export CUDAFORGE_THREADS=${CUDAFORGE_THREADS:-$(nproc)}

command=${1:-build}
[ $# -eq 0 ] || shift
case "$command" in
  build) unset LD_LIBRARY_PATH; exec cargo build --profile cuda --locked -p gpu-cuda --features cuda "$@" ;;
  clippy) unset LD_LIBRARY_PATH; exec cargo clippy --profile cuda --locked -p gpu-cuda --features cuda --all-targets "$@" -- -D warnings ;;
  # The tests run against the stubs: a driver that says there is no device.
  test) LD_LIBRARY_PATH=$prefix/lib/stubs exec cargo test --profile cuda --locked -p gpu-cuda --features cuda "$@" ;;
  *) echo "build-cuda: found command $command, wanted build, clippy or test" >&2; exit 2 ;;
esac

#!/usr/bin/env bash
# Everything there is to measure on a card, in one call of under eight minutes, into bench/results/<date>-<card>/.
#   bench/gpu/run.sh pack       on the machine that builds: the library and the bench into bench/gpu/prebuilt (22 MB)
#   bench/gpu/run.sh            on the machine with the card (Hopper, driver 580 or newer). No network, no Rust, no toolkit is
#                               needed there, but CUDA 13's libcublas and libcurand: a toolkit's, or those PyTorch brings
# Carry bench/gpu and gpu/models. PyTorch, ONNX Runtime and compute-sanitizer are used where they are; what is not is said.
set -euo pipefail
cd "$(dirname "$0")/../.."
prebuilt=bench/gpu/prebuilt
target=${CARGO_TARGET_DIR:-target}

if [ "${1:-}" = pack ]; then
  scripts/build-cuda.sh
  mkdir -p "$prebuilt"
  for bench in gpu wire_to_limit; do
    built=$(cargo bench --locked -p bench --no-default-features --bench "$bench" --no-run --message-format json |
      python3 -c 'import json,sys; print([m["executable"] for m in map(json.loads, sys.stdin) if m.get("executable")][-1])')
    install -m 755 "$built" "$prebuilt/$bench-bench"
  done
  install -m 755 "$target/cuda/libgpu_cuda.so" "$prebuilt/libgpu_cuda.so"
  strip "$prebuilt"/*
  du -sh "$prebuilt"
  exit
fi

[ -x "$prebuilt/gpu-bench" ] || { echo "run: no $prebuilt; run bench/gpu/run.sh pack on the machine that builds" >&2; exit 1; }
command -v nvidia-smi >/dev/null && card=$(nvidia-smi --query-gpu=name --format=csv,noheader | head -1) || card=no-card
out=bench/results/$(date -u +%F)-$(tr '[:upper:] ' '[:lower:]-' <<<"$card")
mkdir -p "$out"
exec > >(tee "$out/run.log") 2>&1
nvidia-smi 2>/dev/null || echo "no nvidia-smi here"

# The driver's and CUDA 13's libraries, wherever this machine has them.
folders=$(for library in libcuda.so.1 libcublas.so.13 libcublasLt.so.13 libcurand.so.10; do
  find /usr/local/nvidia /usr/local/cuda* /usr/lib /opt "${PYTHON_SITE:-/nonexistent}" -name "$library" -not -path '*/stubs/*' 2>/dev/null | head -1 || true
done | xargs -r -n1 dirname | awk '!seen[$0]++' | paste -sd:)
export LD_LIBRARY_PATH=$folders${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} CUDA_MODULE_LOADING=EAGER
echo "LD_LIBRARY_PATH=$LD_LIBRARY_PATH"

bench=$PWD/$prebuilt/gpu-bench wire=$PWD/$prebuilt/wire_to_limit-bench library=$PWD/$prebuilt/libgpu_cuda.so
failed=0

# within LIMIT COMMAND...: at most LIMIT seconds, and no more than are left of the whole.
within() {
  local left=$((470 - SECONDS)) limit=$1
  shift
  [ "$left" -ge 5 ] || { echo "no time left for: $*"; return 1; }
  timeout "$((limit < left ? limit : left))" "$@"
}
# Benches leave their files under bench-results, where they run.
keep_results() {
  [ ! -d "$out/bench-results" ] || { mv "$out"/bench-results/* "$out/" && rmdir "$out/bench-results"; }
}

echo "== parity and latency"
(cd "$out" && within 170 "$bench" "$library") || failed=1
keep_results

echo "== wire to limit"
(cd "$out" && within 90 "$wire" "$library") || failed=1
keep_results

echo "== peers"
python=${PYTHON:-$(ls /opt/*/.venv/bin/python /opt/venv/bin/python 2>/dev/null | head -1 || true)}
within 110 "${python:-python3}" bench/gpu/peers.py --out "$out" || { echo "peers stopped: $?"; failed=1; }

echo "== compute-sanitizer"
if sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda*/bin/compute-sanitizer 2>/dev/null | head -1) && [ -n "$sanitizer" ]; then
  # racecheck sees shared memory alone; the words between host and card are protocol, which the emulator tests.
  for tool in memcheck racecheck synccheck; do
    (cd "$(mktemp -d)" && PARITY_ALONE=1 within 45 "$sanitizer" --tool "$tool" --error-exitcode 9 "$bench" "$library") \
      >"$out/sanitizer-$tool.txt" 2>&1 || { echo "$tool: see sanitizer-$tool.txt"; failed=1; }
    tail -1 "$out/sanitizer-$tool.txt"
  done
else
  echo "not installed here"
fi
echo "kept in $out"
exit $failed

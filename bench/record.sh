#!/usr/bin/env bash
# Runs every bench on this machine and keeps tables and raw files under bench/results/<date>-<name>.
#   bench/record.sh [NAME]      NAME: the machine in a word; default: family and model of the CPU
# Takes about two minutes after the build. Wants a quiet machine; `packets` wants dpdk-testpmd (apt-get install dpdk),
# `instructions` wants valgrind and gungraun-runner. What is missing is said, and skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

cpu=$(awk -F': ' '/^vendor_id/ {v = $2} /^cpu family/ {f = $2} /^model\t/ {m = $2} END {print v "-" f "-" m}' /proc/cpuinfo)
out=bench/results/$(date -u +%F)-${1:-$cpu}
# Candle spreads over all CPUs otherwise, which at these sizes only costs.
export RAYON_NUM_THREADS=1
raw=${CARGO_TARGET_DIR:-target}/bench-results

cargo bench -p bench --locked --no-run
rm -rf "$raw" "$out"
mkdir -p "$out"
for bench in line gate packets scorer; do
    echo "== $bench"
    cargo bench -p bench --locked --bench "$bench" >"$out/$bench.log" 2>&1 || { cat "$out/$bench.log"; exit 1; }
    rm "$out/$bench.log" # the table is in the raw folder
    cat "$raw/$bench.txt"
done
echo "== instructions"
cargo bench -p bench --locked --bench instructions 2>/dev/null | tee "$out/instructions.txt"
cp "$raw"/*.txt "$raw"/*.hlog "$raw"/*.hgrm "$out/"
echo "kept in $out"

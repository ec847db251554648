#!/usr/bin/env bash
# Runs every bench on this machine and keeps tables and raw files under bench/results/<date>-<name>.
#   bench/record.sh [NAME]      NAME: the machine in a word; default: family and model of the CPU
# Takes about two minutes after the build. Wants a quiet machine; `packets` wants dpdk-testpmd (Debian: dpdk-dev),
# `instructions` wants valgrind. What is missing is said, and skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

cpu=$(awk -F': ' '/^vendor_id/ {v = $2} /^cpu family/ {f = $2} /^model\t/ {m = $2} END {print v "-" f "-" m}' /proc/cpuinfo)
out=bench/results/$(date -u +%F)-${1:-$cpu}
# Candle spreads over all CPUs otherwise, which at these sizes only costs.
export RAYON_NUM_THREADS=1
raw=${CARGO_TARGET_DIR:-target}/bench-results

# The features of the whole workspace, as the product is built and tested: with `-p bench` most of it would be built twice.
build=(cargo bench --workspace --locked)
"${build[@]}" --no-run --bench line --bench gate --bench attached --bench gateways --bench packets --bench scorer
rm -rf "$raw" "$out"
mkdir -p "$out"
for bench in line gate attached gateways packets scorer; do
    echo "== $bench"
    "${build[@]}" --bench "$bench" >"$out/$bench.log" 2>&1 || { cat "$out/$bench.log"; exit 1; }
    rm "$out/$bench.log" # the table is in the raw folder
    cat "$raw/$bench.txt"
done
cp "$raw"/*.txt "$raw"/*.hlog "$raw"/*.hgrm "$out/"
echo "== instructions"
scripts/count.sh | tee "$out/instructions.txt"
echo "kept in $out"

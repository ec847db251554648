#!/usr/bin/env bash
# Trains the model that ships in gpu/models/default: simulated calm days, several seeds, nothing else. The same command
# gives the same weights, bit for bit, on the same build.
set -euo pipefail
cd "$(dirname "$0")/.."

seeds=(101 102 103 104 105 106)
minutes=${MINUTES:-30}
work=${WORK:-out/train}
portcullis=target/release/portcullis

cargo build --release --locked -p appliance
captures=()
for seed in "${seeds[@]}"; do
  dir="$work/calm-$seed"
  "$portcullis" scenario calm --seed "$seed" --minutes "$minutes" --out "$dir"
  "$portcullis" replay "$dir/calm.pcap" --feed itch50 --static --write features --out "$dir"
  captures+=("$dir/features.parquet")
done
"$portcullis" train vae --features "${captures[@]}" --seed 1 --force --out gpu/models/default

#!/usr/bin/env bash
# Trains the model that ships in gpu/models/default on simulated calm markets, and nothing else: the anomaly model, then its
# impact network on the same days. The same commands give the same weights, bit for bit, on the same build.
set -euo pipefail
cd "$(dirname "$0")/.."

work=${WORK:-out/train} # takes 1.2 GB
portcullis=${CARGO_TARGET_DIR:-target}/release/portcullis

cargo build --release --locked -p appliance
"$portcullis" scenario calm --seed 101 --minutes 90 --out "$work"
"$portcullis" replay "$work/calm.pcap" --feed itch50 --static --write features,costs --out "$work"
RAYON_NUM_THREADS=1 "$portcullis" train vae --features "$work/features.parquet" --seed 1 --force --out gpu/models/default

# Refused, and the default stays without one, should it not beat the walk of the present book out of sample.
RAYON_NUM_THREADS=1 "$portcullis" train slippage --features "$work/features.parquet" --costs "$work/costs.parquet" --seed 1 \
    --model gpu/models/default --force --out gpu/models/default

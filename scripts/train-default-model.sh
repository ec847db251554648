#!/usr/bin/env bash
# Trains the model that ships in gpu/models/default on simulated calm markets, and nothing else: the anomaly model with the laws of its
# channels, its slippage network on the same days, then its fat-finger network on days that hold enough orders. The same commands give the same weights, bit for bit, on the same build.
set -euo pipefail
cd "$(dirname "$0")/.."

work=${WORK:-out/train} # takes 4 GB
portcullis=${CARGO_TARGET_DIR:-target}/release/portcullis

cargo build --release --locked -p appliance
"$portcullis" scenario calm --seed 101 --minutes 90 --out "$work"
"$portcullis" replay "$work/calm.pcap" --feed itch50 --static --write features,slippage --out "$work"
RAYON_NUM_THREADS=1 "$portcullis" train vae --features "$work/features.parquet" --seed 1 --force --out gpu/models/default

# The laws of all channels, from eight such days: their tails need more calm than the network does. A day has an opening, which is calm
# too, in its way; these days begin at eleven, so each has one beside it.
days=("$work/features.parquet")
for seed in 102 103 104 105 106 107 108; do
    day=$work/$seed
    "$portcullis" scenario calm --seed "$seed" --minutes 90 --out "$day"
    "$portcullis" replay "$day/calm.pcap" --feed itch50 --static --write features --out "$day"
    rm "$day/calm.pcap"
    days+=("$day/features.parquet")
done
for seed in 111 112 113 114 115 116 117 118; do
    day=$work/$seed
    "$portcullis" scenario open --seed "$seed" --out "$day"
    "$portcullis" replay "$day/open.pcap" --feed itch50 --static --write features --out "$day"
    rm "$day/open.pcap"
    days+=("$day/features.parquet")
done
"$portcullis" train channels --features "${days[@]}" --model gpu/models/default --force --out gpu/models/default

# Refused, and the default stays without one, should it not beat the walk of the present book out of sample.
RAYON_NUM_THREADS=1 "$portcullis" train slippage --features "$work/features.parquet" --slippage "$work/slippage.parquet" --seed 1 \
    --model gpu/models/default --force --out gpu/models/default

# A day has thirty orders a minute. Of each only the tables are kept.
orders=() features=() slippage=()
for seed in 301 302 303 304 305; do
    day=$work/$seed
    "$portcullis" scenario calm --seed "$seed" --minutes 240 --out "$day"
    "$portcullis" replay "$day/calm.pcap" --feed itch50 --static --write features,slippage --out "$day"
    rm "$day/calm.pcap"
    orders+=("$day/orders.csv") features+=("$day/features.parquet") slippage+=("$day/slippage.parquet")
done

# Refused as well should a static size cap find as many errors.
RAYON_NUM_THREADS=1 "$portcullis" train fat-finger --orders "${orders[@]}" --features "${features[@]}" --slippage "${slippage[@]}" \
    --seed 1 --model gpu/models/default --force --out gpu/models/default

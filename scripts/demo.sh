#!/usr/bin/env bash
# Sets up, builds, and plays the flash crash live through DPDK: static limits beside adaptive ones, with a report.
# Arguments go to `portcullis demo` (try --speed 10, --headless).
set -euo pipefail
cd "$(dirname "$0")/.."
echo "demo: builds first, about 8 minutes on two cores from nothing, then plays for 2.5; with scripts/test.sh it takes 7 GB of disk" >&2
scripts/setup.sh

cargo build --release --locked -p appliance -p control
exec "${CARGO_TARGET_DIR:-target}/release/portcullis" demo --out out/demo "$@"

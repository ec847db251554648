#!/usr/bin/env bash
# QuickFIX on both sides of the FIX gateway, in each version: orders, replaces and cancels, with connections cut at random bytes.
# Fails where a message is lost, doubled or unaccounted, or where the gate counts something else than the venue did.
#   scripts/check-fix.sh [ORDERS] [MEAN BYTES BETWEEN CUTS] [SEED]
# Wants a Python with QuickFIX, which QUICKFIX_PYTHON names; scripts/quickfix.sh makes one.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${QUICKFIX_PYTHON:-python3}
"$python" -c 'import quickfix' 2>/dev/null ||
  { echo "check-fix: $python has no QuickFIX: QUICKFIX_PYTHON=\$(scripts/quickfix.sh) $0" >&2; exit 1; }
export QUICKFIX_PYTHON=$python QUICKFIX_ORDERS=${1:-10000} QUICKFIX_CUT_BYTES=${2:-60000} QUICKFIX_SEED=${3:-1}
cargo test --workspace --locked quickfix_on_both_sides -- --nocapture --test-threads 1

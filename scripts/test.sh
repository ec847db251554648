#!/usr/bin/env bash
# Sets up, then runs every check: format, lints, documentation, counted instructions, all tests. The last lines name the tests
# that were skipped; with CI=true a test that could have run here fails instead.
set -euo pipefail
cd "$(dirname "$0")/.."
echo "test: takes 20 to 30 minutes on two cores from nothing; with scripts/demo.sh it takes 7 GB of disk" >&2
scripts/setup.sh

skipped=${CARGO_TARGET_DIR:-target}/skipped-tests
say_skipped() {
  local count=0
  [ ! -f "$skipped" ] || count=$(awk -F': ' '{print $1}' "$skipped" | sort -u | wc -l)
  echo "$count tests skipped"
  [ "$count" -eq 0 ] || sort "$skipped" | sed 's/^/  /'
}
rm -f "$skipped"

cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
# The seqlock and the tables over it are model-checked: loom replaces the atomics, so this is a build of its own.
# Two preemptions catch every mutant in seconds; LOOM_MAX_PREEMPTIONS=3 takes minutes.
LOOM_MAX_PREEMPTIONS=${LOOM_MAX_PREEMPTIONS:-2} RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom cargo test --release -p gate --lib --test loom --locked
scripts/count.sh
trap say_skipped EXIT
cargo test --workspace --locked "$@"

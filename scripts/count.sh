#!/usr/bin/env bash
# Counts the instructions of the hot paths by callgrind, and fails where a row takes over 2 % more than its number says
# (bench/instructions/benches/instructions.rs). Counts do not depend on who else uses the machine; they do on the compiler.
set -euo pipefail
cd "$(dirname "$0")/.."
compiler=1.95.0

found=$(rustc --version | awk '{print $2}')
if [ "$found" != "$compiler" ]; then
  echo "count: skipped: the numbers are those of rustc $compiler, and this is $found" >&2
  exit 0
fi
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
# The runner must be of the crate's version. Installed already, this does nothing.
version=$(sed -n '/^name = "gungraun"$/{n;s/^version = "\(.*\)"$/\1/p}' Cargo.lock)
cargo install --quiet --locked --root "$target/tools" --version "=$version" gungraun-runner
PATH=$target/tools/bin:$PATH cargo bench --locked -p bench-instructions

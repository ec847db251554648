#!/usr/bin/env bash
# Installs libportcullis_gate for C, C++ and Python: headers, shared and static library, pkg-config files.
#   scripts/install-gate-ffi.sh PREFIX [FROM]     e.g. /usr/local
# FROM is a folder with libportcullis_gate.so and .a; built here (about two minutes) when it is left out. One that was built
# with panic = "abort", as --release does, attaches nobody: wanted is --profile ffi.
set -euo pipefail
prefix=$(realpath -m "${1:?install-gate-ffi: wanted the folder to install into, e.g. /usr/local}")
from=${2:-}
[ -z "$from" ] || from=$(realpath "$from")
cd "$(dirname "$0")/.."

if [ -z "$from" ]; then
  # Without the Rust library beside them, so that both are optimised as a whole.
  cargo rustc --locked --profile ffi -p gate-ffi --lib --crate-type cdylib,staticlib
  from=${CARGO_TARGET_DIR:-target}/ffi
fi
crate=dataplane/gate-ffi
header=$crate/include/portcullis_gate.h
abi=$(awk '$2 == "PORTCULLIS_GATE_ABI_VERSION" {print $3}' "$header")
version=$(awk -F'"' '/^version = / {print $2; exit}' Cargo.toml)

install -d "$prefix/include" "$prefix/lib/pkgconfig"
install -m 644 "$header" $crate/include/portcullis_gate.hpp "$prefix/include/"
install -m 755 "$from/libportcullis_gate.so" "$prefix/lib/libportcullis_gate.so.$abi"
ln -sf "libportcullis_gate.so.$abi" "$prefix/lib/libportcullis_gate.so"
install -m 644 "$from/libportcullis_gate.a" "$prefix/lib/"
for name in portcullis_gate portcullis_gate_static; do
  sed -e "s|@PREFIX@|$prefix|" -e "s|@VERSION@|$version|" $crate/$name.pc.in >"$prefix/lib/pkgconfig/$name.pc"
done
echo "installed libportcullis_gate $version (ABI $abi) into $prefix"
echo "for programs to find the shared library: run ldconfig, where $prefix/lib is a folder of the loader's; else link with -Wl,-rpath,$prefix/lib"

#!/usr/bin/env bash
# Installs what a fresh Debian 12 or 13 needs to build and test Portcullis. The Rust toolchain itself is expected
# (https://rustup.rs, 1.95 or newer). Run by demo.sh and test.sh; does nothing when all is there.
set -euo pipefail

# package        why
packages=(
  build-essential # cc and ld: the DPDK shim and zstd are C; the examples of dataplane/gate-ffi are C and C++
  pkg-config      # finds libdpdk
  libdpdk-dev     # DPDK headers, libraries and poll-mode drivers (net_pcap, af_packet, af_xdp, ring, null)
  valgrind        # a test runs an order process in C under it
  python3         # a test runs an order process in Python
  iproute2        # tests make network namespaces and veth pairs
  b3sum           # a test pastes the officer's page, which checks a record of the audit log with it
)

if ! command -v cargo >/dev/null; then
  echo "setup: no Rust toolchain found; install one (rustup, 1.95 or newer) and run this again" >&2
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "setup: as root, run: apt-get install ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
echo "setup: installing ${missing[*]}" >&2
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"

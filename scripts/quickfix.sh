#!/usr/bin/env bash
# Makes a Python with QuickFIX in the directory named (default: target/quickfix), which pip builds from source in a few minutes, and prints
# its path, to be put into QUICKFIX_PYTHON for the tests of the FIX gateway.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=${1:-target/quickfix}
if [ ! -x "$dir/bin/python" ] || ! "$dir/bin/python" -c 'import quickfix' 2>/dev/null; then
  missing=()
  for package in python3-venv python3-dev g++; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    "${as_root[@]}" apt-get update -q >&2
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >&2
  fi
  mkdir -p "$(dirname "$dir")"
  python3 -m venv "$dir" >&2
  "$dir/bin/pip" install -q 'quickfix==1.16.0' >&2
  "$dir/bin/python" -c 'import quickfix'
fi
realpath -s "$dir/bin/python"

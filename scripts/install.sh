#!/usr/bin/env bash
# Installs portcullis, portcullisctl and portcullis-rest with manual pages, completions, the host's files and documents.
#   scripts/install.sh PREFIX [FROM]     e.g. /usr  (the systemd unit starts /usr/bin/portcullis)
# FROM is a folder with the programs; built here (about 8 minutes on two cores) when it is left out. The programs are installed
# without debug information, four fifths of their bytes; it lies in PREFIX/bin/.debug, where gdb, perf and valgrind look for it.
# Set DESTDIR to install into a folder that is packed later. Nothing is started, enabled or configured.
set -euo pipefail
prefix=$(realpath -m "${1:?install: wanted the folder to install into, e.g. /usr}")
from=${2:-}
[ -z "$from" ] || from=$(realpath "$from")
cd "$(dirname "$0")/.."
for tool in objcopy install; do
  command -v $tool >/dev/null || { echo "install: $tool not found (Debian: binutils, coreutils)" >&2; exit 1; }
done

if [ -z "$from" ]; then
  scripts/setup.sh
  cargo build --release --locked -p appliance -p control -p rest
  from=${CARGO_TARGET_DIR:-target}/release
fi
for program in portcullis portcullisctl portcullis-rest; do
  [ -x "$from/$program" ] || { echo "install: no program $program in $from" >&2; exit 1; }
done

root=${DESTDIR:-}$prefix
debug=$root/bin/.debug
install -d "$root/bin" "$debug" "$root/share/man/man1" "$root/share/bash-completion/completions" \
  "$root/share/zsh/site-functions" "$root/share/fish/vendor_completions.d" "$root/share/doc/portcullis" "$root/share/portcullis"
for program in portcullis portcullisctl portcullis-rest; do
  objcopy --only-keep-debug --compress-debug-sections=zlib "$from/$program" "$debug/$program.debug"
  # Installed under another name first: a running program's file is replaced, never written to.
  objcopy --strip-debug --add-gnu-debuglink="$debug/$program.debug" "$from/$program" "$root/bin/.$program.new"
  chmod 755 "$root/bin/.$program.new"
  chmod 644 "$debug/$program.debug"
  mv "$root/bin/.$program.new" "$root/bin/$program"
done

"$from/portcullisctl" man --out "$root/share/man/man1" >/dev/null
"$from/portcullisctl" completions bash >"$root/share/bash-completion/completions/portcullisctl"
"$from/portcullisctl" completions zsh >"$root/share/zsh/site-functions/_portcullisctl"
"$from/portcullisctl" completions fish >"$root/share/fish/vendor_completions.d/portcullisctl.fish"
"$from/portcullis" run --print-default-config >"$root/share/portcullis/reference.toml"
cp -r nic-config/. "$root/share/portcullis/"
install -m 644 README.md CHANGELOG.md ARCHITECTURE.md LICENSE "$root/share/doc/portcullis/"
chmod -R u=rwX,go=rX "$root/share/portcullis" "$root/share/doc/portcullis"

du -h "$root"/bin/portcullis* "$debug"/*.debug | sed 's/^/installed /'
echo "next: $prefix/share/portcullis/README.md, \"Order of work\""

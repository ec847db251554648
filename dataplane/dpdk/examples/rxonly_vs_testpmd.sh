#!/usr/bin/env bash
# Receives and frees with examples/rxonly.rs and with dpdk-testpmd --forward-mode=rxonly, in turn, on net_null and on
# net_pcap, and prints one line of JSON for each run. Same CPU, same burst, same mempool.
#
#   rxonly_vs_testpmd.sh [ROUNDS] [SECONDS]        default 3 rounds of 2 seconds
#
# As root it takes 256 huge pages of 2 MB for the time it runs. testpmd is in Debian's package dpdk-dev. testpmd wants two
# CPUs; the second one (CPU) is the one both are measured on.
set -euo pipefail
cd "$(dirname "$0")/../../.."

rounds=${1:-3} seconds=${2:-2}
MAIN=${MAIN:-0} CPU=${CPU:-1}
command -v dpdk-testpmd >/dev/null || { echo "rxonly_vs_testpmd: no dpdk-testpmd; apt-get install dpdk-dev" >&2; exit 1; }

work=$(mktemp -d)
pages=$(sysctl -n vm.nr_hugepages)
restore() { sysctl -qw "vm.nr_hugepages=$pages" || true; rm -rf "$work"; }
trap restore EXIT
memory=(--no-huge --no-shconf -m 256) ours=(--no-huge) kind=no-huge
if [ "$(id -u)" -eq 0 ] && sysctl -qw vm.nr_hugepages=$((pages + 256)) \
  && [ "$(awk '/HugePages_Free/ {print $2}' /proc/meminfo)" -ge 256 ]; then
  memory=(--in-memory --socket-mem 256) ours=() kind=huge
fi

cargo build --quiet --release -p dpdk --example rxonly
rxonly=${CARGO_TARGET_DIR:-target}/release/examples/rxonly
"$rxonly" --write-pcap "$work/feed.pcap"

# Its output goes to a file, so it is made to write by the line. The worker's CPU time over the packets it received: it sleeps before `start` and after `stop`.
testpmd() {
  local vdev=$1 fifo=$work/fifo log=$work/log worker before after packets
  rm -f "$fifo"; mkfifo "$fifo"
  stdbuf -oL timeout $((seconds + 60)) dpdk-testpmd --lcores "0@$MAIN,1@$CPU" --no-telemetry --no-pci "${memory[@]}" --vdev="$vdev" -- \
    -i --forward-mode=rxonly --burst=64 --mbcache=256 --total-num-mbufs=8191 --no-mlockall --rxd=1024 --txd=1024 \
    <"$fifo" >"$log" 2>&1 &
  local pid=$!
  exec 3>"$fifo"
  until grep -q 'testpmd>' "$log"; do kill -0 "$pid" || { cat "$log" >&2; exit 1; }; sleep 0.1; done
  worker=$(grep -l -E '^(lcore|rte)-worker-?1$' /proc/"$(pgrep -P "$pid" dpdk-testpmd)"/task/*/comm)
  worker=${worker%/comm}
  read -r before _ <"$worker/schedstat"
  echo start >&3; sleep "$seconds"; echo stop >&3
  until grep -q 'Accumulated forward statistics' "$log"; do sleep 0.1; done
  sleep 0.1
  read -r after _ <"$worker/schedstat"
  packets=$(awk '/Accumulated forward statistics/ {all=1} all && /RX-packets:/ {print $2; exit}' "$log")
  echo quit >&3; exec 3>&-; wait "$pid"
  awk -v d="${vdev%%[0-9]*}" -v k="$kind" -v n="$packets" -v ns=$((after - before)) 'BEGIN {
    printf "{\"program\":\"testpmd\",\"driver\":\"%s\",\"memory\":\"%s\",\"work\":\"free\",\"burst\":64,", d, k
    printf "\"packets\":%d,\"mpps\":%.2f,\"cpu_ns\":%.2f}\n", n, n / ns * 1e3, ns / n }'
}

for ((round = 0; round < rounds; round++)); do
  for vdev in net_null0 "net_pcap0,rx_pcap=$work/feed.pcap,infinite_rx=1"; do
    for job in free touch; do
      taskset -c "$CPU" "$rxonly" "${ours[@]}" --vdev "$vdev" --work "$job" --reps 5 --seconds 0.4
    done
    testpmd "$vdev"
  done
done

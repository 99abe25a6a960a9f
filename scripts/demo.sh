#!/usr/bin/env bash
# Ringwall at work, from nothing, on one machine: builds it, lets a real WireGuard client reach a server through it,
# shows what the gateway says about that, and cleans up.
#
#   scripts/demo.sh        needs root, Debian 12 or newer, and Rust
#
# Everything happens in network namespaces of its own. Exit: 0 with the last line `demo: ok`, 2 for arguments
# (it takes none), 1 otherwise.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly ROOT
readonly LAB=demo$$
readonly CLIENT_INTERFACE=wg-demo
readonly SERVER_V4=198.51.100.2
readonly SERVER_V6=2001:db8:2::2
readonly ringwall=$ROOT/target/release/ringwall
work=

heading() { printf '\n== %s\n' "$*"; }
die() { printf 'demo: %s\n' "$*" >&2; exit 1; }
inside() { local role=$1; shift; ip netns exec "$LAB-$role" "$@"; }
# background ROLE LOG COMMAND...: runs in the lab until it is taken down.
background() {
  local role=$1 log=$2
  shift 2
  ip netns exec "$LAB-$role" "$@" >"$work/$log" 2>&1 9>&- &
  disown
}
show() { "$ringwall" --socket "$work/control.sock" show "$@"; }

clean_up() {
  local status=$?
  trap - EXIT
  if [ $status -ne 0 ] && [ -n "$work" ]; then
    printf '\ndemo: failed; the last lines of the gateway and of the client:\n' >&2
    tail -n 20 "$work"/*.log >&2 2>/dev/null || true
  fi
  # Ends what runs in the lab's namespaces, the gateway and the client included.
  "$ROOT/scripts/lab.sh" down --name "$LAB" || status=1
  [ -z "$work" ] || rm -rf "$work"
  [ $status -ne 0 ] || printf '\ndemo: ok\n'
  exit $status
}

# wait_for WHAT COMMAND...: tries for ten seconds.
wait_for() {
  local what=$1 attempt
  shift
  for ((attempt = 0; attempt < 100; attempt++)); do
    "$@" >/dev/null 2>&1 && return 0
    sleep 0.1
  done
  die "$what: not within 10 seconds"
}

build() {
  heading "Build (some minutes the first time)"
  "$ROOT/scripts/setup.sh" build lab
  cargo build --manifest-path "$ROOT/Cargo.toml" --release --locked --package ringwall
  "$ringwall" --version
}

lay_out() {
  heading "Lab: client -- gateway -- server, in network namespaces"
  exec 9>/run/ringwall-demo.lock
  flock --nonblock 9 || die "another demo is running"
  trap clean_up EXIT
  work=$(mktemp -d)
  "$ROOT/scripts/lab.sh" up --name "$LAB" --topology client --queues 2
  for role in client gateway server; do
    ip -n "$LAB-$role" -brief address show scope global | sed "s/^/$role  /"
  done
}

make_keys() {
  umask 077
  "$ringwall" genkey >"$work/gateway.key"
  "$ringwall" genkey >"$work/client.key"
  "$ringwall" pubkey <"$work/gateway.key" >"$work/gateway.pub"
  "$ringwall" pubkey <"$work/client.key" >"$work/client.pub"
}

start_gateway() {
  heading "Gateway: ringwall run, on config/lab/gateway.toml"
  make_keys
  cp "$ROOT/config/lab/gateway.toml" "$work/gateway.toml"
  mkdir "$work/gateway.d"
  cat >"$work/gateway.d/client.toml" <<END
[[wireguard.peer]]
name = "laptop"
public_key = "$(cat "$work/client.pub")"
allowed_ips = ["10.8.0.2/32", "fd00:8::2/128"]

[telemetry]
control_socket = "$work/control.sock"
END
  "$ringwall" check "$work/gateway.toml"
  background gateway gateway.log "$ringwall" run --config "$work/gateway.toml"
  wait_for "the gateway becomes ready" inside gateway curl -fsS --max-time 1 http://127.0.0.1:9586/readyz
  "$ringwall" --socket "$work/control.sock" status
}

start_client() {
  heading "Client: wireguard-go, a stock WireGuard"
  background client client.log env LOG_LEVEL=error wireguard-go -f "$CLIENT_INTERFACE"
  wait_for "the client's interface appears" inside client wg show "$CLIENT_INTERFACE"
  inside client wg set "$CLIENT_INTERFACE" private-key "$work/client.key" \
    peer "$(cat "$work/gateway.pub")" endpoint 192.0.2.1:51820 \
    allowed-ips 10.8.0.0/24,198.51.100.0/24,fd00:8::/64,2001:db8:2::/64
  ip -n "$LAB-client" address add 10.8.0.2/24 dev "$CLIENT_INTERFACE"
  ip -n "$LAB-client" address add fd00:8::2/64 dev "$CLIENT_INTERFACE" nodad
  ip -n "$LAB-client" link set "$CLIENT_INTERFACE" mtu 1420 up
  ip -n "$LAB-client" route add 198.51.100.0/24 dev "$CLIENT_INTERFACE"
  ip -n "$LAB-client" route add 2001:db8:2::/64 dev "$CLIENT_INTERFACE"
  inside client wg show "$CLIENT_INTERFACE" | grep -E 'endpoint|allowed'
}

ping_server() {
  local target
  heading "Ping through the tunnel"
  for target in "$SERVER_V4" "$SERVER_V6"; do
    inside client ping -n -q -c 5 -i 0.2 -W 2 "$target" | grep -E 'PING|packets|rtt'
  done
}

download() {
  local url
  heading "HTTP download through the tunnel: 64 MiB, compared byte by byte"
  mkdir "$work/www"
  head -c 64M /dev/urandom >"$work/www/file"
  background server httpd.log busybox httpd -f -p '[::]:80' -h "$work/www"
  wait_for "the web server answers" inside server curl -fsS -I --max-time 1 "http://127.0.0.1/file"
  for url in "http://$SERVER_V4/file" "http://[$SERVER_V6]/file"; do
    inside client curl -g -fsS --max-time 60 -o "$work/file" "$url" \
      -w '%{url_effective}  %{size_download} bytes in %{time_total} s\n'
    cmp "$work/www/file" "$work/file" || die "the download differs"
  done
}

measure() {
  local target direction
  heading "iperf3 through the tunnel, 3 seconds each"
  background server iperf3.log iperf3 --server --forceflush
  wait_for "iperf3 listens" grep -q "Server listening" "$work/iperf3.log"
  for target in "$SERVER_V4" "$SERVER_V6"; do
    for direction in "" --reverse; do
      printf '%-16s %-10s' "$target" "$direction"
      # shellcheck disable=SC2086 # no option at all where the direction is empty
      inside client timeout 20 iperf3 --client "$target" --time 3 --format m $direction |
        awk '/receiver/ { print $7, $8; found = 1 } END { exit !found }' || die "iperf3 failed"
    done
  done
}

report() {
  heading "ringwall show peers"
  show peers
  heading "ringwall show drops (the reasons that occurred, and the faults that did not)"
  show drops
  heading "ringwall show runtime"
  show runtime
}

main() {
  if [ $# -gt 0 ]; then sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; fi
  [ "$(id -u)" -eq 0 ] || die "needs root: namespaces, AF_XDP, and packages if some are missing"
  build
  lay_out
  start_gateway
  start_client
  ping_server
  download
  measure
  report
}

main "$@"

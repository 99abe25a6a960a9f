#!/usr/bin/env bash
# A network on one machine: hosts joined by gateways over multi-queue veth, each in its own network namespace.
#
#   scripts/lab.sh up [options]         build the lab NAME (an old one of that name is removed first)
#   scripts/lab.sh down [options]       end what runs inside it and remove it
#   scripts/lab.sh status [options]     its namespaces, addresses and processes
#   scripts/lab.sh shell ROLE [options] a shell inside one namespace
#   scripts/lab.sh sweep                remove labs whose owner process is gone
#
# Options (or environment):
#   --name NAME          LAB_NAME      rw          namespaces are called NAME-ROLE
#   --topology KIND      LAB_TOPOLOGY  client      client | sites, drawn below
#   --queues N           LAB_QUEUES    2           receive and transmit queues of each link end
#   --mtu N              LAB_MTU       1500        MTU of every link
#   --kernel-forwarding  LAB_KERNEL_FORWARDING=1   the gateways' kernels forward (for reference gateways); off by default,
#                                                  so that only the gateway under test can move a packet
#   --owner PID          LAB_OWNER                 `sweep` removes the lab once this process is gone
#
# client: one outside host with a tunnel to the gateway, one server behind it.
#   [client] eth0 ---------------- wan0 [gateway] lan0 ---------------- eth0 [server]
#   192.0.2.2 2001:db8:1::2   192.0.2.1 2001:db8:1::1
#                             198.51.100.1 2001:db8:2::1   198.51.100.2 2001:db8:2::2
#   The server routes the tunnel networks 10.8.0.0/24 and fd00:8::/64 to the gateway.
#
# sites: two sites, each with a host behind its own gateway.
#   [left] eth0 -- lan0 [gwleft] wan0 ------------ wan0 [gwright] lan0 -- eth0 [right]
#   10.1.0.2   10.1.0.1       192.0.2.1       192.0.2.2       10.2.0.1   10.2.0.2
#   fd00:1::2  fd00:1::1      2001:db8:1::1   2001:db8:1::2   fd00:2::1  fd00:2::2
#   Each host's default route is its gateway.
#
# Offloads are off on every end: a frame on a veth is then what a wire would carry, checksums complete, one packet each.
# Exit: 0 ok, 1 failed (nothing is left behind), 2 usage.
set -euo pipefail

readonly STATE=/run/ringwall-lab
readonly OFFLOADS=(rx off tx off sg off tso off gso off gro off rxvlan off txvlan off)

name=${LAB_NAME:-rw}
topology=${LAB_TOPOLOGY:-client}
queues=${LAB_QUEUES:-2}
mtu=${LAB_MTU:-1500}
kernel_forwarding=${LAB_KERNEL_FORWARDING:-0}
owner=${LAB_OWNER:-}

say() { printf 'lab: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
usage() { sed -n '2,34s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }

# inside ROLE COMMAND...
inside() { local role=$1; shift; ip netns exec "$name-$role" "$@"; }

add_namespace() {
  ip netns add "$name-$1"
  echo "$1" >>"$STATE/$name/roles"
  inside "$1" sysctl -qw net.ipv4.ip_forward="$2" net.ipv6.conf.all.forwarding="$2" \
    net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_ra=0 \
    net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 net.ipv4.conf.default.promote_secondaries=1 net.ipv6.conf.default.router_solicitations=0
  ip -n "$name-$1" link set lo up
}

# link ROLE INTERFACE ROLE INTERFACE: a veth pair with the same number of queues both ways (native XDP demands it).
link() {
  local shape=(mtu "$mtu" numrxqueues "$queues" numtxqueues "$queues")
  ip link add name "$2" netns "$name-$1" "${shape[@]}" type veth peer name "$4" netns "$name-$3" "${shape[@]}"
  finish_end "$1" "$2"
  finish_end "$3" "$4"
}

finish_end() {
  # Some kernels give a veth fewer active queues than it was created with.
  inside "$1" ethtool -L "$2" rx "$queues" tx "$queues" 2>/dev/null || true
  inside "$1" ethtool -K "$2" "${OFFLOADS[@]}" >/dev/null
  [ "$(inside "$1" sh -c "ls -d /sys/class/net/$2/queues/rx-* | wc -l")" = "$queues" ] ||
    die "$2 in $1 did not get $queues queues"
  ip -n "$name-$1" link set "$2" up
}

# address ROLE INTERFACE PREFIX...
address() {
  local role=$1 interface=$2 prefix
  shift 2
  for prefix in "$@"; do
    case $prefix in
      *:*) ip -n "$name-$role" address add "$prefix" dev "$interface" nodad ;;
      *) ip -n "$name-$role" address add "$prefix" dev "$interface" ;;
    esac
  done
}

# route ROLE GATEWAY PREFIX...
route() {
  local role=$1 gateway=$2 prefix
  shift 2
  for prefix in "$@"; do ip -n "$name-$role" route add "$prefix" via "$gateway"; done
}

build_client() {
  add_namespace client 0
  add_namespace gateway "$kernel_forwarding"
  add_namespace server 0
  link client eth0 gateway wan0
  link gateway lan0 server eth0
  address client eth0 192.0.2.2/24 2001:db8:1::2/64
  address gateway wan0 192.0.2.1/24 2001:db8:1::1/64
  address gateway lan0 198.51.100.1/24 2001:db8:2::1/64
  address server eth0 198.51.100.2/24 2001:db8:2::2/64
  route server 198.51.100.1 10.8.0.0/24 192.0.2.0/24
  route server 2001:db8:2::1 fd00:8::/64 2001:db8:1::/64
}

build_sites() {
  add_namespace left 0
  add_namespace gwleft "$kernel_forwarding"
  add_namespace gwright "$kernel_forwarding"
  add_namespace right 0
  link left eth0 gwleft lan0
  link gwleft wan0 gwright wan0
  link gwright lan0 right eth0
  address left eth0 10.1.0.2/24 fd00:1::2/64
  address gwleft lan0 10.1.0.1/24 fd00:1::1/64
  address gwleft wan0 192.0.2.1/24 2001:db8:1::1/64
  address gwright wan0 192.0.2.2/24 2001:db8:1::2/64
  address gwright lan0 10.2.0.1/24 fd00:2::1/64
  address right eth0 10.2.0.2/24 fd00:2::2/64
  route left 10.1.0.1 default
  route left fd00:1::1 ::/0
  route right 10.2.0.1 default
  route right fd00:2::1 ::/0
}

# Processes inside a namespace of this lab were started in it: they end with it.
end_processes() {
  local signal=$1 role pids
  while read -r role; do
    pids=$(ip netns pids "$name-$role" 2>/dev/null) || continue
    # shellcheck disable=SC2086 # one word per process id
    [ -z "$pids" ] || kill -"$signal" $pids 2>/dev/null || true
  done <"$STATE/$name/roles"
}

any_process() {
  local role
  while read -r role; do
    [ -z "$(ip netns pids "$name-$role" 2>/dev/null)" ] || return 0
  done <"$STATE/$name/roles"
  return 1
}

remove() {
  [ -e "$STATE/$name/roles" ] || { rm -rf "${STATE:?}/$name"; return 0; }
  local role deadline=$((SECONDS + 2))
  end_processes TERM
  while any_process && [ $SECONDS -lt $deadline ]; do sleep 0.05; done
  end_processes KILL
  while read -r role; do ip netns delete "$name-$role" 2>/dev/null || true; done <"$STATE/$name/roles"
  rm -rf "${STATE:?}/$name"
}

up() {
  [ "$topology" = client ] || [ "$topology" = sites ] || usage
  remove
  mkdir -p "$STATE/$name"
  : >"$STATE/$name/roles"
  echo "$owner" >"$STATE/$name/owner"
  trap 'remove; say "$name was not built; nothing is left of it"' EXIT
  "build_$topology"
  trap - EXIT
}

status() {
  [ -e "$STATE/$name/roles" ] || die "there is no lab called $name"
  local role pids
  while read -r role; do
    printf '%s-%s\n' "$name" "$role"
    ip -n "$name-$role" -brief address show | sed 's/^/  /'
    pids=$(ip netns pids "$name-$role" | tr '\n' ',')
    [ -z "$pids" ] || ps -o pid=,args= -p "${pids%,}" | sed 's/^/  /'
  done <"$STATE/$name/roles"
}

sweep() {
  local directory pid
  for directory in "$STATE"/*/; do
    [ -e "$directory/owner" ] || continue
    pid=$(cat "$directory/owner")
    if [ -z "$pid" ] || kill -0 "$pid" 2>/dev/null; then continue; fi
    name=$(basename "$directory")
    # Somebody else may be sweeping it away at the same moment.
    (remove) 2>/dev/null || [ ! -e "$directory" ] || die "$name cannot be removed"
  done
}

check_machine() {
  local tool
  [ "$(id -u)" -eq 0 ] || die "namespaces need root"
  for tool in ip ethtool sysctl; do
    command -v "$tool" >/dev/null || die "$tool is missing; run scripts/setup.sh lab"
  done
}

main() {
  local verb=${1:-} role=
  [ $# -eq 0 ] || shift
  if [ "$verb" = shell ]; then role=${1:-}; [ -n "$role" ] || usage; shift; fi
  while [ $# -gt 0 ]; do
    case $1 in
      --name) name=${2:?}; shift 2 ;;
      --topology) topology=${2:?}; shift 2 ;;
      --queues) queues=${2:?}; shift 2 ;;
      --mtu) mtu=${2:?}; shift 2 ;;
      --owner) owner=${2:?}; shift 2 ;;
      --kernel-forwarding) kernel_forwarding=1; shift ;;
      *) usage ;;
    esac
  done
  [[ $name =~ ^[a-z0-9][a-z0-9_.-]*$ ]] || die "a lab name has lower-case letters, digits, '-', '_' and '.' only: $name"
  case $verb in
    up) check_machine; up ;;
    down) check_machine; remove ;;
    sweep) check_machine; sweep ;;
    status) check_machine; status ;;
    shell)
      check_machine
      [ -e "/run/netns/$name-$role" ] || die "there is no $name-$role; is the lab up, and is $role one of its roles?"
      exec ip netns exec "$name-$role" "${SHELL:-/bin/bash}"
      ;;
    *) usage ;;
  esac
}

main "$@"

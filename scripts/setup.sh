#!/usr/bin/env bash
# Installs what building, the lab and the benches need, and nothing that is already there.
#
#   scripts/setup.sh LEVEL...      levels: build lab peers bench   (default: build lab)
#
#   build   compilers and headers for `cargo build` and `cargo test`
#   lab     network namespaces with real WireGuard peers: the demo and the root tests
#   peers   boringtun-cli, built once into target/peers
#   bench   what the gateway benches compare against: DPDK testpmd, nftables (includes lab and peers)
#
# Debian 12 or newer (and its derivatives) with Rust; root only when something is missing.
# Quiet and fast when all is there. Exit: 0 ready, 1 something is missing and cannot be had, 2 usage.
set -euo pipefail

readonly BORINGTUN_VERSION=0.7.1
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly ROOT

# clang: the XDP program; gcc, make, m4, pkg-config, libelf, zlib, libclang: the libxdp peer of the ring benches.
readonly BUILD_PACKAGES=(ca-certificates clang gcc libc6-dev libclang-dev libelf-dev linux-libc-dev m4 make pkg-config zlib1g-dev)
readonly LAB_PACKAGES=(busybox curl ethtool iperf3 iproute2 iputils-ping procps util-linux wireguard-go wireguard-tools)
readonly BENCH_PACKAGES=(dpdk-dev nftables)

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

usage() { sed -n '2,13s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }

installed() { dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed; }

# The AF_XDP driver of DPDK carries the ABI version in its package name: librte-net-af-xdp23 on Debian 12.
af_xdp_driver() { apt-cache search --names-only '^librte-net-af-xdp[0-9]+$' | awk 'NR == 1 { print $1 }'; }

need_packages() {
  local package missing=()
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    die "this is not a Debian-like system; install the equivalents of: $*"
  fi
  for package in "$@"; do installed "$package" || missing+=("$package"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" -eq 0 ] || die "missing: ${missing[*]}; run scripts/setup.sh as root, or install them"
  say "installing ${missing[*]}"
  install_packages "${missing[@]}" || die "apt-get could not install: ${missing[*]}"
}

install_packages() {
  local apt=(apt-get -qq -o DPkg::Lock::Timeout=300) log
  log=$(mktemp)
  export DEBIAN_FRONTEND=noninteractive
  # The package lists are fetched only when the first try fails for want of them.
  if "${apt[@]}" install -y --no-install-recommends "$@" >"$log" 2>&1 ||
    { "${apt[@]}" update >"$log" 2>&1 && "${apt[@]}" install -y --no-install-recommends "$@" >>"$log" 2>&1; }; then
    rm -f "$log"
  else
    tail -n 20 "$log" >&2
    rm -f "$log"
    return 1
  fi
}

setup_build() {
  command -v cargo >/dev/null || die "cargo is missing; install Rust 1.95 or newer (https://rustup.rs)"
  need_packages "${BUILD_PACKAGES[@]}"
}

setup_lab() {
  need_packages "${LAB_PACKAGES[@]}"
  [ -c /dev/net/tun ] || die "/dev/net/tun is missing: load the tun module"
}

setup_peers() {
  command -v cargo >/dev/null || die "cargo is missing; install Rust 1.95 or newer (https://rustup.rs)"
  local peers=$ROOT/target/peers
  [ -x "$peers/bin/boringtun-cli" ] && return 0
  say "building boringtun-cli $BORINGTUN_VERSION into target/peers"
  cargo install --quiet boringtun-cli --version "=$BORINGTUN_VERSION" --locked \
    --root "$peers" --target-dir "$peers/build" >&2 || die "boringtun-cli does not build"
  rm -rf "$peers/build"
}

setup_bench() {
  setup_lab
  need_packages "${BENCH_PACKAGES[@]}"
  local driver
  driver=$(af_xdp_driver)
  if [ -n "$driver" ]; then need_packages "$driver"; else say "no AF_XDP driver package for DPDK: testpmd will be left out"; fi
  setup_peers
}

main() {
  local level
  [ $# -gt 0 ] || set -- build lab
  for level in "$@"; do
    case $level in
      build | lab | peers | bench) "setup_$level" ;;
      *) usage ;;
    esac
  done
}

main "$@"

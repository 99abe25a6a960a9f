#!/usr/bin/env bash
# Measures one family of figures on this machine, ours beside its peers on the same input in the same run.
#
#   scripts/bench.sh FAMILY [--quick]     --quick: measures for under a minute; without it, long enough to be quoted.
#                                         Building comes before that, the first time for some minutes.
#
# stdout has one line per figure and peer and nothing else:
#   figure NAME VALUE UNIT peer PEER ratio R       R = ours / peer; below 1 is better for costs, above 1 for rates
# The same, with the facts of the machine and the commit, goes to benches/results/FAMILY.json (FAMILY.quick.json).
# A peer that cannot be had is left out with a line on stderr. Each family says at the top of its file under
# benches/benches/ what it measures and what it leaves out. Exit: 0 measured, 1 failed, 2 usage.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly ROOT
cd "$ROOT"

families() { sed -n '/^\[\[bench\]\]/,/^$/s/^name = "\(.*\)"/\1/p' benches/Cargo.toml; }

usage() {
  sed -n '2,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  printf 'families: %s\n' "$(families | tr '\n' ' ')" >&2
  exit 2
}

main() {
  local family=${1:-} arguments=()
  case ${2:-} in
    --quick) arguments=(--quick) ;;
    '') ;;
    *) usage ;;
  esac
  if [ $# -gt 2 ] || ! families | grep -qx -- "$family"; then usage; fi
  scripts/setup.sh build
  if [ "$family" = gateway ]; then
    scripts/setup.sh bench
    cargo build --release --locked --package ringwall >&2
  fi
  cargo bench --locked --package ringwall-benches --bench "$family" --no-run >&2
  cargo bench --locked --quiet --package ringwall-benches --bench "$family" -- "${arguments[@]}"
}

main "$@"

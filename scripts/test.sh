#!/usr/bin/env bash
# Every check of the project, from a clean checkout: what CI runs and what a change must pass.
#
#   scripts/test.sh [--quick] [--fuzz]
#
#   --quick   leaves out clippy, the documentation, and the tests that wait for a key change in real time (130 s)
#   --fuzz    also runs every fuzz target for 60 seconds (FUZZ_SECONDS), after its corpus
#
# Root runs everything; without root the lab tests say that they are skipped. Every step runs even when an earlier
# one failed. The last line counts: `test: N passed, N failed`. Exit: 0 when nothing failed, 1 otherwise, 2 usage.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly ROOT
cd "$ROOT"
quick=0
fuzz=0
failed_steps=()
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# step NAME COMMAND...: runs it, shows and keeps what it prints, remembers when it failed.
step() {
  local name=$1 begin=$SECONDS
  shift
  printf '\n== %s\n' "$name"
  if "$@" 2>&1 | tee -a "$log"; then
    printf '== %s: ok, %d s\n' "$name" $((SECONDS - begin))
  else
    failed_steps+=("$name")
    printf '== %s: FAILED, %d s\n' "$name" $((SECONDS - begin))
  fi
}

set_up() {
  local levels=(build)
  [ "$(id -u)" -ne 0 ] || levels+=(lab peers)
  scripts/setup.sh "${levels[@]}"
}

run_tests() {
  local skip=()
  [ $quick -eq 0 ] || skip=(-- --skip rekey::)
  cargo test --workspace --locked --no-fail-fast "${skip[@]}"
}

replay_corpora() { cargo test --manifest-path fuzz/Cargo.toml --target-dir target; }

documentation() { RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked; }

run_fuzzers() {
  local seconds=${FUZZ_SECONDS:-60} tools=$ROOT/target/tools target
  # libFuzzer's build flags count as unstable; RUSTC_BOOTSTRAP lets the stable compiler take them.
  export RUSTC_BOOTSTRAP=1
  [ -x "$tools/bin/cargo-fuzz" ] ||
    cargo install --quiet cargo-fuzz --version '^0.13' --locked --root "$tools" --target-dir "$tools/build"
  for target in $("$tools/bin/cargo-fuzz" list --fuzz-dir fuzz); do
    printf -- '-- %s\n' "$target"
    "$tools/bin/cargo-fuzz" run --fuzz-dir fuzz --target-dir target/fuzz --features libfuzzer "$target" -- \
      -max_total_time="$seconds" -max_len=2048 -verbosity=0 -print_final_stats=1 || return 1
  done
}

summary() {
  local passed failed
  passed=$(awk '/^test result:/ { sum += $4 } END { print sum + 0 }' "$log")
  failed=$(awk '/^test result:/ { sum += $6 } END { print sum + 0 }' "$log")
  # A step that failed without a failed test (fmt, clippy, a build) counts as one.
  [ ${#failed_steps[@]} -eq 0 ] || printf '\nfailed steps: %s\n' "${failed_steps[*]}"
  if [ "$failed" -lt ${#failed_steps[@]} ]; then failed=${#failed_steps[@]}; fi
  grep -E '^skipped:' "$log" | sort | uniq -c || true
  printf 'test: %d passed, %d failed\n' "$passed" "$failed"
  [ "$failed" -eq 0 ]
}

main() {
  while [ $# -gt 0 ]; do
    case $1 in
      --quick) quick=1 ;;
      --fuzz) fuzz=1 ;;
      *) sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
    esac
    shift
  done
  set_up
  step "format" cargo fmt --all --check
  [ $quick -eq 1 ] || step "clippy" cargo clippy --workspace --all-targets --locked -- -D warnings
  step "tests" run_tests
  step "fuzz corpora" replay_corpora
  [ $quick -eq 1 ] || step "documentation" documentation
  [ $fuzz -eq 0 ] || step "fuzzing" run_fuzzers
  summary
}

main "$@"

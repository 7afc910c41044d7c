#!/usr/bin/env bash
# Searches every state of a model.
#
#   check.sh MODEL holds [-DNAME...]          it must hold, and all of it must have been searched
#   check.sh MODEL fails ERROR [-DNAME...]    the checker must find an error that matches ERROR
set -euo pipefail
model=$(realpath "$1")
expected=$2
shift 2
error=""
[[ $expected == holds ]] || { error=$1; shift; }

for tool in spin gcc; do
  command -v $tool >/dev/null || { echo "$tool is missing; tests/run installs it"; exit 1; }
done
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"

spin -a "$@" "$model"
# Optimising costs seconds: not for an error that is found in less.
optimise=-O0
[[ $expected == holds ]] && optimise=-O2
gcc $optimise -w -DSAFETY -DCOLLAPSE -DMEMLIM=900 -o pan pan.c
output=$(./pan -m20000 2>&1) || true
grep -E '^pan|errors: |states, stored|transitions|total actual memory|elapsed time' <<<"$output" ||
  true

complain() {
  printf '%s\n' "$output" "$1"
  exit 1
}
if [[ $expected == holds ]]; then
  if ! grep -q 'errors: 0$' <<<"$output"; then
    # The way to the error, as far as anyone reads.
    spin -t -p -g "$@" "$model" 2>&1 | tail -n 300
    complain "the model does not hold"
  fi
  ! grep -qE 'Search not completed|search depth too small|error: ' <<<"$output" ||
    complain "not all of the model was searched"
else
  grep -qE 'errors: [1-9]' <<<"$output" || complain "the checker found nothing wrong"
  grep -qE "^pan:1: $error" <<<"$output" || complain "not the error that was expected: $error"
fi

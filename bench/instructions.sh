#!/usr/bin/env bash
# Counts the instructions of a `send` and of the `poll` that delivers it, 64 bytes, at -O2: the one
# figure here that does not depend on the machine's day.
# Usage: instructions.sh PROGRAM [MOST]: fails when a channel takes more than MOST.
set -euo pipefail
program=$1 most=${2-}
few=20000 many=40000

# The instructions that valgrind counts in a run with so many messages.
count() {
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$1" "$2" 2>&1 |
    sed -n 's/.*Collected : //p'
}
for way in ring channel; do
  figure=$((($(count "$way" $many) - $(count "$way" $few)) / (many - few)))
  printf '%-8s %4d instructions a message\n' "$way" "$figure"
done
if [[ -n $most ]] && ((figure > most)); then
  echo "A channel may take $most." >&2
  exit 1
fi

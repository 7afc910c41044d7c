#!/usr/bin/env bash
# Usage: must_leak.sh PROGRAM TEST_CASE SENTENCE: the test case must fail, and say why.
set -euo pipefail
if output=$("$1" "$2" 2>&1); then
  printf '%s\n' "$output" "the leak in '$2' went unnoticed"
  exit 1
fi
printf '%s\n' "$output"
grep -qE -e "$3" <<<"$output" || { echo "no line matches: $3"; exit 1; }

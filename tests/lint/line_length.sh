#!/usr/bin/env bash
# 100 columns, for comments too (clang-format is told not to reflow those).
set -euo pipefail
cd "$1"
if LC_ALL=C.UTF-8 grep -rnE --include='*.[ch]pp' '^.{101,}' include; then
  echo "These lines are longer than 100 columns."
  exit 1
fi

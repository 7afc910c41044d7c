#!/usr/bin/env bash
# The README has at most 120 lines. Its first example begins before line 20, is the whole of
# examples/ping_pong.cpp but for the comment on top, and compiles as it stands there.
# Usage: readme_example.sh ROOT COMPILER FLAGS...
set -euo pipefail
cd "$1"
shift
if (($(wc -l <README.md) > 120)); then
  echo "README.md has more than 120 lines"
  exit 1
fi
begin=$(grep -n -m 1 '^```cpp$' README.md | cut -d: -f1)
if [[ -z $begin || $begin -ge 20 ]]; then
  echo "README.md shows no example before line 20"
  exit 1
fi
block=$(tail -n "+$((begin + 1))" README.md | sed '/^```$/,$d')
if [[ $(sed -n '/^#include/,$p' examples/ping_pong.cpp) != "$block" ]]; then
  echo "README.md shows something else than examples/ping_pong.cpp"
  exit 1
fi
"$@" -Iinclude -x c++ -fsyntax-only - <<<"$block"

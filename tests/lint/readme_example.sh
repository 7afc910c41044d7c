#!/usr/bin/env bash
# The README's first example is a part of examples/ping_pong.cpp, word for word, and begins before
# line 20.
set -euo pipefail
cd "$1"
begin=$(grep -n -m 1 '^```cpp$' README.md | cut -d: -f1)
if [[ -z $begin || $begin -ge 20 ]]; then
  echo "README.md shows no example before line 20"
  exit 1
fi
block=$(tail -n "+$((begin + 1))" README.md | sed '/^```$/,$d')
if [[ $(< examples/ping_pong.cpp) != *"$block"* ]]; then
  echo "README.md shows something else than examples/ping_pong.cpp"
  exit 1
fi

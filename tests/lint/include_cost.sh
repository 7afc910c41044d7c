#!/usr/bin/env bash
# Prints what channel.hpp and a transport cost their includer, in preprocessed lines. It compares
# nothing: it puts the figure where somebody who wonders why compiling got slow will find it.
# Usage: include_cost.sh ROOT COMPILER FLAGS...
set -euo pipefail
root=$1
shift
for transport in mach pipe socket loopback; do
  header=$root/include/strait/transports/$transport.hpp
  [[ -f $header && -f $root/include/strait/channel.hpp ]] || continue
  source="#include <strait/channel.hpp>
#include <strait/transports/$transport.hpp>"
  lines=$("$@" "-I$root/include" -x c++ -E -P - <<<"$source" | wc -l)
  # Some come in by the standard library's own doing; it is good to know which.
  heavy=$("$@" "-I$root/include" -x c++ -M - <<<"$source" | tr ' ' '\n' |
    { grep -oE '/(iostream|fstream|sstream|filesystem|regex|functional|chrono|algorithm)$' || true; } |
    tr -d '/ ' | sort -u | paste -sd ' ')
  echo "channel.hpp + transports/$transport.hpp: $lines lines; of the heavy headers: ${heavy:-none}"
done

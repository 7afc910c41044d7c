#!/usr/bin/env bash
# What users include stays below a ceiling, in preprocessed lines with libstdc++ 12. Raise one only
# when what is bought is worth every user's compile time.
# Usage: include_cost.sh ROOT COMPILER FLAGS...
set -euo pipefail
root=$1
shift
failed=0
while read -r ceiling headers; do
  source=
  for header in $headers; do source+="#include <strait/$header>"$'\n'; done
  preprocessed=$("$@" "-I$root/include" -x c++ -E -P - <<<"$source")
  lines=$(wc -l <<<"$preprocessed")
  # Some come in by the standard library's own doing; it is good to know which.
  heavy=$("$@" "-I$root/include" -x c++ -M - <<<"$source" | tr ' ' '\n' |
    { grep -oE '/(iostream|fstream|sstream|filesystem|regex|functional|chrono|algorithm)$' || true; } |
    tr -d '/ ' | sort -u | paste -sd ' ')
  echo "$headers: $lines lines of $ceiling; of the heavy headers: ${heavy:-none}"
  ((lines <= ceiling)) || failed=1
done <<'END'
39400 channel.hpp transports/mach.hpp
36900 channel.hpp transports/pipe.hpp
37100 channel.hpp transports/socket.hpp
53200 channel.hpp transports/loopback.hpp
67300 strait.hpp
END
exit "$failed"

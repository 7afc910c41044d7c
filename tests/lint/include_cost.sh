#!/usr/bin/env bash
# What users include stays within a budget, in preprocessed lines and in files with libstdc++ 12,
# its own and the system's headers counted. Raise one only when what is bought is worth every user's
# compile time (`bench/run build-time` shows it); lower one when something was saved.
# Usage: include_cost.sh ROOT COMPILER FLAGS...
set -euo pipefail
root=$(realpath "$1")
shift
one=$(mktemp -d)
trap 'rm -rf "$one"' EXIT
"$root/.ci/packaging/single_header" "$one"
failed=0
while read -r max_lines max_files headers; do
  source=
  for header in $headers; do source+="#include <$header>"$'\n'; done
  preprocessed=$("$@" "-I$root/include" "-I$one" -x c++ -E -P - <<<"$source")
  lines=$(wc -l <<<"$preprocessed")
  included=$("$@" "-I$root/include" "-I$one" -x c++ -M - <<<"$source" | tr -d '\\' |
    tr ' ' '\n' | grep -E '^/')
  files=$(wc -l <<<"$included")
  # Some come in by the standard library's own doing; it is good to know which.
  heavy=$(grep -oE '/(iostream|fstream|sstream|filesystem|regex|functional|chrono|algorithm)$' \
    <<<"$included" | tr -d '/' | sort -u | paste -sd ' ' || true)
  echo "$headers: $lines lines of $max_lines, $files files of $max_files;" \
    "of the heavy headers: ${heavy:-none}"
  ((lines <= max_lines && files <= max_files)) || failed=1
done <<'END'
36740 432 strait/channel.hpp strait/transports/mach.hpp
33600 395 strait/channel.hpp strait/transports/pipe.hpp
33700 405 strait/channel.hpp strait/transports/socket.hpp
32700 385 strait/channel.hpp strait/transports/loopback.hpp
49400 500 strait/strait.hpp
49100 320 strait.hpp
85900 410 strait_extras.hpp
END
exit "$failed"

#!/usr/bin/env bash
# A header over 400 lines holds more than one thing, unless long_headers.txt gives the reason; none
# has more than 500.
set -euo pipefail
exceptions=$(cd "$(dirname "$0")" && pwd)/long_headers.txt
cd "$1"
failed=0
while IFS= read -r header; do
  lines=$(wc -l <"$header")
  if ((lines > 500)) || { ((lines > 400)) && ! grep -qE "^$header: .+" "$exceptions"; }; then
    echo "$header has $lines lines"
    failed=1
  fi
done < <(find include -name '*.hpp' | sort)
while IFS=: read -r header _; do
  [[ -z $header || $header == '#'* ]] && continue
  if [[ ! -f $header ]] || (($(wc -l <"$header") <= 400)); then
    echo "long_headers.txt excuses $header without need"
    failed=1
  fi
done <"$exceptions"
exit "$failed"

#!/usr/bin/env bash
# Every header begins with #pragma once, before anything else.
set -euo pipefail
cd "$1"
failed=0
while IFS= read -r header; do
  if [[ $(grep -vE '^[[:space:]]*(//.*)?$' "$header" | head -n 1) != '#pragma once' ]]; then
    echo "$header does not begin with #pragma once"
    failed=1
  fi
done < <(find include tests -name '*.hpp' | sort)
exit "$failed"

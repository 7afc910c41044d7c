#!/usr/bin/env bash
# Usage: check.sh FILE COMPILER FLAGS...: see CMakeLists.txt beside this file.
set -euo pipefail

file=$1
shift
# Without carets: a quotation of the source line must not count as the compiler's own words.
no_caret=-fno-diagnostics-show-caret
[[ $("$1" --version) == *clang* ]] && no_caret=-fno-caret-diagnostics
compile=("$@" -fsyntax-only -fmessage-length=0 "$no_caret" "$file")

mapfile -t expected < <(sed -n 's|^// expect: *||p' "$file")
if ((${#expected[@]} == 0)); then
  echo "$file has no line '// expect: strait: ...'"
  exit 1
fi

if ! output=$("${compile[@]}" 2>&1); then
  printf '%s\n' "$output" "The twin that is right does not compile."
  exit 1
fi

failed=0
for i in "${!expected[@]}"; do
  sentence=${expected[i]}
  if [[ $sentence != "strait: "* ]]; then
    echo "An expected sentence does not begin with 'strait: ': $sentence"
    failed=1
  elif output=$("${compile[@]}" "-DSTRAIT_REJECT=$((i + 1))" 2>&1); then
    echo "With -DSTRAIT_REJECT=$((i + 1)) it compiles. It should say: $sentence"
    failed=1
  elif ! grep 'error: ' <<<"$output" | grep -qF -- "$sentence"; then
    printf '%s\n' "$output" "With -DSTRAIT_REJECT=$((i + 1)) no error says: $sentence"
    failed=1
  fi
done
exit "$failed"

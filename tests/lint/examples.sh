#!/usr/bin/env bash
# Each example is in examples/README.md and has fewer than 60 lines; a complete program, which
# stands under that heading there, has 120 at the most.
set -euo pipefail
cd "$1/examples"
failed=0
complain() {
  echo "examples/$1 $2"
  failed=1
}
complete=$(sed -n '/^## Complete programs/,/^## Choosing/p' README.md)
for example in *.cpp; do
  lines=$(wc -l <"$example")
  if [[ $complete == *"($example)"* ]]; then
    ((lines <= 120)) || complain "$example" "has $lines lines, of which 120 are allowed"
  else
    ((lines < 60)) || complain "$example" "has $lines lines, of which 59 are allowed"
    grep -qF "($example)" README.md || complain "$example" "is not in examples/README.md"
  fi
done
exit "$failed"

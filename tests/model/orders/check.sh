#!/usr/bin/env bash
# Runs a header of the library under Relacy, which gives each load any value that the C++ memory
# model allows, and then with each memory order made weaker, of which it must find every one.
#
#   check.sh ROOT HEADER PROGRAM COMPILER FLAGS...
set -euo pipefail
root=$1 header=$2 program=$3
shift 3
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

# The header with the model's atomics, as text: it is the code itself that runs.
modelled() {
  sed -E -e 's|#include "strait/base/atomic.hpp"|#include "model.hpp"|' \
    -e '/"strait\/os\/futex.hpp"/d' \
    -e '/^static_assert\(offsetof/,/;$/d' \
    -e '/^using strait::detail::/d' \
    -e 's/return \*reinterpret_cast<Atomic<.*$/return model::word_at(at);/' \
    -e 's/\<Atomic</model::Atomic</g' -e 's/MemoryOrder::/rl::mo_/g' \
    -e 's/os::futex/model::futex/'
}

# runs NAME COMPILER...: compiles and runs the model with the header that is given as input.
runs() {
  local at=$directory/$1
  shift
  mkdir -p "$at/$(dirname "$header")"
  modelled >"$at/$header"
  if ! "$@" -w -I"$at" -I"$root/tests/model/orders" -I"$root/include" "$program" -o "$at/model" \
    >"$at/output" 2>&1; then
    cat "$at/output"
    echo "the model does not compile"
    exit 1
  fi
  "$at/model" >"$at/output" 2>&1
}

source=$root/include/$header
if ! runs as_it_is "$@" <"$source"; then
  tail -n 100 "$directory/as_it_is/output"
  echo "$header: the orders as they are do not hold"
  exit 1
fi
failed=0
weaker() { [[ $1 == acq_rel ]] && echo acquire release || echo relaxed; }
while IFS=: read -r line text; do
  order=$(sed -E 's/.*MemoryOrder::([a-z_]+).*/\1/' <<<"$text")
  for weak in $(weaker "$order"); do
    name="line $line, $order made $weak"
    if runs "${name// /_}" "$@" \
      < <(sed -E "${line}s/MemoryOrder::$order/MemoryOrder::$weak/" "$source"); then
      echo "$name: not found"
      failed=1
    else
      echo "$name: $(grep -aoE '^[A-Z ]+ \(' "$directory/${name// /_}/output" | head -n 1)found)"
    fi
  done
done < <(grep -nE 'MemoryOrder::(acquire|release|acq_rel)' "$source")
exit "$failed"

#!/usr/bin/env bash
# What costs every user compile time stays out of the library's headers.
set -euo pipefail
cd "$1"
heavy='iostream|filesystem|regex|functional|fmt/[a-z]+\.h'
if grep -rnE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($heavy)[>\"]" include; then
  echo "These headers are too heavy for a library that is included everywhere."
  exit 1
fi

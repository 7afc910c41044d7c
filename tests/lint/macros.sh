#!/usr/bin/env bash
# <windows.h> may have made macros of `min` and `max` before a header is included: called in
# parentheses, as in `(std::max)(a, b)`, they are not taken for these.
set -euo pipefail
cd "$1"
if grep -rnE --include='*.hpp' '^[^/]*\b(min|max)\(' include/strait |
  grep -vE '/(linux|darwin|posix)/|/loops/(asio|glib|libuv|sd_event|uring)'; then
  echo "These calls would be taken for macros of <windows.h>: write (min)(a, b)."
  exit 1
fi

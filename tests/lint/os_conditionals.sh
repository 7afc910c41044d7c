#!/usr/bin/env bash
# Which system this is, is asked in config.hpp alone; a backend differs by type and by file.
set -euo pipefail
cd "$1"
macros='__APPLE__|__MACH__|__linux(__)?|__gnu_linux__|_WIN32|_WIN64|__unix(__)?|__FreeBSD__|__ANDROID__|TARGET_OS_[A-Z]+'
directories=()
for directory in include examples bench tests; do
  [[ -d $directory ]] && directories+=("$directory")
done
if grep -rnE --include='*.[ch]pp' "^[[:space:]]*#[[:space:]]*(el)?if.*\b($macros)\b" \
  "${directories[@]}" | grep -v '^include/strait/config\.hpp:'; then
  echo "These lines ask for the operating system outside include/strait/config.hpp."
  exit 1
fi

#!/usr/bin/env bash
# What a compiler takes for a file that does nothing but include the library, beside its peers:
#
#   bench/run build-time [ROUNDS [COMPILER]]
#
# Each case is compiled once a round, one after the other, without optimising, as one does all day.
# What counts is the compiler's CPU time, not the wall's, so that a machine with other work to do
# says the same; and of that the ratio to Boost's message queue within a round, since seconds of two
# machines don't compare.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
rounds=${1:-9} compiler=${2:-g++}
[[ $rounds =~ ^[1-9][0-9]*$ ]] || { echo "how many rounds? not $rounds" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
.ci/packaging/single_header "$work/one"

names=(boost-mq channel+mach channel+pipe strait.hpp one-file)
flags=(-Iinclude)
add() { printf '#include <%s>\n' "${@:2}" >"$work/$1.cpp"; }
add boost-mq boost/interprocess/ipc/message_queue.hpp
add channel+mach strait/channel.hpp strait/transports/mach.hpp
add channel+pipe strait/channel.hpp strait/transports/pipe.hpp
add strait.hpp strait/strait.hpp
printf '#include "one/strait.hpp"\n' >"$work/one-file.cpp"
# Peers beyond Boost where they are installed.
for peer in zmq.h zmq.hpp nng/nng.h; do
  if echo "#include <$peer>" | "$compiler" -std=c++20 -E -x c++ - >/dev/null 2>&1; then
    add "${peer##*/}" "$peer"
    names+=("${peer##*/}")
  fi
done

# CPU time of one compilation, user's and system's, in milliseconds.
compile() {
  local user kernel
  local TIMEFORMAT='%U %S'
  read -r user kernel < <({ time "$compiler" -std=c++20 -O0 "${flags[@]}" -c "$work/$1.cpp" \
    -o "$work/out.o" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }; } 2>&1)
  awk -v user="$user" -v kernel="$kernel" 'BEGIN { printf "%.0f\n", 1000 * (user + kernel) }'
}

for name in "${names[@]}"; do compile "$name" >/dev/null; done  # into the file cache
for ((round = 0; round != rounds; ++round)); do
  for name in "${names[@]}"; do echo "$name $(compile "$name")" >>"$work/times"; done
done

lines=$(for name in "${names[@]}"; do
  echo "$name $("$compiler" -std=c++20 "${flags[@]}" -E -P "$work/$name.cpp" | wc -l)"
done)
echo "$("$compiler" --version | head -n 1), -O0, medians of $rounds rounds"
echo
echo "| included | CPU ms | over boost-mq | preprocessed lines |"
echo "|---|---:|---:|---:|"
awk -v lines="$lines" -v rounds="$rounds" '
  function median(list, n,    i, j, swap) {
    for (i = 2; i <= n; ++i)
      for (j = i; j > 1 && list[j - 1] > list[j]; --j) {
        swap = list[j]; list[j] = list[j - 1]; list[j - 1] = swap
      }
    return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
  }
  BEGIN {
    count = split(lines, word, /[ \n]+/)
    for (i = 1; i < count; i += 2) size[word[i]] = word[i + 1]
  }
  { if (!($1 in seen)) order[++names] = $1; time[$1, ++seen[$1]] = $2 }
  END {
    for (i = 1; i <= names; ++i) {
      name = order[i]
      for (r = 1; r <= rounds; ++r) {
        ms[r] = time[name, r]
        ratio[r] = time[name, r] / time["boost-mq", r]
      }
      printf "| %s | %d | %.2f | %d |\n", name, median(ms, rounds), median(ratio, rounds), size[name]
    }
  }' "$work/times"

#!/usr/bin/env bash
# two_machines.sh SOURCE PROGRAM: the five lines of the README's "Two machines" are the example's,
# and the example talks between two network namespaces.
set -euo pipefail
source=$1
program=$2
lines=$(sed -n '/^## Two machines/,/^## Beside/p' "$source/README.md" | sed -n '/^```cpp/,/^```$/p' |
  sed -e '/^```/d' -e 's| *//.*||')
[[ $(wc -l <<<"$lines") == 5 ]] || { echo "README.md does not show five lines" >&2; exit 1; }
while IFS= read -r line; do
  grep -qF -- "$line" "$source/examples/zmq_two_machines.cpp" ||
    { echo "examples/zmq_two_machines.cpp has no: $line" >&2; exit 1; }
done <<<"$lines"

one=strait-$$-a
other=strait-$$-b
if ((EUID != 0)) || ! ip netns add "$one" 2>/dev/null; then
  echo "skipped: only root, with a program called ip, can play two machines"
  exit 0
fi
directory=$(mktemp -d)
server=
cleanup() {
  [[ -z $server ]] || kill "$server" 2>/dev/null || true
  ip netns del "$one" 2>/dev/null || true
  ip netns del "$other" 2>/dev/null || true
  rm -rf "$directory"
}
trap cleanup EXIT
ip netns add "$other"
ip link add strait0 netns "$one" type veth peer name strait0 netns "$other"
ip -n "$one" addr add 10.214.0.1/24 dev strait0
ip -n "$other" addr add 10.214.0.2/24 dev strait0
ip -n "$one" link set strait0 up
ip -n "$other" link set strait0 up

ip netns exec "$one" "$program" listen 'tcp://*:5555' "$directory/token" >"$directory/server" &
server=$!
ip netns exec "$other" "$program" connect tcp://10.214.0.1:5555 "$directory/token" \
  >"$directory/client"
wait "$server"
server=
grep -q 'pong 7' "$directory/client"
grep -q 'peer has closed' "$directory/server"

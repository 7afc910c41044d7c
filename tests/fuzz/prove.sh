#!/usr/bin/env bash
# Proves that the fuzzers can find: takes one check out of a copy of the library at a time, and a
# fuzzer has to notice within two minutes, from the corpus as it is.
#
#   tests/fuzz/prove.sh [TARGET]     all proofs, or those of one target; needs clang
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# target | header | what to take out, for sed: it must change the header
proofs=(
  'frames|detail/frame_reader.hpp|s/header_.continued != 0 || //'
  'frames|detail/frame_reader.hpp|/header_.bytes > max_message_bytes/d'
  'frames|detail/frame_reader.hpp|s/buffered() >= sizeof header_ + header_.bytes/buffered() >= header_.bytes/'
  'handshake|detail/handshake.hpp|/hello.options.queue_bytes != options.queue_bytes/d'
  'handshake|detail/handshake.hpp|/Token::from_bytes(hello.token) != token/d'
  'handshake|mach_transport.hpp|s/return Errc::malformed;  \/\/ all is well, and there is no link//'
  'lane|mach_transport.hpp|/message.bytes > fragment_bytes/d'
  'lane|mach_transport.hpp|/message.bytes > max_message_bytes - incoming_.size()/d'
  'lane|mach/regions.hpp|s/note.slot >= kept_regions/false/'
  'ends|mach/linux/lane.hpp|s/ || position % detail::word_bytes != 0//'
  'ends|socket_transport.hpp|/contents.size() != 2/d'
  'mach_message|mach/darwin/message.hpp|s/parcel.header.bytes > room ||//;s/round_message(parcel.header.bytes) != room/false/'
)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
for proof in "${proofs[@]}"; do
  IFS='|' read -r target rest <<<"$proof"
  header=${rest%%|*}
  change=${rest#*|}
  [[ -z ${1-} || $1 == "$target" ]] || continue
  rm -rf "$work/include"
  cp -r include "$work"
  sed -i "$change" "$work/include/strait/$header"
  if cmp -s "include/strait/$header" "$work/include/strait/$header"; then
    echo "NOT CHANGED: $header has nothing for '$change'"
    failed=1
    continue
  fi
  sources=("tests/fuzz/$target.cpp")
  [[ $target == mach_message ]] && sources+=(tests/support/scripted_mach.cpp)
  clang++ -std=c++20 -w -O1 -g1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
    -I"$work/include" -Itests "${sources[@]}" -pthread -o "$work/fuzz"
  mkdir -p "$work/found"
  start=$SECONDS
  if "$work/fuzz" -max_total_time=120 -max_len=600 -timeout=10 -verbosity=0 -artifact_prefix="$work/" \
    "$work/found" "tests/fuzz/corpus/$target" >"$work/log" 2>&1; then
    echo "NOT FOUND: $target does not notice '$change' in $header"
    failed=1
  else
    echo "found after $((SECONDS - start)) s: $target without '$change' in $header"
  fi
done
exit $failed

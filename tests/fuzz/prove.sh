#!/usr/bin/env bash
# Shows that the fuzzers find faults: for each line of the table below one check is taken out of a
# copy of the headers, and the target built against that copy has to fail within two minutes, from
# no corpus at all. Needs clang with its sanitizers, and the libraries of adapters. With arguments: only these targets.
#
# A new proof is a line: the target, the header, and what sed does to exactly one line of it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

seconds=120
proofs='
frames       | framing/frame_reader.hpp  | s/header_.continued != 0 || //
frames       | framing/frame_reader.hpp  | s/if (header_.bytes > max_message_bytes) return/if (false) return/
frames       | framing/frame_reader.hpp  | s/if (left != 0) std::memmove/if (false) std::memmove/
frames       | transports/socket.hpp     | s/if (rights_.size() < count) return Errc::malformed;//
frames       | transports/socket.hpp     | s/rights_.size() > reader_.rights_begun()/false/
frames       | framing/frame_reader.hpp  | s/max(gulp_bytes, 2 \* large_.size())/header_.bytes/
frames       | os/posix/socket.hpp         | s/(MSG_CTRUNC | MSG_TRUNC)/MSG_TRUNC/
handshake    | handshake/hello.hpp     | s/if (bytes.size() != sizeof hello) return Errc::malformed;//
handshake    | handshake/hello.hpp     | s/if (Token::from_bytes(hello.token) != token) return/if (false) return/
handshake    | handshake/hello.hpp     | s/if (bytes.size() != sizeof welcome + .*) {/if (false) {/
handshake    | framing/frame_stream.hpp  | s/ || !is_plain(header)//
handshake    | transports/socket.hpp     | s/return rights.size() == 0 ? hello : Errc::malformed;/return hello;/
rendezvous   | handshake/hello.hpp     | s/if (hello.options.queue_bytes != options.queue_bytes) return/if (false) return/
rendezvous   | transports/mach.hpp       | s/return Errc::malformed;  .. all is well, and there is no link//
lane         | mach/link_receiver.hpp    | s/if (message.bytes > min(fragment_bytes, limits.max_message_bytes)) /if (false) /
lane         | mach/region_cache.hpp         | s/if (message.descriptors != 0 || note.slot >= kept_regions) return/if (false) return/
ends         | transports/socket.hpp     | s/if (contents.size() != 2) return/if (false) return/
struct       | serializers/struct/codec.hpp | s/if (left() < size) return false;//
struct       | serializers/struct/codec.hpp | s/ \&\& count <= left() . min_bytes//
struct       | serializers/struct/codec.hpp | s/if (count > left() . sizeof(Element)) return false;//
cereal       | serializers/cereal.hpp    | s/if (count > elements_left_) throw/if (false) throw/
cereal       | serializers/cereal.hpp    | s/if (value > std::byte{1}) throw/if (false) throw/
cereal       | serializers/cereal.hpp    | s/if (bytes > rest_.size()) throw/if (false) throw/
mach_message | mach/darwin/message.hpp  | s/if (message.size() < at + sizeof(Body)) return Errc::malformed;//
mach_message | mach/darwin/message.hpp  | s/if (at > received.size() || received.size() - at < sizeof(AuditTrailer)) return/if (false) return/
'

sources() {
  local source=tests/fuzz/$1.cpp
  [[ -f $source ]] || source=tests/fuzz/adapters/$1.cpp
  echo "$source tests/support/runtime_dir.cpp"
  [[ $1 != *mach* ]] || echo tests/support/scripted_mach.cpp
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
while IFS='|' read -r target header expression; do
  read -r target <<<"$target"
  read -r header <<<"$header"
  read -r expression <<<"$expression"
  [[ -n $target ]] || continue
  (($# == 0)) || [[ " $* " == *" $target "* ]] || continue

  rm -rf "$work/include" "$work/corpus"
  cp -R include "$work/include"
  mkdir "$work/corpus"
  sed -i.bak "$expression" "$work/include/strait/$header"
  changed=$(diff "$work/include/strait/$header"{.bak,} | grep -c '^<' || true)
  if [[ $changed != 1 ]]; then
    echo "it has to change one line, not $changed: $target | $header | $expression" >&2
    exit 2
  fi

  # shellcheck disable=SC2046
  clang++ -std=c++20 -O1 -g1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -w \
    -I"$work/include" -Itests $(sources "$target") -pthread -o "$work/fuzzer"
  SECONDS=0
  TMPDIR=$work "$work/fuzzer" -max_total_time=$seconds -max_len=600 -timeout=20 -artifact_prefix="$work/" \
    "$work/corpus" >"$work/log" 2>&1 || true
  if why=$(grep -m 1 -E 'does not hold|ERROR: (Addr|Leak|libFuzzer: (timeout|out-of))|runtime error' "$work/log"); then
    echo "found in $SECONDS s ($why): $target | $header | $expression"
  else
    echo "NOT FOUND in $SECONDS s: $target | $header | $expression"
    failures=$((failures + 1))
  fi
done <<<"$proofs"
((failures == 0))

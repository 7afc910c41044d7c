#!/usr/bin/env bash
# A header includes only what stands in its own room or below: see rooms.txt. A header that no line
# of it names stands on top. What is one system's own is included from its own folder, or by a
# header that chooses between the systems. The systems' own headers are included in os/ and in the
# systems' folders alone, those of other libraries in loops/, serializers/ and transports/zmq.
set -euo pipefail
rooms=$(cd "$(dirname "$0")" && pwd)/rooms.txt
cd "$1/include/strait"
if grep -rnE --include='*.hpp' '^#include <(sys/|mach/)?[a-z0-9_]+\.h>' . | grep -vE '^\./(os/|mach/linux/|mach/darwin/|mach/windows/|loops/|transports/zmq[/.])'; then
  echo "These headers of a system are included outside the folders that are about one."
  exit 1
fi
grep -rnoE --include='*.hpp' '^#include "strait/[^"]+"' . | sed 's/#include "strait\///; s/"$//; s/^\.\///' |
  awk -F: -v rooms="$rooms" '
    BEGIN {
      while ((getline line < rooms) > 0) {
        if (line ~ /^#/) continue
        ++floors
        count = split(line, names, " ")
        for (i = 1; i <= count; ++i) floor[names[i]] = floors
      }
    }
    function floor_of(header) {
      if (header in floor) return floor[header]
      room = header
      sub(/\/.*/, "/", room)
      return room in floor ? floor[room] : floors + 1
    }
    function system_of(header) {
      if (header ~ /\/linux\//) return "linux"
      if (header ~ /\/darwin\//) return "darwin"
      if (header ~ /(^|\/)windows\//) return "windows"
      return ""
    }
    floor_of($3) > floor_of($1) {
      print "include/strait/" $1 ":" $2 " includes strait/" $3 " from a room above it"
      failed = 1
    }
    $3 ~ /\/posix\// { posix[$1] }
    system_of($3) != "" && system_of($3) != system_of($1) {
      chosen[$1] = chosen[$1] " " system_of($3)
      where[$1] = "include/strait/" $1 ":" $2 " includes strait/" $3
    }
    END {
      for (header in chosen) {
        if (chosen[header] ~ /linux/ && chosen[header] ~ /darwin/) continue
        # What all but one have in common stands in a folder for them.
        if (chosen[header] ~ /windows/ && header in posix) continue
        print where[header] ", which is about another system"
        failed = 1
      }
      exit failed
    }'

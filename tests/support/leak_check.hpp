#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace strait_test {

/// What a test may not leave behind, as it stands now.
struct ResourceSnapshot {
  std::map<int, std::string> descriptors;  // number -> what it is open on
  std::multiset<std::string> mappings;     // shared mappings, and private ones of a memfd
  std::set<std::string> files;             // everything but directories in the runtime directory
  std::multiset<std::string> mach;         // rights and memory in the played Mach kernel
  bool has_children = false;               // running, or dead and not reaped
  std::size_t events = 0;                  // on Windows, where others make some, too

  static ResourceSnapshot take();
};

/// One sentence for each thing that is there after and was not before, or the other way round
/// (a descriptor closed twice closes somebody else's).
std::vector<std::string> differences(const ResourceSnapshot& before, const ResourceSnapshot& after);

/// What `look` finds, which gives such sentences, or finds no more after a moment: what peers had
/// sent may be closed by a thread in the background.
template <class Look>
std::vector<std::string> after_a_moment(Look look) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{2};
  for (;;) {
    auto found = look();
    if (found.empty() || std::chrono::steady_clock::now() >= end) return found;
    std::this_thread::yield();
  }
}

/// Keeps what was open before the program began from reaching any child it spawns.
void close_inherited_descriptors_on_exec();

}  // namespace strait_test

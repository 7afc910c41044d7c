#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

#include "strait/base/object_bytes.hpp"
#include "strait/os/random.hpp"
#include "strait/result.hpp"
#include "strait/rights/rights.hpp"

namespace strait {

/// Names a right that has arrived: plain data, for any message.
struct RightId {
  std::uint64_t value = 0;
  friend bool operator==(const RightId&, const RightId&) = default;
};

/// Keeps rights under ids, so that later messages can speak of them: a process that has received a
/// right tells its id to the one that shall use it. An id is a random number, which a peer that was
/// not told it does not guess.
///
/// Threads: one at a time. Ownership: what was not taken is closed in the end.
class RightsTable {
 public:
  /// Keeps the first right that is left.
  ///
  /// Errors: `empty`; those of the system's random source. The right stays where it was.
  Result<RightId> keep(Rights& rights) {
    if (rights.empty()) return Errc::empty;
    RightId id;
    do {
      auto filled = os::fill_random(detail::writable_object_bytes(id.value));
      if (!filled) return filled.error();
    } while (id.value == 0 || kept_.contains(id.value));
    kept_.emplace(id.value, Rights(rights.list().split(1)));
    return id;
  }

  /// Takes a right out. Errors: `not_found`; as `Rights::take`, and the right stays.
  template <class T>
  Result<T> take(RightId id) {
    const auto found = kept_.find(id.value);
    if (found == kept_.end()) return Errc::not_found;
    auto taken = found->second.take<T>();
    if (taken) kept_.erase(found);
    return taken;
  }

  /// Closes a right, if it is there.
  void drop(RightId id) { kept_.erase(id.value); }
  std::size_t size() const noexcept { return kept_.size(); }

 private:
  std::map<std::uint64_t, Rights> kept_;
};

}  // namespace strait

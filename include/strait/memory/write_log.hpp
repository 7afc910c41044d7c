#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "strait/base/min_max.hpp"

namespace strait::detail {

/// Which parts of a buffer were written in which of its versions. It holds a bounded number of
/// parts: when there are more, those whose joining costs the fewest bytes become one.
class WriteLog {
 public:
  static constexpr std::size_t max_parts = 64;

  /// The bytes from `begin` up to `end` were written in `version`, which is the latest.
  void add(std::size_t begin, std::size_t end, std::uint64_t version) {
    if (begin >= end) return;
    Parts next;
    for (std::size_t i = 0; i != parts_.count; ++i) {
      const Part& part = parts_.at[i];
      if (part.begin < begin) next.push({part.begin, (min)(part.end, begin), part.version});
    }
    next.push({begin, end, version});
    for (std::size_t i = 0; i != parts_.count; ++i) {
      const Part& part = parts_.at[i];
      if (part.end > end) next.push({(max)(part.begin, end), part.end, part.version});
    }
    while (next.count > max_parts) next.join_cheapest();
    parts_ = next;
  }

  void clear() { parts_.count = 0; }

  /// How many bytes were written after `version`.
  std::size_t bytes_since(std::uint64_t version) const {
    std::size_t bytes = 0;
    for (std::size_t i = 0; i != parts_.count; ++i) {
      if (parts_.at[i].version > version) bytes += parts_.at[i].size();
    }
    return bytes;
  }

  /// Calls `visit(offset, size)` for each part that was written after `version`, until it returns
  /// false; false then.
  template <class Visit>
  bool visit_since(std::uint64_t version, Visit&& visit) const {
    for (std::size_t i = 0; i != parts_.count; ++i) {
      const Part& part = parts_.at[i];
      if (part.version > version && !visit(part.begin, part.size())) return false;
    }
    return true;
  }

 private:
  struct Part {
    std::size_t begin;
    std::size_t end;
    std::uint64_t version;

    std::size_t size() const { return end - begin; }
  };

  /// Parts in the order of their places, none of which overlap.
  struct Parts {
    // Adding one part cuts at most one other in two.
    std::array<Part, max_parts + 2> at;
    std::size_t count = 0;

    Parts() {}  // what lies behind `count` is not looked at
    Parts(const Parts& other) { *this = other; }
    Parts& operator=(const Parts& other) {
      count = other.count;
      for (std::size_t i = 0; i != count; ++i) at[i] = other.at[i];
      return *this;
    }

    void push(const Part& part) {
      if (count != 0 && at[count - 1].end == part.begin && at[count - 1].version == part.version) {
        at[count - 1].end = part.end;
      } else {
        at[count++] = part;
      }
    }

    void join_cheapest() {
      std::size_t best = 0;
      std::size_t best_cost = SIZE_MAX;
      for (std::size_t i = 0; i + 1 != count; ++i) {
        const Part& first = at[i];
        const Part& second = at[i + 1];
        const std::size_t older = first.version < second.version   ? first.size()
                                  : second.version < first.version ? second.size()
                                                                   : 0;
        const std::size_t cost = second.begin - first.end + older;
        if (cost < best_cost) {
          best = i;
          best_cost = cost;
        }
      }
      at[best].end = at[best + 1].end;
      if (at[best].version < at[best + 1].version) at[best].version = at[best + 1].version;
      for (std::size_t i = best + 1; i + 1 != count; ++i) at[i] = at[i + 1];
      --count;
    }
  };

  Parts parts_;
};

}  // namespace strait::detail

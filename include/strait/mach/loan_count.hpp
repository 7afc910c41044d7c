#pragma once

#include <cstdint>

#include "strait/base/atomic.hpp"

namespace strait::detail {

/// Tells the sender of memory that many receivers read when one of them has read it: the sender
/// numbers what it lends at one place of a link, and the receiver counts what it has given back
/// there, in a word that both have mapped. This is the sender's side of one place. A receiver that
/// lies there has its own messages changed while it reads them, or gets no more of them in this
/// way.
///
/// Threads: any.
class LoanCount {
 public:
  using SharedWord = Atomic<std::uint32_t>;
  static_assert(SharedWord::is_always_lock_free);

  /// Whether all up to the loan of this number was given back. What was seen to be back stays so,
  /// whatever the receiver writes later: the link and the pool would count differently.
  bool is_back(const SharedWord& returned, std::uint32_t number) {
    // Partner: compare_exchange, by a thread that has seen it in the receiver's word.
    std::uint32_t seen = seen_.load(MemoryOrder::acquire);
    if (!is_before(seen, number)) return true;
    // Partner: give_back, in the receiver, which has read all it wanted.
    if (is_before(returned.load(MemoryOrder::acquire), number)) return false;
    while (is_before(seen, number) &&
           !seen_.compare_exchange_strong(seen, number, MemoryOrder::release)) {
    }
    return true;
  }

  /// One loan is over; in the receiver, on any thread.
  static void give_back(SharedWord& returned) {
    // Partner: is_back. All that was read comes first, on this thread and on those that have given
    // back before.
    returned.fetch_add(1, MemoryOrder::release);
  }

 private:
  /// The numbers start anew after the last one.
  static bool is_before(std::uint32_t first, std::uint32_t second) {
    return static_cast<std::int32_t>(first - second) < 0;
  }

  Atomic<std::uint32_t> seen_ = 0;
};

}  // namespace strait::detail

#pragma once

#include <atomic>
#include <cstdint>

namespace strait::detail {

/// Tells the sender of memory that many receivers read when one of them has read it: the sender
/// numbers what it lends at one place of a link, and the receiver counts what it has given back
/// there, in a word that both have mapped. A receiver that lies there has its own messages changed
/// while it reads them, or gets no more of them in this way.
///
/// Threads: the sender's function on any, `give_back` on any.
struct LoanCount {
  using SharedWord = std::atomic<std::uint32_t>;
  static_assert(SharedWord::is_always_lock_free);

  /// Whether all up to the loan of this number was given back.
  static bool is_back(const SharedWord& returned, std::uint32_t number) {
    // Partner: give_back, in the receiver, which has read all it wanted. The difference, since the
    // numbers start anew after the last one.
    return static_cast<std::int32_t>(returned.load(std::memory_order_acquire) - number) >= 0;
  }
  /// One loan is over.
  static void give_back(SharedWord& returned) {
    // Partner: is_back. All that was read comes first, on this thread and on those that have given
    // back before.
    returned.fetch_add(1, std::memory_order_release);
  }
};

}  // namespace strait::detail

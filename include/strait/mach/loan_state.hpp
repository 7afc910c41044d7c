#pragma once

#include <cstdint>

#include "strait/base/atomic.hpp"

namespace strait::detail {

/// Whose a loan is: its lender's, to be lent; this process's, which writes or reads it; or that of
/// the process it was sent to. The word that both processes share says whether it has come back. A
/// peer that lies there can only spoil what it reads itself.
///
/// Threads: the lender's functions on the thread that sends, `drop` on any.
class LoanState {
 public:
  /// In the memory that both processes have mapped: 1 when the loan is free.
  using SharedWord = Atomic<std::uint32_t>;

  /// Takes the loan if it is free: back from its receiver, or dropped here. What this process holds
  /// is not, whatever the peer writes.
  bool try_lend(const SharedWord& free) {
    // Partner: drop, on another thread of this process.
    if (held_.load(MemoryOrder::acquire)) return false;
    // Partner: drop, in the receiver, which has read all it wanted.
    if (free.load(MemoryOrder::acquire) != 1) return false;
    held_.store(true, MemoryOrder::relaxed);
    return true;
  }
  /// It is the receiver's from the message on that is sent next.
  void hand_over(SharedWord& free) {
    // Also if the peer has scribbled there in between. Relaxed: the message publishes it.
    free.store(0, MemoryOrder::relaxed);
    held_.store(false, MemoryOrder::relaxed);
  }
  /// The message was not sent after all.
  void take_back() { held_.store(true, MemoryOrder::relaxed); }
  /// Whether the receiver has it.
  bool is_out(const SharedWord& free) const {
    return !held_.load(MemoryOrder::relaxed) && free.load(MemoryOrder::relaxed) != 1;
  }

  /// The loan is over.
  void drop(SharedWord& free) {
    // Partner: try_lend. All that was done with the bytes comes first.
    free.store(1, MemoryOrder::release);
    held_.store(false, MemoryOrder::release);
  }

 private:
  /// Whether this process may write there: it was asked for and is neither sent nor dropped.
  Atomic<bool> held_ = true;
};

}  // namespace strait::detail

#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "strait/base/atomic.hpp"
#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/os/futex.hpp"
#include "strait/result.hpp"
#include "strait/rights/right_list.hpp"
#include "strait/rights/shared_memory.hpp"

namespace strait {

/// A counting semaphore without a name, shared between processes. A right: send it with `Rights`.
///
/// It lies in memory that a hostile peer may scribble over. That can make it count wrong, wake
/// a thread for nothing or none; nothing else, and every wait ends with its time.
///
/// Threads: any, at the same time. A process that dies leaves it usable.
class Semaphore {
 public:
  /// Errors: those of the system.
  static Result<Semaphore> create(std::uint32_t count = 0) {
    auto memory = SharedMemory::create(sizeof(Words));
    if (!memory) return memory.error();
    auto semaphore = over(std::move(*memory));
    if (semaphore) semaphore->words_->count.store(count);
    return semaphore;
  }

  /// Adds one and wakes one of those that wait. Blocking: never.
  void post() {
    words_->count.fetch_add(1);  // seq_cst, as all here: see `wait_for`
    if (words_->sleepers.load() != 0) os::futex_wake(words_->count);
  }

  /// Takes one off. Errors: `would_block` when it is zero. Blocking: never.
  Result<void> try_wait() {
    std::uint32_t count = words_->count.load();
    // Each turn another thread got on, unless a process scribbles.
    for (int turn = 0; turn != 1000 && count != 0; ++turn) {
      if (words_->count.compare_exchange_strong(count, count - 1)) return {};
    }
    return Errc::would_block;
  }

  /// Takes one off as soon as there is one. Errors: `timed_out`.
  /// Blocking: up to `duration`.
  template <class Rep, class Period>
  Result<void> wait_for(std::chrono::duration<Rep, Period> duration) {
    const auto deadline = detail::Deadline::after(duration);
    for (;;) {
      auto taken = try_wait();
      if (taken) return taken;
      if (deadline.passed()) return Errc::timed_out;
      // Either `post` sees the sleeper, or the kernel sees the count and does not let it sleep.
      words_->sleepers.fetch_add(1);
      os::futex_wait(words_->count, 0, deadline.left_up_to(std::chrono::minutes{1}));
      words_->sleepers.fetch_sub(1);
    }
  }

  /// The same semaphore once more: one to send, one to keep.
  Result<Semaphore> duplicate() const {
    auto memory = memory_.duplicate();
    if (!memory) return memory.error();
    return over(std::move(*memory));
  }

  /// For `Rights`. Errors: `wrong_right` after it was moved from.
  Result<detail::Right> into_right() {
    words_ = {};
    return memory_.into_right();
  }
  /// For `Rights`. Errors: `wrong_right`, `bad_region` if it is none; those of `mmap`.
  static Result<Semaphore> from_right(detail::Right& right) {
    auto memory = SharedMemory::from_right(right);
    if (!memory) return memory.error();
    std::error_code error = make_error_code(Errc::wrong_right);
    if (memory->size_bytes() >= sizeof(Words)) {
      auto words = memory->map<Words>();
      if (words) return Semaphore(std::move(*memory), std::move(*words));
      error = words.error();
    }
    if (auto back = memory->into_right()) right = std::move(*back);
    return error;
  }

 private:
  struct Words {
    detail::Atomic<std::uint32_t> count;
    /// At least as many as sleep; one that was killed in its sleep stays counted.
    detail::Atomic<std::uint32_t> sleepers;
  };

  Semaphore(SharedMemory memory, Mapped<Words> words)
      : memory_(std::move(memory)), words_(std::move(words)) {}

  static Result<Semaphore> over(SharedMemory memory) {
    auto words = memory.map<Words>();
    if (!words) return words.error();
    return Semaphore(std::move(memory), std::move(*words));
  }

  SharedMemory memory_;
  Mapped<Words> words_;
};

}  // namespace strait

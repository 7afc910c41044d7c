#pragma once

#include <climits>
#include <cstdint>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/os/windows/descriptor.hpp"
#include "strait/os/windows/event_wait.hpp"
#include "strait/os/windows/object_kind.hpp"
#include "strait/result.hpp"
#include "strait/rights/right_list.hpp"

namespace strait {

/// A counting semaphore without a name, shared between processes. A right: send it with `Rights`.
/// The system's own, so a peer can make it count wrong by counting alone.
///
/// Threads: any, at the same time. A process that dies leaves it usable.
class Semaphore {
 public:
  /// Errors: those of the system.
  static Result<Semaphore> create(std::uint32_t count = 0) {
    os::Descriptor made(::CreateSemaphoreW(nullptr, static_cast<LONG>(count), LONG_MAX, nullptr));
    if (!made) return os::last_error();
    return Semaphore(std::move(made));
  }

  /// Adds one and wakes one of those that wait. Blocking: never.
  void post() { ::ReleaseSemaphore(semaphore_.get(), 1, nullptr); }

  /// Takes one off. Errors: `would_block` when it is zero. Blocking: never.
  Result<void> try_wait() {
    return os::is_set(semaphore_.get()) ? Result<void>() : Errc::would_block;
  }

  /// Takes one off as soon as there is one. Errors: `timed_out`; the system's.
  /// Blocking: up to `duration`.
  template <class Rep, class Period>
  Result<void> wait_for(std::chrono::duration<Rep, Period> duration) {
    const auto deadline = detail::Deadline::after(duration);
    for (;;) {
      const DWORD waited = ::WaitForSingleObject(semaphore_.get(), os::wait_milliseconds(deadline));
      if (waited == WAIT_OBJECT_0) return {};
      if (waited == WAIT_FAILED) return os::last_error();
      if (deadline.passed()) return Errc::timed_out;
    }
  }

  /// The same semaphore once more: one to send, one to keep.
  Result<Semaphore> duplicate() const {
    auto copy = os::duplicate(semaphore_.get());
    if (!copy) return os::last_error();
    return Semaphore(std::move(copy));
  }

  /// For `Rights`. Errors: `wrong_right` after it was moved from.
  Result<detail::Right> into_right() {
    if (!semaphore_) return Errc::wrong_right;
    return detail::Right{std::move(semaphore_)};
  }
  /// For `Rights`. Errors: `wrong_right` if it is none.
  static Result<Semaphore> from_right(detail::Right& right) {
    if (!os::is_of_kind(right.descriptor.get(), L"Semaphore")) return Errc::wrong_right;
    return Semaphore(std::move(right.descriptor));
  }

 private:
  explicit Semaphore(os::Descriptor semaphore) : semaphore_(std::move(semaphore)) {}

  os::Descriptor semaphore_;
};

}  // namespace strait

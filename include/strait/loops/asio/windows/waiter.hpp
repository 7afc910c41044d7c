#pragma once

#include <cstddef>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "strait/base/chrono.hpp"
#include "strait/loops/asio/net.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/os/windows/descriptor.hpp"
#include "strait/os/windows/error.hpp"
#include "strait/result.hpp"

namespace strait {
inline namespace STRAIT_ASIO_NAMESPACE {

namespace asio_detail {

template <class Executor>
using ObjectHandle = net::windows::basic_object_handle<Executor>;

/// Gives Asio a handle. It closes what it owns, so it gets a duplicate.
template <class Executor>
Result<void> assign_copy(ObjectHandle<Executor>& to, NativeHandle handle) {
  auto copy = windows::duplicate(handle);
  if (!copy) return windows::last_error();
  ErrorCode failed;
  to.assign(copy.get(), failed);
  if (failed) return std::error_code(failed);
  static_cast<void>(copy.release());
  return {};
}

/// What one operation waits for: a timer that never ends by itself, and a handle that ends it when
/// it is set. Asio's waits for handles heed no cancellation slot, those of timers do.
template <class Executor>
struct PendingWait {
  explicit PendingWait(const Executor& executor)
      : timer(executor, std::chrono::steady_clock::time_point::max()), handle(executor) {}

  Timer<Executor> timer;
  ObjectHandle<Executor> handle;
  /// Why the handle can't be waited for.
  ErrorCode failed;
};

/// What an object's operations wait for.
template <class Executor>
struct Waiter {
  explicit Waiter(const Executor& executor) : descriptor(executor) {}

  Result<void> watch(NativeHandle handle) {
    return descriptor.is_open() ? Result<void>() : assign_copy(descriptor, handle);
  }
  void cancel() {
    ++cancels;
    end_waits();
  }
  void close() {
    closed = true;
    end_waits();
    ErrorCode ignored;
    descriptor.close(ignored);
  }

  ObjectHandle<Executor> descriptor;
  bool closed = false;
  /// An operation whose wait has just ended hears of a cancellation by this.
  std::size_t cancels = 0;
  std::vector<std::weak_ptr<PendingWait<Executor>>> waits;

 private:
  void end_waits() {
    ErrorCode ignored;
    descriptor.cancel(ignored);
    for (const auto& wait : waits) {
      if (const auto pending = wait.lock()) pending->timer.cancel();
    }
    waits.clear();
  }
};

/// A handler is called when the handle is set, once.
template <class Executor, class Handler>
void wait_readable(ObjectHandle<Executor>& handle, Handler handler) {
  handle.async_wait(std::move(handler));
}

/// The wait of an operation for what its waiter watches.
template <class Executor>
class HandleWait {
 public:
  /// The operation `self` has `wait`, and is moved away.
  template <class Self>
  static void start(HandleWait& wait, Waiter<Executor>& waiter, Self&& self) {
    using Pending = PendingWait<Executor>;
    const auto pending = std::make_shared<Pending>(waiter.descriptor.get_executor());
    std::erase_if(waiter.waits, [](const auto& other) { return other.expired(); });
    waiter.waits.push_back(pending);
    wait.pending_ = pending;
    // A handle of its own: Asio ends the waits for one of them all at once.
    const auto watched = assign_copy(pending->handle, waiter.descriptor.native_handle());
    pending->timer.async_wait(std::move(self));
    if (!watched) {
      pending->failed = to_asio(watched.error());
      pending->timer.cancel();
      return;
    }
    wait_readable(pending->handle, [weak = std::weak_ptr<Pending>(pending)](ErrorCode error) {
      const auto waiting = weak.lock();
      if (!waiting) return;
      waiting->failed = error;
      waiting->timer.cancel();
    });
  }
  /// What a wait that ended so says to the operation. The timer says the same in each case; an
  /// operation that was cancelled finds that out by itself.
  ErrorCode end(ErrorCode error) {
    if (!pending_) return error;
    return std::exchange(pending_, nullptr)->failed;
  }

 private:
  std::shared_ptr<PendingWait<Executor>> pending_;
};

}  // namespace asio_detail

}  // namespace STRAIT_ASIO_NAMESPACE
}  // namespace strait

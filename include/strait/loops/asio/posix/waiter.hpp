#pragma once

#include <cstddef>
#include <system_error>
#include <utility>

#include "strait/loops/asio/net.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/result.hpp"

namespace strait {
inline namespace STRAIT_ASIO_NAMESPACE {

namespace asio_detail {

/// What an object's operations wait for.
template <class Executor>
struct Waiter {
  explicit Waiter(const Executor& executor) : descriptor(executor) {}

  /// Asio closes what it owns, so it gets a duplicate, which is its own also when the channel's
  /// number has gone to another file.
  Result<void> watch(NativeHandle handle) {
    if (descriptor.is_open()) return {};
    auto copy = os::duplicate(handle);
    if (!copy) return os::last_error();
    ErrorCode failed;
    descriptor.assign(copy.get(), failed);
    if (failed) return std::error_code(failed);
    static_cast<void>(copy.release());
    return {};
  }
  void cancel() {
    ++cancels;
    ErrorCode ignored;
    descriptor.cancel(ignored);
  }
  void close() {
    closed = true;
    ErrorCode ignored;
    descriptor.close(ignored);
  }

  net::posix::basic_stream_descriptor<Executor> descriptor;
  bool closed = false;
  /// An operation whose wait has just ended hears of a cancellation by this.
  std::size_t cancels = 0;
};

/// A handler is called when the descriptor is readable, once.
template <class Executor, class Handler>
void wait_readable(net::posix::basic_stream_descriptor<Executor>& descriptor, Handler handler) {
  descriptor.async_wait(net::posix::descriptor_base::wait_read, std::move(handler));
}

/// The wait of an operation for what its waiter watches.
template <class Executor>
class HandleWait {
 public:
  /// The operation `self` has `wait`, and is moved away.
  template <class Self>
  static void start(HandleWait&, Waiter<Executor>& waiter, Self&& self) {
    wait_readable(waiter.descriptor, std::move(self));
  }
  /// What a wait that ended so says to the operation.
  ErrorCode end(ErrorCode error) const { return error; }
};

}  // namespace asio_detail

}  // namespace STRAIT_ASIO_NAMESPACE
}  // namespace strait

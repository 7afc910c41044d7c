#pragma once

#include <uv.h>

#include <memory>
#include <system_error>
#include <utility>

#include "strait/loops/watched.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/result.hpp"

namespace strait {

/// Polls a channel or an acceptor from a libuv loop.
///
/// The listener is one of `Channel`'s or `Acceptor`'s. It may also have
/// `on_closed(std::error_code)`, called once, after all that had arrived; the watch no longer keeps
/// the loop running then. The listener may destroy the watch.
///
/// Ownership: the registration is this object's, the channel is the caller's and outlives it; it is
/// not to be moved. libuv does not close the channel's descriptor. The loop frees the registration
/// in a turn after this object's end, so let it run once more before `uv_loop_close`.
/// Threads: all of it belongs to the thread that runs the loop.
///
/// There is none on Windows, where libuv waits for sockets and no other handles: use Asio or
/// coroutines there, or an `uv_async_t` that a `ChannelProxy`'s executor sends to.
class LibuvWatch {
 public:
  /// What has arrived before is handled in the loop's first turn. Errors: the system's.
  template <class Source, class Listener>
  [[nodiscard]] static Result<LibuvWatch> start(Source& source, Listener listener,
                                                uv_loop_t* loop) {
    const auto handle = source.native_handle();
    if (!handle) return handle.error();
    auto poll = std::make_unique<Poll>();
    if (const int failed = ::uv_poll_init(loop, &poll->handle, *handle); failed != 0) {
      return std::error_code(-failed, std::system_category());
    }
    LibuvWatch watch(poll.release());
    watch.poll_->watched = detail::watched(source, std::move(listener));
    watch.poll_->handle.data = watch.poll_;
    if (const int failed = ::uv_poll_start(&watch.poll_->handle, UV_READABLE, &ready)) {
      return std::error_code(-failed, std::system_category());
    }
    return watch;
  }

  LibuvWatch(LibuvWatch&& other) noexcept : poll_(std::exchange(other.poll_, nullptr)) {}
  LibuvWatch& operator=(LibuvWatch&& other) noexcept {
    std::swap(poll_, other.poll_);
    return *this;
  }
  ~LibuvWatch() {
    if (poll_ == nullptr) return;
    poll_->handle.data = poll_;
    ::uv_close(reinterpret_cast<uv_handle_t*>(&poll_->handle),
               [](uv_handle_t* handle) { delete static_cast<Poll*>(handle->data); });
  }

 private:
  struct Poll {
    uv_poll_t handle;
    std::shared_ptr<detail::Watched> watched;
  };

  explicit LibuvWatch(Poll* poll) : poll_(poll) {}

  static void ready(uv_poll_t* handle, int, int) {
    // The listener may end the watch, whose memory the loop keeps until a later turn.
    const auto watched = static_cast<Poll*>(handle->data)->watched;
    if (!watched->poll()) ::uv_poll_stop(handle);
  }

  Poll* poll_;
};

}  // namespace strait

#pragma once

#include <array>
#include <memory>
#include <utility>

#include "strait/os/interest.hpp"
#include "strait/os/wait_set.hpp"
#include "strait/result.hpp"
#include "strait/transports/zmq/context.hpp"

namespace strait::detail {

/// What waits for a socket: a wait set, or the context's thread.
class ZmqWatch {
 public:
  /// What there is to wait for; -1 is nothing.
  using Descriptors = std::array<int, 2>;

  explicit ZmqWatch(std::shared_ptr<ZmqContext> context) : context_(std::move(context)) {}

  /// Errors: the system's.
  Result<void> by(os::WaitSet& watcher, const Descriptors& descriptors) {
    if (watcher_ == &watcher) return {};
    stop();
    watcher_ = &watcher;
    watched_ = descriptors;
    for (const int fd : watched_) {
      if (fd < 0) continue;
      if (auto watched = watcher.watch(Interest::to_read(fd)); !watched) return watched;
    }
    return {};
  }
  Result<void> by_context(const std::weak_ptr<ZmqServed>& served, const Descriptors& descriptors) {
    if (by_context_) return {};
    stop();
    by_context_ = true;
    watched_ = descriptors;
    for (const int fd : watched_) {
      if (fd < 0) continue;
      if (auto watched = context_->watch(fd, served); !watched) return watched;
    }
    return {};
  }

  bool by_context() const { return by_context_; }

  void stop() {
    for (const int fd : watched_) {
      if (fd >= 0) by_context_ ? context_->forget(fd) : watcher_->forget(fd);
    }
    watched_ = {-1, -1};
    watcher_ = nullptr;
    by_context_ = false;
  }
  /// For before a wait set ends.
  void stop(const os::WaitSet& watcher) {
    if (watcher_ == &watcher) stop();
  }

 private:
  std::shared_ptr<ZmqContext> context_;
  os::WaitSet* watcher_ = nullptr;
  bool by_context_ = false;
  Descriptors watched_{-1, -1};
};

}  // namespace strait::detail

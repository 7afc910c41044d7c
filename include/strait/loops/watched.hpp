#pragma once

#include <concepts>
#include <memory>
#include <system_error>
#include <utility>

#include "strait/result.hpp"

namespace strait::detail {

/// What a loop's callback polls.
class Watched {
 public:
  virtual ~Watched() = default;
  /// Handles what is there. False when the channel has ended, which the listener was told.
  virtual bool poll() = 0;
};

template <class Source, class Listener>
class WatchedSource final : public Watched {
 public:
  WatchedSource(Source& source, Listener listener)
      : source_(source), listener_(std::move(listener)) {}

  bool poll() override {
    const auto handled = source_.poll(listener_);
    // A message without a callable does not end the channel; its observer was told.
    if (handled || handled.error() == Errc::unexpected_message) return true;
    if constexpr (requires { listener_.on_closed(handled.error()); }) {
      listener_.on_closed(handled.error());
    }
    return false;
  }

 private:
  Source& source_;
  Listener listener_;
};

/// Shared, so that a callback keeps alive the listener that it has called, which may end the watch.
template <class Source, class Listener>
std::shared_ptr<Watched> watched(Source& source, Listener listener) {
  return std::make_shared<WatchedSource<Source, Listener>>(source, std::move(listener));
}

}  // namespace strait::detail

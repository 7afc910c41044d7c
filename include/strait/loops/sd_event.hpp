#pragma once

#include <systemd/sd-event.h>

#include <cstdint>
#include <memory>
#include <system_error>
#include <utility>

#include "strait/loops/watched.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/result.hpp"

namespace strait {

/// Polls a channel or an acceptor from systemd's event loop.
///
/// The listener is one of `Channel`'s or `Acceptor`'s. It may also have
/// `on_closed(std::error_code)`, called once, after all that had arrived; the watch has ended then.
/// The listener may destroy the watch.
///
/// Ownership: the registration is this object's, the channel is the caller's and outlives it; it is
/// not to be moved. The loop does not close the channel's descriptor.
/// Threads: all of it belongs to the thread that runs the loop.
class SdEventWatch {
 public:
  /// What has arrived before is handled in the loop's first turn. Errors: the system's.
  template <class Source, class Listener>
  [[nodiscard]] static Result<SdEventWatch> start(Source& source, Listener listener,
                                                  sd_event* event) {
    const auto handle = source.native_handle();
    if (!handle) return handle.error();
    auto watched = std::make_unique<Shared>(detail::watched(source, std::move(listener)));
    SdEventWatch watch;
    const int failed =
        ::sd_event_add_io(event, &watch.source_, *handle, EPOLLIN, &ready, watched.get());
    if (failed < 0) return std::error_code(-failed, std::system_category());
    ::sd_event_source_set_destroy_callback(watch.source_,
                                           [](void* data) { delete static_cast<Shared*>(data); });
    static_cast<void>(watched.release());
    return watch;
  }

  SdEventWatch(SdEventWatch&& other) noexcept : source_(std::exchange(other.source_, nullptr)) {}
  SdEventWatch& operator=(SdEventWatch&& other) noexcept {
    std::swap(source_, other.source_);
    return *this;
  }
  ~SdEventWatch() { ::sd_event_source_disable_unref(source_); }

 private:
  using Shared = std::shared_ptr<detail::Watched>;

  SdEventWatch() = default;

  static int ready(sd_event_source* source, int, std::uint32_t, void* data) {
    const Shared watched = *static_cast<Shared*>(data);
    if (!watched->poll()) ::sd_event_source_set_enabled(source, SD_EVENT_OFF);
    return 0;  // an error would take the source out of the loop
  }

  sd_event_source* source_ = nullptr;
};

}  // namespace strait

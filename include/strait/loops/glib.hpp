#pragma once

#include <glib-unix.h>

#include <memory>
#include <utility>

#include "strait/loops/watched.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/result.hpp"

namespace strait {

/// Polls a channel or an acceptor from a `GMainContext`, as GTK and GStreamer programs have one.
///
/// The listener is one of `Channel`'s or `Acceptor`'s. It may also have
/// `on_closed(std::error_code)`, called once, after all that had arrived; the watch has ended then.
/// The listener may destroy the watch.
///
/// Ownership: the registration is this object's, the channel is the caller's and outlives it; it is
/// not to be moved. The context neither closes nor keeps the channel's descriptor.
/// Threads: all of it belongs to the thread that runs the context.
class GlibWatch {
 public:
  /// In `context`, or the default one. What has arrived before is handled in the context's first
  /// turn. Errors: the system's.
  template <class Source, class Listener>
  [[nodiscard]] static Result<GlibWatch> start(Source& source, Listener listener,
                                               GMainContext* context = nullptr) {
    const auto handle = source.native_handle();
    if (!handle) return handle.error();
    return GlibWatch(*handle, detail::watched(source, std::move(listener)), context);
  }

  GlibWatch(GlibWatch&& other) noexcept : source_(std::exchange(other.source_, nullptr)) {}
  GlibWatch& operator=(GlibWatch&& other) noexcept {
    std::swap(source_, other.source_);
    return *this;
  }
  ~GlibWatch() {
    if (source_ == nullptr) return;
    ::g_source_destroy(source_);
    ::g_source_unref(source_);
  }

 private:
  using Shared = std::shared_ptr<detail::Watched>;

  GlibWatch(NativeHandle handle, Shared watched, GMainContext* context)
      : source_(::g_unix_fd_source_new(handle, G_IO_IN)) {
    ::g_source_set_callback(source_, G_SOURCE_FUNC(&GlibWatch::ready),
                            new Shared(std::move(watched)),
                            [](gpointer data) { delete static_cast<Shared*>(data); });
    ::g_source_attach(source_, context);
  }

  static gboolean ready(gint, GIOCondition, gpointer data) {
    const Shared watched = *static_cast<Shared*>(data);
    return watched->poll() ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
  }

  GSource* source_;
};

}  // namespace strait

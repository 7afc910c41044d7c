#pragma once

#include <QObject>
#include <QSocketNotifier>

#include <memory>
#include <utility>

#include "strait/loops/watched.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/result.hpp"

namespace strait {

/// Polls a channel or an acceptor from Qt's event loop, that of the thread which starts it. Qt 5 or
/// 6; QtCore is enough.
///
/// The listener is one of `Channel`'s or `Acceptor`'s. It may also have
/// `on_closed(std::error_code)`, called once, after all that had arrived; the watch has ended then.
/// The listener may destroy the watch.
///
/// Ownership: the registration is this object's, the channel is the caller's and outlives it; it is
/// not to be moved. Qt does not close the channel's descriptor.
/// Threads: all of it belongs to the thread that runs the loop.
class QtWatch {
 public:
  /// What has arrived before is handled in the loop's first turn. Errors: the system's.
  template <class Source, class Listener>
  [[nodiscard]] static Result<QtWatch> start(Source& source, Listener listener) {
    const auto handle = source.native_handle();
    if (!handle) return handle.error();
    return QtWatch(*handle, detail::watched(source, std::move(listener)));
  }

  QtWatch(QtWatch&&) noexcept = default;
  QtWatch& operator=(QtWatch&& other) noexcept {
    notifier_.swap(other.notifier_);
    return *this;
  }

 private:
  /// Qt may be in the middle of the notifier's signal, so a later turn of the loop destroys it.
  struct Later {
    void operator()(QSocketNotifier* notifier) const {
      notifier->setEnabled(false);
      notifier->disconnect();
      notifier->deleteLater();
    }
  };

  QtWatch(NativeHandle handle, std::shared_ptr<detail::Watched> watched)
      : notifier_(new QSocketNotifier(handle, QSocketNotifier::Read)) {
    QSocketNotifier* const notifier = notifier_.get();
    QObject::connect(notifier, &QSocketNotifier::activated, notifier, [notifier, watched] {
      const auto alive = watched;  // the listener may end the watch
      if (!alive->poll()) notifier->setEnabled(false);
    });
  }

  std::unique_ptr<QSocketNotifier, Later> notifier_;
};

}  // namespace strait

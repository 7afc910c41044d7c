#include <strait/loops/qt.hpp>

#include <QCoreApplication>
#include <QEventLoop>
#include <QObject>
#include <QTimer>

#include <chrono>
#include <functional>
#include <utility>

namespace {

/// Qt's loop belongs to the thread, and wants an application before it: one for all tests, as Qt
/// allows no second one.
struct Loop {
  Loop() {
    static int count = 1;
    static char name[] = "qt_test";
    static char* arguments[] = {name, nullptr};
    static QCoreApplication application(count, arguments);
  }
  Loop(const Loop&) = delete;
  /// Destroys what waits for a later turn.
  ~Loop() { QCoreApplication::sendPostedEvents(nullptr, QEvent::DeferredDelete); }

  template <class Source, class Listener>
  strait::QtWatch start(Source& source, Listener listener) {
    return strait::QtWatch::start(source, std::move(listener)).value();
  }
  void turn() { QCoreApplication::processEvents(QEventLoop::WaitForMoreEvents); }
  void after(std::chrono::milliseconds duration, std::function<void()> task) {
    QTimer::singleShot(duration, std::move(task));
  }
};

/// Before the first test: Qt keeps descriptors of its own until the end.
[[maybe_unused]] const bool application_made = [] {
  const Loop loop;
  QCoreApplication::processEvents();
  return true;
}();

}  // namespace

#include "adapters/watch_cases.hpp"

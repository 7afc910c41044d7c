#include <strait/loops/glib.hpp>

#include <chrono>
#include <functional>
#include <utility>

namespace {

struct Loop {
  GMainContext* context = ::g_main_context_new();

  Loop() = default;
  Loop(const Loop&) = delete;
  ~Loop() { ::g_main_context_unref(context); }

  template <class Source, class Listener>
  strait::GlibWatch start(Source& source, Listener listener) {
    return strait::GlibWatch::start(source, std::move(listener), context).value();
  }
  void turn() { ::g_main_context_iteration(context, TRUE); }
  void after(std::chrono::milliseconds duration, std::function<void()> task) {
    GSource* source = ::g_timeout_source_new(static_cast<guint>(duration.count()));
    ::g_source_set_callback(
        source,
        [](gpointer data) -> gboolean {
          (*static_cast<std::function<void()>*>(data))();
          return G_SOURCE_REMOVE;
        },
        new std::function<void()>(std::move(task)),
        [](gpointer data) { delete static_cast<std::function<void()>*>(data); });
    ::g_source_attach(source, context);
    ::g_source_unref(source);
  }
};

}  // namespace

#include "adapters/watch_cases.hpp"

#pragma once

#include <pthread.h>

#include <utility>

#include "strait/base/owner.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/os/posix/signals_blocked.hpp"
#include "strait/result.hpp"

namespace strait::os {

/// A thread of the library's own, which has to be joined or detached; or the one that asks for
/// `current`.
class Thread {
 public:
  Thread() = default;
  explicit Thread(pthread_t thread) : thread_(thread) {}

  static Thread current() { return Thread(::pthread_self()); }
  bool is_current() const { return ::pthread_equal(thread_, ::pthread_self()) != 0; }
  void join() const { ::pthread_join(thread_, nullptr); }
  void detach() const { ::pthread_detach(thread_); }

 private:
  pthread_t thread_{};
};

/// Starts a thread that calls `body->run()`, and keeps `body`, a pointer of shared ownership, until
/// then. No signal is handled on it: they are all for the threads of the program's own.
///
/// Errors: those of `pthread_create`.
template <class Body>
Result<Thread> start_thread(Body body) {
  detail::Owner<Body> kept(new Body(std::move(body)));
  const auto enter = [](void* argument) -> void* {
    const detail::Owner<Body> owned(static_cast<Body*>(argument));
    (*owned)->run();
    return nullptr;
  };
  const SignalsBlocked blocked;
  pthread_t thread;
  const int failed = ::pthread_create(&thread, nullptr, enter, kept.get());
  if (failed != 0) return system_error(failed);
  static_cast<void>(kept.release());
  return Thread(thread);
}

}  // namespace strait::os

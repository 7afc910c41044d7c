#pragma once

#include <pthread.h>

#include <memory>
#include <utility>

#include "strait/os/posix/error.hpp"
#include "strait/os/posix/signals_blocked.hpp"
#include "strait/result.hpp"

namespace strait::posix {

/// Starts a thread that calls `body->run()`, and keeps `body` until then. No signal is handled on
/// it: they are all for the threads of the program's own.
///
/// Errors: those of `pthread_create`.
template <class Body>
Result<pthread_t> start_thread(std::shared_ptr<Body> body) {
  auto kept = std::make_unique<std::shared_ptr<Body>>(std::move(body));
  const auto enter = [](void* argument) -> void* {
    const std::unique_ptr<std::shared_ptr<Body>> owned(
        static_cast<std::shared_ptr<Body>*>(argument));
    (*owned)->run();
    return nullptr;
  };
  const SignalsBlocked blocked;
  pthread_t thread;
  const int failed = ::pthread_create(&thread, nullptr, enter, kept.get());
  if (failed != 0) return system_error(failed);
  static_cast<void>(kept.release());
  return thread;
}

}  // namespace strait::posix

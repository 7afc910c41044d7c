#pragma once

#include <utility>

#include "strait/base/owner.hpp"
#include "strait/os/windows/error.hpp"
#include "strait/result.hpp"

namespace strait::windows {

/// A thread of the library's own, which has to be joined or detached; or the one that asks for
/// `current`.
class Thread {
 public:
  Thread() = default;
  Thread(DWORD id, HANDLE handle) : id_(id), handle_(handle) {}

  static Thread current() { return {::GetCurrentThreadId(), nullptr}; }
  bool is_current() const { return id_ == ::GetCurrentThreadId(); }
  void join() const {
    ::WaitForSingleObject(handle_, INFINITE);
    detach();
  }
  void detach() const { ::CloseHandle(handle_); }

 private:
  DWORD id_ = 0;
  HANDLE handle_ = nullptr;
};

/// Starts a thread that calls `body->run()`, and keeps `body`, a pointer of shared ownership, until
/// then.
///
/// Errors: those of `CreateThread`.
template <class Body>
Result<Thread> start_thread(Body body) {
  struct Enter {
    static DWORD WINAPI run(void* argument) {
      const detail::Owner<Body> owned(static_cast<Body*>(argument));
      (*owned)->run();
      return 0;
    }
  };
  detail::Owner<Body> kept(new Body(std::move(body)));
  DWORD id = 0;
  const HANDLE thread = ::CreateThread(nullptr, 0, &Enter::run, kept.get(), 0, &id);
  if (thread == nullptr) return last_error();
  static_cast<void>(kept.release());
  return Thread(id, thread);
}

}  // namespace strait::windows

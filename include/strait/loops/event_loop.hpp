#pragma once

#include <coroutine>
#include <type_traits>

#include "strait/base/deadline.hpp"
#include "strait/os/native_handle.hpp"

namespace strait {

/// What a loop calls, once, when that has come which was waited for.
class LoopCallback {
 public:
  LoopCallback(void (*call)(void*), void* context) : call_(call), context_(context) {}
  /// Resumes a coroutine.
  explicit LoopCallback(std::coroutine_handle<> coroutine)
      : LoopCallback([](void* address) { std::coroutine_handle<>::from_address(address).resume(); },
                     coroutine.address()) {}

  void operator()() const { call_(context_); }

 private:
  void (*call_)(void*);
  void* context_;
};

/// What coroutines wait in, made of two functions:
///
///     auto when_readable(NativeHandle handle, LoopCallback callback);
///     auto when_reached(Deadline at, LoopCallback callback);
///
/// Each returns an object that is the wait. It may be one that can't be moved. The loop calls
/// `callback` once, from its own thread and not from inside these two; destroying the object, which
/// the callback may do itself, ends the wait, and the callback is not called after that.
///
/// The same handle may be waited for several times at once. A loop that is told of changes only
/// (EPOLLET) must look at a handle anew when a wait for it begins, as EPOLL_CTL_MOD does. One that
/// closes the descriptors which it is given must be given a duplicate.
template <class T>
concept EventLoop = requires(T& loop, NativeHandle handle, detail::Deadline at,
                             LoopCallback callback) {
  requires std::is_object_v<decltype(loop.when_readable(handle, callback))>;
  requires std::is_object_v<decltype(loop.when_reached(at, callback))>;
};

}  // namespace strait

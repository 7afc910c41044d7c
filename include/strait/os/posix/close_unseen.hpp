#pragma once

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "strait/base/atomic.hpp"
#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/base/slice.hpp"
#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/signals_blocked.hpp"

namespace strait::os {

/// Closes descriptors that a peer has sent and that are of no use here. Such a `close` can take as
/// long as the peer likes: a TCP socket may linger, a file of a FUSE mount waits for its server.
/// Threads that live no longer than there is something to close do it, so that no other thread has
/// to wait.
///
/// Threads: any.
class BackgroundCloser {
 public:
  /// How many may wait to be closed before nothing that may bring more should be received, and
  /// no client be let in. It is a wish, not a limit: what is given is always closed, sometime.
  static constexpr std::size_t capacity = 1024;
  static constexpr int max_threads = 8;

  /// That of this process: a forked copy has none of its parent's threads. A null pointer when
  /// there is no memory.
  static BackgroundCloser* instance() {
    static detail::Atomic<BackgroundCloser*> current = nullptr;
    BackgroundCloser* found = current.load(detail::MemoryOrder::acquire);
    if (found != nullptr && found->process_ == ::getpid()) return found;
    auto* fresh = new (std::nothrow) BackgroundCloser;
    if (fresh == nullptr) return nullptr;
    // Lost to another thread, or kept as long as the process: threads may look at it to the end.
    if (current.compare_exchange_strong(found, fresh, detail::MemoryOrder::acq_rel)) return fresh;
    delete fresh;
    return found;
  }

  bool has_room(std::size_t count) {
    const Locked locked(mutex_);
    return size_ + count <= capacity;
  }

  /// Returns after a moment at the most. When nothing hinders them, the descriptors are closed by
  /// then. Without memory to remember one, it is closed here and now.
  void close(detail::Slice<const int> descriptors) {
    std::uint64_t last = 0;
    bool idle = false;
    {
      const Locked locked(mutex_);
      idle = closed_ == given_;
      for (std::size_t i = 0; i != descriptors.size(); ++i) {
        const int descriptor = descriptors[i];
        if (descriptor < 0) continue;
        auto* waiting = new (std::nothrow) Waiting{nullptr, descriptor};
        if (waiting == nullptr) {
          ::close(descriptor);
          continue;
        }
        *(last_ == nullptr ? &first_ : &last_->next) = waiting;
        last_ = waiting;
        ++size_;
        ++given_;
      }
      last = given_;
      if (size_ != 0 && threads_ < max_threads && start_thread()) ++threads_;
    }
    if (!idle) return;
    const auto end = detail::Deadline::after(std::chrono::milliseconds{2});
    while (!done(last) && !end.passed()) ::sched_yield();
  }

 private:
  struct Waiting {
    Waiting* next;
    int descriptor;
  };

  class Locked {
   public:
    explicit Locked(pthread_mutex_t& mutex) : mutex_(mutex) { ::pthread_mutex_lock(&mutex_); }
    ~Locked() { ::pthread_mutex_unlock(&mutex_); }
    Locked(const Locked&) = delete;
    Locked& operator=(const Locked&) = delete;

   private:
    pthread_mutex_t& mutex_;
  };

  bool done(std::uint64_t count) {
    const Locked locked(mutex_);
    return closed_ >= count;
  }

  /// A thread that handles no signal. If there can't be one now, the next call tries again.
  bool start_thread() {
    pthread_attr_t attributes;
    if (::pthread_attr_init(&attributes) != 0) return false;
    ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    const SignalsBlocked blocked;
    pthread_t thread;
    const auto enter = [](void* self) -> void* {
      static_cast<BackgroundCloser*>(self)->run();
      return nullptr;
    };
    const int failed = ::pthread_create(&thread, &attributes, enter, this);
    ::pthread_attr_destroy(&attributes);
    return failed == 0;
  }

  void run() {
    for (;;) {
      Waiting* waiting = nullptr;
      {
        const Locked locked(mutex_);
        if (size_ == 0) {
          --threads_;
          return;
        }
        waiting = first_;
        first_ = waiting->next;
        if (first_ == nullptr) last_ = nullptr;
        --size_;
      }
      ::close(waiting->descriptor);
      delete waiting;
      const Locked locked(mutex_);
      ++closed_;
    }
  }

  const pid_t process_ = ::getpid();
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  Waiting* first_ = nullptr;
  Waiting* last_ = nullptr;
  std::size_t size_ = 0;
  int threads_ = 0;
  std::uint64_t given_ = 0;
  std::uint64_t closed_ = 0;
};

/// Whether closing can't take long: memory files say so without a call to any file system.
inline bool closes_at_once(int fd) {
#if defined(F_GET_SEALS)
  return ::fcntl(fd, F_GET_SEALS) >= 0;
#else
  static_cast<void>(fd);
  return false;
#endif
}

/// Closes descriptors that came from a peer and that nothing is known of. Blocking: never.
inline void close_unseen(detail::Slice<int> descriptors) {
  bool others = false;
  for (std::size_t i = 0; i != descriptors.size(); ++i) {
    if (descriptors[i] < 0) continue;
    if (closes_at_once(descriptors[i])) {
      ::close(std::exchange(descriptors[i], -1));
    } else {
      others = true;
    }
  }
  if (!others) return;
  if (BackgroundCloser* closer = BackgroundCloser::instance()) closer->close(descriptors);
}
inline void close_unseen(int descriptor) {
  int one[] = {descriptor};
  close_unseen(one);
}

/// Whether descriptors may be received: if they are of no use, there is room to have them closed.
inline bool can_close_unseen(std::size_t count) {
  BackgroundCloser* closer = BackgroundCloser::instance();
  return closer != nullptr && closer->has_room(count);
}

/// Owns a descriptor that came from a peer, until more is known of it.
class UnseenDescriptor : public Descriptor {
 public:
  using Descriptor::Descriptor;
  UnseenDescriptor(Descriptor&& other) noexcept : Descriptor(std::move(other)) {}
  UnseenDescriptor(UnseenDescriptor&&) = default;
  UnseenDescriptor& operator=(UnseenDescriptor&& other) noexcept {
    if (this != &other) {
      discard();
      Descriptor::operator=(std::move(other));
    }
    return *this;
  }
  ~UnseenDescriptor() { discard(); }

 private:
  void discard() {
    if (*this) close_unseen(release());
  }
};

}  // namespace strait::os

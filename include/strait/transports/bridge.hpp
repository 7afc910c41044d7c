#pragma once

#include <pthread.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "strait/base/deadline.hpp"
#include "strait/base/fair_mutex.hpp"
#include "strait/base/min_max.hpp"
#include "strait/framing/frame_queue.hpp"
#include "strait/os/descriptors.hpp"
#include "strait/os/poll.hpp"
#include "strait/os/posix/owner_process.hpp"
#include "strait/os/posix/thread.hpp"
#include "strait/os/wait_set.hpp"
#include "strait/result.hpp"
#include "strait/transport.hpp"

namespace strait::detail {

/// A link whose receiving a thread of its own does, and the pipe that tells of it.
template <class T>
class Bridge {
 public:
  explicit Bridge(T link) : link_(std::move(link)) {}
  Bridge(const Bridge&) = delete;
  Bridge& operator=(const Bridge&) = delete;
  ~Bridge() {
    if (!started_ || !owner_.is_this()) return;
    {
      const std::lock_guard locked(mutex_);
      stopping_ = true;
      static_cast<void>(set_.signal());
    }
    ::pthread_join(thread_, nullptr);
  }

  /// Ends a bridge. In a forked process its thread is not there, and may have been in the middle of
  /// a change: then this copy is kept for ever.
  struct End {
    void operator()(Bridge* bridge) const {
      static auto& kept = *new std::vector<Bridge*>;
      const bool whole = !bridge->started_ || bridge->owner_.is_this() ||
                         std::unique_lock(bridge->mutex_, std::try_to_lock);
      whole ? delete bridge : kept.push_back(bridge);
    }
  };

  /// The link itself, for as long as the thread has not started.
  T& link() { return link_; }
  const T& link() const { return link_; }

  bool started() const { return started_; }

  /// Errors: the system's, when it has no thread or descriptor left.
  Result<void> start(std::size_t max_message_bytes) {
    auto pipe = posix::pipe_pair();
    if (!pipe) return pipe.error();
    auto set = posix::WaitSet::create();
    if (!set) return set.error();
    auto room = posix::WaitSet::create();
    if (!room) return room.error();
    // Made here, so that stopping and telling can't fail for want of a descriptor.
    for (posix::WaitSet* each : {&*set, &*room}) {
      if (auto signalled = each->signal(); !signalled) return signalled;
      each->clear();
    }
    signal_in_ = std::move((*pipe)[0]);
    signal_out_ = std::move((*pipe)[1]);
    set_ = std::move(*set);
    room_ = std::move(*room);
    const auto thread =
        posix::start_thread(std::make_shared<Runner>(Runner{*this, max_message_bytes}));
    if (!thread) return thread.error();
    thread_ = *thread;
    started_ = true;
    return {};
  }

  template <class Payload>
  Result<void> send(const Payload& payload, FrameQueue& queue) {
    const std::lock_guard locked(mutex_);
    return link_.send(payload, queue);
  }

  Result<void> flush(FrameQueue& queue) {
    const std::lock_guard locked(mutex_);
    return link_.flush(queue);
  }

  /// Gives all that is there in exchange for an empty queue. What the thread has not come to yet
  /// is taken here.
  ///
  /// Errors: `empty`; why there will be no more.
  Result<void> take(FrameQueue& taken, std::size_t max_message_bytes) {
    const std::lock_guard locked(mutex_);
    if (inbox_.empty() && !ended_) receive(max_message_bytes);
    take_signals();
    if (inbox_.empty()) return ended_ ? ended_ : make_error_code(Errc::empty);
    const bool was_full = full();
    taken = std::move(inbox_);
    messages_ = 0;
    if (was_full) static_cast<void>(set_.signal());
    return {};
  }

  bool readable() const {
    const std::lock_guard locked(mutex_);
    return !inbox_.empty() || ended_;
  }

  /// Asks for a signal when there may be room for what is in the queue.
  bool arm_for_room(const FrameQueue& queue) {
    const std::lock_guard locked(mutex_);
    if (ended_) return true;
    // Also asks for messages again, for which the thread has asked already; that there are some
    // says nothing of room.
    const bool ready = link_.arm(queue);
    wants_room_ = true;
    return !update_watches(link_.interest(queue)) || ready;
  }

  /// Messages, and room for what is in the queue.
  posix::Interest interest(const FrameQueue& queue) const {
    return {{signal_in_.get(), POLLIN, 0}, {queue.empty() ? -1 : room_.native_handle(), POLLIN, 0}};
  }

  void take_room_signal() {
    const std::lock_guard locked(mutex_);
    room_.clear();
  }

 private:
  /// More than this is not taken from the link before somebody takes it from here: memory is
  /// bounded, and even a pipe that the system keeps small holds all signals.
  static constexpr std::size_t max_messages = 2048;
  static constexpr std::size_t max_bytes = std::size_t{1} << 20;

  struct Runner {
    Bridge& bridge;
    std::size_t max_message_bytes;
    void run() { bridge.run(max_message_bytes); }
  };

  void run(std::size_t max_message_bytes) {
    const FrameQueue nothing;
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      if (!full() && receive(max_message_bytes)) {
        mutex_.yield();  // there is more, but who sends has waited
        continue;
      }
      if (ended_) return;
      if (!full() && link_.arm(nothing)) continue;
      auto slept = update_watches(link_.interest(nothing));
      const pollfd ready{set_.native_handle(), POLLIN, 0};
      if (slept) {
        lock.unlock();
        slept = posix::wait_for({ready, {-1, 0, 0}}, Deadline::never());
        lock.lock();
      }
      if (!slept) return end(slept.error());
      set_.clear();
      link_.disarm();
      link_.take_doorbells();
      // There may be room: whoever waits for it looks, and asks again.
      if (std::exchange(wants_room_, false)) {
        set_.forget(watched_.out.fd);
        watched_.out = {-1, 0, 0};
        static_cast<void>(room_.signal());
      }
    }
  }

  /// Takes messages from the link. True when there may be more.
  bool receive(std::size_t max_message_bytes) {
    std::size_t count = 0;
    std::error_code failure;
    const auto received = link_.receive(
        // A bridge carries no rights: those that come are closed.
        [&](const Incoming& message) {
          std::byte* copy = inbox_.push(message.tag, message.bytes.size());
          if (copy == nullptr) {
            failure = no_memory();
            return false;
          }
          const auto bytes = message.bytes;
          if (!bytes.empty()) std::memcpy(copy, bytes.data(), bytes.size());
          ++count;
          ++messages_;
          return !full();
        },
        max_message_bytes);
    signal(count);
    if (failure) {
      end(failure);
    } else if (!received && received.error() != Errc::empty) {
      end(received.error());
    }
    return received && !ended_;
  }

  bool full() const { return messages_ >= max_messages || inbox_.bytes() >= max_bytes; }

  /// Nothing comes any more. The last signal is never taken: who waits is told at once.
  void end(std::error_code why) {
    ended_ = why;
    signal(1);
    static_cast<void>(room_.signal());
  }

  /// Writes one byte a message; there is always room for them.
  void signal(std::size_t count) {
    static constexpr std::array<char, 256> bytes{};
    while (count != 0) {
      const ssize_t written = posix::retry(
          [&] { return ::write(signal_out_.get(), bytes.data(), min(count, bytes.size())); });
      if (written <= 0) return;
      signals_ += static_cast<std::size_t>(written);
      count -= static_cast<std::size_t>(written);
    }
  }

  /// Reads them all, but for the last.
  void take_signals() {
    std::array<char, 1024> bytes;
    std::size_t left = signals_ - (ended_ && signals_ != 0 ? 1 : 0);
    while (left != 0) {
      const ssize_t got = posix::retry(
          [&] { return ::read(signal_in_.get(), bytes.data(), min(left, bytes.size())); });
      if (got <= 0) break;
      left -= static_cast<std::size_t>(got);
      signals_ -= static_cast<std::size_t>(got);
    }
  }

  /// What the thread sleeps on; called by both sides, also while it sleeps.
  Result<void> update_watches(posix::Interest wanted) {
    // Messages that nobody takes must not keep it awake.
    if (full()) wanted.in.events = static_cast<short>(wanted.in.events & ~POLLIN);
    // Kept until there is room, as all that `out` stands for.
    if (wants_room_) {
      wanted.in.events = static_cast<short>(wanted.in.events | (watched_.in.events & POLLOUT));
    }
    if (wanted.in.events == 0) wanted.in.fd = -1;
    if (auto changed = watch(watched_.in, wanted.in); !changed) return changed;
    return wanted.out.fd < 0 ? Result<void>() : watch(watched_.out, wanted.out);
  }

  Result<void> watch(pollfd& watched, const pollfd& wanted) {
    if (watched.fd == wanted.fd && watched.events == wanted.events) return {};
    if (watched.fd >= 0 && watched.fd != wanted.fd) set_.forget(watched.fd);
    watched = wanted;
    return wanted.fd >= 0 ? set_.watch(wanted.fd, wanted.events) : Result<void>();
  }

  /// Guards all but what `start` sets before there is a thread.
  mutable FairMutex mutex_;
  T link_;
  FrameQueue inbox_;
  std::size_t messages_ = 0;
  std::size_t signals_ = 0;
  std::error_code ended_;
  bool stopping_ = false;
  bool wants_room_ = false;
  posix::WaitSet set_;
  posix::WaitSet room_;
  posix::Interest watched_;
  posix::Descriptor signal_in_;
  posix::Descriptor signal_out_;
  bool started_ = false;
  pthread_t thread_{};
  posix::OwnerProcess owner_;
};

}  // namespace strait::detail

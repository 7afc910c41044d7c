#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <system_error>
#include <utility>

#include "strait/base/deadline.hpp"
#include "strait/base/min_max.hpp"
#include "strait/base/shared.hpp"
#include "strait/framing/frame_queue.hpp"
#include "strait/os/descriptors.hpp"
#include "strait/os/fair_mutex.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/poll.hpp"
#include "strait/os/posix/fifo.hpp"
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
      const Lock locked(mutex_);
      stopping_ = true;
      static_cast<void>(set_.signal());
    }
    thread_.join();
  }

  /// Ends a bridge. In a forked process its thread is not there, and may have been in the middle of
  /// a change: then this copy is kept for ever.
  struct End {
    void operator()(Bridge* bridge) const {
      static Bridge* kept = nullptr;
      const bool whole =
          !bridge->started_ || bridge->owner_.is_this() || Lock(bridge->mutex_, TryToLock());
      if (whole) return delete bridge;
      bridge->kept_before_ = std::exchange(kept, bridge);
    }
  };

  /// The link itself, for as long as the thread has not started.
  T& link() { return link_; }
  const T& link() const { return link_; }

  bool started() const { return started_; }

  /// Errors: the system's, when it has no thread or descriptor left.
  Result<void> start(std::size_t max_message_bytes) {
    auto pipe = os::pipe_pair();
    if (!pipe) return pipe.error();
    // Made here, so that stopping and telling can't fail for want of a descriptor.
    auto set = os::wait_set_with_signal();
    if (!set) return set.error();
    auto room = os::wait_set_with_signal();
    if (!room) return room.error();
    signal_in_ = std::move((*pipe)[0]);
    signal_out_ = std::move((*pipe)[1]);
    set_ = std::move(*set);
    room_ = std::move(*room);
    const auto thread = os::start_thread(Shared<Runner>::make(Runner{*this, max_message_bytes}));
    if (!thread) return thread.error();
    thread_ = *thread;
    started_ = true;
    return {};
  }

  template <class Payload>
  Result<void> send(const Payload& payload, FrameQueue& queue) {
    const Lock locked(mutex_);
    return link_.send(payload, queue);
  }

  Result<void> flush(FrameQueue& queue) {
    const Lock locked(mutex_);
    return link_.flush(queue);
  }

  /// Gives all that is there in exchange for an empty queue. What the thread has not come to yet
  /// is taken here.
  ///
  /// Errors: `empty`; why there will be no more.
  Result<void> take(FrameQueue& taken, std::size_t max_message_bytes) {
    const Lock locked(mutex_);
    if (inbox_.empty() && !ended_) {
      receive(max_message_bytes);
      // That may have used up what was to wake the thread for the next one.
      if (link_.arm(FrameQueue()).ready) static_cast<void>(set_.signal());
    }
    take_signals();
    if (inbox_.empty()) return ended_ ? ended_ : make_error_code(Errc::empty);
    const bool was_full = full();
    taken = std::move(inbox_);
    messages_ = 0;
    if (was_full) static_cast<void>(set_.signal());
    return {};
  }

  bool readable() const {
    const Lock locked(mutex_);
    return !inbox_.empty() || ended_;
  }

  /// Asks for a signal when there may be room for what is in the queue; of messages the thread
  /// tells without being asked.
  Armed arm(const FrameQueue& queue) {
    const Lock locked(mutex_);
    Armed armed{{Interest::to_read(signal_in_.get()), {}}, !inbox_.empty() || ended_};
    if (queue.empty()) return armed;
    armed.out = Interest::to_read(room_.native_handle());
    if (ended_) return armed;
    // Also asks for messages again, for which the thread has asked already; that there are some
    // says nothing of room.
    const Armed link = link_.arm(queue);
    wants_room_ = true;
    room_interest_ = link.out;
    if (!update_watches(link) || link.ready) armed.ready = true;
    return armed;
  }

  void take_room_signal() {
    const Lock locked(mutex_);
    room_.clear();
  }

 private:
  /// More than this is not taken from the link before it is taken from here: memory is
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
    Lock lock(mutex_);
    while (!stopping_) {
      if (!full() && receive(max_message_bytes)) {
        mutex_.yield();  // there is more, but a sender has waited
        continue;
      }
      if (ended_) return;
      const Armed armed = link_.arm(nothing);
      if (!full() && armed.ready) continue;
      // What has been taken in may have been the sign for it.
      tell_of_room();
      auto slept = update_watches(armed);
      if (slept) {
        lock.unlock();
        slept = os::wait_for({Interest::to_read(set_.native_handle())}, Deadline::never());
        lock.lock();
      }
      if (!slept) return end(slept.error());
      set_.clear();
      link_.disarm();
      link_.take_doorbells();
      tell_of_room();
    }
  }

  /// There may be room: a sender that waits for it looks, and asks again.
  void tell_of_room() {
    if (!std::exchange(wants_room_, false)) return;
    room_interest_ = {};
    static_cast<void>(room_.signal());
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

  /// Nothing comes any more. The last signal is never taken: a receiver that waits is told at once.
  void end(std::error_code why) {
    ended_ = why;
    signal(1);
    static_cast<void>(room_.signal());
  }

  /// Writes one byte a message; there is always room for them.
  void signal(std::size_t count) {
    static constexpr std::array<std::byte, 256> bytes{};
    while (count != 0) {
      const auto written = os::write_some(signal_out_, {bytes.data(), (min)(count, bytes.size())});
      if (!written || *written == 0) return;
      signals_ += *written;
      count -= *written;
    }
  }

  /// Reads them all, but for the last.
  void take_signals() {
    std::array<std::byte, 1024> bytes;
    std::size_t left = signals_ - (ended_ && signals_ != 0 ? 1 : 0);
    while (left != 0) {
      const auto got = os::read_some(signal_in_, {bytes.data(), (min)(left, bytes.size())});
      if (!got) break;
      left -= *got;
      signals_ -= *got;
    }
  }

  /// What the thread sleeps on; called by both sides, also while it sleeps.
  Result<void> update_watches(Interests wanted) {
    // Messages that are not taken must not keep it awake.
    if (full()) wanted.in.read = false;
    wanted.out = room_interest_;
    if (!wanted.in.read && !wanted.in.write) wanted.in = {};
    return os::watch_instead(set_, watched_, wanted);
  }

  /// Guards all but what `start` sets before there is a thread.
  mutable os::FairMutex mutex_;
  T link_;
  FrameQueue inbox_;
  std::size_t messages_ = 0;
  std::size_t signals_ = 0;
  std::error_code ended_;
  bool stopping_ = false;
  bool wants_room_ = false;
  Interest room_interest_;
  os::WaitSet set_;
  os::WaitSet room_;
  Interests watched_;
  os::Descriptor signal_in_;
  os::Descriptor signal_out_;
  bool started_ = false;
  os::Thread thread_;
  Bridge* kept_before_ = nullptr;
  os::OwnerProcess owner_;
};

}  // namespace strait::detail

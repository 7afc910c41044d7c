#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <system_error>
#include <utility>

#include "strait/base/atomic.hpp"
#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/base/moved_from.hpp"
#include "strait/base/queue.hpp"
#include "strait/base/shared.hpp"
#include "strait/channel/delivery.hpp"
#include "strait/channel/frame_sink.hpp"
#include "strait/error.hpp"
#include "strait/framing/frame_queue.hpp"
#include "strait/memory/byte_buffer.hpp"
#include "strait/observer.hpp"
#include "strait/os/fair_mutex.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/poll.hpp"
#include "strait/os/thread.hpp"
#include "strait/os/wait_set.hpp"
#include "strait/peer.hpp"
#include "strait/proxy_options.hpp"
#include "strait/result.hpp"
#include "strait/rights/rights.hpp"
#include "strait/transport.hpp"

namespace strait::detail {

/// What a proxy, its thread and its tasks share.
///
/// The channel is used by one thread at a time: the one that has the mutex. The proxy's thread
/// moves what arrives to the inbox and sleeps without the mutex; it has the executor run one task
/// at a time, which takes the inbox and calls the listener without the mutex.
template <class ChannelT, ProxyOptions options>
class ProxyCore {
 public:
  explicit ProxyCore(ChannelT channel, os::WaitSet wakeup)
      : channel_(std::move(channel)), wakeup_(std::move(wakeup)) {}
  virtual ~ProxyCore() = default;
  ProxyCore(const ProxyCore&) = delete;
  ProxyCore& operator=(const ProxyCore&) = delete;

  template <class Message, class... List>
  Result<void> send(const Message& message, List&&... rights) {
    const Lock locked(mutex_);
    if (closing_) return Errc::closed;
    if (ended_) return ended_;
    auto sent = channel_.send(message, std::forward<List>(rights)...);
    // While the inbox is full, the proxy's thread does not wait for room by itself.
    if (paused_ && channel_.queued_bytes() != 0) static_cast<void>(wakeup_.signal());
    return sent;
  }

  /// Tries to send what is queued. Errors: `timed_out`.
  Result<void> flush() {
    const Lock locked(mutex_);
    if (ended_) return ended_;
    return channel_.flush(std::chrono::milliseconds{0});
  }

  std::size_t queued_bytes() {
    const Lock locked(mutex_);
    return channel_.queued_bytes();
  }

  void close() {
    const Lock locked(mutex_);
    begin_closing();
  }

  /// Has `on_due` be called at that time, or at an earlier one that was asked for before.
  void call_by(Deadline due) {
    const Lock locked(mutex_);
    if (Deadline::earlier(due, due_) == due_) return;
    due_ = due;
    static_cast<void>(wakeup_.signal());
  }

  /// For the proxy's destructor: after this no listener is called, and none is running but one that
  /// this very thread is in.
  void finish(os::Thread thread) {
    Lock locked(mutex_);
    begin_closing();
    if (thread.is_current()) {
      // From inside its own listener: it goes on by itself and comes to its end.
      abandoned_ = true;
      thread.detach();
      return;
    }
    while (!ended_) mutex_.wait(changed_);
    abandoned_ = true;
    static_cast<void>(wakeup_.signal());
    while (dispatching_ && !dispatching_->is_current()) mutex_.wait(changed_);
    locked.unlock();
    thread.join();
  }

  /// For the destructor of a proxy's copy in a forked process. Its thread is not there, nor the one
  /// that may have had the mutex: then the channel may be in the middle of a change, and is left
  /// alone. The rest is kept for ever, as threads may have waited for it that are not there,
  /// either.
  static void end_copy(Shared<ProxyCore> core) {
    static auto& kept = *new Queue<Shared<ProxyCore>>;
    if (const Lock whole(core->mutex_, TryToLock()); whole) core->channel_.close();
    kept.push(std::move(core));
  }

  /// The proxy's thread.
  void run() {
    for (;;) {
      Interests interests;
      Deadline until = Deadline::never();
      bool post = false;
      {
        mutex_.lock_in_turn();
        const Lock locked(mutex_, AlreadyLocked());
        wakeup_.clear();
        if (!ended_) step(interests, until);
        if (ended_ && (told_ || abandoned_)) return;
        // A task that is posted already sees what is due.
        if (!posted_ || !due_.passed()) until = Deadline::earlier(until, due_);
        post = !posted_ && !abandoned_ && has_news();
        posted_ = posted_ || post;
      }
      if (post) {
#if defined(__cpp_exceptions)
        try {
          this->post();
        } catch (...) {
          end_by_exception();
        }
#else
        this->post();
#endif
        continue;
      }
      interests.out = Interest::to_read(wakeup_.native_handle());
      static_cast<void>(os::wait_for(interests, until));
    }
  }

  /// Calls the listener with all there is, up to a fair share. One at a time: the second
  /// finds nothing posted.
  void dispatch() {
    Lock locked(mutex_);
    if (!posted_ || dispatching_) return;
    dispatching_.emplace(os::Thread::current());
    const Dispatching dispatching(*this, locked);
    for (int i = 0; i != max_batches && !abandoned_ && has_news(); ++i) {
      if (connected_) {
        const Peer peer = *connected_;
        connected_.reset();
        locked.unlock();
        on_connected(peer);
      } else if (batch_bytes_ != 0 || !inbox_.empty()) {
        if (batch_bytes_ == 0) std::swap(batch_, inbox_);
        count_batch();
        locked.unlock();
        const auto handled = handle_batch();
        locked.lock();
        if (!handled) fail(handled.error());
        took();
        continue;
      } else if (is_due()) {
        due_ = Deadline::never();
        locked.unlock();
        on_due();
      } else {
        told_ = true;
        const std::error_code why = ended_;
        locked.unlock();
        on_closed(why);
      }
      locked.lock();
    }
  }

 protected:
  virtual void post() = 0;
  virtual void on_connected(const Peer& peer) = 0;
  virtual Result<void> on_message(std::uint16_t tag, std::span<const std::byte> bytes,
                                  Rights rights) = 0;
  virtual void on_due() = 0;
  virtual void on_closed(std::error_code why) = 0;

 private:
  /// How many times a task looks for more before others that the executor has get their turn.
  static constexpr int max_batches = 16;

  struct Sink : FrameSink {
    ProxyCore& core;

    explicit Sink(ProxyCore& owner) : core(owner) {}
    void on_connected(const Peer& peer) { core.connected_.emplace(peer); }
    Result<void> take(const Incoming& message) {
      const auto& [tag, bytes, rights, memory] = message;
      std::byte* out = core.inbox_.push(tag, bytes.size(), false, rights);
      if (out == nullptr) return no_memory();
      if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
      if (core.full()) core.channel_.stop();
      return {};
    }
  };

  /// The end of a dispatch, also when a listener throws.
  class Dispatching {
   public:
    Dispatching(ProxyCore& core, Lock<os::FairMutex>& locked) : core_(core), locked_(locked) {}
    ~Dispatching() {
      if (!locked_) locked_.lock();
      core_.took();
      core_.dispatching_.reset();
      core_.posted_ = false;
      // The proxy's thread posts again, or ends.
      if (core_.has_news() || core_.told_) static_cast<void>(core_.wakeup_.signal());
      core_.changed_.notify_all();
    }
    Dispatching(const Dispatching&) = delete;
    Dispatching& operator=(const Dispatching&) = delete;

   private:
    ProxyCore& core_;
    Lock<os::FairMutex>& locked_;
  };

  bool full() const {
    return inbox_.bytes() + batch_bytes_ >= options.max_inbox_bytes ||
           inbox_.rights().size() + batch_rights_ >= options.max_inbox_rights;
  }

  bool has_news() const {
    return connected_ || batch_bytes_ != 0 || !inbox_.empty() || (ended_ && !told_) || is_due();
  }
  bool is_due() const { return !told_ && due_.passed(); }

  /// There is room again that the proxy's thread may wait for.
  void took() {
    count_batch();
    if (paused_ && !full()) static_cast<void>(wakeup_.signal());
  }

  void count_batch() {
    batch_bytes_ = batch_.bytes();
    batch_rights_ = batch_.rights().size();
  }

  void begin_closing() {
    if (closing_) return;
    closing_ = true;
    linger_ = Deadline::after(std::chrono::milliseconds{options.linger_ms});
    static_cast<void>(wakeup_.signal());
  }

  void end(std::error_code why) {
    ended_ = why;
    channel_.close_because(why);
    changed_.notify_all();
  }

  /// A message that can't be read: nothing that comes after it counts.
  void fail(std::error_code why) {
    batch_.clear();
    inbox_.clear();
    end(why);
    static_cast<void>(wakeup_.signal());
  }

#if defined(__cpp_exceptions)
  /// After what a listener on the proxy's own thread has thrown, or the executor: nothing else on
  /// that thread could catch it.
  void end_by_exception() {
    std::error_code why = std::make_error_code(std::errc::operation_canceled);
    try {
      throw;
    } catch (const std::system_error& error) {
      if (error.code()) why = error.code();
    } catch (const std::bad_alloc&) {
      why = no_memory();
    } catch (...) {
    }
    const Lock locked(mutex_);
    // An executor that has not taken a task is asked once more, with the end.
    if (std::exchange(posted_, false) && ended_) told_ = true;
    if (!told_) fail(why);
  }
#endif

  /// Sends and receives what is possible, and tells what to wait for then.
  void step(Interests& interests, Deadline& until) {
    if (closing_) {
      const auto flushed = channel_.flush(std::chrono::milliseconds{0});
      if (flushed || flushed.error() != Errc::timed_out || linger_.passed()) {
        return end(make_error_code(Errc::closed));
      }
      until = linger_;
    }
    paused_ = full();
    if (!paused_) {
      Sink sink(*this);
      if (const auto handled = channel_.poll(sink); !handled) return end(handled.error());
      paused_ = full();
    }
    if (!paused_) {
      interests.in = Interest::to_read(channel_.native_handle());
      until = Deadline::earlier(until, channel_.handshake_deadline());
    } else {
      // The channel's descriptor would tell of messages, too, for which there is no room.
      interests.in = channel_.await_room();
    }
    // Nothing wakes this when what comes before has sent the last of it, nor, with all on its way,
    // when there is room for a message that was refused.
    if (closing_ && !channel_.has_unsent()) end(make_error_code(Errc::closed));
  }

  Result<void> handle_batch() {
    // Relaxed: set by this very thread, inside a listener, or by one that waits for this to end.
    while (!batch_.empty() && !abandoned_.load(MemoryOrder::relaxed)) {
      const auto frame = batch_.front();
      current_.clear();
      std::byte* copy = current_.extend(frame.header.bytes);
      if (copy == nullptr) return no_memory();
      std::memcpy(copy, frame.payload, frame.header.bytes);
      Rights rights(batch_.take_rights(frame.header.rights));
      batch_.pop();
      auto read = on_message(frame.header.tag, current_.bytes(), std::move(rights));
      if (!read) {
        if (read.error() == Errc::unexpected_message) observe_unexpected(frame.header.tag);
        return read;
      }
    }
    return {};
  }

  void observe_unexpected(std::uint16_t tag) {
    const Lock locked(mutex_);
    detail::observe_unexpected(channel_.observer(),
                               message_name<typename ChannelT::serializer>(tag), tag,
                               current_.size());
  }

  os::FairMutex mutex_;
  os::Condition changed_;  // ended_, dispatching_
  ChannelT channel_;
  os::WaitSet wakeup_;
  FrameQueue inbox_;
  std::size_t batch_bytes_ = 0;
  std::size_t batch_rights_ = 0;
  ResetOnMove<Peer> connected_;
  std::error_code ended_;
  Deadline linger_ = Deadline::never();
  Deadline due_ = Deadline::never();
  ResetOnMove<os::Thread> dispatching_;
  bool posted_ = false;  // a task is with the executor
  bool paused_ = false;  // the inbox is full
  bool told_ = false;    // the listener knows of the end
  bool closing_ = false;
  Atomic<bool> abandoned_ = false;  // nothing is to be heard any more

  // Of the task alone:
  FrameQueue batch_;
  ByteBuffer current_;
};

}  // namespace strait::detail

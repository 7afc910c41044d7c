#pragma once

#include <zmq.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/poll.hpp"
#include "strait/os/posix/owner_process.hpp"
#include "strait/os/posix/thread.hpp"
#include "strait/os/wait_set.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"
#include "strait/transports/zmq/keys.hpp"
#include "strait/transports/zmq/message.hpp"

namespace strait::detail {

/// How long what was sent may take to leave this process after its link has been closed.
inline constexpr std::chrono::milliseconds zmq_linger{1500};

/// How many milliseconds libzmq gives a client's connection until it can say Hello. No less than
/// five seconds, whatever the channel's limit: many may be at it at once.
inline int zmq_handshake_limit(std::chrono::milliseconds limit) {
  constexpr std::chrono::milliseconds min{5000};
  constexpr std::chrono::milliseconds max{(std::numeric_limits<int>::max)()};
  return static_cast<int>((limit < min ? min : limit > max ? max : limit).count());
}
inline constexpr int zmq_no_limit = 0;

/// How often connections are looked at.
inline constexpr std::chrono::milliseconds zmq_check_interval{200};

/// What the thread of a context does something for.
class ZmqServed {
 public:
  /// Takes in what has come.
  virtual void serve() = 0;
  /// Whether all peers know that there is no more.
  virtual bool finished() const = 0;
  /// Looks at its connections, every `zmq_check_interval`.
  virtual void check() = 0;
  /// Whether a client with this key may come in.
  virtual bool admits(const PublicKey& key) = 0;

 protected:
  ~ZmqServed() = default;
};

/// Contexts that are about to end, each on a thread of its own: what was sent has to leave the
/// process before it ends.
class ZmqEndings {
 public:
  static ZmqEndings& instance() {
    static ZmqEndings endings;
    return endings;
  }
  ~ZmqEndings() {
    if (!owner_.is_this()) return;
    std::unique_lock lock(mutex_);
    ended_.wait_for(lock, 2 * zmq_linger, [this] { return count_ == 0; });
  }

  void begin() {
    const std::lock_guard locked(mutex_);
    ++count_;
  }
  void end() {
    const std::lock_guard locked(mutex_);
    --count_;
    ended_.notify_all();
  }

 private:
  ZmqEndings() = default;

  std::mutex mutex_;
  std::condition_variable ended_;
  int count_ = 0;
  os::OwnerProcess owner_;
};

/// A context of libzmq's, and a thread for what can't wait until a channel's owner comes by: to say
/// which clients' keys are let in, and to share out what comes for several links of one socket.
class ZmqContext {
 public:
  /// The one of this process, which lives as long as somebody has it.
  ///
  /// Errors: the system's.
  static Result<std::shared_ptr<ZmqContext>> get() {
    struct Current {
      std::mutex mutex;
      std::weak_ptr<ZmqContext> context;
    };
    static_cast<void>(ZmqEndings::instance());  // ends after all that uses it
    static Current current;
    const std::lock_guard locked(current.mutex);
    auto context = current.context.lock();
    if (context && context->owner_.is_this()) return context;
    auto core = std::make_shared<Core>();
    core->context = ::zmq_ctx_new();
    if (core->context == nullptr) return zmq_failure();
    ::zmq_ctx_set(core->context, ZMQ_MAX_SOCKETS, 8192);
    context = std::make_shared<ZmqContext>(std::move(core));
    current.context = context;
    return context;
  }

  struct Core;
  explicit ZmqContext(std::shared_ptr<Core> core) : core_(std::move(core)) {}
  ZmqContext(const ZmqContext&) = delete;
  ZmqContext& operator=(const ZmqContext&) = delete;
  /// Leaves the end to a thread, as it waits for the network.
  ~ZmqContext() {
    if (!owner_.is_this()) return;
    ZmqEndings::instance().begin();
    const auto ending = os::start_thread(std::make_shared<Ending>(Ending{core_}));
    if (ending) {
      ending->detach();
    } else {
      ZmqEndings::instance().end();  // no thread is left: the system takes it all back
    }
  }

  void* get_raw() const { return core_->context; }

  /// Whose message it is, of a client that this context's thread has admitted: of any other one
  /// the name is what it gives itself.
  static PublicKey key_of(ZmqMessage& message) {
    PublicKey key;
    if (const char* user = ::zmq_msg_gets(message.get(), "User-Id")) {
      ::zmq_z85_decode(reinterpret_cast<std::uint8_t*>(key.bytes.data()), user);
    }
    return key;
  }

  /// Has the thread decide which clients come to the sockets of a domain.
  ///
  /// Errors: the system's.
  Result<void> guard(const std::string& domain, std::weak_ptr<ZmqServed> gate) {
    if (auto started = core_->start(core_); !started) return started;
    const std::lock_guard locked(core_->mutex);
    core_->gates[domain] = std::move(gate);
    return {};
  }
  void unguard(const std::string& domain) {
    const std::lock_guard locked(core_->mutex);
    core_->gates.erase(domain);
  }

  /// Has the thread serve `served` whenever `fd` is readable. Errors: the system's.
  Result<void> watch(int fd, std::weak_ptr<ZmqServed> served) {
    if (auto started = core_->start(core_); !started) return started;
    const std::lock_guard locked(core_->mutex);
    core_->served[fd] = std::move(served);
    return core_->set.watch(Interest::to_read(fd));
  }
  void forget(int fd) {
    const std::lock_guard locked(core_->mutex);
    core_->set.forget(fd);
    core_->served.erase(fd);
  }

  /// Has the thread call `check` from now on. Errors: the system's.
  Result<void> check(std::weak_ptr<ZmqServed> checked) {
    if (auto started = core_->start(core_); !started) return started;
    const std::lock_guard locked(core_->mutex);
    if (core_->checked.empty()) {
      core_->next_check = Deadline::after(zmq_check_interval);
      core_->set.interrupt();
    }
    core_->checked.push_back(std::move(checked));
    return {};
  }

  /// Has the thread serve it once more, whatever its descriptor says.
  void serve_again(std::weak_ptr<ZmqServed> unfinished) {
    const std::lock_guard locked(core_->mutex);
    core_->unfinished.push_back(std::move(unfinished));
    core_->set.interrupt();
  }

  /// Has the thread keep `leaving`, which it watches already, until that is finished or its time is
  /// up.
  void see_off(std::shared_ptr<ZmqServed> leaving) {
    ZmqEndings::instance().begin();
    const std::lock_guard locked(core_->mutex);
    core_->leaving.push_back({std::move(leaving), Deadline::after(zmq_linger)});
    core_->set.interrupt();
  }

  struct Leaving {
    std::shared_ptr<ZmqServed> one;
    Deadline deadline;
  };

  struct Core {
    void* context = nullptr;
    /// Guards what follows, and what the thread is started with.
    std::mutex mutex;
    std::map<std::string, std::weak_ptr<ZmqServed>> gates;
    std::map<int, std::weak_ptr<ZmqServed>> served;
    std::vector<Leaving> leaving;
    /// Has had its turn, and more to take in than that was for.
    std::vector<std::weak_ptr<ZmqServed>> unfinished;
    std::vector<std::weak_ptr<ZmqServed>> checked;
    Deadline next_check = Deadline::never();
    os::WaitSet set;
    ZmqSocket zap;
    bool started = false;
    std::atomic<bool> stopping = false;
    os::Thread thread;

    Result<void> start(const std::shared_ptr<Core>& self) {
      const std::lock_guard locked(mutex);
      if (started) return {};
      auto created = os::wait_set_with_signal();
      if (!created) return created.error();
      auto socket = ZmqSocket::create(context, ZMQ_REP);
      if (!socket) return socket.error();
      if (auto lingers = socket->set(ZMQ_LINGER, 0); !lingers) return lingers;
      if (::zmq_bind(socket->get(), "inproc://zeromq.zap.01") != 0) return zmq_failure();
      if (auto watched = created->watch(Interest::to_read(socket->descriptor())); !watched) {
        return watched;
      }
      set = std::move(*created);
      zap = std::move(*socket);
      auto running = os::start_thread(self);
      if (!running) {
        zap.close();
        return running.error();
      }
      thread = *running;
      started = true;
      return {};
    }

    /// The thread.
    void run() {
      std::array<int, 64> ready;
      while (!stopping) {
        const auto until = Deadline::earlier(let_go(), check());
        const auto slept = os::wait_for({Interest::to_read(set.native_handle())}, until);
        const auto count = set.ready(ready);
        if (!slept || !count) return;
        answer_requests();
        for (const auto& again : take_unfinished()) {
          if (const auto one = again.lock()) one->serve();
        }
        for (std::size_t i = 0; i != *count; ++i) {
          if (const auto one = find(served, ready[i])) one->serve();
        }
      }
    }

    /// Checks all when it is time, and says when it is the next time.
    Deadline check() {
      std::vector<std::shared_ptr<ZmqServed>> due;
      auto next = Deadline::never();
      {
        const std::lock_guard locked(mutex);
        if (next_check.passed()) {
          std::erase_if(checked, [](const auto& one) { return one.expired(); });
          next_check = checked.empty() ? Deadline::never() : Deadline::after(zmq_check_interval);
          for (const auto& one : checked) {
            if (auto alive = one.lock()) due.push_back(std::move(alive));
          }
        }
        next = next_check;
      }
      for (const auto& one : due) one->check();
      return next;
    }

    std::vector<std::weak_ptr<ZmqServed>> take_unfinished() {
      const std::lock_guard locked(mutex);
      return std::exchange(unfinished, {});
    }

    /// Lets go of those that are finished, and says when to look again.
    Deadline let_go() {
      std::vector<Leaving> kept;
      {
        const std::lock_guard locked(mutex);
        kept = std::exchange(leaving, {});
      }
      const auto gone = std::erase_if(
          kept, [](const Leaving& one) { return one.deadline.passed() || one.one->finished(); });
      for (std::size_t i = 0; i != gone; ++i) ZmqEndings::instance().end();
      auto next = Deadline::never();
      const std::lock_guard locked(mutex);
      for (auto& one : kept) {
        next = Deadline::earlier(next, one.deadline);
        leaving.push_back(std::move(one));
      }
      return next;
    }

    template <class Map, class Key>
    std::shared_ptr<ZmqServed> find(const Map& map, const Key& key) {
      const std::lock_guard locked(mutex);
      const auto found = map.find(key);
      return found == map.end() ? nullptr : found->second.lock();
    }

    /// Speaks ZAP: https://rfc.zeromq.org/spec/27
    void answer_requests() {
      for (;;) {
        // Version, id, domain, address, identity, mechanism, key.
        std::array<ZmqMessage, 7> request;
        std::size_t parts = 0;
        bool more = true;
        while (more) {
          ZmqMessage part;
          if (!zap.receive(part)) return;
          more = part.more();
          if (parts != request.size()) request[parts++] = std::move(part);
        }
        PublicKey key;
        const auto gate = find(gates, std::string(request[2].text()));
        const bool whole = parts == request.size() && request[6].size() == key.bytes.size();
        if (whole) std::memcpy(key.bytes.data(), request[6].data(), key.bytes.size());
        const bool admitted = gate && whole && gate->admits(key);
        // Of a server that has just gone nothing is said of keys: the connection is closed.
        const std::string_view refusal = gate ? "400" : "300";
        static_cast<void>(zap.send("1.0", ZMQ_SNDMORE));
        static_cast<void>(zap.send(request[1].text(), ZMQ_SNDMORE));
        static_cast<void>(zap.send(admitted ? "200" : refusal, ZMQ_SNDMORE));
        static_cast<void>(zap.send(admitted ? "OK" : "not allowed", ZMQ_SNDMORE));
        // Every message of this connection tells it as its user.
        static_cast<void>(zap.send(admitted ? to_text(key) : std::string(), ZMQ_SNDMORE));
        static_cast<void>(zap.send("", 0));
      }
    }
  };

 private:
  struct Ending {
    std::shared_ptr<Core> core;
    void run() {
      core->stopping = true;
      if (core->started) {
        core->set.interrupt();
        core->thread.join();
        core->zap.close();
      }
      while (::zmq_ctx_term(core->context) != 0 && ::zmq_errno() == EINTR) {
      }
      ZmqEndings::instance().end();
    }
  };

  std::shared_ptr<Core> core_;
  os::OwnerProcess owner_;
};

}  // namespace strait::detail

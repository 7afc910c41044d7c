#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iceoryx_posh/mepoo/chunk_header.hpp>
#include <iceoryx_posh/popo/untyped_publisher.hpp>
#include <iceoryx_posh/popo/untyped_subscriber.hpp>
#include <iceoryx_posh/popo/wait_set.hpp>
#include <iceoryx_posh/runtime/posh_runtime.hpp>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include "cases/cases.hpp"
#include "cases/pause.hpp"
#include "cases/size_classes.hpp"
#include "harness/native.hpp"
#include "harness/system_error.hpp"

extern char** environ;

// Messages are made in lent memory and read in place, as with strait's loans. iceoryx has one daemon
// a machine, with names that cannot be chosen, in /tmp and /dev/shm: see `enter_private_place`.

namespace bench {

namespace {

/// iceoryx holds no more in a queue.
constexpr std::size_t max_depth = iox::MAX_SUBSCRIBER_QUEUE_CAPACITY;

/// The daemon, which ends with this process, however that ends.
class Daemon {
 public:
  Daemon() {
    const std::string path = "/tmp/roudi.toml";
    write_settings(path);
    // This very program, which becomes the daemon.
    const std::string program = own_program();
    std::array<std::string, 10> words = {
        "strait_bench", "become", STRAIT_BENCH_ROUDI, "-c", path, "-m", "off", "-l", "off"};
    std::array<char*, words.size()> arguments{};
    for (std::size_t i = 0; i + 1 < words.size(); ++i) arguments[i] = words[i].data();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    for (const int output : {STDOUT_FILENO, STDERR_FILENO}) {
      posix_spawn_file_actions_addopen(&actions, output, "/dev/null", O_WRONLY, 0);
    }
    const int error =
        ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw std::system_error(error, std::system_category(), "posix_spawn");
    // Its clients would wait for it without an end.
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (::access("/tmp/roudi", F_OK) != 0) {
      if (std::chrono::steady_clock::now() > until) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        throw std::runtime_error("iceoryx's daemon has not begun to serve within 20 s");
      }
      if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
        throw std::runtime_error(
            "iceoryx's daemon has ended at once; it wants a user whose group has a name");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
  }
  ~Daemon() {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

 private:
  static void write_settings(const std::string& path) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "we"),
                                                               std::fclose);
    if (!file) throw_errno(path);
    fmt::print(file.get(), "[general]\nversion = 1\n\n[[segment]]\n");
    for (const std::size_t bytes : class_bytes) {
      // What one direction may have in its queue, and what both sides of both cases hold.
      constexpr std::size_t held = 10;
      fmt::print(file.get(), "\n[[segment.mempool]]\nsize = {}\ncount = {}\n", bytes,
                 depth_for(bytes, max_depth) + held);
    }
  }

  pid_t pid_ = 0;
};

iox::popo::PublisherOptions publisher_options() {
  iox::popo::PublisherOptions options;
  options.subscriberTooSlowPolicy = iox::popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
  return options;
}

iox::popo::SubscriberOptions subscriber_options(std::size_t bytes) {
  iox::popo::SubscriberOptions options;
  options.queueCapacity = depth_for(bytes, max_depth);
  options.queueFullPolicy = iox::popo::QueueFullPolicy::BLOCK_PRODUCER;
  return options;
}

iox::capro::ServiceDescription topic(const std::string& name, const char* direction,
                                     std::size_t bytes) {
  const auto id = [](const std::string& text) {
    return iox::capro::IdString_t(iox::cxx::TruncateToCapacity, text.c_str());
  };
  return {id("strait_bench"), id(name), id(direction + std::to_string(bytes))};
}

/// Both directions of one class of sizes.
struct Topics {
  Topics(const std::string& name, std::size_t bytes, const char* outgoing, const char* incoming)
      : out(topic(name, outgoing, bytes), publisher_options()),
        in(topic(name, incoming, bytes), subscriber_options(bytes)) {}

  bool connected() const {
    return out.hasSubscribers() && in.getSubscriptionState() == iox::SubscribeState::SUBSCRIBED;
  }

  iox::popo::UntypedPublisher out;
  iox::popo::UntypedSubscriber in;
};

template <bool waits>
class IceoryxLink {
 public:
  IceoryxLink(const std::string& name, const char* outgoing, const char* incoming) {
    for (std::size_t i = 0; i < topics_.size(); ++i) {
      topics_[i] = std::make_unique<Topics>(name, class_bytes[i], outgoing, incoming);
    }
    if constexpr (waits) {
      wait_set_ = std::make_unique<WaitSet>();
      for (auto& one : topics_) {
        wait_set_->attachState(one->in, iox::popo::SubscriberState::HAS_DATA).or_else([](auto&) {
          throw std::runtime_error("iceoryx: attachState");
        });
      }
    }
  }
  IceoryxLink(IceoryxLink&&) noexcept = default;
  ~IceoryxLink() {
    wait_set_.reset();  // before what is attached to it
  }

  /// Until the daemon has brought both sides together.
  void wait_connected() const {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    for (const auto& one : topics_) {
      while (!one->connected()) {
        if (std::chrono::steady_clock::now() > until) {
          throw std::runtime_error("iceoryx: the daemon has connected no subscriber");
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
      }
    }
  }

  template <class Make>
  void send_made(std::size_t bytes, const Make& make) {
    auto& out = topics_[class_of(bytes)]->out;
    void* room = nullptr;
    // None is there while the receiver has all.
    spin_until([&] {
      out.loan(static_cast<std::uint32_t>(bytes)).and_then([&](void* lent) { room = lent; });
      return room != nullptr;
    });
    make(std::span(static_cast<std::byte*>(room), bytes));
    out.publish(room);
  }
  void send(std::span<const std::byte> message) {
    send_made(message.size(), [&](std::span<std::byte> room) {
      std::memcpy(room.data(), message.data(), message.size());
    });
  }
  void flush() noexcept {}

  template <class Handle>
  std::size_t receive(std::size_t bytes, const Handle& handle) {
    auto& in = topics_[class_of(bytes)]->in;
    const void* taken = nullptr;
    const auto take = [&] {
      in.take().and_then([&](const void* payload) { taken = payload; });
      return taken != nullptr;
    };
    if constexpr (waits) {
      while (!take()) wait_set_->wait();
    } else {
      spin_until(take);
    }
    const std::size_t size = iox::mepoo::ChunkHeader::fromUserPayload(taken)->userPayloadSize();
    handle(std::span(static_cast<const std::byte*>(taken), size));
    in.release(taken);
    return 1;
  }

 private:
  using WaitSet = iox::popo::WaitSet<class_bytes.size()>;

  std::array<std::unique_ptr<Topics>, class_bytes.size()> topics_;
  std::unique_ptr<WaitSet> wait_set_;
};

/// One for all cases.
void start_daemon() { static const Daemon daemon; }

void join_daemon(const char* side) {
  iox::log::LogManager::GetLogManager().SetDefaultLogLevel(iox::log::LogLevel::kOff,
                                                           iox::log::LogLevelOutput::kHideLogLevel);
  const std::string name = fmt::format("strait_bench_{}", side);
  iox::runtime::PoshRuntime::initRuntime(
      iox::RuntimeName_t(iox::cxx::TruncateToCapacity, name.c_str()));
}

template <bool waits>
std::unique_ptr<Endpoint> host(bool, const std::function<void(Invitation)>& invite) {
  start_daemon();
  join_daemon("first");
  const std::string name = waits ? "waiting" : "polling";
  IceoryxLink<waits> link(name, "there", "back");
  invite({name, {}});
  link.wait_connected();
  return make_endpoint(std::move(link));
}

template <bool waits>
std::unique_ptr<Endpoint> join(bool, Invitation invitation) {
  join_daemon("second");
  IceoryxLink<waits> link(invitation.text, "back", "there");
  link.wait_connected();
  return make_endpoint(std::move(link));
}

template <bool waits>
Case iceoryx_case(const char* name, const char* about) {
  Case made = {name, about, host<waits>, join<waits>, class_bytes.back()};
  made.private_place = true;
  return made;
}

}  // namespace

Case iceoryx_poll_case() {
  return iceoryx_case<false>("iceoryx-poll",
                             "iceoryx, made in lent memory, polling without a pause");
}

Case iceoryx_wait_case() {
  return iceoryx_case<true>("iceoryx-wait", "the same, waiting in a WaitSet");
}

}  // namespace bench

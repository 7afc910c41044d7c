#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/interprocess/ipc/message_queue.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "cases/cases.hpp"
#include "cases/landing.hpp"
#include "harness/guard.hpp"

// A message queue reserves its largest message for each one it can hold, so one for messages of all
// sizes would scatter the small ones over megabytes. Here each class of sizes has its own queue,
// and a depth of its own. That keeps no order between classes, but both sides know each message's
// size, so a reader knows which queue has the next.

namespace bench {

namespace {

using Queue = boost::interprocess::message_queue;

constexpr std::array<std::size_t, 5> class_bytes = {64, 1024, 64 * 1024, 1024 * 1024,
                                                    7 * 1024 * 1024};

// Deep enough for a writer to run ahead, no larger than what the caches keep.
constexpr std::size_t depth_for(std::size_t bytes) {
  return std::clamp<std::size_t>(1024 * 1024 / bytes, 2, 1024);
}

std::size_t class_of(std::size_t bytes) {
  return static_cast<std::size_t>(std::lower_bound(class_bytes.begin(), class_bytes.end(), bytes) -
                                  class_bytes.begin());
}

std::string queue_name(const std::string& base, const char* direction, std::size_t index) {
  return base + direction + std::to_string(index);
}

/// One direction.
struct Queues {
  std::array<std::unique_ptr<Queue>, class_bytes.size()> of;

  static Queues create(const std::string& base, const char* direction) {
    Queues queues;
    for (std::size_t i = 0; i < class_bytes.size(); ++i) {
      boost::interprocess::permissions mine_only(0600);
      queues.of[i] = std::make_unique<Queue>(boost::interprocess::create_only,
                                             queue_name(base, direction, i).c_str(),
                                             depth_for(class_bytes[i]), class_bytes[i], mine_only);
    }
    return queues;
  }

  static Queues open(const std::string& base, const char* direction) {
    Queues queues;
    for (std::size_t i = 0; i < class_bytes.size(); ++i) {
      queues.of[i] = std::make_unique<Queue>(boost::interprocess::open_only,
                                             queue_name(base, direction, i).c_str());
    }
    return queues;
  }
};

class BoostLink {
 public:
  BoostLink(Queues in, Queues out) : in_(std::move(in)), out_(std::move(out)) {}

  void send(std::span<const std::byte> message) {
    out_.of[class_of(message.size())]->send(message.data(), message.size(), 0);
  }

  void flush() noexcept {}

  template <class Handle>
  std::size_t receive(std::size_t bytes, const Handle& handle) {
    const std::size_t index = class_of(bytes);
    std::byte* const data = landing_.room_for(class_bytes[index]);
    std::size_t got = 0;
    unsigned priority = 0;
    in_.of[index]->receive(data, class_bytes[index], got, priority);
    handle(std::span<const std::byte>(data, got));
    return 1;
  }

 private:
  Queues in_;
  Queues out_;
  Landing landing_;
};

std::unique_ptr<Endpoint> host(bool, const std::function<void(Invitation)>& invite) {
  const std::string base = "strait_bench." + std::to_string(::getpid());
  // Only needed until both have mapped them; this is where POSIX shared memory has its names.
  guard::Leftovers names;
  for (std::size_t i = 0; i < class_bytes.size(); ++i) {
    for (const char* direction : {".there", ".back"}) {
      names.add("/dev/shm/" + queue_name(base, direction, i));
    }
  }
  Queues there = Queues::create(base, ".there");
  Queues back = Queues::create(base, ".back");
  invite({base, {}});
  BoostLink link(std::move(back), std::move(there));
  link.receive(1, [](std::span<const std::byte>) {});
  return make_endpoint(std::move(link));
}

std::unique_ptr<Endpoint> join(bool, Invitation invitation) {
  Queues there = Queues::open(invitation.text, ".there");
  Queues back = Queues::open(invitation.text, ".back");
  BoostLink link(std::move(there), std::move(back));
  constexpr std::byte joined[1] = {};
  link.send(joined);
  return make_endpoint(std::move(link));
}

}  // namespace

Case boost_mq_case() {
  return {"boost-mq", "Boost.Interprocess message_queue", host, join, class_bytes.back()};
}

}  // namespace bench

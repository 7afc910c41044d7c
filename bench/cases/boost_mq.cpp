#include <unistd.h>

#include <array>
#include <boost/interprocess/ipc/message_queue.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "cases/cases.hpp"
#include "cases/landing.hpp"
#include "cases/size_classes.hpp"
#include "harness/guard.hpp"

namespace bench {

namespace {

using Queue = boost::interprocess::message_queue;

constexpr std::size_t max_depth = 1024;

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
      queues.of[i] = std::make_unique<Queue>(
          boost::interprocess::create_only, queue_name(base, direction, i).c_str(),
          depth_for(class_bytes[i], max_depth), class_bytes[i], mine_only);
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

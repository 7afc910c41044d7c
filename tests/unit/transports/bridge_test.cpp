#include <strait/transports/bridge.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>

#include "support/catch.hpp"

using namespace std::chrono_literals;
using strait::Armed;
using strait::Errc;
using strait::Incoming;
using strait::Interest;
using strait::detail::FrameQueue;
using strait::os::Descriptor;

namespace {

/// A link whose sender shows a message first and rings later, if it was asked to: a message that is
/// received in between has used up the wish.
class LateBell {
 public:
  LateBell() : state_(std::make_shared<State>()) {}

  void show() const {
    const std::lock_guard locked(state_->mutex);
    ++state_->messages;
  }
  void ring() const {
    const std::lock_guard locked(state_->mutex);
    if (std::exchange(state_->wanted, false)) {
      const std::byte bell[1]{};
      REQUIRE(strait::os::write_some(state_->pipe[1], bell));
    }
  }
  bool is_wanted() const {
    const std::lock_guard locked(state_->mutex);
    return state_->wanted;
  }

  template <class Sink>
  strait::Result<void> receive(Sink&& sink, std::size_t) {
    const std::lock_guard locked(state_->mutex);
    while (state_->messages != 0) {
      --state_->messages;
      state_->wanted = false;
      const std::byte body[1]{};
      if (!sink(Incoming{1, body})) return {};
    }
    return Errc::empty;
  }
  Armed arm(const FrameQueue&) {
    const std::lock_guard locked(state_->mutex);
    state_->wanted = true;
    return {{Interest::to_read(state_->pipe[0].get()), {}}, state_->messages != 0};
  }
  bool disarm() { return false; }
  void take_doorbells() {
    std::array<std::byte, 16> some;
    static_cast<void>(strait::os::read_some(state_->pipe[0], some));
  }

 private:
  struct State {
    std::mutex mutex;
    std::array<Descriptor, 2> pipe = strait::os::pipe_pair().value();
    int messages = 0;
    bool wanted = false;
  };
  std::shared_ptr<State> state_;
};

}  // namespace

TEST_CASE("a bridge's thread hears of what comes after its owner took a message itself",
          "[bridged]") {
  const LateBell link;
  strait::detail::Bridge<LateBell> bridge{link};
  REQUIRE(bridge.start(1000));
  while (!link.is_wanted()) {
  }
  FrameQueue taken;
  const FrameQueue nothing;
  for (int round = 0; round != 100; ++round) {
    link.show();
    REQUIRE(bridge.take(taken, 1000));
    taken = FrameQueue();
    link.show();
    link.ring();
    REQUIRE(strait::os::wait_for(bridge.arm(nothing), strait::detail::Deadline::after(10s)));
    REQUIRE(bridge.readable());
    REQUIRE(bridge.take(taken, 1000));
    taken = FrameQueue();
  }
}

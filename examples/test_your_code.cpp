// How do I test my own code? Over LoopbackTransport both ends are in one process, Channel::pair
// connects two without a name, and FaultyTransport has go wrong what a script says: no second
// process, no clock, and each run the same.
#include <strait/channel.hpp>
#include <strait/serializers/trivial.hpp>
#include <strait/transports/faulty.hpp>
#include <strait/transports/loopback.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <utility>

struct Reading {
  std::uint64_t sensor, value;
};

// The code to be tested is a template over its channel, which is another one in the program.
template <class Link>
class Sensor {
 public:
  explicit Sensor(Link link) : link_(std::move(link)) {}
  /// Sends a reading unless the display is slow, which does not want old ones, or gone.
  bool report(std::uint64_t value) {
    static_cast<void>(link_.flush(std::chrono::seconds{0}));
    if (link_.queued_bytes() == 0 && link_.send(Reading{1, value})) return true;
    ++dropped;
    return false;
  }
  int dropped = 0;

 private:
  Link link_;
};

void check(bool right, const char* what) {
  std::printf("%s: %s\n", what, right ? "ok" : "FAILED");
  if (!right) std::exit(1);
}

int main() {
  using Transport = strait::FaultyTransport<strait::LoopbackTransport>;
  using Link = strait::Channel<Transport, strait::TrivialSerializer<Reading>>;
  auto script = strait::FaultScript::for_next_link();
  auto [mine, theirs] = Link::pair().value();
  Sensor<Link> sensor(std::move(mine));
  std::uint64_t shown = 0;
  const auto display = [&](const Reading& reading) { shown = reading.value; };

  check(sensor.report(1) && theirs.poll(display).value() == 1 && shown == 1, "a reading is shown");

  script.after_sent(1, strait::faults::NoRoom{});  // the display does not keep up
  check(sensor.report(2) && !sensor.report(3) && sensor.dropped == 1, "a reading is dropped");
  script.make_room();
  check(sensor.report(4) && theirs.poll(display).value() == 2 && shown == 4, "it goes on");

  script.after_sent(3, strait::faults::Close{});  // the display is gone
  check(!sensor.report(5) && sensor.dropped == 2, "the end is no crash");
}

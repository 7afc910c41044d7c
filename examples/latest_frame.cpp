// A camera whose viewer is slow. Frames that wait are replaced by newer ones, so that the viewer
// always gets the latest; commands that go the same way are all delivered.

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <strait/strait.hpp>
#include <string>

using namespace std::chrono_literals;
struct Frame {
  using queue_policy = strait::Conflate;  // only the latest waits
  std::uint64_t number;
  std::uint8_t pixels[600][1000];
};
struct Stop {};
struct Dropped {
  std::size_t frames = 0;
  void on_conflated(std::size_t messages) { frames += messages; }
};
using Link = strait::Channel<strait::MachTransport<>, strait::TrivialSerializer<Frame, Stop>,
                             strait::ChannelOptions{}, Dropped>;

int view(Link link) {
  std::uint64_t seen = 0;
  std::uint64_t last = 0;
  const auto listener = strait::overloaded{[&](const Frame& frame) {
                                             if (frame.number <= last) std::exit(1);
                                             last = frame.number;
                                             ++seen;
                                             ::usleep(5'000);  // it takes its time
                                           },
                                           [&](const Stop&) { link.stop(); }};
  if (!link.run(listener)) return 1;
  std::printf("viewer: %llu frames, the last is number %llu\n",
              static_cast<unsigned long long>(seen), static_cast<unsigned long long>(last));
  return last == 200 ? 0 : 1;
}

int main() {
  const auto name = "camera-" + std::to_string(::getpid());
  const auto token = strait::Token::generate().value();
  auto link = Link::listen(name, token).value();
  if (::fork() == 0) return view(Link::connect(name, token, 5s).value());

  while (link.waiting_connect()) link.wait([](const auto&) {}, 10ms).value();
  static Frame frame;
  for (frame.number = 1; frame.number <= 200; ++frame.number) link.send(frame).value();
  link.send(Stop{}).value();
  link.flush(10s).value();
  std::printf("camera: 200 frames, %zu of them replaced\n", link.observer().frames);
  int status = 0;
  return ::wait(&status) > 0 && link.observer().frames > 0 ? status : 1;
}

// A camera with eight viewers. A frame of 1 MiB is written once, where all read it and none can
// write; the memory serves again when all have given it back. One viewer is slow and misses frames.

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <strait/strait.hpp>
#include <string>

using namespace std::chrono_literals;
struct Frame {
  std::uint32_t number;
  std::uint8_t pixels[1024][1023];
};
struct End {};
using Transport = strait::MachTransport<strait::OolThreshold<4096, strait::Loan>>;
// Each viewer has four frames at the most; the next one does not go to a viewer that has as many.
using Link = strait::Channel<Transport, strait::TrivialSerializer<Frame, End>,
                             strait::ChannelOptions{.max_queued_bytes = 4 * sizeof(Frame)}>;

int view(Link link, bool slow) {
  int seen = 0, wrong = 0;
  const auto listener = strait::overloaded{[&](const Frame& frame) {
                                             wrong += frame.pixels[1023][1022] !=
                                                      static_cast<std::uint8_t>(frame.number);
                                             ++seen;
                                             if (slow) ::usleep(20'000);
                                           },
                                           [&](const End&) { link.stop(); }};
  if (!link.run(listener)) return 1;
  std::printf("a %s viewer has seen %d frames\n", slow ? "slow" : "quick", seen);
  return seen != 0 && wrong == 0 ? 0 : 1;
}

int main() {
  const auto name = "viewers-" + std::to_string(::getpid());
  const auto token = strait::Token::generate().value();
  for (int i = 0; i != 8; ++i) {
    if (::fork() == 0) return view(Link::connect(name, token, 5s).value(), i == 0);
  }
  auto camera = strait::Acceptor<Link>::listen(name, token).value();
  while (camera.size() != 8) camera.wait([](Link&, const auto&) {}, 100ms).value();
  for (std::uint32_t number = 1; number <= 100; ++number) {
    auto frame = camera.out_of_line<Frame>().value();
    Frame& drawn = *frame.writable().value();
    drawn.number = number;
    std::fill_n(&drawn.pixels[0][0], sizeof drawn.pixels, static_cast<std::uint8_t>(number));
    camera.send_all(frame);
    ::usleep(2'000);
  }
  camera.for_each([](Link& viewer) { viewer.flush(10s).value(), viewer.send(End{}).value(); });
  int failed = 0;
  for (int status = 0; ::wait(&status) > 0;) failed += status != 0;
  return failed;
}

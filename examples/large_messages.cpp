// A frame of 8 MiB out of line: it is written in the memory in which the receiver reads it, as a
// `const Frame&` that nobody can change any more. The sender goes on with a frame of its own.

#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <strait/strait.hpp>
#include <string>
#include <utility>

using namespace std::chrono_literals;

struct Frame {
  std::uint32_t pixels[2048 * 1024];
};
// From 1 MiB up out of line. A type this large is decided on when the program is compiled.
using Link = strait::Channel<strait::MachTransport<strait::OolThreshold<(1 << 20)>>,
                             strait::TrivialSerializer<Frame>>;

int main() {
  const auto name = "frames-" + std::to_string(::getpid());
  const auto token = strait::Token::generate().value();
  auto display = Link::listen(name, token).value();
  auto renderer = Link::connect(name, token).value();
  const auto ignore = [](const Frame&) {};
  display.poll(ignore).value();   // Hello
  renderer.poll(ignore).value();  // Welcome

  auto frame = renderer.out_of_line<Frame>().value();
  frame.writable().value()->pixels[2048 * 1024 - 1] = 0xc0ffee;
  renderer.send(frame).value();  // what it holds now
  frame.writable().value()->pixels[2048 * 1024 - 1] = 0xdecaf;
  renderer.send(std::move(frame)).value();  // given away

  std::size_t shown = 0;
  const auto show = [&](const Frame& seen) {
    const std::uint32_t last = seen.pixels[2048 * 1024 - 1];
    std::printf("the last pixel is %x\n", static_cast<unsigned>(last));
    shown += last == (shown == 0 ? 0xc0ffee : 0xdecaf) ? 1 : 100;
  };
  while (shown < 2) display.wait(show, 5s).value();
  return shown == 2 ? 0 : 1;
}

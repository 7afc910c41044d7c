// A frame of 8 MiB out of line: the receiver gets a `const Frame&` in the memory in which it came,
// which nobody can change any more, and copies nothing.

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <strait/strait.hpp>
#include <string>

using namespace std::chrono_literals;

struct Frame {
  std::uint32_t width, height;
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

  auto frame = std::make_unique<Frame>();
  frame->width = 2048;
  frame->height = 1024;
  frame->pixels[2048 * 1024 - 1] = 0xc0ffee;
  renderer.send(*frame).value();
  frame->pixels[2048 * 1024 - 1] = 0;  // too late to be seen

  std::uint32_t last = 0;
  display.wait([&](const Frame& shown) { last = shown.pixels[2048 * 1024 - 1]; }, 5s).value();
  std::printf("the last pixel is %x\n", static_cast<unsigned>(last));
  return last == 0xc0ffee ? 0 : 1;
}

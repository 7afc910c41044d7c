// A parent starts a child. They meet over a descriptor that the child inherits: there is no name
// that anybody else could find, and nothing on a command line or in the environment.

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <strait/strait.hpp>

using namespace std::chrono_literals;

struct Render {
  std::uint32_t frame;
};
struct Picture {
  std::uint32_t frame;
  std::array<std::uint8_t, 64 * 64> pixels;
};
using Link = strait::Channel<strait::MachTransport<>, strait::TrivialSerializer<Render, Picture>>;

int child() {
  auto link = strait::connect_to_parent<Link>().value();
  Picture picture{};
  const auto end = link.run([&](const Render& render) {
    picture.frame = render.frame;
    picture.pixels.fill(static_cast<std::uint8_t>(render.frame));
    link.send(picture);
  });
  return end.error() == strait::Errc::peer_closed ? 0 : 1;
}

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "child") == 0) return child();

  auto launched = strait::launch<Link, strait::Inherited>("/proc/self/exe", {"child"});
  if (!launched) {
    std::printf("no child: %s\n", launched.error().message().c_str());
    return 1;
  }
  auto& [process, link] = *launched;
  for (std::uint32_t frame = 1; frame <= 3; ++frame) {
    link.send(Render{frame});
    const auto show = [](const Picture& picture) {
      std::printf("frame %u is of colour %u\n", picture.frame, unsigned{picture.pixels[0]});
    };
    if (link.wait(show, 5s).value_or(0) != 1) return 1;
  }
  link.close();
  return process.wait(5s).value().code;
}

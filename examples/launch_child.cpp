// A parent starts a child that renders into memory which both see. They meet over a descriptor that
// the child inherits: no name that anybody else could find, nothing on a command line or in the
// environment. The memory travels as a right, beside a message.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <strait/strait.hpp>
#include <utility>

using namespace std::chrono_literals;
struct Picture {
  std::uint8_t pixels[512][512];
};
struct Canvas {};  // comes with the memory, first
struct Render {
  std::uint32_t frame;
};
struct Rendered {
  std::uint32_t frame;
};
using Link =
    strait::Channel<strait::MachTransport<>, strait::TrivialSerializer<Canvas, Render, Rendered>>;

int child() {
  auto link = strait::connect_to_parent<Link>().value();
  strait::Mapped<Picture> picture;
  const auto end = link.run(strait::overloaded{
      [&](const Canvas&, strait::Rights rights) {
        picture = rights.take<strait::SharedMemory>().value().map<Picture>().value();
      },
      [&](const Render& render) {
        std::memset(picture->pixels, static_cast<int>(render.frame), sizeof(Picture));
        link.send(Rendered{render.frame}).value();
      }});
  return end.error() == strait::Errc::peer_closed ? 0 : 1;
}

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "child") == 0) return child();

  auto [process, link] =
      strait::launch<Link, strait::Inherited>("/proc/self/exe", {"child"}).value();
  auto memory = strait::SharedMemory::create(sizeof(Picture)).value();
  const auto picture = memory.map<const Picture>().value();
  strait::Rights rights;
  rights.add(std::move(memory)).value();
  link.send(Canvas{}, std::move(rights)).value();
  for (std::uint32_t frame = 1; frame <= 3; ++frame) {
    link.send(Render{frame}).value();
    const auto show = [&](const Rendered& rendered) {
      std::printf("frame %u: last pixel %u\n", rendered.frame, picture->pixels[511][511] + 0u);
    };
    if (link.wait(show, 5s).value_or(0) != 1 || picture->pixels[511][511] != frame) return 1;
  }
  link.close();
  return process.wait(5s).value().code;
}

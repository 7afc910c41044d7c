// My messages come from a .fbs file, and are large: schemas/camera.fbs, of which flatc makes
// camera_generated.h. A frame is built in the memory in which it will be read.

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>

#include <strait/serializers/flatbuffers.hpp>
#include <strait/strait.hpp>

#include "camera_generated.h"

using namespace std::chrono_literals;
using Camera = strait::MachTransport<strait::OolThreshold<4096, strait::Loan>>;
using Link = strait::Channel<Camera, strait::FlatBuffersSerializer<camera::Frame>>;

constexpr std::uint32_t width = 1280;
constexpr std::uint32_t height = 720;

int main() {
  const auto token = strait::Token::generate().value();
  const std::string name = "camera-" + std::to_string(::getpid());
  auto viewer = Link::listen(name, token).value();
  auto sensor = Link::connect(name, token).value();
  while (sensor.waiting_connect() || viewer.waiting_connect()) {
    viewer.poll([](const camera::Frame&) {}).value();
    sensor.poll([](const camera::Frame&) {}).value();
  }
  int shown = 0;
  for (std::uint64_t number = 1; number <= 3; ++number) {
    // Some more than the pixels: what else is in the table needs room, too.
    auto room = sensor.out_of_line_bytes(width * height + 1024).value();
    strait::FlatBufferInPlace<camera::Frame> frame(std::move(room));
    std::uint8_t* pixels = nullptr;
    const auto place = frame.builder().CreateUninitializedVector(width * height, 1, &pixels);
    for (std::size_t i = 0; i != width * height; ++i) {
      pixels[i] = static_cast<std::uint8_t>(i * number);
    }
    frame.finish(camera::CreateFrame(frame.builder(), number, width, height, place)).value();
    sensor.send(std::move(frame)).value();

    // It was verified before the listener sees it; it ends with the call.
    const auto show = [&](const camera::Frame& came) {
      std::printf("frame %d: %u x %u, %u bytes\n", static_cast<int>(came.number()), came.width(),
                  came.height(), came.pixels()->size());
      shown += came.pixels()->Get(7) == static_cast<std::uint8_t>(7 * number) ? 1 : 0;
    };
    viewer.wait(show, 5s).value();
  }
  return shown == 3 ? 0 : 1;
}

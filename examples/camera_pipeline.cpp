// A camera pipeline, complete: camera -> filter -> display, each a process that starts the next
// one. Frames of 6 MiB travel in memory that is lent: nothing is copied but by the filter. The
// display is slow, so frames are dropped where there is no room; nothing grows, nothing waits.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include <strait/strait.hpp>

using namespace std::chrono_literals;

struct Frame {
  std::uint32_t number;
  std::uint8_t pixels[1920 * 1080 * 3];
};
struct End {};   // behind the last frame
struct Report {  // back from each stage, about the frames that came to it
  std::uint32_t shown, dropped;
};

// At most three frames are between two stages; a fourth is `queue_full`.
constexpr strait::ChannelOptions options{.max_queued_bytes = 3 * (sizeof(Frame) + 4096)};
using Transport = strait::MachTransport<strait::OolThreshold<(1 << 20), strait::Loan>>;
using Link = strait::Channel<Transport, strait::TrivialSerializer<Frame, End, Report>, options>;

/// The next stage, with how many frames it had no room for.
struct Stage {
  strait::ChildProcess process;
  Link link;
  std::uint32_t dropped = 0;

  static Stage start(const char* program, const char* role) {
    auto launched = strait::launch<Link>(program, {role}).value();
    return {std::move(launched.child), std::move(launched.channel)};
  }

  /// Has `draw` write a frame where the next stage reads it.
  template <class Draw>
  void send(Draw draw) {
    auto frame = link.out_of_line<Frame>().value();
    draw(*frame.writable().value());
    dropped += !link.send(std::move(frame));
  }

  /// Waits for the report, and for the stage to end.
  std::optional<Report> finish() {
    std::optional<Report> report;
    link.send(End{}).value();
    static_cast<void>(link.wait([&](const Report& from) { report = from; }, 10s));
    link.close();
    const auto ended = process.wait(10s);
    return ended && ended->success() ? report : std::nullopt;
  }
};

int pixel_of(std::uint32_t frame) { return static_cast<int>(frame % 256); }

int display() {
  auto filter = strait::connect_to_parent<Link>().value();
  std::uint32_t shown = 0, last = 0;
  bool right = true;
  const auto end = filter.run(strait::overloaded{
      [&](const Frame& frame) {
        right = right && frame.number > last && frame.pixels[0] == 255 - pixel_of(frame.number);
        last = frame.number;
        ++shown;
        std::this_thread::sleep_for(10ms);  // a display has its own pace
      },
      [&](const End&) {
        filter.send(Report{right ? shown : 0, 0}).value();
      }});
  return end.error() == strait::Errc::peer_closed ? 0 : 1;
}

int filter(const char* program) {
  auto camera = strait::connect_to_parent<Link>().value();
  auto display = Stage::start(program, "display");
  const auto invert = [](std::uint8_t pixel) { return static_cast<std::uint8_t>(~pixel); };
  const auto end = camera.run(strait::overloaded{
      [&](const Frame& frame) {
        display.send([&](Frame& out) {
          out.number = frame.number;
          std::transform(std::begin(frame.pixels), std::end(frame.pixels), out.pixels, invert);
        });
      },
      [&](const End&) {
        const Report report = display.finish().value();
        camera.send(Report{report.shown, display.dropped}).value();
      }});
  return end.error() == strait::Errc::peer_closed ? 0 : 1;
}

int main(int, char** argv) {
  const std::string_view role = argv[1] == nullptr ? "camera" : argv[1];
  if (role == "display") return display();
  if (role == "filter") return filter(argv[0]);
  constexpr std::uint32_t frames = 60;
  auto filter = Stage::start(argv[0], "filter");
  for (std::uint32_t number = 1; number <= frames; ++number) {
    filter.send([&](Frame& frame) {
      frame.number = number;
      std::memset(frame.pixels, pixel_of(number), sizeof frame.pixels);
    });
    std::this_thread::sleep_for(3ms);
  }
  const auto report = filter.finish();
  if (!report) return 1;
  std::printf("of %u frames %u were shown; the camera dropped %u, the filter %u\n", frames,
              report->shown, filter.dropped, report->dropped);
  return report->shown != 0 && report->shown + report->dropped + filter.dropped == frames ? 0 : 1;
}

// A plug-in host, complete. Each plug-in is a process of its own, which may crash or hang: the host
// hears of it, says why, and starts it again. This program is the host and, with an argument, the
// plug-in.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include <strait/answering.hpp>
#include <strait/serializers/struct.hpp>
#include <strait/strait.hpp>

using namespace std::chrono_literals;

struct Apply {
  std::string text;
};
struct Applied {
  std::string text;
};
struct Note {  // from a plug-in, whenever it likes
  std::string text;
};
using Messages = strait::StructSerializer<Apply, Applied, Note>;
using Link = strait::Channel<strait::MachTransport<>, strait::Calls<Messages>>;

int plugin() {
  auto host = strait::connect_to_parent<Link>().value();
  const auto answer = [&](const Apply& apply) {
    if (apply.text == "crash") std::abort();
    while (apply.text == "hang") std::this_thread::sleep_for(1h);
    host.send(Note{"turning " + std::to_string(apply.text.size()) + " letters"}).value();
    return Applied{{apply.text.rbegin(), apply.text.rend()}};
  };
  const auto end = host.run(strait::answering(host, answer));
  return end.error() == strait::Errc::peer_closed ? 0 : 1;
}

class Plugin {
 public:
  explicit Plugin(std::string program) : program_(std::move(program)) {}

  /// One that fails is over, and the next call finds a fresh one.
  strait::Result<std::string> apply(const std::string& text, std::chrono::milliseconds deadline) {
    if (!running_) {
      if (auto started = start(); !started) return started.error();
    }
    strait::Caller<Link>& plugin = running_->caller;
    std::optional<strait::Result<Applied>> applied;
    const auto call = plugin.call<Applied>(
        Apply{text}, deadline, [&](strait::Result<Applied> reply) { applied = std::move(reply); });
    if (!call) return give_up(call.error());
    const auto note = [](const Note& heard) { std::printf("  note: %s\n", heard.text.c_str()); };
    while (!applied) {
      // What ends the channel ends the call, too. A message without a callable does neither.
      static_cast<void>(plugin.wait(note, deadline));
    }
    if (!*applied) return give_up(applied->error());
    return std::move((*applied)->text);
  }

  int starts() const { return starts_; }

  /// Lets it end by itself. The destructor would kill it.
  bool finish() {
    running_->caller.close();
    const auto ended = running_->process.wait(5s);
    running_.reset();
    return ended && ended->success();
  }

 private:
  struct Running {
    strait::ChildProcess process;
    strait::Caller<Link> caller;
  };

  strait::Result<void> start() {
    auto launched = strait::launch<Link>(program_, {"plugin"});
    if (!launched) return launched.error();
    running_.emplace(
        Running{std::move(launched->child), strait::Caller(std::move(launched->channel))});
    ++starts_;
    return {};
  }

  std::error_code give_up(std::error_code why) {
    // A plug-in that crashed has an exit status of its own; one that hangs is killed.
    const auto ended = running_->process.wait(why == strait::Errc::timed_out ? 0s : 5s);
    if (ended && ended->signal != 0) std::printf("  ended by signal %d\n", ended->signal);
    running_.reset();
    return why;
  }

  std::string program_;
  std::optional<Running> running_;
  int starts_ = 0;
};

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "plugin") return plugin();
  Plugin plugin(argv[0]);
  int failed = 0;
  for (const std::string text : {"strait", "crash", "stressed", "hang", "desserts"}) {
    const auto applied = plugin.apply(text, text == "hang" ? 100ms : 10000ms);
    failed += !applied;
    std::printf("%s: %s\n", text.c_str(),
                applied ? applied->c_str() : applied.error().message().c_str());
  }
  return plugin.finish() && plugin.starts() == 3 && failed == 2 ? 0 : 1;
}

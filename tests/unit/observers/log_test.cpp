// The lines of a log: their shape, their levels, and what must not get into them.

#include "strait/observers/log.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <regex>
#include <thread>

#include "conformance/channels.hpp"
#include "process/forking.hpp"
#include "strait/acceptor.hpp"
#include "strait/serializers/trivial.hpp"
#include "strait/transports/loopback.hpp"

using namespace strait_test;
using strait::LogLevel;
using strait::LogObserver;

namespace {

/// A file that has no name any more.
class LogFile {
 public:
  LogFile() {
    const std::string path = unique_path("log");
    file_ = strait::os::replace_file(path).value();
    reading_ = strait::os::open_to_read(path).value();
    ::unlink(path.c_str());
  }
  int get() const { return file_.get(); }
  std::vector<std::string> lines() const {
    std::string text(1 << 20, '\0');
    const ssize_t got = ::pread(reading_.get(), text.data(), text.size(), 0);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    std::vector<std::string> found;
    for (std::size_t at = 0; at != text.size();) {
      const std::size_t end = text.find('\n', at);
      REQUIRE(end != text.npos);  // no line is cut
      found.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    return found;
  }

 private:
  strait::os::Descriptor file_;
  strait::os::Descriptor reading_;
};

struct LogPing {
  std::uint64_t id;
};
struct LogPong {
  std::uint64_t id;
};
using LoggedLink =
    strait::Channel<strait::LoopbackTransport, strait::TrivialSerializer<LogPing, LogPong>,
                    strait::ChannelOptions{.max_queued_bytes = 64}, LogObserver>;

const auto logged_deaf = [](const LogPing&) {};

/// What follows time, level and process, of lines that are shaped as they should be.
std::vector<std::string> events_in(const LogFile& file) {
  static const std::regex shape(
      R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z (error|warn |info |debug) strait\[(\d+)\] (.*))");
  std::vector<std::string> events;
  for (const std::string& line : file.lines()) {
    CAPTURE(line);
    std::smatch parts;
    REQUIRE(std::regex_match(line, parts, shape));
    CHECK(parts[2] == std::to_string(::getpid()));
    events.push_back(parts[1].str() + " " + parts[3].str());
  }
  return events;
}

/// A session of all sorts, logged at the server's side.
std::vector<std::string> session(LogLevel level) {
  const LogFile file;
  const auto token = new_token();
  auto server = LoggedLink::listen("logged", token, LogObserver(level, file.get())).value();
  const LogObserver mute(LogLevel::off);
  auto liar = LoggedLink::connect("logged", new_token(), 0ms, mute).value();
  auto client = LoggedLink::connect("logged", token, 0ms, mute).value();
  REQUIRE(pump_until(server, logged_deaf, client, logged_deaf,
                     [&] { return !server.waiting_connect() && !client.waiting_connect(); }));
  REQUIRE(server.send(LogPing{1}));
  REQUIRE(client.send(LogPing{2}));
  REQUIRE(client.send(LogPong{3}));
  CHECK(server.poll(logged_deaf).value() == 1);
  CHECK(server.poll(logged_deaf).error() == Errc::unexpected_message);
  client.close();
  CHECK(poll_until_error(server, logged_deaf) == Errc::peer_closed);
  return events_in(file);
}

}  // namespace

TEST_CASE("a log has a line for each thing that happens", "[observer][log]") {
  const auto pid = std::to_string(::getpid());
  const auto uid = std::to_string(::geteuid());
  const auto gid = std::to_string(::getegid());
  const auto bad_token = make_error_code(Errc::bad_token).message();
  const std::vector<std::string> refused{"warn  logged: refused pid=" + pid + " uid=" + uid + ": " +
                                         bad_token};
  const std::string connected =
      "info  logged peer=" + pid + ": connected uid=" + uid + " gid=" + gid;
  const std::string unexpected = "warn  logged peer=" + pid + ": unexpected LogPong tag=1 bytes=8";
  const std::string ended = "info  logged peer=" + pid +
                            ": ended by the peer: " + make_error_code(Errc::peer_closed).message();
  CHECK(session(LogLevel::off).empty());
  CHECK(session(LogLevel::error).empty());
  CHECK(session(LogLevel::warn) == std::vector<std::string>{refused[0], unexpected});
  CHECK(session(LogLevel::info) ==
        std::vector<std::string>{refused[0], connected, unexpected, ended});
  const std::string peer = "debug logged peer=" + pid + ": ";
  CHECK(session(LogLevel::debug) ==
        std::vector<std::string>{refused[0], connected, peer + "sent LogPing tag=0 bytes=8",
                                 peer + "received LogPing tag=0 bytes=8",
                                 peer + "received LogPong tag=1 bytes=8", unexpected, ended});
}

TEST_CASE("a log says why there is no channel, and why a message was not sent", "[observer][log]") {
  const LogFile file;
  const LogObserver observer(LogLevel::warn, file.get());
  const auto token = new_token();
  CHECK(LoggedLink::connect("logged-nobody", token, 0ms, observer).error() == Errc::not_found);
  {
    auto server = LoggedLink::listen("logged-full", token, observer).value();
    REQUIRE(server.send(LogPing{1}));
    while (server.send(LogPing{1})) {
    }
  }
  CHECK(events_in(file) ==
        std::vector<std::string>{"error logged-nobody: ended by this side: " +
                                     make_error_code(Errc::not_found).message(),
                                 "warn  logged-full: not sent LogPing tag=0 bytes=8: " +
                                     make_error_code(Errc::queue_full).message()});
}

TEST_CASE("a log says which of an acceptor's clients it is about", "[observer][log]") {
  const LogFile file;
  const auto token = new_token();
  using Server = strait::Acceptor<LoggedLink>;
  auto server =
      Server::listen("logged-many", token, LogObserver(LogLevel::warn, file.get())).value();
  auto client = LoggedLink::connect("logged-many", token, 0ms, LogObserver(LogLevel::off)).value();
  REQUIRE(client.send(LogPong{1}));
  const auto listener = [](LoggedLink&, const LogPing&) {};
  REQUIRE(repeat_until([&] {
    static_cast<void>(client.poll(logged_deaf));
    static_cast<void>(server.poll(listener));
    return !file.lines().empty();
  }));
  CHECK(events_in(file)[0] == "warn  logged-many client=1 peer=" + std::to_string(::getpid()) +
                                  ": unexpected LogPong tag=1 bytes=8");
}

TEST_CASE("a log tells how grave an end was", "[observer][log]") {
  const LogFile file;
  LogObserver observer(LogLevel::info, file.get());
  const auto end = [&](Errc why, strait::EndedBy by, int status = 0) {
    observer.on_ended({make_error_code(why), by, status});
    return events_in(file).back().substr(0, 6);
  };
  using strait::EndedBy;
  CHECK(end(Errc::closed, EndedBy::this_side) == "info  ");
  CHECK(end(Errc::peer_closed, EndedBy::peer) == "info  ");
  CHECK(end(Errc::peer_closed, EndedBy::peer_gone) == "info  ");
  CHECK(end(Errc::peer_closed, EndedBy::peer_exited, 0) == "info  ");
  CHECK(end(Errc::peer_closed, EndedBy::peer_exited, 3) == "warn  ");
  CHECK(events_in(file).back().find("exited with code 3: ") != std::string::npos);
  CHECK(end(Errc::peer_closed, EndedBy::peer_killed, 9) == "error ");
  CHECK(events_in(file).back().find("killed by signal 9: ") != std::string::npos);
  CHECK(end(Errc::malformed, EndedBy::peer) == "error ");
}

TEST_CASE("no text makes a line of its own, speaks to a terminal, or is endless",
          "[observer][log]") {
  const LogFile file;
  LogObserver observer(LogLevel::debug, file.get());
  observer.on_name("a\nb\x1b[31m\x7f\xff\\");
  observer.on_receive(std::string(2000, '\r'), 1, 1);
  observer.on_name(std::string(5000, '\n'));
  observer.on_receive("x", 1, 1);
  const auto lines = file.lines();
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].find(R"(a\x0ab\x1b[31m\x7f\xff\x5c: received \x0d\x0d)") != std::string::npos);
  CHECK(lines[0].size() == 511);
  for (const std::string& line : lines) {
    for (const char c : line) CHECK((c >= ' ' && c <= '~'));
  }
}

TEST_CASE("the lines of many threads do not mix", "[observer][log]") {
  const LogFile file;
  constexpr int each = 200;
  std::vector<std::thread> threads;
  for (std::uint16_t tag = 0; tag != 4; ++tag) {
    threads.emplace_back([&file, tag] {
      LogObserver observer(LogLevel::debug, file.get());
      for (int i = 0; i != each; ++i) observer.on_send("Type", tag, 1);
    });
  }
  for (auto& thread : threads) thread.join();
  std::size_t counts[4]{};
  for (const std::string& event : events_in(file)) {
    for (std::size_t tag = 0; tag != 4; ++tag) {
      counts[tag] += event == "debug -: sent Type tag=" + std::to_string(tag) + " bytes=1";
    }
  }
  for (const std::size_t count : counts) CHECK(count == each);
}

TEST_CASE("the level is one of its words, or else info, and that is said", "[observer][log]") {
  using strait::detail::Log;
  const LogFile file;
  CHECK(Log::level_of("", file.get()) == LogLevel::off);
  CHECK(Log::level_of("0", file.get()) == LogLevel::off);
  for (const LogLevel level :
       {LogLevel::off, LogLevel::error, LogLevel::warn, LogLevel::info, LogLevel::debug}) {
    CHECK(Log::level_of(Log::word(level), file.get()) == level);
  }
  CHECK(file.lines().empty());
  CHECK(Log::level_of("lou\nd", file.get()) == LogLevel::info);
  CHECK(events_in(file).at(0).find("instead of lou\\x0ad") != std::string::npos);
}

TEST_CASE("a log that can't be written is no signal and no failure", "[observer][log]") {
  Fork child([] {
    auto pipe = strait::os::pipe_pair().value();
    pipe[0].reset();
    LogObserver broken(LogLevel::debug, pipe[1].get());
    broken.on_send("Type", 1, 1);
    const LogFile file;
    const rlimit none{0, RLIM_INFINITY};
    ::setrlimit(RLIMIT_FSIZE, &none);
    LogObserver limited(LogLevel::debug, file.get());
    limited.on_send("Type", 1, 1);
    // Nor is a signal left that comes later.
    sigset_t pending;
    ::sigpending(&pending);
    if (sigismember(&pending, SIGPIPE) || sigismember(&pending, SIGXFSZ)) ::_exit(1);
    if (!file.lines().empty()) ::_exit(2);
  });
  CHECK(child.ended_well());
}

TEST_CASE("STRAIT_LOG turns the log to standard error on", "[observer][log]") {
  const LogFile file;
  Fork child([&] {
    ::dup2(file.get(), STDERR_FILENO);
    ::setenv("STRAIT_LOG", "debug", 1);
    LogObserver().on_send("Type", 1, 1);  // the first in this process that asks
    ::setenv("STRAIT_LOG", "off", 1);
    LogObserver().on_send("Type", 2, 2);
  });
  CHECK(child.ended_well());
  CHECK(file.lines().size() == 2);
}

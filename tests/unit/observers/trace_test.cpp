// A trace is JSON that the viewers take, also one whose process has died.

#include "strait/observers/trace.hpp"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <thread>

#include "conformance/channels.hpp"
#include "strait/acceptor.hpp"
#include "strait/serializers/trivial.hpp"
#include "strait/transports/loopback.hpp"
#include "support/json.hpp"

using namespace strait_test;
using strait::TraceObserver;

namespace {

struct TracePing {
  std::uint64_t id;
};
struct TracePong {
  std::uint64_t id;
};
using TracedTypes = strait::TrivialSerializer<TracePing, TracePong>;
using TracedLink = strait::Channel<strait::LoopbackTransport, TracedTypes, strait::ChannelOptions{},
                                   TraceObserver>;

/// A path, whose file goes with this.
struct TracePath {
  std::string path = unique_path("trace");
  ~TracePath() { ::unlink(path.c_str()); }

  std::string text() const {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
};

const auto traced_deaf = [](const TracePing&) {};

/// What a viewer asks of every event.
void check_event(const Json& event) {
  CAPTURE(event["name"].text);
  const std::set<std::string> kinds{"M", "b", "e", "n", "i"};
  CHECK(kinds.count(event["ph"].text) == 1);
  CHECK_FALSE(event["name"].text.empty());
  CHECK(event["pid"].number == ::getpid());
  CHECK(event["tid"].kind == Json::Kind::number);
  CHECK(event["args"].kind == Json::Kind::object);
  if (event["ph"].text == "M") return;
  CHECK(event["ts"].number > 0);
  CHECK(event["cat"].text == "strait");
  CHECK((event["ph"].text == "i") == event["id2"]["local"].text.empty());
}

std::vector<Json> events_in(const std::string& text) {
  const auto trace = Json::parse(text);
  REQUIRE(trace);
  REQUIRE(trace->kind == Json::Kind::array);
  for (const Json& event : trace->items) check_event(event);
  return trace->items;
}

}  // namespace

TEST_CASE("a trace shows a channel with its messages from its beginning to its end",
          "[observer][trace]") {
  const TracePath path;
  {
    const auto observer = TraceObserver::create(path.path).value();
    const auto token = new_token();
    auto server = TracedLink::listen("traced", token, observer).value();
    auto client = TracedLink::connect("traced", token).value();
    REQUIRE(pump_until(server, traced_deaf, client, traced_deaf,
                       [&] { return !server.waiting_connect() && !client.waiting_connect(); }));
    REQUIRE(server.send(TracePing{1}));
    REQUIRE(client.send(TracePing{2}));
    REQUIRE(client.send(TracePong{3}));
    CHECK(server.poll(traced_deaf).value() == 1);
    CHECK(server.poll(traced_deaf).error() == Errc::unexpected_message);
  }
  const auto events = events_in(path.text());
  std::vector<std::string> seen;
  double before = 0;
  for (const Json& event : events) {
    if (event["ph"].text == "M") continue;
    seen.push_back(event["ph"].text + " " + event["name"].text);
    CHECK(event["id2"]["local"].text == "1");
    CHECK(event["ts"].number >= before);
    before = event["ts"].number;
  }
  CHECK(seen == std::vector<std::string>{"b traced", "n send TracePing", "n receive TracePing",
                                         "n receive TracePong", "n unexpected TracePong",
                                         "e traced"});
  CHECK(events[2]["args"]["bytes"].number == 8);
  CHECK(events[1]["args"]["peer_pid"].number == ::getpid());
  CHECK(events.back()["args"]["by"].text == "this side");
}

TEST_CASE("a trace of a process that was killed lacks a bracket and nothing else",
          "[observer][trace]") {
  const TracePath path;
  const pid_t child = ::fork();
  if (child == 0) {
    auto observer = TraceObserver::create(path.path).value();
    observer.on_connected({});
    for (int i = 0; i != 100; ++i) observer.on_send("Type", 1, 8);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  CHECK_FALSE(Json::parse(path.text()));
  const auto trace = Json::parse(path.text() + "]");
  REQUIRE(trace);
  CHECK(trace->items.size() == 102);
}

TEST_CASE("whatever the names are, a trace is JSON", "[observer][trace]") {
  const TracePath path;
  std::string evil;
  for (int i = 0; i != 256; ++i) evil += static_cast<char>(i);
  const std::string quotes(5000, '"');
  {
    auto observer = TraceObserver::create(path.path).value();
    for (const std::string& text : {evil, quotes, std::string("\\"), std::string()}) {
      observer.on_name(text);
      observer.on_refused(make_error_code(Errc::bad_token), {});
      observer.on_ended({make_error_code(Errc::not_found), strait::EndedBy::this_side});
      observer.on_connected({});
      observer.on_receive(text, 1, 1);
      observer.on_send_failed(make_error_code(Errc::queue_full), text, 65535, SIZE_MAX);
      observer.on_conflated(3);
      observer.on_ended({make_error_code(Errc::peer_closed), strait::EndedBy::peer_killed, 9});
    }
  }
  const auto events = events_in(path.text());
  CHECK(events.size() == 1 + 4 * 7);
  CHECK(events[1]["name"].text == "refused: " + evil.substr(0, 48));
  CHECK(events[4]["name"].text == "receive " + evil.substr(0, 48));
}

TEST_CASE("the channels of an acceptor and several threads share a trace", "[observer][trace]") {
  const TracePath path;
  {
    const auto observer = TraceObserver::create(path.path).value();
    std::vector<std::thread> threads;
    for (int i = 0; i != 4; ++i) {
      threads.emplace_back([copy = observer]() mutable {
        copy.on_connected({});
        for (int sent = 0; sent != 100; ++sent) copy.on_send("Type", 1, 8);
        copy.on_ended({make_error_code(Errc::closed)});
      });
    }
    for (auto& thread : threads) thread.join();
  }
  std::map<std::string, int> of_channel;
  std::set<double> of_thread;
  for (const Json& event : events_in(path.text())) {
    if (event["ph"].text == "M") continue;
    ++of_channel[event["id2"]["local"].text];
    of_thread.insert(event["tid"].number);
  }
  CHECK(of_channel == std::map<std::string, int>{{"1", 102}, {"2", 102}, {"3", 102}, {"4", 102}});
  CHECK(of_thread.size() == 4);
}

TEST_CASE("a trace replaces a file, follows no link, and is this user's alone",
          "[observer][trace]") {
  const TracePath path;
  const TracePath other;
  std::ofstream(other.path) << "precious";
  REQUIRE(::symlink(other.path.c_str(), path.path.c_str()) == 0);
  REQUIRE(TraceObserver::create(path.path));
  CHECK(other.text() == "precious");
  struct stat status;
  REQUIRE(::lstat(path.path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  CHECK(S_ISREG(status.st_mode));
  CHECK(events_in(path.text()).size() == 1);
  CHECK(TraceObserver::create("/nowhere/trace").error() == std::errc::no_such_file_or_directory);
}

TEST_CASE("a forked process leaves its parent's trace alone", "[observer][trace]") {
  const TracePath path;
  {
    auto observer = TraceObserver::create(path.path).value();
    observer.on_connected({});
    const pid_t child = ::fork();
    if (child == 0) {
      observer.on_send("Type", 1, 8);
      observer = TraceObserver();
      ::_exit(0);
    }
    REQUIRE(::waitpid(child, nullptr, 0) == child);
    observer.on_ended({make_error_code(Errc::closed)});
  }
  CHECK(events_in(path.text()).size() == 3);
}

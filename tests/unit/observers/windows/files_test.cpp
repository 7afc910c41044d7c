// What observers write in files: lines of a log, a trace that is JSON, a recording that is played.

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "conformance/channels.hpp"
#include "strait/observers/log.hpp"
#include "strait/observers/recorder.hpp"
#include "strait/observers/recording.hpp"
#include "strait/observers/trace.hpp"
#include "strait/os/windows/secret_file.hpp"
#include "strait/serializers/trivial.hpp"
#include "strait/transports/pipe.hpp"
#include "support/json.hpp"
#include "support/own_process.hpp"

using namespace strait_test;

namespace {

struct SeenNumber {
  std::uint64_t value;
};
using Seen = strait::TrivialSerializer<SeenNumber>;
template <class Observer>
using SeenLink = strait::Channel<strait::PipeTransport, Seen, strait::ChannelOptions{}, Observer>;

/// A path, whose file goes with this.
struct SeenFile {
  std::string path = runtime_dir() + '/' + unique_name("seen");
  ~SeenFile() { std::remove(path.c_str()); }

  std::string text() const {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
};

/// Numbers 1 to 3 to an observed server, which sends 4.
template <class Observer>
void converse(Observer observer) {
  const auto token = new_token();
  const auto name = unique_name("seen");
  auto server = SeenLink<Observer>::listen(name, token, std::move(observer)).value();
  auto client = strait::Channel<strait::PipeTransport, Seen>::connect(name, token).value();
  for (std::uint64_t i = 1; i != 4; ++i) REQUIRE(client.send(SeenNumber{i}));
  std::uint64_t sum = 0;
  std::uint64_t answer = 0;
  const auto add = [&](const SeenNumber& number) { sum += number.value; };
  const auto keep = [&](const SeenNumber& number) { answer = number.value; };
  REQUIRE(pump_until(server, add, client, keep, [&] { return sum == 6; }));
  REQUIRE(server.send(SeenNumber{4}));
  REQUIRE(pump_until(server, add, client, keep, [&] { return answer == 4; }));
}

/// The user of this process as the system writes it.
std::string own_user_text() {
  strait::detail::BoundedText<200> text;
  strait::detail::put_user(text, own_user());
  return std::string(text.view());
}

}  // namespace

TEST_CASE("a user is written as the system writes it", "[observer][windows]") {
  alignas(void*) std::byte sid[SECURITY_MAX_SID_SIZE];
  DWORD size = sizeof sid;
  REQUIRE(::CreateWellKnownSid(WinBuiltinAdministratorsSid, nullptr, sid, &size));
  strait::detail::BoundedText<200> text;
  strait::detail::put_user(text, strait::windows::user_of_sid(sid));
  CHECK(text.view() == "S-1-5-32-544");
  text.clear();
  strait::detail::put_user(text, strait::UserId());
  CHECK(text.view() == "-");
  CHECK(own_user_text().starts_with("S-1-5-21-"));
}

TEST_CASE("a log has a line for each thing that happens", "[observer][windows]") {
  const SeenFile file;
  {
    const auto out = strait::windows::replace_file(file.path).value();
    converse(strait::LogObserver(strait::LogLevel::debug, out.get()));
  }
  const std::string text = file.text();
  CAPTURE(text);
  const std::string process = "strait[" + std::to_string(own_pid()) + "] seen-";
  std::size_t lines = 0;
  for (std::size_t at = 0; at != text.size(); ++lines) {
    const std::size_t end = text.find('\n', at);
    REQUIRE(end != text.npos);
    const std::string line = text.substr(at, end - at);
    CHECK(line.find("Z ") == std::string("2026-11-28T02:31:05.123456").size());
    CHECK(line.find(process) != line.npos);
    at = end + 1;
  }
  CHECK(lines == 6);  // connected, three messages, an answer, and the end
  CHECK(text.find(": connected uid=" + own_user_text() + '\n') != text.npos);
  CHECK(text.find(": sent ") != text.npos);
  CHECK(text.find(": ended by this side") != text.npos);
}

TEST_CASE("a trace is JSON, in which a user is a text", "[observer][windows]") {
  const SeenFile file;
  converse(strait::TraceObserver::create(file.path).value());
  const auto trace = Json::parse(file.text());
  REQUIRE(trace);
  REQUIRE(trace->kind == Json::Kind::array);
  REQUIRE(trace->items.size() == 7);  // the process, and what a log has
  CHECK(trace->items[1]["ph"].text == "b");
  CHECK(trace->items[1]["args"]["peer_uid"].text == own_user_text());
  CHECK(trace->items[6]["ph"].text == "e");
}

TEST_CASE("a recording is played, and one that was changed or cut is told", "[observer][windows]") {
  using strait::RecordingErrc;
  const SeenFile file;
  converse(strait::RecordingObserver::create<Seen>(file.path).value());
  const std::string text = file.text();
  const auto read = [&](std::vector<std::uint64_t>& numbers) {
    auto recording = strait::Recording::open(file.path);
    if (!recording) return recording.error();
    for (;; recording->pop()) {
      const auto message = recording->front();
      if (!message) return message.error();
      if (*message == nullptr) return std::error_code();
      std::uint64_t number = 0;
      REQUIRE((*message)->bytes.size() == sizeof number);
      std::memcpy(&number, (*message)->bytes.data(), sizeof number);
      numbers.push_back(number);
    }
  };
  std::vector<std::uint64_t> numbers;
  CHECK_FALSE(read(numbers));
  CHECK(numbers == std::vector<std::uint64_t>{1, 2, 3, 4});

  std::ofstream(file.path, std::ios::binary | std::ios::trunc) << text.substr(0, text.size() - 1);
  numbers.clear();
  CHECK(read(numbers) == RecordingErrc::unfinished);
  CHECK(numbers.size() == 4);
  std::string changed = text;
  changed[text.size() / 2] ^= 1;
  std::ofstream(file.path, std::ios::binary | std::ios::trunc) << changed;
  numbers.clear();
  CHECK(read(numbers) == RecordingErrc::damaged);
  CHECK(numbers.size() < 4);
}

TEST_CASE("a file of an observer takes the place of another one, and is the user's alone",
          "[observer][windows]") {
  const SeenFile file;
  std::ofstream(file.path) << "something else";
  REQUIRE(strait::TraceObserver::create(file.path));
  CHECK(Json::parse(file.text()));
  const auto opened = strait::windows::open_to_read(file.path).value();
  CHECK(strait::windows::is_private(opened.get()).value());
  CHECK(strait::TraceObserver::create(file.path + "/none/trace").error() ==
        std::errc::no_such_file_or_directory);
}

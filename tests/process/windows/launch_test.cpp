// A child that is started with all that it needs to meet its parent, and nothing else.

#include <chrono>
#include <string>
#include <vector>

#include "process/peers.hpp"
#include "strait/launch.hpp"
#include "strait/os/windows/api.hpp"

using namespace strait_test;
using strait::LaunchOptions;

namespace {

using LaunchLink = RawLink<Pipe>;

std::string own_program_path() {
  wchar_t path[MAX_PATH];
  ::GetModuleFileNameW(nullptr, path, MAX_PATH);
  char program[4 * MAX_PATH];
  ::WideCharToMultiByte(CP_UTF8, 0, path, -1, program, sizeof program, nullptr, nullptr);
  return program;
}

auto launch_role(const std::string& role, std::vector<std::string> more = {},
                 LaunchOptions options = {}) {
  std::vector<std::string> words{"--child", role};
  words.insert(words.end(), more.begin(), more.end());
  return strait::launch<LaunchLink>(own_program_path(), words, options);
}

const ChildRole launched_role("windows.launched", [](const ChildArguments& arguments) {
  auto parent = strait::connect_to_parent<LaunchLink>();
  child::require(parent.has_value(), "connected");
  const auto again = strait::connect_to_parent<LaunchLink>();
  child::require(again.error() == Errc::not_found, "once only");
  for (const std::string& word : arguments) {
    child::require(parent->send(std::as_bytes(std::span(word))).has_value(), "sent");
  }
  const auto echo = [&](View bytes) { static_cast<void>(parent->send(bytes)); };
  const auto end = parent->run(echo);
  return end.error() == Errc::peer_closed ? 0 : 1;
});

const ChildRole silent_role("windows.silent", [](const ChildArguments& arguments) {
  return arguments.empty() ? 0 : std::stoi(arguments.at(0));
});

const ChildRole sleeper_role("windows.sleeper", [](const ChildArguments&) {
  ::Sleep(INFINITE);
  return 0;
});

}  // namespace

TEST_CASE("a launched child connects, and ends when its parent's channel does",
          "[launch][windows]") {
  auto launched = launch_role("windows.launched");
  REQUIRE(launched);
  CHECK(launched->channel.peer().credentials.pid == launched->child.pid());
  Inbox inbox;
  REQUIRE(launched->channel.send(pattern(1000)));
  REQUIRE(poll_until(launched->channel, inbox, [&] { return inbox.messages.size() == 1; }));
  CHECK(same_bytes(inbox.messages[0], pattern(1000)));
  launched->channel.close();
  CHECK(launched->child.wait(long_enough).value() == strait::ExitStatus{0, 0});
  CHECK(launched->child.wait(long_enough).value() == strait::ExitStatus{0, 0});
  CHECK(launched->child.pid() == 0);
  CHECK(launched->child.kill().error() == Errc::closed);
}

TEST_CASE("a launched child gets its arguments as they are", "[launch][windows]") {
  const std::vector<std::string> words{"", "two words", "\"quoted\"", "back\\slash\\"};
  auto launched = launch_role("windows.launched", words);
  REQUIRE(launched);
  Inbox inbox;
  REQUIRE(
      poll_until(launched->channel, inbox, [&] { return inbox.messages.size() == words.size(); }));
  for (std::size_t i = 0; i != words.size(); ++i) {
    CHECK(same_bytes(inbox.messages[i], std::as_bytes(std::span(words[i]))));
  }
}

TEST_CASE("how a child ended that never connected is told", "[launch][windows]") {
  const auto launched = launch_role("windows.silent", {"7"});
  REQUIRE_FALSE(launched);
  CHECK(strait::exit_status(launched.error()) == strait::ExitStatus{7, 0});
}

TEST_CASE("a child that does not connect in time is ended", "[launch][windows]") {
  const auto launched = launch_role("windows.sleeper", {}, {.timeout = 300ms});
  CHECK(launched.error() == Errc::handshake_timeout);
}

TEST_CASE("a program that is not there can't be launched", "[launch][windows]") {
  const auto launched = strait::launch<LaunchLink>("C:\\nowhere\\program.exe");
  CHECK(launched.error() == std::errc::no_such_file_or_directory);
}

TEST_CASE("a child that was killed is peer_closed", "[launch][windows]") {
  auto launched = launch_role("windows.launched");
  REQUIRE(launched);
  CHECK(launched->child.wait(0ms).error() == Errc::timed_out);
  REQUIRE(launched->child.kill());
  Inbox inbox;
  CHECK(poll_until_error(launched->channel, inbox) == Errc::peer_closed);
  CHECK(launched->child.wait(long_enough).value().code == 1);
}

TEST_CASE("a launch that waits for nothing tells of the child later", "[launch][windows]") {
  auto launched = launch_role("windows.launched", {}, {.timeout = 0ms});
  REQUIRE(launched);
  CHECK(launched->channel.waiting_connect());
  Inbox inbox;
  CHECK(poll_until(launched->channel, inbox, [&] { return inbox.connected == 1; }));
}

TEST_CASE("a child that was released lives on, and one that is dropped does not",
          "[launch][windows]") {
  const bool released = GENERATE(true, false);
  strait::windows::Descriptor process;
  {
    auto launched = launch_role("windows.sleeper", {}, {.timeout = 0ms});
    REQUIRE(launched);
    process = strait::windows::duplicate(launched->child.native_handle());
    if (released) CHECK(launched->child.release() != 0);
  }
  CHECK(strait::windows::is_set(process.get()) == !released);
  if (released) REQUIRE(::TerminateProcess(process.get(), 1));
  CHECK(::WaitForSingleObject(process.get(), 20'000) == WAIT_OBJECT_0);
}

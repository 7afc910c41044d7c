// A child that is started with all that it needs to meet its parent, and nothing else.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "process/peers.hpp"
#include "strait/launch.hpp"
#include "strait/os/windows/descriptor.hpp"
#include "strait/os/windows/event_wait.hpp"
#include "strait/os/windows/standard_input.hpp"
#include "strait/serializers/trivial.hpp"

using namespace strait_test;
using strait::LaunchOptions;

namespace {

/// A transport, and how parent and child meet.
template <class T, class HowToMeet>
struct Way {
  using Transport = T;
  using Link = RawLink<T>;
  using How = HowToMeet;
};
using PipeByName = Way<Pipe, strait::ByName>;
using PipeInherited = Way<Pipe, strait::Inherited>;
using MachByName = Way<Mach, strait::ByName>;
using MachInherited = Way<Mach, strait::Inherited>;
#define STRAIT_TEST_WINDOWS_WAYS PipeByName, PipeInherited, MachByName, MachInherited

std::string own_program_path() {
  wchar_t path[MAX_PATH];
  ::GetModuleFileNameW(nullptr, path, MAX_PATH);
  char program[4 * MAX_PATH];
  ::WideCharToMultiByte(CP_UTF8, 0, path, -1, program, sizeof program, nullptr, nullptr);
  return program;
}

template <class W>
auto launch_role(const std::string& role, std::vector<std::string> more = {},
                 LaunchOptions options = {.timeout = long_enough}) {
  std::vector<std::string> words{"--child", role, word<typename W::Transport>()};
  words.insert(words.end(), more.begin(), more.end());
  return strait::launch<typename W::Link, typename W::How>(own_program_path(), words, options);
}

/// Sends its arguments, and sends back what it gets, until the parent ends.
const ChildRole launched_role("windows.launched", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      [&]<class T>() {
        auto parent = strait::connect_to_parent<RawLink<T>>(long_enough);
        child::require(parent.has_value(), parent ? "" : parent.error().message());
        const auto again = strait::connect_to_parent<RawLink<T>>();
        child::require(again.error() == Errc::not_found, "once only");
        for (std::size_t i = 1; i != arguments.size(); ++i) {
          const auto bytes = std::as_bytes(std::span(arguments[i]));
          child::require(parent->send(bytes).has_value(), "sent");
        }
        const auto echo = [&](View bytes) { static_cast<void>(parent->send(bytes)); };
        const auto end = parent->run(echo);
        return end.error() == Errc::peer_closed ? 0 : 1;
      },
      Crossing());
});

const ChildRole silent_role("windows.silent", [](const ChildArguments& arguments) {
  return std::stoi(arguments.at(1));
});

const ChildRole sleeper_role("windows.sleeper", [](const ChildArguments&) {
  ::Sleep(INFINITE);
  return 0;
});

/// Says another transport's words.
const ChildRole stranger_role("windows.stranger", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      []<class T>() {
        struct Other {
          std::uint64_t id;
        };
        using Link = strait::Channel<T, strait::TrivialSerializer<Other>>;
        const auto parent = strait::connect_to_parent<Link>(long_enough);
        return parent.error() == Errc::schema_mismatch ? 0 : 1;
      },
      Crossing());
});

/// Takes what it was given, says nonsense there, and stays.
const ChildRole babbler_role("windows.babbler", [](const ChildArguments&) {
  const auto input = strait::windows::take_standard_input();
  child::require(input.has_value(), "an input");
  const auto deadline = strait::detail::Deadline::after(long_enough);
  child::require(strait::windows::read_line(*input, 256, deadline).has_value(), "a line");
  const Bytes nonsense(100, std::byte{0xff});
  child::require(strait::windows::send_packet(input->get(), nonsense).has_value(), "sent");
  ::Sleep(INFINITE);
  return 0;
});

/// A parent that is killed.
const ChildRole parent_role("windows.parent", [](const ChildArguments&) {
  auto launched = launch_role<MachInherited>("windows.launched");
  child::require(launched.has_value(), "launched");
  child::write_line(std::to_string(launched->child.pid()));
  ::Sleep(INFINITE);
  return 0;
});

}  // namespace

TEMPLATE_TEST_CASE("a launched child connects, and ends when its parent's channel does",
                   "[launch][windows]", STRAIT_TEST_WINDOWS_WAYS) {
  auto launched = launch_role<TestType>("windows.launched");
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

TEMPLATE_TEST_CASE("a launched child gets its arguments as they are", "[launch][windows]",
                   STRAIT_TEST_WINDOWS_WAYS) {
  const std::vector<std::string> words{"", "two words", "\"quoted\"", "back\\slash\\"};
  auto launched = launch_role<TestType>("windows.launched", words);
  REQUIRE(launched);
  Inbox inbox;
  REQUIRE(
      poll_until(launched->channel, inbox, [&] { return inbox.messages.size() == words.size(); }));
  for (std::size_t i = 0; i != words.size(); ++i) {
    CHECK(same_bytes(inbox.messages[i], std::as_bytes(std::span(words[i]))));
  }
}

TEMPLATE_TEST_CASE("how a child ended that never connected is told", "[launch][windows]",
                   STRAIT_TEST_WINDOWS_WAYS) {
  const auto launched = launch_role<TestType>("windows.silent", {"7"});
  REQUIRE_FALSE(launched);
  CHECK(strait::exit_status(launched.error()) == strait::ExitStatus{7, 0});
}

TEMPLATE_TEST_CASE("a child that does not connect in time is ended", "[launch][windows]",
                   STRAIT_TEST_WINDOWS_WAYS) {
  const auto launched = launch_role<TestType>("windows.sleeper", {}, {.timeout = 300ms});
  CHECK(launched.error() == Errc::handshake_timeout);
}

TEMPLATE_TEST_CASE("a program that is not there can't be launched", "[launch][windows]",
                   STRAIT_TEST_WINDOWS_WAYS) {
  const auto launched =
      strait::launch<typename TestType::Link, typename TestType::How>("C:\\nowhere\\program.exe");
  CHECK(launched.error() == std::errc::no_such_file_or_directory);
}

TEMPLATE_TEST_CASE("a child that was killed is peer_closed", "[launch][windows]",
                   STRAIT_TEST_WINDOWS_WAYS) {
  auto launched = launch_role<TestType>("windows.launched");
  REQUIRE(launched);
  CHECK(launched->child.wait(0ms).error() == Errc::timed_out);
  REQUIRE(launched->child.kill());
  Inbox inbox;
  CHECK(poll_until_error(launched->channel, inbox) == Errc::peer_closed);
  CHECK(launched->child.wait(long_enough).value().code == 1);
}

TEMPLATE_TEST_CASE("a launch that waits for nothing tells of the child later", "[launch][windows]",
                   STRAIT_TEST_WINDOWS_WAYS) {
  auto launched = launch_role<TestType>("windows.launched", {}, {.timeout = 0ms});
  REQUIRE(launched);
  CHECK(launched->channel.waiting_connect());
  Inbox inbox;
  CHECK(poll_until(launched->channel, inbox, [&] { return inbox.connected == 1; }));
}

TEMPLATE_TEST_CASE("a child that was released lives on, and one that is dropped does not",
                   "[launch][windows]", STRAIT_TEST_WINDOWS_WAYS) {
  const bool released = GENERATE(true, false);
  strait::windows::Descriptor process;
  {
    auto launched = launch_role<TestType>("windows.sleeper", {}, {.timeout = 0ms});
    REQUIRE(launched);
    process = strait::windows::duplicate(launched->child.native_handle());
    if (released) CHECK(launched->child.release() != 0);
  }
  CHECK(strait::windows::is_set(process.get()) == !released);
  if (released) REQUIRE(::TerminateProcess(process.get(), 1));
  CHECK(::WaitForSingleObject(process.get(), 20'000) == WAIT_OBJECT_0);
}

TEMPLATE_TEST_CASE("a child with other messages is told so, and so is its parent",
                   "[launch][windows]", STRAIT_TEST_WINDOWS_WAYS) {
  const auto launched = launch_role<TestType>("windows.stranger");
  CHECK(launched.error() == Errc::schema_mismatch);
}

TEMPLATE_TEST_CASE("a child that says nonsense over what it inherited is turned away",
                   "[launch][windows]", PipeInherited, MachInherited) {
  const auto launched = launch_role<TestType>("windows.babbler");
  CHECK(launched.error() == Errc::malformed);
}

TEMPLATE_TEST_CASE("a child has no handle of its parent's, inheritable or not", "[launch][windows]",
                   STRAIT_TEST_WINDOWS_WAYS) {
  // As long as any process has the other end of a pipe, this one does not see its end.
  auto ends = strait::windows::stream_pair().value();
  REQUIRE(::SetHandleInformation(ends[0].get(), HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT));
  REQUIRE(::SetHandleInformation(ends[1].get(), HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT));
  auto launched = launch_role<TestType>("windows.launched");
  REQUIRE(launched);
  ends[0].reset();
  CHECK_FALSE(::PeekNamedPipe(ends[1].get(), nullptr, 0, nullptr, nullptr, nullptr));
  CHECK(::GetLastError() == ERROR_BROKEN_PIPE);
}

TEST_CASE("a child that was launched ends with its parent", "[launch][windows]") {
  Child parent = Child::spawn("windows.parent");
  const auto line = parent.read_line(long_enough);
  REQUIRE(line);
  const strait::windows::Descriptor child(
      ::OpenProcess(SYNCHRONIZE, FALSE, static_cast<DWORD>(std::stoul(*line))));
  REQUIRE(child);
  CHECK_FALSE(strait::windows::is_set(child.get()));
  parent.kill(SIGKILL);
  CHECK(::WaitForSingleObject(child.get(), 20'000) == WAIT_OBJECT_0);
}

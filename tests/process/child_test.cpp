// The two-process helper itself: what every other test in this directory stands on.

#include <errno.h>
#include <signal.h>

#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/runtime_dir.hpp"

using strait_test::Child;
using namespace std::chrono_literals;

namespace {

const strait_test::ChildRole line_echo_role("child_test.echo",
                                            [](const strait_test::ChildArguments&) {
                                              while (auto line = strait_test::child::read_line())
                                                strait_test::child::write_line(*line);
                                              return 0;
                                            });

const strait_test::ChildRole answer_role("child_test.answer",
                                         [](const strait_test::ChildArguments& arguments) {
                                           for (const std::string& argument : arguments)
                                             strait_test::child::write_line(argument);
                                           strait_test::child::write_line(
                                               strait_test::runtime_dir());
                                           return 7;
                                         });

const strait_test::ChildRole unhappy_role("child_test.unhappy",
                                          [](const strait_test::ChildArguments&) {
                                            strait_test::child::require(
                                                2 + 2 == 5, "arithmetic (this failure is wanted)");
                                            return 0;
                                          });

}  // namespace

TEST_CASE("a child answers line by line and ends when its input does", "[process]") {
  auto child = Child::spawn("child_test.echo");
  const std::vector<std::string> lines{"one", "", "three words here", std::string(100'000, 'x')};
  for (const std::string& line : lines) {
    REQUIRE(child.write_line(line));
    CHECK(child.read_line() == line);
  }
  child.close_stdin();
  CHECK(child.read_line() == std::nullopt);
  CHECK(child.wait().success());
}

TEST_CASE("a child gets its arguments, shares the runtime directory and reports its exit code",
          "[process]") {
  auto child = Child::spawn("child_test.answer", {"", "a b", "--child"});
  CHECK(child.read_line() == "");
  CHECK(child.read_line() == "a b");
  CHECK(child.read_line() == "--child");
  CHECK(child.read_line() == strait_test::runtime_dir());
  const auto status = child.wait();
  CHECK(status.exited);
  CHECK(status.code == 7);
  CHECK(child.wait() == status);
}

TEST_CASE("waiting for a child, or for its line, ends when the time is up", "[process]") {
  auto child = Child::spawn("child_test.echo");
  CHECK(child.read_line(1ms) == std::nullopt);
  CHECK(child.wait(1ms).still_running());
}

TEST_CASE("a killed child is told from one that exits", "[process]") {
  auto child = Child::spawn("child_test.echo");
  child.kill(SIGKILL);
  CHECK(child.wait().killed_by(SIGKILL));
  CHECK_FALSE(child.write_line("anybody?"));
}

TEST_CASE("a failed requirement and an unknown role end a child with their own codes",
          "[process]") {
  auto failing = Child::spawn("child_test.unhappy");
  CHECK(failing.wait().code == strait_test::exit_requirement_failed);
  auto unknown = Child::spawn("child_test.nobody");
  CHECK(unknown.wait().code == strait_test::exit_unknown_role);
}

TEST_CASE("a child that goes out of scope, or is assigned over, is killed and reaped",
          "[process]") {
  auto child = Child::spawn("child_test.echo");
  const pid_t first = child.pid();
  child = Child::spawn("child_test.echo");
  CHECK(::kill(first, 0) == -1);
  CHECK(errno == ESRCH);
}

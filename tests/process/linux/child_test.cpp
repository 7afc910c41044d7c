// Children that something else has reaped, that are traced, or that belong to another process.

#include <strait/child_process.hpp>

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <ctime>

#include "conformance/channels.hpp"
#include "support/process.hpp"

using namespace strait_test;
using strait::ChildProcess;

namespace {

/// A program that goes on until it is killed.
ChildProcess sleeper() {
  auto input = strait::os::open("/dev/null", O_RDONLY).value();
  return ChildProcess::start("/bin/sleep", {"1000"}, input).value();
}

bool runs(pid_t pid) { return ::kill(pid, 0) == 0; }

}  // namespace

TEST_CASE("a child that something else has reaped is forgotten, not its number's next owner killed",
          "[child]") {
  auto child = sleeper();
  const pid_t pid = child.pid();
  REQUIRE(::kill(pid, SIGKILL) == 0);
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  CHECK(child.kill(SIGTERM).error() == Errc::closed);
  CHECK(child.pid() == 0);
  CHECK(child.wait(0ms).error() == std::errc::no_child_process);

  auto other = sleeper();
  REQUIRE(::kill(other.pid(), SIGKILL) == 0);
  REQUIRE(::waitpid(other.pid(), &status, 0) == other.pid());
  CHECK(other.wait(1h).error() == std::errc::no_child_process);
}

TEST_CASE("what was released or moved is no child that ended well", "[child]") {
  auto child = sleeper();
  auto moved = std::move(child);
  CHECK(child.wait(0ms).error() == Errc::closed);
  const pid_t pid = moved.release();
  CHECK(moved.wait(0ms).error() == Errc::closed);
  REQUIRE(::kill(pid, SIGKILL) == 0);
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
}

TEST_CASE("a forked copy of a child's owner leaves the child alone", "[child][fork]") {
  auto child = sleeper();
  const pid_t copy = ::fork();
  REQUIRE(copy >= 0);
  if (copy == 0) {
    { const auto ends_here = std::move(child); }
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(copy, &status, 0) == copy);
  CHECK(runs(child.pid()));
  CHECK(child.wait(0ms).error() == Errc::timed_out);
  REQUIRE(child.kill(SIGKILL));
  CHECK(child.wait(long_enough).value().signal == SIGKILL);
}

TEST_CASE(
    "a killed child that is traced by another process is waited for without a spin, and let go",
    "[child][no-asan][no-tsan]") {
  std::optional<ChildProcess> child(sleeper());
  const pid_t pid = child->pid();
  const pid_t tracer = ::fork();
  REQUIRE(tracer >= 0);
  if (tracer == 0) {
    if (::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) != 0) ::_exit(1);
    ::raise(SIGSTOP);  // it holds the child and does not look
    ::pause();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(tracer, &status, WUNTRACED) == tracer);
  if (WIFEXITED(status)) STRAIT_TEST_SKIP("tracing is forbidden here");
  REQUIRE(child->kill(SIGKILL));
  const std::clock_t before = std::clock();
  CHECK(child->wait(500ms).error() == Errc::timed_out);
  CHECK(std::clock() - before < CLOCKS_PER_SEC / 5);
  const auto start = Clock::now();
  child.reset();
  CHECK(Clock::now() - start < 20s);
  REQUIRE(::kill(tracer, SIGKILL) == 0);
  REQUIRE(::waitpid(tracer, &status, 0) == tracer);
  REQUIRE(::waitpid(pid, &status, 0) == pid);
}

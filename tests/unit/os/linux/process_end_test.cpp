// How the end of a process is read out of what the kernel says of it.

#include "strait/os/process_end.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "process/forking.hpp"
#include "support/catch.hpp"

using strait::os::look_at_end;
using strait::os::parse_process_end;
using How = strait::os::ProcessEnd::How;

namespace {

/// As the kernel writes it, with the fields that count.
std::string stat_of(std::string name, char state, unsigned flags, int threads, int code) {
  std::string text = "41 (" + name + ") " + state + " 1 2 3 0 -1 " + std::to_string(flags);
  for (int field = 10; field <= 52; ++field) {
    text += ' ' + std::to_string(field == 20 ? threads : field == 52 ? code : field * 1000);
  }
  return text + '\n';
}

How how(const std::string& text, bool is_told = true) {
  return parse_process_end(text.c_str(), is_told).how;
}
int status(const std::string& text) { return parse_process_end(text.c_str(), true).status; }

constexpr unsigned exiting = 0x4;
constexpr unsigned signaled = 0x400;

}  // namespace

TEST_CASE("the kernel's line about a process tells whether and how it has ended", "[os]") {
  CHECK(how(stat_of("cat", 'S', 0x400000, 1, 0)) == How::none);
  CHECK(how(stat_of("cat", 'Z', exiting, 1, 7 << 8)) == How::exited);
  CHECK(status(stat_of("cat", 'Z', exiting, 1, 7 << 8)) == 7);
  CHECK(how(stat_of("cat", 'R', exiting, 1, 0)) == How::exited);
  CHECK(how(stat_of("cat", 'R', exiting | signaled, 3, SIGKILL)) == How::killed);
  CHECK(status(stat_of("cat", 'Z', exiting | signaled, 1, 0x80 | SIGSEGV)) == SIGSEGV);
  // Another thread goes on.
  CHECK(how(stat_of("cat", 'Z', exiting, 2, 0)) == How::none);
  // The kernel does not tell this user.
  CHECK(how(stat_of("cat", 'Z', exiting | signaled, 1, 0), false) == How::gone);
  CHECK(how(stat_of("cat", 'Z', exiting, 1, 0), false) == How::gone);
}

TEST_CASE("no name of a program and no cut line is taken for the end of a process", "[os]") {
  CHECK(how(stat_of("a) Z 1 (b", 'S', 0, 1, 0)) == How::none);
  CHECK(how(stat_of(") Z 0 0 0 0 0 4", 'S', 0, 1, 0)) == How::none);
  CHECK(how(stat_of("x) S", 'Z', exiting, 1, 256)) == How::exited);
  const std::string whole = stat_of("cat", 'Z', exiting, 1, 9);
  CHECK(how(whole) == How::killed);
  const std::size_t needed = whole.rfind(' ') + 1;
  for (std::size_t size = 0; size <= needed; ++size) {
    CAPTURE(size);
    CHECK(how(whole.substr(0, size)) == How::none);
  }
}

TEST_CASE("the end of a real process is seen, and that of none is not", "[os]") {
  CHECK(look_at_end({}).how == How::none);
  CHECK(look_at_end(strait::os::own_credentials()).how == How::none);
  auto ends = strait::os::pipe_pair().value();
  const pid_t child = ::fork();
  if (child == 0) ::_exit(3);
  ends[1].reset();
  // Until the child's descriptors are closed.
  const auto until = strait::detail::Deadline::after(std::chrono::seconds{20});
  REQUIRE(strait::os::wait_for({strait::Interest::to_read(ends[0].get())}, until));
  auto credentials = strait::os::own_credentials();
  credentials.pid = child;
  const auto end = look_at_end(credentials);
  CHECK(end.how == How::exited);
  CHECK(end.status == 3);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  CHECK(look_at_end(credentials).how == How::gone);
}

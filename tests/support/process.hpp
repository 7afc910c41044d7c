#pragma once

#include <signal.h>
#include <sys/types.h>

#include <chrono>
#include <initializer_list>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Tests with two real processes. The child is this same executable started anew in a role, a
// function that the test file registers beside the test which needs it:
//
//   const strait_test::ChildRole echo("echo", [](const strait_test::ChildArguments& arguments) {
//     while (auto line = strait_test::child::read_line()) strait_test::child::write_line(*line);
//     return 0;
//   });
//
//   TEST_CASE("...") {
//     auto child = strait_test::Child::spawn("echo", {name});
//     child.write_line("hello");
//     CHECK(child.read_line() == "hello");
//     child.close_stdin();
//     CHECK(child.wait().success());
//   }
//
// Both sides move each other along by lines, never by sleeping. A child dies with its parent, and
// one that ends with anything leaked, or was born with a descriptor that its parent forgot to mark
// close-on-exec, turns its exit code into one of those below.

namespace strait_test {

using std::chrono::milliseconds;

inline constexpr milliseconds default_timeout{40'000};

#ifndef SIGKILL  // Windows has no signals: `Child::kill` ends a process there, whatever the number
inline constexpr int SIGKILL = 9;
#endif

// --- the child's side ------------------------------------------------------------------------

using ChildArguments = std::vector<std::string>;
using ChildFunction = int (*)(const ChildArguments&);

/// Registers a role by name; make one at namespace scope.
class ChildRole {
 public:
  ChildRole(const char* name, ChildFunction function);
};

inline constexpr int exit_unknown_role = 80;
inline constexpr int exit_requirement_failed = 81;
inline constexpr int exit_inherited_descriptor = 82;
inline constexpr int exit_leaked = 83;

namespace child {

/// Sends a line to the parent.
void write_line(std::string_view line);

/// The parent's next line; nothing when the parent has closed its end or the time is up.
std::optional<std::string> read_line(milliseconds timeout = default_timeout);

/// Ends the child with exit_requirement_failed and says where, unless `condition` holds. (Catch's
/// own assertions need a running test case, which a child has not.)
void require(bool condition, std::string_view what = "requirement", int line = __builtin_LINE(),
             const char* file = __builtin_FILE());

}  // namespace child

/// Used by the main program: runs the role `argv` asks for, if it asks for one.
std::optional<int> run_child_role(int argc, char** argv);

// --- the parent's side -----------------------------------------------------------------------

struct ExitStatus {
  bool exited = false;  // false with signal == 0: it was still running when the time was up
  int code = -1;
  int signal = 0;

  bool success() const { return exited && code == 0; }
  bool killed_by(int number) const { return !exited && signal == number; }
  bool still_running() const { return !exited && signal == 0; }
  bool operator==(const ExitStatus&) const = default;
  friend std::ostream& operator<<(std::ostream& out, const ExitStatus& status);
};

/// A child process in a role. Owns its process: the destructor kills and reaps it.
class Child {
 public:
  /// Throws std::system_error when the process can't be started.
  static Child spawn(std::string_view role, std::initializer_list<std::string> arguments = {});

  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();

  pid_t pid() const { return pid_; }

  /// False when the child no longer listens.
  bool write_line(std::string_view line);

  /// The child's next line; nothing at end of file or when the time is up.
  std::optional<std::string> read_line(milliseconds timeout = default_timeout);

  void close_stdin();
  void kill(int signal);

  /// Waits for the end and reaps; asked again, it repeats the answer.
  ExitStatus wait(milliseconds timeout = default_timeout);

 private:
  Child() = default;
  void release() noexcept;

  pid_t pid_ = -1;  // -1: moved from, or reaped
  int input_ = -1;
  int output_ = -1;
  struct System;
  std::shared_ptr<System> system_;  // on Windows instead of the two before
  std::string buffered_;
  ExitStatus status_;
};

}  // namespace strait_test

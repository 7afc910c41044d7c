#include "support/process.hpp"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <strait/os/descriptors.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <map>
#include <system_error>
#include <utility>

#include "support/leak_check.hpp"
#include "support/native.hpp"

extern char** environ;

namespace strait_test {
namespace {

using Clock = std::chrono::steady_clock;

// A function's own static: roles register from other files' static initialisers.
std::map<std::string, ChildFunction>& roles() {
  static std::map<std::string, ChildFunction> all;
  return all;
}

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// Waits until `fd` is readable (or hung up); false when the time is up.
bool wait_readable(int fd, Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
    pollfd entry{fd, POLLIN, 0};
    const int ready = ::poll(&entry, 1, left > 0 ? static_cast<int>(left) : 0);
    if (ready > 0) return true;
    if (ready == 0 && left <= 0) return false;
    if (ready < 0 && errno != EINTR) fail("poll");
  }
}

std::optional<std::string> read_line_from(int fd, std::string& buffered, milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  for (;;) {
    if (const auto end = buffered.find('\n'); end != std::string::npos) {
      std::string line = buffered.substr(0, end);
      buffered.erase(0, end + 1);
      return line;
    }
    if (!wait_readable(fd, deadline)) return std::nullopt;
    char bytes[4096];
    const ssize_t count = ::read(fd, bytes, sizeof bytes);
    if (count > 0)
      buffered.append(bytes, static_cast<std::size_t>(count));
    else if (count == 0 || errno != EINTR)
      return std::nullopt;
  }
}

void close_if_open(int& fd) {
  if (fd >= 0) ::close(std::exchange(fd, -1));
}

// What this program is started anew with. The system can't start one that is made for another
// processor, but it can start the emulator that runs this one.
std::vector<std::string> own_command() {
  const char* emulator = std::getenv("STRAIT_TEST_EMULATOR");
  if (emulator == nullptr) return {own_program()};
  return {emulator, std::filesystem::read_symlink(own_program())};
}

// True once the process is dead (and may still have to be reaped).
bool wait_dead(pid_t pid, Clock::time_point deadline) {
  const strait::os::Descriptor process(open_process(pid));
  if (process) return wait_readable(process.get(), deadline);
  // It has not been reaped, so it is there: macOS says this of one that is dead.
  if (errno == ESRCH) return true;
  fail("open_process");
}

}  // namespace

// --- the child's side ------------------------------------------------------------------------

ChildRole::ChildRole(const char* name, ChildFunction function) {
  if (!roles().emplace(name, function).second) {
    std::fprintf(stderr, "two child roles are called '%s'\n", name);
    std::abort();
  }
}

namespace child {

void write_line(std::string_view line) {
  std::string bytes(line);
  bytes += '\n';
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const ssize_t count = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (count > 0)
      rest.remove_prefix(static_cast<std::size_t>(count));
    else if (errno != EINTR)
      return;
  }
}

std::optional<std::string> read_line(milliseconds timeout) {
  static std::string buffered;
  return read_line_from(STDIN_FILENO, buffered, timeout);
}

void require(bool condition, std::string_view what, int line, const char* file) {
  if (condition) return;
  std::fprintf(stderr, "%s:%d: child %d: failed: %.*s\n", file, line, static_cast<int>(::getpid()),
               static_cast<int>(what.size()), what.data());
  ::_exit(exit_requirement_failed);
}

}  // namespace child

std::optional<int> run_child_role(int argc, char** argv) {
  if (argc < 3 || std::strcmp(argv[1], "--child") != 0) return std::nullopt;
  die_with_parent();
  const auto complain = [&](const std::string& what) {
    std::fprintf(stderr, "child role '%s' (%d): %s\n", argv[2], static_cast<int>(::getpid()),
                 what.c_str());
  };

  const auto role = roles().find(argv[2]);
  if (role == roles().end()) {
    complain("nobody registered it");
    return exit_unknown_role;
  }
  auto before = ResourceSnapshot::take();
  // What a service manager hands over is meant to be inherited, and is for the role to close.
  if (const char* handed_over = std::getenv("LISTEN_FDS")) {
    for (int i = std::atoi(handed_over); i != 0; --i) before.descriptors.erase(STDERR_FILENO + i);
  }
  for (const auto& [fd, target] : before.descriptors) {
    if (fd <= STDERR_FILENO) continue;
    complain("inherited descriptor " + std::to_string(fd) + " (" + target +
             "), which is not close-on-exec");
    return exit_inherited_descriptor;
  }

  const int code = role->second(ChildArguments(argv + 3, argv + argc));

  // A channel to the parent takes over what comes in.
  before.descriptors.erase(STDIN_FILENO);
  const auto leaks = after_a_moment([&] {
    auto after = ResourceSnapshot::take();
    after.files = before.files;  // the directory is shared with the parent, who checks it
    after.descriptors.erase(STDIN_FILENO);
    return differences(before, after);
  });
  for (const std::string& leak : leaks) complain(leak);
  return code == 0 && !leaks.empty() ? exit_leaked : code;
}

// --- the parent's side -----------------------------------------------------------------------

std::ostream& operator<<(std::ostream& out, const ExitStatus& status) {
  if (status.exited) return out << "exited with " << status.code;
  if (status.signal != 0) return out << "killed by signal " << status.signal;
  return out << "still running";
}

Child Child::spawn(std::string_view role, std::initializer_list<std::string> arguments) {
  std::vector<std::string> words = own_command();
  words.insert(words.end(), {"--child", std::string(role)});
  words.insert(words.end(), arguments);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  // The child's input is a socket, so that writing to a dead child is an error and no SIGPIPE: the
  // tests run with that signal as users have it, to see that the library never raises it.
  Child child;
  auto input = strait::os::socket_pair(SOCK_STREAM).value();
  child.input_ = input[1].release();
  auto output = strait::os::socket_pair(SOCK_STREAM).value();
  child.output_ = output[0].release();

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input[0].get(), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output[1].get(), STDOUT_FILENO);
  const int error = ::posix_spawn(&child.pid_, argv[0], &actions, nullptr, argv.data(), ::environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    child.pid_ = -1;
    errno = error;
    fail("posix_spawn");
  }
  return child;
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      input_(std::exchange(other.input_, -1)),
      output_(std::exchange(other.output_, -1)),
      buffered_(std::move(other.buffered_)),
      status_(other.status_) {}

Child& Child::operator=(Child&& other) noexcept {
  if (this == &other) return *this;
  release();
  pid_ = std::exchange(other.pid_, -1);
  input_ = std::exchange(other.input_, -1);
  output_ = std::exchange(other.output_, -1);
  buffered_ = std::move(other.buffered_);
  status_ = other.status_;
  return *this;
}

Child::~Child() { release(); }

void Child::release() noexcept {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
  }
  close_if_open(input_);
  close_if_open(output_);
}

bool Child::write_line(std::string_view line) {
  std::string bytes(line);
  bytes += '\n';
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const ssize_t count = ::send(input_, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (count > 0)
      rest.remove_prefix(static_cast<std::size_t>(count));
    else if (errno != EINTR)
      return false;
  }
  return true;
}

std::optional<std::string> Child::read_line(milliseconds timeout) {
  return read_line_from(output_, buffered_, timeout);
}

void Child::close_stdin() { close_if_open(input_); }

void Child::kill(int signal) {
  if (pid_ > 0) ::kill(pid_, signal);
}

ExitStatus Child::wait(milliseconds timeout) {
  if (pid_ <= 0 || !wait_dead(pid_, Clock::now() + timeout)) return status_;
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0)
    if (errno != EINTR) fail("waitpid");
  pid_ = -1;
  if (WIFEXITED(status))
    status_ = {.exited = true, .code = WEXITSTATUS(status), .signal = 0};
  else
    status_ = {.exited = false, .code = -1, .signal = WTERMSIG(status)};
  return status_;
}

}  // namespace strait_test

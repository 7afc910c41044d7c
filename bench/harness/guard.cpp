#include "harness/guard.hpp"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <stdexcept>
#include <utility>

#include <strait/os/posix/signals_blocked.hpp>

#include "harness/system_error.hpp"

namespace bench::guard {

namespace {

// Longer than the slowest batch on the slowest machine, shorter than anybody's patience.
constexpr unsigned batch_limit_s = 300;

// What the signal handlers may look at: plain memory and lock-free words.
std::atomic<pid_t> child_pid = 0;
std::atomic<bool> end_is_expected = false;
char batch_name[128] = "starting";
bool leftovers_exist = false;
char directory_path[512];
char file_paths[16][sizeof directory_path + 32];

void say(const char* text) {
  const ssize_t written = ::write(STDERR_FILENO, text, strlen(text));
  static_cast<void>(written);
}

void say_number(int number) {
  char digits[12];
  std::size_t at = sizeof digits;
  digits[--at] = '\0';
  do {
    digits[--at] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0 && at > 0);
  say(digits + at);
}

void remove_files() {
  for (auto& path : file_paths) {
    if (path[0] != '\0') ::unlink(path);
    path[0] = '\0';
  }
  if (directory_path[0] != '\0') ::rmdir(directory_path);
  directory_path[0] = '\0';
}

[[noreturn]] void leave(int status) {
  const pid_t child = child_pid;
  if (child > 0) ::kill(child, SIGKILL);
  remove_files();
  ::_exit(status);
}

void on_child(int) {
  if (end_is_expected) return;
  int status = 0;
  if (::waitpid(child_pid, &status, WNOHANG) != child_pid) return;
  child_pid = 0;
  say("\nstrait_bench: the second process ended unexpectedly (");
  say(WIFSIGNALED(status) ? "signal " : "exit status ");
  say_number(WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  say(") during: ");
  say(batch_name);
  say("\n");
  leave(1);
}

void on_alarm(int) {
  say("\nstrait_bench: no end in sight for: ");
  say(batch_name);
  say("\n");
  leave(1);
}

void on_stop(int signal_number) {
  say("\n");
  leave(128 + signal_number);
}

// An abort, mostly somebody else's: dies of it, but in good order.
void on_crash(int signal_number) {
  const pid_t child = child_pid;
  if (child > 0) ::kill(child, SIGKILL);
  remove_files();
  ::raise(signal_number);
}

void handle(int signal_number, void (*handler)(int), int flags = SA_RESTART) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigfillset(&action.sa_mask);
  if (::sigaction(signal_number, &action, nullptr) != 0) throw_errno("sigaction");
}

}  // namespace

void watch(pid_t child) {
  child_pid = child;
  end_is_expected = false;
  handle(SIGCHLD, on_child);
  handle(SIGALRM, on_alarm);
  handle(SIGINT, on_stop);
  handle(SIGTERM, on_stop);
  handle(SIGHUP, on_stop);
  for (const int crash : {SIGABRT, SIGSEGV, SIGBUS}) {
    handle(crash, on_crash, static_cast<int>(SA_RESETHAND));
  }
  handle(SIGPIPE, SIG_IGN);
  // It may have died before anybody watched.
  on_child(SIGCHLD);
}

void expect_end() { end_is_expected = true; }

void start_batch(const std::string& what) {
  ::alarm(0);
  const std::size_t length = what.copy(batch_name, sizeof batch_name - 1);
  batch_name[length] = '\0';
  ::alarm(batch_limit_s);
}

Leftovers::Leftovers() {
  if (std::exchange(leftovers_exist, true)) throw std::logic_error("leftovers of two at a time");
}

Leftovers::~Leftovers() {
  remove_files();
  leftovers_exist = false;
}

void Leftovers::add(const std::string& path) {
  for (auto& slot : file_paths) {
    if (slot[0] != '\0') continue;
    if (path.empty() || path.size() >= sizeof slot) throw std::length_error("path of a file");
    memcpy(slot, path.c_str(), path.size() + 1);
    return;
  }
  throw std::logic_error("more files than can be cleaned up");
}

PrivateDirectory::PrivateDirectory() {
  const char* const parent = ::getenv("TMPDIR");
  std::string path = parent != nullptr && *parent != '\0' ? parent : "/tmp";
  path += "/strait_bench.XXXXXX";
  if (path.size() >= sizeof directory_path) throw std::length_error("TMPDIR");
  // Its name is not known before it is made, so nothing may come in between.
  const strait::os::SignalsBlocked blocked;
  if (::mkdtemp(path.data()) == nullptr) throw_errno("mkdtemp");
  memcpy(directory_path, path.c_str(), path.size() + 1);
}

std::string PrivateDirectory::path_for(std::string_view name) {
  const std::string path = std::string(directory_path) + '/' + std::string(name);
  leftovers_.add(path);
  return path;
}

std::string PrivateDirectory::make_fifo(std::string_view name) {
  const std::string path = path_for(name);
  if (::mkfifo(path.c_str(), 0600) != 0) throw_errno("mkfifo");
  return path;
}

}  // namespace bench::guard

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

#include "harness/system_error.hpp"

namespace bench::guard {

namespace {

// Longer than the slowest batch on the slowest machine, shorter than anybody's patience.
constexpr unsigned batch_limit_s = 300;

// What the signal handlers may look at: plain memory and lock-free words.
std::atomic<pid_t> child_pid = 0;
std::atomic<bool> end_is_expected = false;
char batch_name[128] = "starting";
char directory_path[64];
char fifo_paths[2][96];

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
  for (auto& path : fifo_paths) {
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

void handle(int signal_number, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
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

PrivateDirectory::PrivateDirectory() {
  char path[] = "/tmp/strait_bench.XXXXXX";
  if (directory_path[0] != '\0') throw std::logic_error("one private directory at a time");
  if (::mkdtemp(path) == nullptr) throw_errno("mkdtemp");
  memcpy(directory_path, path, sizeof path);
}

PrivateDirectory::~PrivateDirectory() { remove_files(); }

std::string PrivateDirectory::make_fifo(const char* name) {
  const std::string path = std::string(directory_path) + "/" + name;
  for (auto& slot : fifo_paths) {
    if (slot[0] != '\0') continue;
    if (path.size() >= sizeof slot) throw std::length_error("FIFO path");
    memcpy(slot, path.c_str(), path.size() + 1);
    if (::mkfifo(path.c_str(), 0600) != 0) throw_errno("mkfifo");
    return path;
  }
  throw std::logic_error("more FIFOs than a private directory has room for");
}

}  // namespace bench::guard

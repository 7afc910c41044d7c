#pragma once

#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "strait/detail/chrono.hpp"
#include "strait/detail/deadline.hpp"
#include "strait/posix/descriptor.hpp"
#include "strait/posix/error.hpp"
#include "strait/posix/poll.hpp"
#include "strait/posix/spawn.hpp"
#include "strait/result.hpp"

namespace strait {

/// How a process ended: by itself with an exit code, or by a signal.
struct ExitStatus {
  int code = 0;
  int signal = 0;

  bool success() const noexcept { return code == 0 && signal == 0; }
  friend bool operator==(const ExitStatus&, const ExitStatus&) = default;
};

/// A process that this one started. The destructor kills it (SIGKILL) and leaves no zombie: `wait`
/// first to let it end by itself, or `release` it.
///
/// Threads: one at a time. Needs a SIGCHLD that is not ignored and nobody else who reaps it.
class ChildProcess {
 public:
  ChildProcess(ChildProcess&& other) noexcept
      : pid_(std::exchange(other.pid_, 0)),
        descriptor_(std::move(other.descriptor_)),
        ended_(other.ended_) {}
  ChildProcess& operator=(ChildProcess&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(descriptor_, other.descriptor_);
    std::swap(ended_, other.ended_);
    return *this;
  }
  ~ChildProcess() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    int status = 0;
    posix::retry([&] { return ::waitpid(pid_, &status, 0); });
  }

  /// Starts a program, a path, whose standard input shall be `input`. It gets the environment, the
  /// working directory, and the standard output and error of this process; no other descriptor.
  ///
  /// Errors: those of `execve`, such as `ENOENT` and `EACCES`, and of `fork`.
  /// Blocking: never, but for the start itself.
  [[nodiscard]] static Result<ChildProcess> start(const std::string& program,
                                                  const std::vector<std::string>& arguments,
                                                  const posix::Descriptor& input) {
    std::vector<char*> words;
    words.reserve(arguments.size() + 2);
    words.push_back(const_cast<char*>(program.c_str()));
    for (const std::string& word : arguments) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    const auto pid = posix::spawn(program.c_str(), words.data(), input);
    if (!pid) return pid.error();
    return ChildProcess(*pid);
  }

  /// 0 when there is none (any more): it was reaped, released or moved.
  pid_t pid() const noexcept { return pid_; }

  /// Readable when the child has ended; -1 where the system has no such descriptor. Ownership: this
  /// object's.
  int native_handle() const noexcept { return descriptor_.get(); }

  /// Errors: those of `kill`; `closed` when there is no child any more.
  Result<void> kill(int signal) const noexcept {
    if (pid_ == 0) return Errc::closed;
    return ::kill(pid_, signal) == 0 ? Result<void>() : posix::last_error();
  }

  /// Waits for the end and reaps; asked again, it repeats the answer.
  ///
  /// Errors: `would_block` when the time is up; those of `waitpid`. Blocking: up to `duration`.
  template <class Rep, class Period>
  Result<ExitStatus> wait(std::chrono::duration<Rep, Period> duration) {
    if (pid_ == 0) return ended_;
    const auto deadline = detail::Deadline::after(duration);
    for (;;) {
      int status = 0;
      const pid_t reaped = posix::retry([&] { return ::waitpid(pid_, &status, WNOHANG); });
      if (reaped < 0) return posix::last_error();
      if (reaped == pid_) {
        const bool exited = WIFEXITED(status);
        ended_ = exited ? ExitStatus{WEXITSTATUS(status), 0} : ExitStatus{0, WTERMSIG(status)};
        pid_ = 0;
        descriptor_.reset();
        return ended_;
      }
      if (deadline.passed()) return Errc::would_block;
      // Without a descriptor nothing tells of the end.
      constexpr std::chrono::milliseconds pause{2};
      const auto until = descriptor_
                             ? deadline
                             : detail::Deadline::earlier(deadline, detail::Deadline::after(pause));
      const auto slept = posix::wait_for({{descriptor_.get(), POLLIN, 0}, {-1, 0, 0}}, until);
      if (!slept) return slept.error();
    }
  }

  /// Lets go of the child: whoever gets its pid has to reap it.
  [[nodiscard]] pid_t release() noexcept {
    descriptor_.reset();
    return std::exchange(pid_, 0);
  }

 private:
  explicit ChildProcess(pid_t pid) : pid_(pid), descriptor_(posix::open_process(pid)) {}

  pid_t pid_;
  posix::Descriptor descriptor_;
  ExitStatus ended_;
};

}  // namespace strait

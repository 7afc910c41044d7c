#pragma once

#include "strait/config.hpp"

#if STRAIT_HAS_WINDOWS
#include "strait/windows/child_process.hpp"
#else

#include <string>
#include <utility>
#include <vector>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/exit_status.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/poll.hpp"
#include "strait/os/posix/child.hpp"
#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/os/posix/owner_process.hpp"
#include "strait/os/spawn.hpp"
#include "strait/result.hpp"

namespace strait {

/// A process that this one started. The destructor kills it (SIGKILL) and leaves no zombie: `wait`
/// first to let it end by itself, or `release` it. In a forked copy of this process it only lets
/// go.
///
/// A child that something else has reaped, as the system does when SIGCHLD is ignored, is
/// forgotten: no signal ever goes to a process that has its number by now.
///
/// Threads: one at a time.
class ChildProcess {
 public:
  ChildProcess(ChildProcess&& other) noexcept
      : pid_(std::exchange(other.pid_, 0)),
        descriptor_(std::move(other.descriptor_)),
        ended_(std::exchange(other.ended_, Errc::closed)),
        owner_(other.owner_) {}
  ChildProcess& operator=(ChildProcess&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(descriptor_, other.descriptor_);
    std::swap(ended_, other.ended_);
    std::swap(owner_, other.owner_);
    return *this;
  }
  /// Blocking: until the child has ended, at most a second: one that is traced by another process
  /// ends when its tracer lets it, and is a zombie until this process ends.
  ~ChildProcess() {
    if (pid_ == 0 || !owner_.is_this()) return;
    if (kill(os::kill_signal)) static_cast<void>(wait(std::chrono::seconds{1}));
  }

  /// Starts a program, a path, whose standard input shall be `input`. It gets the environment, the
  /// working directory, and the standard output and error of this process; no other descriptor.
  ///
  /// Errors: those of `execve`, such as `ENOENT` and `EACCES`, and of `fork`.
  /// Blocking: never, but for the start itself.
  [[nodiscard]] static Result<ChildProcess> start(const std::string& program,
                                                  const std::vector<std::string>& arguments,
                                                  const os::Descriptor& input) {
    std::vector<char*> words;
    words.reserve(arguments.size() + 2);
    words.push_back(const_cast<char*>(program.c_str()));
    for (const std::string& word : arguments) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    const auto pid = os::spawn(program.c_str(), words.data(), input);
    if (!pid) return pid.error();
    return ChildProcess(*pid);
  }

  /// 0 when there is none (any more): it was reaped, released or moved.
  os::ProcessId pid() const noexcept { return pid_; }

  /// Readable when the child has ended; -1 where the system has no such descriptor. Ownership: this
  /// object's.
  int native_handle() const noexcept { return descriptor_.get(); }

  /// Errors: those of `kill`; `closed` when there is no child any more.
  Result<void> kill(int signal) noexcept {
    if (pid_ == 0) return Errc::closed;
    // Still this process's own child, maybe a zombie: so no other process has the number.
    if (const auto look = os::look_at_child(pid_); !look && os::is_no_child(look.error())) {
      forget(look.error());
      return Errc::closed;
    }
    const int sent = os::send_signal(descriptor_, pid_, signal);
    return sent == 0 ? Result<void>() : os::last_error();
  }

  /// Waits for the end and reaps; asked again, it repeats the answer.
  ///
  /// Errors: `timed_out`; `closed` when it was released or moved; ECHILD when something else has
  /// reaped it; those of `waitid`. Blocking: up to `duration`.
  template <class Rep, class Period>
  Result<ExitStatus> wait(std::chrono::duration<Rep, Period> duration) {
    if (pid_ == 0) return ended_;
    const auto deadline = detail::Deadline::after(duration);
    constexpr std::chrono::milliseconds longest{50};
    for (std::chrono::milliseconds pause{1};; pause = pause < longest ? 2 * pause : longest) {
      const auto end = os::reap_child(pid_);
      if (!end) {
        if (os::is_no_child(end.error())) forget(end.error());
        return end.error();
      }
      if (end->ended) {
        forget(ExitStatus{end->code, end->signal});
        return ended_;
      }
      if (deadline.passed()) return Errc::timed_out;
      // The descriptor tells of the end once. A child that has ended and can't be reaped yet is
      // traced by another process, and no system tells when that lets go.
      const bool told = descriptor_ && !os::is_ready(Interest::to_read(descriptor_.get()));
      const auto watched = told ? Interest::to_read(descriptor_.get()) : Interest();
      const auto until =
          told ? deadline : detail::Deadline::earlier(deadline, detail::Deadline::after(pause));
      const auto slept = os::wait_for({watched}, until);
      if (!slept) return slept.error();
    }
  }

  /// Lets go of the child: the owner of its pid has to reap it.
  [[nodiscard]] os::ProcessId release() noexcept {
    descriptor_.reset();
    ended_ = Errc::closed;
    return std::exchange(pid_, 0);
  }

 private:
  explicit ChildProcess(os::ProcessId pid) : pid_(pid), descriptor_(os::open_process(pid)) {}

  void forget(Result<ExitStatus> ended) noexcept {
    ended_ = std::move(ended);
    pid_ = 0;
    descriptor_.reset();
  }

  os::ProcessId pid_;
  os::Descriptor descriptor_;
  Result<ExitStatus> ended_ = Errc::closed;
  os::OwnerProcess owner_;
};

}  // namespace strait

#endif

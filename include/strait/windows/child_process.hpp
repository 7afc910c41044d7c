#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/exit_status.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/os/windows/descriptor.hpp"
#include "strait/os/windows/event_wait.hpp"
#include "strait/os/windows/spawn.hpp"
#include "strait/result.hpp"

namespace strait {

/// A process that this one started. The destructor ends it: `wait` first to let it end by itself,
/// or `release` it. It does not outlive this process, either, unless it was released.
///
/// Threads: one at a time.
class ChildProcess {
 public:
  ChildProcess(ChildProcess&& other) noexcept
      : child_(std::exchange(other.child_, {})),
        ended_(std::exchange(other.ended_, Errc::closed)) {}
  ChildProcess& operator=(ChildProcess&& other) noexcept {
    std::swap(child_, other.child_);
    std::swap(ended_, other.ended_);
    return *this;
  }
  /// Blocking: until the child has ended, at most a second.
  ~ChildProcess() {
    if (child_.process && kill()) static_cast<void>(wait(std::chrono::seconds{1}));
  }

  /// Starts a program, a path, whose standard input shall be `input`. It gets the environment, the
  /// working directory, and the standard output and error of this process; no other handle.
  /// Program and arguments are UTF-8.
  ///
  /// Errors: those of `CreateProcess`, such as that there is no such file.
  /// Blocking: never, but for the start itself.
  [[nodiscard]] static Result<ChildProcess> start(const std::string& program,
                                                  const std::vector<std::string>& arguments,
                                                  const os::Descriptor& input) {
    auto child = os::spawn(program, arguments, {input.get()});
    if (!child) return child.error();
    return ChildProcess(std::move(*child));
  }

  /// 0 when there is none (any more): it was waited for, released or moved.
  std::int32_t pid() const noexcept { return static_cast<std::int32_t>(child_.id); }

  /// Set when the child has ended. Ownership: this object's.
  NativeHandle native_handle() const noexcept { return child_.process.get(); }

  /// Ends the child, whose exit code is then 1; Windows has no signals, so the number, which it has
  /// elsewhere, does not matter.
  ///
  /// Errors: those of `TerminateProcess`; `closed` when there is no child any more.
  Result<void> kill(int = 0) noexcept {
    if (!child_.process) return Errc::closed;
    if (::TerminateProcess(child_.process.get(), 1)) return {};
    return os::is_set(child_.process.get()) ? Result<void>() : os::last_error();
  }

  /// Waits for the end; asked again, it repeats the answer.
  ///
  /// Errors: `timed_out`; `closed` when it was released or moved; the system's.
  /// Blocking: up to `duration`.
  template <class Rep, class Period>
  Result<ExitStatus> wait(std::chrono::duration<Rep, Period> duration) {
    if (!child_.process) return ended_;
    const auto deadline = detail::Deadline::after(duration);
    const auto end = Interest::to_read(child_.process.get());
    while (!os::is_set(end.handle)) {
      if (deadline.passed()) return Errc::timed_out;
      if (auto slept = os::wait_for({end}, deadline); !slept) return slept.error();
    }
    DWORD code = 0;
    if (!::GetExitCodeProcess(end.handle, &code)) return os::last_error();
    child_ = {};
    ended_ = ExitStatus{static_cast<int>(code), 0};
    return ended_;
  }

  /// Lets go of the child, which then may outlive this process.
  [[nodiscard]] std::int32_t release() noexcept {
    os::let_live(child_);
    ended_ = Errc::closed;
    return static_cast<std::int32_t>(std::exchange(child_, {}).id);
  }

 private:
  explicit ChildProcess(os::Spawned child) : child_(std::move(child)) {}

  os::Spawned child_;
  Result<ExitStatus> ended_ = Errc::closed;
};

}  // namespace strait

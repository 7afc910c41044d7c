#pragma once

// Processes that are forked without exec, with a copy of all that their parent has.

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <utility>

#include "strait/base/deadline.hpp"
#include "strait/os/descriptors.hpp"
#include "strait/os/poll.hpp"

namespace strait_test {

/// A forked copy of this process that runs `body()` and ends, or is killed if that hangs.
class Fork {
 public:
  template <class Body>
  explicit Fork(Body body) : pid_(::fork()) {
    if (pid_ != 0) return;
    ::alarm(20);
    body();
    ::_exit(0);
  }
  ~Fork() { static_cast<void>(ended_well()); }
  Fork(const Fork&) = delete;
  Fork& operator=(const Fork&) = delete;

  /// Waits for the end. False when it hung or crashed.
  bool ended_well() {
    if (pid_ < 0) return false;
    if (pid_ != 0) strait::os::retry([&] { return ::waitpid(pid_, &status_, 0); });
    pid_ = 0;
    return WIFEXITED(status_) && WEXITSTATUS(status_) == 0;
  }

 private:
  pid_t pid_;
  int status_ = -1;
};

/// A forked copy of this process that does nothing but hold its descriptors.
class Holder {
 public:
  Holder() : Holder(strait::os::pipe_pair().value()) {}
  ~Holder() { release_.reset(); }  // which ends it

 private:
  explicit Holder(std::array<strait::os::Descriptor, 2> pipe)
      : release_(std::move(pipe[1])), fork_([&] {
          release_.reset();
          static_cast<void>(
              strait::os::wait_for({strait::Interest::to_read(pipe[0].get())},
                                   strait::detail::Deadline::after(std::chrono::seconds{10})));
        }) {}

  strait::os::Descriptor release_;
  Fork fork_;
};

}  // namespace strait_test

#pragma once

#include "strait/os/interest.hpp"
#include "strait/os/windows/descriptor.hpp"

namespace strait::windows {

/// An event that any thread and any handler of a signal can set.
class Wakeup {
 public:
  Wakeup() = default;

  static Result<Wakeup> create() {
    auto event = make_event();
    if (!event) return event.error();
    Wakeup wakeup;
    wakeup.event_ = std::move(*event);
    return wakeup;
  }

  void signal() const noexcept { ::SetEvent(event_.get()); }
  void clear() const noexcept { ::ResetEvent(event_.get()); }

  Interest interest() const { return Interest::to_read(event_.get()); }

 private:
  Descriptor event_;
};

}  // namespace strait::windows

#pragma once

namespace strait::windows {

/// As `OwnerProcess`.
class ForkMark {
 public:
  bool is_this_process() const noexcept { return true; }
};

}  // namespace strait::windows

namespace strait::os {
using windows::ForkMark;
}

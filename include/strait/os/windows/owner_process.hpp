#pragma once

namespace strait::windows {

/// Where processes fork, a copy of an object must not undo for both what the object stands for.
/// Here there are no copies.
class OwnerProcess {
 public:
  bool is_this() const noexcept { return true; }
};

}  // namespace strait::windows

namespace strait::os {
using windows::OwnerProcess;
}

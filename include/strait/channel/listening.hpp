#pragma once

#include "strait/channel/status.hpp"

namespace strait::detail {

/// The listener may be called while this lives. If it throws, a loop of the user's own looks again:
/// there may be messages left.
template <class Waiter>
class Listening {
 public:
  Listening(Status& status, Waiter& waiter) : status_(status), waiter_(waiter) {
    status_.set(Status::in_listener);
  }
  ~Listening() {
    status_.clear(Status::in_listener);
    if (threw) waiter_.renew();
  }
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;

  bool threw = true;

 private:
  Status& status_;
  Waiter& waiter_;
};

}  // namespace strait::detail

#pragma once

#include <string_view>

#include "strait/result.hpp"

namespace strait {

/// A socket that a service manager hands over, as systemd does: there is none here.
class ActivatedSocket {
 public:
  /// Errors: `not_found`.
  static Result<ActivatedSocket> take(std::string_view = {}) { return Errc::not_found; }

 private:
  ActivatedSocket() = default;
};

}  // namespace strait

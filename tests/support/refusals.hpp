#pragma once

#include <strait/peer.hpp>

#include <system_error>
#include <vector>

namespace strait_test {

/// An observer that remembers who was refused and why.
struct Refusals {
  struct Refusal {
    std::error_code why;
    strait::PeerCredentials who;
  };
  std::vector<Refusal> seen;

  void on_refused(std::error_code why, const strait::PeerCredentials& who) {
    seen.push_back({why, who});
  }
};

}  // namespace strait_test

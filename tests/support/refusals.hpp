#pragma once

#include <strait/peer.hpp>

#include <memory>
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

/// The same in a place that outlives the channel.
struct SharedRefusals {
  struct Log {
    std::vector<std::error_code> why;
    std::vector<strait::PeerCredentials> who;
  };
  std::shared_ptr<Log> log = std::make_shared<Log>();

  void on_refused(std::error_code why, const strait::PeerCredentials& who) {
    log->why.push_back(why);
    log->who.push_back(who);
  }
};

}  // namespace strait_test

#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "strait/transports/zmq/link_state.hpp"

namespace strait::detail {

/// After how many checks a client that does not answer waits no longer: five seconds. An honest one
/// answers within one check, whatever its owner does.
inline constexpr int zmq_max_unanswered_checks = 25;

/// The clients that have said Hello to a server, and wait to be let in, oldest first.
///
/// One may have left since, of which the server hears later than of its Hello; it would take the
/// place of one that stays. So when the server has room, each is asked whether it is still there.
class ZmqWaitingClients {
 public:
  using Client = std::shared_ptr<ZmqLinkState>;

  std::size_t size() const { return clients_.size(); }
  bool has_next() const { return std::any_of(clients_.begin(), clients_.end(), has_answered); }

  void add(Client client) { clients_.push_back(std::move(client)); }
  void remove(const Client& client) { std::erase(clients_, client); }

  /// The first that has answered; null when there is none.
  Client take_next() {
    const auto found = std::find_if(clients_.begin(), clients_.end(), has_answered);
    if (found == clients_.end()) return nullptr;
    const auto client = *found;
    clients_.erase(found);
    return client;
  }
  std::vector<Client> take_all() {
    return take_if([](const Client&) { return true; });
  }
  /// For each check: those that have not answered in time.
  std::vector<Client> take_mute() {
    return take_if([](const Client& client) {
      return client->asked && !client->answered &&
             ++client->unanswered_checks == zmq_max_unanswered_checks;
    });
  }

  /// Calls `ask` for each that was not asked yet.
  template <class Ask>
  void ask(Ask&& ask) {
    for (const auto& client : clients_) {
      if (!std::exchange(client->asked, true)) ask(*client);
    }
  }

 private:
  static bool has_answered(const Client& client) { return client->answered; }

  template <class Test>
  std::vector<Client> take_if(Test test) {
    std::vector<Client> taken;
    std::erase_if(clients_, [&](const Client& client) {
      const bool matches = test(client);
      if (matches) taken.push_back(client);
      return matches;
    });
    return taken;
  }

  std::deque<Client> clients_;
};

}  // namespace strait::detail

#pragma once

#include <strait/observer.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace strait_test {

/// An observer that remembers all that it hears, as words, in a place that outlives the channel.
struct Events {
  struct Log {
    std::vector<std::string> events;
    std::vector<strait::ChannelEnd> ends;
    std::vector<strait::Peer> peers;
    std::vector<strait::ClientId> clients;

    std::size_t count(std::string_view event) const {
      std::size_t found = 0;
      for (const std::string& one : events) found += one == event;
      return found;
    }
  };
  std::shared_ptr<Log> log = std::make_shared<Log>();

  void on_name(std::string_view name) { add("name " + std::string(name)); }
  void on_connected(const strait::Peer& peer) {
    log->peers.push_back(peer);
    add("connected");
  }
  void on_client(strait::ClientId client) { log->clients.push_back(client); }
  void on_ended(const strait::ChannelEnd& end) {
    log->ends.push_back(end);
    add("ended");
  }
  void on_refused(std::error_code why, const strait::PeerCredentials&) {
    add("refused " + why.message());
  }
  void on_send(std::string_view type, std::uint16_t tag, std::size_t bytes) {
    add("send" + message(type, tag, bytes));
  }
  void on_send_failed(std::error_code why, std::string_view type, std::uint16_t tag,
                      std::size_t bytes) {
    add("failed" + message(type, tag, bytes) + ": " + why.message());
  }
  void on_receive(std::string_view type, std::uint16_t tag, std::size_t bytes) {
    add("receive" + message(type, tag, bytes));
  }
  void on_unexpected(std::string_view type, std::uint16_t tag, std::size_t bytes) {
    add("unexpected" + message(type, tag, bytes));
  }

 private:
  void add(std::string event) { log->events.push_back(std::move(event)); }
  static std::string message(std::string_view type, std::uint16_t tag, std::size_t bytes) {
    return ' ' + std::string(type) + ' ' + std::to_string(tag) + ' ' + std::to_string(bytes);
  }
};

/// An observer that keeps every message's bytes.
struct KeptBytes {
  struct Message {
    std::uint16_t tag;
    std::vector<std::byte> bytes;
    bool operator==(const Message&) const = default;
  };
  struct Log {
    std::vector<Message> sent;
    std::vector<Message> received;
  };
  std::shared_ptr<Log> log = std::make_shared<Log>();

  void on_sent_bytes(std::uint16_t tag, std::span<const std::byte> message) {
    log->sent.push_back({tag, {message.begin(), message.end()}});
  }
  void on_received_bytes(std::uint16_t tag, std::span<const std::byte> message) {
    log->received.push_back({tag, {message.begin(), message.end()}});
  }
};

}  // namespace strait_test

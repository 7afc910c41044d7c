#pragma once

// The channels that the adapters' tests run over.

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "strait/acceptor.hpp"
#include "strait/channel.hpp"
#include "strait/serializers/trivial.hpp"
#include "strait/transports/mach.hpp"
#include "strait/transports/pipe.hpp"
#include "support/catch.hpp"
#include "support/runtime_dir.hpp"

#if !STRAIT_HAS_WINDOWS
#include "strait/transports/socket.hpp"
#endif

namespace strait_test {

#if STRAIT_HAS_WINDOWS
using Stream = strait::PipeTransport;
#else
using Stream = strait::SocketTransport;
#endif

using namespace std::chrono_literals;
using strait::Errc;

/// How long a test waits for what must come.
inline constexpr auto long_enough = 40s;

struct Number {
  std::uint64_t value;
};
struct Block {
  std::uint8_t bytes[4096];
};

template <class TransportT>
using LinkOver = strait::Channel<TransportT, strait::TrivialSerializer<Number>>;
using MachLink = LinkOver<strait::MachTransport<>>;
using SocketLink = LinkOver<Stream>;
using PipeLink = LinkOver<strait::PipeTransport>;

/// Gives up on a silent peer soon.
using ImpatientLink = strait::Channel<Stream, strait::TrivialSerializer<Number>,
                                      strait::ChannelOptions{.handshake_timeout_ms = 50}>;
/// Has a short queue, and messages that fill it soon.
using BlockLink = strait::Channel<Stream, strait::TrivialSerializer<Block>,
                                  strait::ChannelOptions{.max_queued_bytes = 64 << 10}>;

template <class LinkT>
std::pair<LinkT, LinkT> link_pair() {
  if constexpr (strait::PassesEnds<typename LinkT::transport>) {
    auto made = LinkT::pair();
    REQUIRE(made);
    return std::move(*made);
  } else {
    const auto name = unique_name();
    const auto token = strait::Token::generate().value();
    auto server = LinkT::listen(name, token).value();
    auto client = LinkT::connect(name, token).value();
    const auto none = [](const auto&) { FAIL("nothing was sent"); };
    for (int i = 0; i != 1000 && client.waiting_connect(); ++i) {
      REQUIRE(server.poll(none));
      REQUIRE(client.wait(none, std::chrono::milliseconds{1}));
    }
    return {std::move(server), std::move(client)};
  }
}

/// A name with its token.
struct Place {
  std::string name = unique_name();
  strait::Token token = strait::Token::generate().value();
};

/// Sends until no more is taken. Returns how many were.
inline int fill(BlockLink& link) {
  int sent = 0;
  while (link.send(Block{})) ++sent;
  return sent;
}

}  // namespace strait_test

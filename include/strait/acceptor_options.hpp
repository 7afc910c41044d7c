#pragma once

#include <cstdint>

namespace strait {

/// The limits of an acceptor, as a template argument: `Acceptor<Link, AcceptorOptions{...}>`.
struct AcceptorOptions {
  /// How many clients may be there at once; one more is `refused`. What a client costs is the
  /// transport's: over `MachTransport<>` one descriptor and two to wait by, and up to 2 MiB of
  /// memory (twice its `queue_bytes`) as far as it is used; over `PipeTransport` four descriptors
  /// and what the system keeps in two FIFOs.
  std::uint32_t max_clients = 1024;

  /// How many of them may be of one user. Only with `PeerPolicy::any_user` is there more than one:
  /// give it less than `max_clients` there, so that no user keeps out the others.
  std::uint32_t max_clients_per_user = 1024;

  /// How many may be in the middle of the handshake; the oldest silent one goes when one more
  /// comes. Each has `ChannelOptions::handshake_timeout_ms`.
  std::uint32_t max_half_open = 64;
};

}  // namespace strait

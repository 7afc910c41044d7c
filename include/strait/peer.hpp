#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>

#include "strait/base/user_id.hpp"

namespace strait {

/// What the kernel says of the peer. A peer can't forge these.
struct PeerCredentials {
  /// The id of no user and of no group.
  static constexpr std::uint32_t unknown_id = UINT32_MAX;

  UserId uid{};
  /// 0 on Windows.
  std::uint32_t gid = 0;
  /// 0 when the transport's kernel object does not tell (a FIFO knows its owner, not its opener).
  std::int32_t pid = 0;

  friend bool operator==(const PeerCredentials&, const PeerCredentials&) = default;
};

/// The public half of the key pair by which a peer past this machine is known; all zeros is none.
struct PublicKey {
  static constexpr std::size_t size_bytes = 32;

  std::array<std::byte, size_bytes> bytes{};

  explicit operator bool() const { return *this != PublicKey{}; }
  friend bool operator==(const PublicKey&, const PublicKey&) = default;
};

struct Peer {
  /// Over a network no kernel vouches for anyone: user and group are then `unknown_id`, the process
  /// is 0, and `public_key` names the peer.
  PeerCredentials credentials;
  /// True of an end that came with a message (`Rights::take`): the credentials are then those of
  /// the process that passed it on and vouches for it. No kernel tells which process writes at the
  /// other end.
  bool passed_on = false;
  /// The key whose secret half the peer has proven to have; none over the transports of one
  /// machine.
  PublicKey public_key{};
};

/// Which of an acceptor's clients it is. None is used again, unlike an address or a descriptor.
enum class ClientId : std::uint64_t {};

namespace detail {

/// A transport that lets in by keys, of its own, and has no credentials to ask the policy with.
template <class T>
concept KnowsPeersByKey = requires(const T& link) {
  { link.public_key() } -> std::convertible_to<PublicKey>;
};

/// A name, or the right to one, that tells whose it is before anything is sent to it.
template <class NameT>
concept TellsCredentials = requires(const NameT& name) {
  { name.credentials() } -> std::convertible_to<PeerCredentials>;
};

}  // namespace detail

/// Which peers to talk to at all, decided by the kernel's credentials before any of the peer's
/// bytes count.
enum class PeerPolicy : std::uint8_t {
  /// The default: processes with this process's effective user id, and no others. In a user
  /// namespace that does not have every user, the kernel's overflow id (65534) stands for all that
  /// are missing and is none of them: a process that itself has this id there has no peers.
  same_user,
  /// Every process with the token that can reach the name: a plain one over `MachTransport`, or a
  /// path. A plain name over `SocketTransport` is found by its own user only; `PipeTransport` can't
  /// serve others at all (`unsupported`).
  any_user,
};

}  // namespace strait

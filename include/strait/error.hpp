#pragma once

#include <cstring>
#include <string>
#include <system_error>

namespace strait {

/// What can go wrong, beside the errors of the operating system, which travel as themselves in
/// `std::system_category()`. Zero is not an error, so no enumerator has it.
enum class Errc {
  /// No server has claimed this name. Start the server first, or give `connect` a timeout.
  not_found = 1,
  /// A living server holds this name. Choose another one, or end that server.
  name_taken,
  /// Use a plain word of up to 64 letters, digits, '.', '-' and '_' that does not begin with a dot,
  /// or an absolute path of up to 100 bytes.
  invalid_name,
  /// The kernel says that the peer is none that the policy allows (`ChannelOptions::peers`), or the
  /// directory of names belongs to another user. Do not talk to it. On Windows also: a right can't
  /// be sent, since neither side may open the other's process.
  permission_denied,
  /// The server closed the connection without giving a reason. It may be full, or be a different
  /// program.
  refused,
  /// The token is not the one the server was given. Hand the child the token of its own parent.
  bad_token,
  /// The peer speaks another version of the protocol. Build both sides from the same release.
  version_mismatch,
  /// The peer's serializer has other message types. Build both sides with the same list of types;
  /// which one differs, an observer's `on_schema_mismatch` tells.
  schema_mismatch,
  /// The peer sent bytes that no honest peer sends. The channel is closed; distrust the peer.
  malformed,
  /// The peer did not finish the handshake in `ChannelOptions::handshake_timeout_ms`.
  handshake_timeout,
  /// The peer closed its end or died, and all that it had sent was delivered. Close this end.
  peer_closed,
  /// This end was closed before by `close()`, or was moved from.
  closed,
  /// There is no room right now. Try again when there is; a `Channel` queues instead.
  would_block,
  /// There is nothing to receive right now. Wait.
  empty,
  /// The outgoing queue is at `ChannelOptions::max_queued_bytes`; the message was not taken. Slow
  /// down, or drop the message.
  queue_full,
  /// The message is over `ChannelOptions::max_message_bytes`. If the peer sent it, the channel is
  /// closed.
  message_too_large,
  /// A message arrived that this listener has no callable for. It was dropped and the channel goes
  /// on; an acceptor closes that client. Add the callable: of which type the message was, an
  /// observer's `on_unexpected` tells.
  unexpected_message,
  /// An out-of-line region is not sealed, or not as large as it was said to be. The channel is
  /// closed; distrust the peer.
  bad_region,
  /// More rights with one message than `ChannelOptions::max_rights`; nothing was sent. If the peer
  /// sent them, the channel is closed.
  too_many_rights,
  /// Rights came for which this process had no descriptors left, so the message would not be whole.
  /// The channel is closed; raise the limit (RLIMIT_NOFILE), or hold fewer. On Windows also: their
  /// sender ended, or gave up waiting, before this process took them.
  rights_lost,
  /// A right is not what it was taken for, or there is none in what was to be sent. Distrust the
  /// peer if it came from one.
  wrong_right,
  /// A channel was asked to do from inside its own callback what can't be nested.
  busy,
  /// This system, or this transport, can't do that.
  unsupported,
  /// The peer's transport lends memory and this side's does not, or lends another amount of it.
  /// Build both sides with the same send policy.
  send_policy_mismatch,
  /// The peer's ports have queues of another size. Build both sides with the same `queue_bytes`.
  queue_size_mismatch,
  /// The time that was given is up, and what was waited for has not come. Wait again, or give up.
  timed_out,
  /// `XDG_RUNTIME_DIR` names a directory that does not exist, or it is not set and there is no
  /// `/tmp`. Make that directory, or set the variable to one that exists, the same for both sides.
  no_runtime_directory,
  /// A server holds this name, but with another transport. Use the same transport on both sides.
  other_transport,
  /// The message is not complete, or its serializer's library can't encode it; nothing was sent.
  /// Set what its type requires.
  invalid_message,
  /// The peer let go of a call without a reply: it has no callable for it, or dropped its `Reply`.
  unanswered,
  /// The file of a token is no plain file, or another user's, or others may read or write it. If it
  /// is your own, `chmod 600` it; else find out which program has put it there, and remove it.
  unsafe_token_file,
  /// The file of a token does not hold one. Remove it: it is made anew.
  garbled_token_file,
};

namespace detail {

/// What has happened, and behind a colon what to do about it.
constexpr const char* describe(Errc error) noexcept {
  switch (error) {
    case Errc::not_found:
      return "no server has claimed this name: start the server first, or give connect a timeout";
    case Errc::name_taken:
      return "a living server holds this name: choose another one, or end that server";
    case Errc::invalid_name:
      return "a name has up to 64 letters, digits, '.', '-' and '_' and begins with no dot, or is "
             "an absolute path of up to 100 bytes: choose such a one";
    case Errc::permission_denied:
      return "the policy does not allow this peer, or the name's directory is not this user's "
             "alone: run both sides as one user, or look who has made that directory";
    case Errc::refused:
      return "the server closed the connection without a reason: look whether it is full, and "
             "whether it is the right program";
    case Errc::bad_token:
      return "the token is not the one that the server has: hand both sides the same one";
    case Errc::version_mismatch:
      return "the peer speaks another version of the protocol: build both sides from the same "
             "release";
    case Errc::schema_mismatch:
      return "the peer has other message types: build both sides with the same list of types; an "
             "observer hears which one differs";
    case Errc::malformed:
      return "the peer sent what no honest peer sends: do not trust it; this channel is closed";
    case Errc::handshake_timeout:
      return "the handshake took too long: look whether the other side is running and polls, or "
             "give it more time";
    case Errc::peer_closed:
      return "the peer has closed the channel or ended: close this end, and connect again if the "
             "peer comes back";
    case Errc::closed: return "this end is closed: make a new channel";
    case Errc::would_block: return "there is no room right now: try again when there is";
    case Errc::empty: return "there is nothing to receive right now: wait for it";
    case Errc::queue_full:
      return "the outgoing queue is full, and the message was not taken: flush, slow down, or "
             "drop it";
    case Errc::message_too_large:
      return "the message is over ChannelOptions::max_message_bytes: send less at a time, or "
             "raise that on both sides";
    case Errc::unexpected_message:
      return "a message came that this listener has no callable for, and was dropped: add the "
             "callable; an observer hears of which type the message was";
    case Errc::bad_region:
      return "the peer's memory is not sealed, or not as large as it says: do not trust it; this "
             "channel is closed";
    case Errc::too_many_rights:
      return "more rights with one message than ChannelOptions::max_rights: send fewer at a time, "
             "or raise that on both sides";
    case Errc::rights_lost:
      return "rights came that could not be taken, and the channel is closed: raise "
             "RLIMIT_NOFILE, or hold fewer; on Windows let their sender live until then";
    case Errc::wrong_right:
      return "a right is of another kind than it was taken for, or there is none: take what was "
             "sent; if both sides agree, do not trust the peer";
    case Errc::busy:
      return "that is not possible from inside this callback: do it after the callback has "
             "returned";
    case Errc::send_policy_mismatch:
      return "the peer's transport has another send policy: build both sides with the same one";
    case Errc::queue_size_mismatch:
      return "the peer's transport has queues of another size: build both sides with the same "
             "queue_bytes";
    case Errc::timed_out:
      return "the time is up and what was waited for has not come: wait again, or give up";
    case Errc::unsupported:
      return "this system or this transport cannot do that: use another transport, or do without";
    case Errc::no_runtime_directory:
      return "XDG_RUNTIME_DIR names no directory that exists, or it is not set and there is no "
             "/tmp: make it, or set the variable, the same for both sides";
    case Errc::other_transport:
      return "the server of this name has another transport: use the same one on both sides";
    case Errc::unanswered:
      return "the peer has dropped the call without a reply: let its listener answer such a "
             "request";
    case Errc::unsafe_token_file:
      return "the file of a token or of keys is not a plain file of this user's alone: chmod 600 "
             "it, or remove it";
    case Errc::garbled_token_file:
      return "the file of a token or of keys does not hold one: remove it";
    case Errc::invalid_message:
      return "the message is not complete or cannot be encoded, and was not sent: set what its "
             "type requires";
    default: break;
  }
  return "unknown strait error";
}

class ErrorCategory final : public std::error_category {
 public:
  constexpr ErrorCategory() = default;
  const char* name() const noexcept override { return "strait"; }
  std::string message(int value) const override { return describe(static_cast<Errc>(value)); }
  bool equivalent(const std::error_code& code, int value) const noexcept override;
};

// Not a function's static variable: those are asked at each call whether they are there already.
inline constinit const ErrorCategory error_category_object;

}  // namespace detail

inline const std::error_category& error_category() noexcept {
  return detail::error_category_object;
}

inline std::error_code make_error_code(Errc error) noexcept {
  return {static_cast<int>(error), error_category()};
}

namespace detail {

/// Kept out of the code that compares errors on every path.
[[gnu::cold, gnu::noinline]] inline bool is_named_strait(const std::error_category& category) {
  return std::strcmp(category.name(), error_category_object.name()) == 0;
}

inline std::error_code no_memory() { return std::make_error_code(std::errc::not_enough_memory); }

}  // namespace detail

/// Whether `code` is one of this library's: also of a copy of it in another shared object, which
/// may have a category object of its own.
inline bool is_strait_error(const std::error_code& code) noexcept {
  return &code.category() == &error_category() || detail::is_named_strait(code.category());
}

/// The enumerator, for a `switch`; zero, which is none, if the error is not one of this library's.
inline Errc errc(const std::error_code& code) noexcept {
  return is_strait_error(code) ? static_cast<Errc>(code.value()) : Errc{};
}

/// True for the error of any copy of the library, where the standard's own comparison of two codes
/// asks for the same category object. For that of two codes of which each may come from another
/// shared object, make one a condition: `a == b.default_error_condition()`.
inline bool operator==(const std::error_code& code, Errc error) noexcept {
  return code.value() == static_cast<int>(error) && is_strait_error(code);
}

inline bool detail::ErrorCategory::equivalent(const std::error_code& code,
                                              int value) const noexcept {
  return code.value() == value && is_strait_error(code);
}

}  // namespace strait

template <>
struct std::is_error_code_enum<strait::Errc> : std::true_type {};

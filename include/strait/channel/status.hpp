#pragma once

#include <cstdint>
#include <system_error>

#include "strait/base/moved_from.hpp"

namespace strait::detail {

/// In which state a channel is, and what else its calls have to heed: a word of bits, none of which
/// is set in a channel that is connected and at rest, so that one look finds the shortest way.
class Status {
 public:
  enum class State : std::uint8_t { listening, greeting, connected, ended };

  static constexpr std::uint32_t unconnected = 1 << 0;
  /// The listener was not told of the peer.
  static constexpr std::uint32_t unannounced = 1 << 1;
  static constexpr std::uint32_t in_listener = 1 << 2;
  static constexpr std::uint32_t in_serializer = 1 << 3;
  /// The listener has closed the channel.
  static constexpr std::uint32_t closing = 1 << 4;
  /// A message came that the listener has no callable for, which the next call says.
  static constexpr std::uint32_t unexpected = 1 << 5;
  /// More may be there than the last call has handled.
  static constexpr std::uint32_t unfinished = 1 << 6;
  /// Nothing can be sent any more: the channel ends when all that came was received.
  static constexpr std::uint32_t unsendable = 1 << 7;
  /// The last message was wrong: the channel ends.
  static constexpr std::uint32_t broken = 1 << 8;
  /// A loop of the user's own waits for this channel.
  static constexpr std::uint32_t watched = 1 << 9;
  /// The wake-up that was asked for has come.
  static constexpr std::uint32_t rung = 1 << 10;

  State state() const { return state_; }
  void enter(State state) {
    state_ = state;
    state == State::connected ? clear(unconnected) : set(unconnected);
  }

  bool has(std::uint32_t any_of) const { return (bits_ & any_of) != 0; }
  bool is(std::uint32_t bits) const { return bits_ == bits; }
  void set(std::uint32_t bits) { bits_ = bits_ | bits; }
  void clear(std::uint32_t bits) { bits_ = bits_ & ~bits; }

  void fail(std::uint32_t how, std::error_code why) {
    set(how);
    failure_ = why;
  }
  const std::error_code& failure() const { return failure_; }

 private:
  ValueOnMove<std::uint32_t, unconnected> bits_ = unconnected | unannounced;
  ValueOnMove<State, State::ended> state_ = State::listening;
  /// Of what is `unsendable` or `broken`.
  std::error_code failure_;
};

/// Sets bits of a status while this lives, also when something throws.
class StatusScope {
 public:
  StatusScope(Status& status, std::uint32_t bits) : status_(status), bits_(bits) {
    status_.set(bits);
  }
  ~StatusScope() { status_.clear(bits_); }
  StatusScope(const StatusScope&) = delete;
  StatusScope& operator=(const StatusScope&) = delete;

 private:
  Status& status_;
  std::uint32_t bits_;
};

}  // namespace strait::detail

#pragma once

// Children that talk over a channel. Name and token come over their input, as in real life.

#include <string>
#include <type_traits>

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"
#include "support/process.hpp"

namespace strait_test {

template <class... Ts>
struct Transports {};
using Crossing = Transports<STRAIT_TEST_CROSSING>;

/// A transport as a word on a command line.
template <class T, class... Ts>
std::string word_for(Transports<Ts...> = {}) {
  static_assert((std::is_same_v<T, Ts> || ...), "No child of this build plays over this one.");
  int index = 0;
  static_cast<void>(((std::is_same_v<T, Ts> || (++index, false)) || ...));
  return std::to_string(index);
}
template <class T>
std::string word() {
  return word_for<T>(Crossing());
}

/// Calls `body.operator()<T>()` for the transport that the word means.
template <class Body, class... Ts>
int with_transport(const std::string& which, Body body, Transports<Ts...> = {}) {
  int code = exit_unknown_role;
  static_cast<void>(((which == word_for<Ts>(Transports<Ts...>()) &&
                      (code = body.template operator()<Ts>(), true)) ||
                     ...));
  return code;
}

/// How a test and its child find each other.
struct Rendezvous {
  std::string name = unique_name("process");
  strait::Token token = new_token();

  void hand_over(Child& child) const {
    REQUIRE(child.write_line(name));
    REQUIRE(child.write_line(token.to_hex()));
  }
  static Rendezvous take_over() {
    const auto name = child::read_line();
    child::require(name.has_value(), "a name");
    const auto hex = child::read_line();
    child::require(hex.has_value(), "a token");
    return {*name, strait::Token::from_hex(*hex).value()};
  }
};

inline constexpr strait::ChannelOptions narrow{.max_queued_bytes = 64 << 10};

/// Both ends of every process test.
template <class T>
using ProcessLink = RawLink<T, narrow>;

/// What a child's role does: connects over the transport of its first argument, to where its parent
/// says, and then `body(link)`.
template <class Body, class Among = Crossing>
int connect_and(const ChildArguments& arguments, Body body, Among among = {}) {
  return with_transport(
      arguments.at(0),
      [&]<class T>() {
        const auto rendezvous = Rendezvous::take_over();
        auto link = ProcessLink<T>::connect(rendezvous.name, rendezvous.token, long_enough);
        child::require(link.has_value(), "connected");
        return body(*link);
      },
      among);
}

/// A child that plays a role over transport `T`.
template <class T>
Child spawn_peer(std::string_view role, const Rendezvous& rendezvous) {
  Child child = Child::spawn(role, {word<T>()});
  rendezvous.hand_over(child);
  return child;
}

/// Waits until the link has an error; none when that does not come.
template <class Link, class Listener>
std::error_code wait_until_error(Link& link, Listener& listener) {
  for (const auto end = Clock::now() + long_enough; Clock::now() < end;) {
    if (const auto waited = link.wait(listener, 1s); !waited) return waited.error();
  }
  return {};
}

/// As long as `more()`, which is asked after every wake-up.
template <class Link, class Listener, class More>
bool wait_while(Link& link, Listener& listener, More more) {
  for (const auto end = Clock::now() + long_enough; more() && Clock::now() < end;) {
    if (const auto waited = link.wait(listener, 100ms); !waited) break;
  }
  return !more();
}

}  // namespace strait_test

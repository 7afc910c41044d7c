#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/channel.hpp"
#include "strait/channel/observing.hpp"
#include "strait/child_process.hpp"
#include "strait/exit_status.hpp"
#include "strait/fwd.hpp"
#include "strait/handshake/client.hpp"
#include "strait/handshake/server.hpp"
#include "strait/observer.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/poll.hpp"
#include "strait/os/spawn.hpp"
#include "strait/os/standard_input.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"
#include "strait/token.hpp"
#include "strait/transport.hpp"

namespace strait {

/// A child and the channel to it. The channel ends with the child; destroying this ends both.
template <class ChannelT>
struct Launched {
  ChildProcess child;
  ChannelT channel;
};

/// How a parent and its child meet: over a name that can't be guessed. The default; every transport
/// that leaves the process can.
struct ByName {};

/// How a parent and its child meet: over a descriptor that the child inherits, so that there is no
/// name at all that another process could find. For transports that are `Inheritable`.
///
/// On macOS no descriptor carries Mach's rights. There the child is told a name over it, which
/// can't be guessed and which is gone once they have met, and only the process that was started is
/// let in: not one that it starts, even with the descriptor.
///
/// On Windows it is an end of a pipe. Over `MachTransport` the objects of the link have names, that
/// can't be guessed and that the user alone may open; the child makes them.
struct Inherited {};

struct LaunchOptions {
  /// How long `launch` waits for the child to connect. With 0 it does not wait: the channel is
  /// `waiting_connect`, and `child` tells if the child dies instead.
  std::chrono::milliseconds timeout{5000};
};

namespace detail {

struct Launcher {
  static constexpr std::string_view no_name = ".";
  static constexpr std::size_t max_line_bytes = 256;

  template <class ChannelT>
  static Result<Launched<ChannelT>> launch(ByName, const std::string& program,
                                           const std::vector<std::string>& arguments,
                                           const Token& token, LaunchOptions options,
                                           typename ChannelT::observer_type observer) {
    // A token's digits are as good as any name; this is another one.
    const auto random = Token::generate();
    if (!random) return observe_failure(observer, random.error());
    const std::string name = "launched-" + random->to_hex().substr(0, 32);
    using Server = HandshakeServer<typename ChannelT::transport>;
    auto server = Server::listen(ChannelT::terms(token), ChannelT::accept_limits(), name);
    if (!server) return observe_failure(observer, server.error());
    auto ends = os::stream_pair();
    if (!ends) return observe_failure(observer, ends.error());
    auto child = start(program, arguments, name, token, *ends);
    if (!child) return observe_failure(observer, child.error());
    // The child keeps its end until it is connected or has given up. Where that does not show, on
    // Windows, its own end does.
    const NativeHandle lifeline = STRAIT_HAS_WINDOWS ? child->native_handle() : (*ends)[0].get();
    return meet<ChannelT>(std::move(*server), std::move(*child), lifeline, options,
                          std::move(observer));
  }

  template <class ChannelT>
  static Result<Launched<ChannelT>> launch(Inherited, const std::string& program,
                                           const std::vector<std::string>& arguments,
                                           const Token& token, LaunchOptions options,
                                           typename ChannelT::observer_type observer) {
    using TransportT = typename ChannelT::transport;
    auto ends = TransportT::connected_pair();
    if (!ends) return observe_failure(observer, ends.error());
    auto child = start(program, arguments, no_name, token, *ends);
    if (!child) return observe_failure(observer, child.error());
    const bool waits = options.timeout.count() > 0;
    const std::chrono::milliseconds usual{ChannelT::channel_options.handshake_timeout_ms};
    // The kernel would say that this process is at the other end, which made both.
    const PeerCredentials credentials = os::credentials_of_child(child->pid());
    auto server = HandshakeServer<TransportT>::listen(ChannelT::terms(token),
                                                      {1, waits ? options.timeout : usual},
                                                      std::move((*ends)[0]), credentials);
    if (!server) return observe_failure(observer, server.error());
    return meet<ChannelT>(std::move(*server), std::move(*child), no_handle, options,
                          std::move(observer));
  }

  /// The channel to a child; `lifeline` ends with it.
  template <class ChannelT>
  static Result<Launched<ChannelT>> meet(HandshakeServer<typename ChannelT::transport> server,
                                         ChildProcess child, NativeHandle lifeline,
                                         LaunchOptions options,
                                         typename ChannelT::observer_type observer) {
    if (options.timeout.count() <= 0) {
      ChannelT channel(std::move(server), std::move(observer));
      return Launched<ChannelT>{std::move(child), std::move(channel)};
    }
    auto client = server.wait(observer, lifeline, Deadline::after(options.timeout));
    server.withdraw();
    if (!client) {
      const std::error_code why = why_not(child, client.error());
      if constexpr (HearsEnd<typename ChannelT::observer_type>) observer.on_ended(end_of(why));
      return why;
    }
    ChannelT channel(std::move(*client), false, std::move(observer));
    return Launched<ChannelT>{std::move(child), std::move(channel)};
  }

  /// Why there is no channel to a child. One that has ended closed its descriptors a moment before.
  static std::error_code why_not(ChildProcess& child, std::error_code error) {
    if (error != Errc::peer_closed) return error;
    const auto ended = child.wait(std::chrono::milliseconds{500});
    return ended ? make_error_code(*ended) : error;
  }

  /// The same for an observer.
  static ChannelEnd end_of(const std::error_code& why) {
    const auto child = exit_status(why);
    if (!child) return end_of_channel(why, Peer());
    if (child->signal != 0) return {why, EndedBy::peer_killed, child->signal};
    return {why, EndedBy::peer_exited, child->code};
  }

  /// Starts a child with the second end for its standard input, in which it finds name and token.
  static Result<ChildProcess> start(const std::string& program,
                                    const std::vector<std::string>& arguments,
                                    std::string_view name, const Token& token,
                                    std::array<os::Descriptor, 2>& ends) {
    const std::string line = std::string(name) + ' ' + token.to_hex() + '\n';
    // There is room for so little, so it is sent whole.
    if (auto sent = os::send_packet(ends[0].get(),
                                    {reinterpret_cast<const std::byte*>(line.data()), line.size()});
        !sent) {
      return sent.error();
    }
    auto child = ChildProcess::start(program, arguments, ends[1]);
    ends[1].reset();
    return child;
  }

  template <class ChannelT>
  static Result<ChannelT> connect(Deadline deadline, typename ChannelT::observer_type observer) {
    auto input = os::take_standard_input();
    if (!input) return input.error();
    const auto line = os::read_line(*input, max_line_bytes, deadline);
    if (!line) return line.error();
    const std::size_t gap = line->find(' ');
    if (gap == line->npos) return Errc::malformed;
    const std::string_view name = std::string_view(*line).substr(0, gap);
    const auto token = Token::from_hex(std::string_view(*line).substr(gap + 1));
    if (!token) return Errc::malformed;
    if (name != no_name) {
      return ChannelT::connect(name, *token, deadline.left(), std::move(observer));
    }
    if constexpr (Inheritable<typename ChannelT::transport>) {
      for (;;) {
        auto server = ChannelT::transport::look_up(std::move(*input));
        if (server) {
          auto parent = introduce<typename ChannelT::transport>(
              std::move(*server), ChannelT::terms(*token), deadline,
              ChannelT::accept_limits().timeout, observer);
          if (!parent) return observe_failure(observer, parent.error());
          return ChannelT(std::move(*parent), deadline.is_now(), std::move(observer));
        }
        const bool late = server.error() == Errc::would_block;
        if (!late || deadline.passed()) {
          return observe_failure(observer,
                                 late ? make_error_code(Errc::handshake_timeout) : server.error());
        }
        auto slept = os::wait_for({Interest::to_read(input->get())}, deadline);
        if (!slept) return slept.error();
      }
    } else {
      return Errc::malformed;
    }
  }
};

}  // namespace detail

/// Starts a program, a path, as a child that calls `connect_to_parent`, and gives it what it needs
/// for that over its standard input; nothing is on its command line or in its environment. It has
/// no descriptor of this process but standard output and error, and no signal blocked or ignored.
///
/// Errors: those of `execve`, such as `ENOENT` and `EACCES`; how the child ended (`exit_status` of
/// the error) when it did before it was connected, `peer_closed` when it gave up and lives on,
/// half a second later at the most; why it was turned away (`schema_mismatch`, `version_mismatch`);
/// `handshake_timeout` when it did not connect in time; those of `listen`. After a failure neither
/// a process nor a zombie is left.
/// Blocking: until the child is connected, up to `LaunchOptions::timeout`.
template <class ChannelT, class How = ByName>
[[nodiscard]] Result<Launched<ChannelT>> launch(const std::string& program,
                                                const std::vector<std::string>& arguments = {},
                                                LaunchOptions options = {},
                                                typename ChannelT::observer_type observer = {}) {
  using TransportT = typename ChannelT::transport;
  static_assert(!std::is_same_v<TransportT, LoopbackTransport>,
                "strait: LoopbackTransport stays in one process; use MachTransport to launch.");
  static_assert(!std::is_same_v<How, Inherited> || Inheritable<TransportT>,
                "strait: this transport's ends can't be inherited; use ByName, MachTransport or "
                "SocketTransport.");
  const auto token = Token::generate();
  if (!token) return token.error();
  return detail::Launcher::launch<ChannelT>(How{}, program, arguments, *token, options,
                                            std::move(observer));
}

/// In a child that was started by `launch`: the channel to the parent. It takes over standard
/// input, which is empty from then on, so it can be called once. Call it before anything else reads
/// from there.
///
/// Errors: `not_found` if this process was not launched, or this is called again; `malformed` if
/// standard input is something else, or the parent has another transport; as `Channel::connect`.
/// Blocking: until connected, up to `timeout`.
template <class ChannelT, class Rep = std::int64_t, class Period = std::milli>
[[nodiscard]] Result<ChannelT> connect_to_parent(
    std::chrono::duration<Rep, Period> timeout = std::chrono::milliseconds{5000},
    typename ChannelT::observer_type observer = {}) {
  return detail::Launcher::connect<ChannelT>(detail::Deadline::after(timeout), std::move(observer));
}

}  // namespace strait

#pragma once

#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include "cases/cases.hpp"
#include "strait/channel.hpp"
#include "strait/message_size_histogram.hpp"
#include "strait/serializers/raw.hpp"
#include "strait/token.hpp"

namespace bench {

/// Waits for the second process, which it invites, to join a channel of the first name that
/// `name_of(attempt)` gives and that is free.
template <class Channel, class NameOf>
Channel host_channel(const std::function<void(Invitation)>& invite, const NameOf& name_of) {
  const strait::Token token = strait::Token::generate().value();
  int attempt = 0;
  std::string name = name_of(attempt);
  auto listening = Channel::listen(name, token);
  while (listening.failed_with(strait::Errc::name_taken)) {
    name = name_of(++attempt);
    listening = Channel::listen(name, token);
  }
  Channel channel = std::move(listening).value();
  // The control socket is as private as the standard input a parent would use.
  invite({name + '\n' + token.to_hex(), {}});
  while (channel.waiting_connect()) {
    const auto waited = channel.wait([](const auto&) {}, std::chrono::milliseconds{10});
    if (!waited) throw std::system_error(waited.error(), "handshake");
  }
  return channel;
}

template <class Channel>
Channel host_channel(const std::function<void(Invitation)>& invite) {
  return host_channel<Channel>(invite, [](int) {
    static int made = 0;
    return "strait-bench-" + std::to_string(::getpid()) + '-' + std::to_string(made++);
  });
}

template <class Channel>
Channel join_channel(const Invitation& invitation) {
  const std::size_t line_end = invitation.text.find('\n');
  const std::string name = invitation.text.substr(0, line_end);
  const auto token = strait::Token::from_hex(invitation.text.substr(line_end + 1)).value();
  return Channel::connect(name, token, std::chrono::seconds{10}).value();
}

/// What a case does with a message: hands it to `send`; makes it in a buffer of the channel's;
/// makes it there once and sends it again and again, as it is or with its first and last eight
/// bytes written each time, or with some of every 64th page, too, and says so or leaves it to the
/// kernel to find out.
enum class How { plain, lending, repeating, updating, updating_pages, updating_unsaid };

/// A channel of bytes, used as a program would use it: `send`, and `wait` for what comes.
template <class TransportT, class ObserverT, How how>
class LibraryLink {
  static constexpr bool lends = how == How::lending;
  static constexpr bool repeats = how == How::repeating;
  static constexpr bool updates =
      how == How::updating || how == How::updating_pages || how == How::updating_unsaid;

  using Channel =
      strait::Channel<TransportT, strait::RawSerializer, strait::ChannelOptions{}, ObserverT>;

  // A sender that is ahead of its receiver stops at this backlog, as a blocking write would.
  static constexpr std::size_t backlog_bytes = std::size_t{64} << 10;
  // How often a wait comes up to see whether the guard wants something; no message waits for it.
  static constexpr std::chrono::seconds tick{1};

 public:
  static std::unique_ptr<Endpoint> host(const std::function<void(Invitation)>& invite) {
    return make_endpoint(LibraryLink(host_channel<Channel>(invite)));
  }

  /// As `host`, under a name of its own.
  template <class NameOf>
  static std::unique_ptr<Endpoint> host_at(const std::function<void(Invitation)>& invite,
                                           const NameOf& name_of) {
    return make_endpoint(LibraryLink(host_channel<Channel>(invite, name_of)));
  }

  static std::unique_ptr<Endpoint> join(const Invitation& invitation) {
    return make_endpoint(LibraryLink(join_channel<Channel>(invitation)));
  }

  void send(std::span<const std::byte> message) {
    check(channel_.send(message), "send");
    if (channel_.queued_bytes() > backlog_bytes) [[unlikely]]
      flush();
  }

  /// A message that is made where the receiver will read it.
  template <class Make>
  void send_made(std::size_t bytes, const Make& make) requires(lends) {
    auto buffer = channel_.out_of_line_bytes(bytes).value();
    make(buffer.writable().value());
    check(channel_.send(std::move(buffer)), "send");
  }

  /// The message that was made first, as long as it is of that size.
  template <class Make>
  void send_again(std::size_t bytes, const Make& make) requires(repeats) {
    if (again_.size() != bytes) {
      again_ = channel_.out_of_line_bytes(bytes).value();
      make(again_.writable().value());
    }
    check(channel_.send(again_), "send");
  }

  /// The message that was made first, as long as it is of that size, of which `make` writes no more
  /// than the first and last eight bytes.
  template <class Make>
  void send_updated(std::size_t bytes, const Make& make) requires(updates) {
    constexpr std::size_t stamp = sizeof(std::uint64_t);
    if (again_.size() != bytes) {
      send_whole(bytes, make);
      return;
    }
    const std::size_t size = bytes < stamp ? bytes : stamp;
    if constexpr (how == How::updating_unsaid) {
      make(again_.writable().value());
    } else {
      const std::span<std::byte> head = again_.writable(0, size).value();
      static_cast<void>(again_.writable(bytes - size, size).value());
      make(std::span(head.data(), bytes));
    }
    if constexpr (how != How::updating) write_pages();
    check(channel_.send(again_), "send");
  }
  /// The same with all of it written.
  template <class Make>
  void send_whole(std::size_t bytes, const Make& make) requires(updates) {
    if (again_.size() != bytes) again_ = channel_.out_of_line_bytes(bytes).value();
    make(again_.writable().value());
    check(channel_.send(again_), "send");
  }

  void flush() {
    for (;;) {
      const strait::Result<void> flushed = channel_.flush(tick);
      if (flushed) return;
      if (flushed.error() != strait::Errc::timed_out) check(flushed, "flush");
    }
  }

  template <class Handle>
  std::size_t receive(std::size_t, const Handle& handle) {
    for (;;) {
      const auto handled = channel_.wait(handle, tick);
      check(handled, "wait");
      if (*handled != 0) return *handled;
    }
  }

  bool idle(std::chrono::milliseconds duration) {
    const auto handled = channel_.wait([](std::span<const std::byte>) {}, duration);
    check(handled, "wait");
    return *handled == 0;
  }

  strait::MessageSizeHistogram& observer() requires
      std::same_as<ObserverT, strait::MessageSizeHistogram> {
    return channel_.observer();
  }

 private:
  explicit LibraryLink(Channel channel) : channel_(std::move(channel)) {}

  template <class T>
  static void check(const strait::Result<T>& result, const char* what) {
    if (!result) [[unlikely]]
      throw std::system_error(result.error(), what);
  }

  /// Writes eight bytes of every 64th page, as they are: the closing message shows them.
  void write_pages() {
    constexpr std::size_t step = std::size_t{64} * 4096;
    constexpr std::size_t size = 8;
    const std::span<const std::byte> bytes = again_.bytes();
    for (std::size_t at = step; at + size <= bytes.size(); at += step) {
      auto* place = const_cast<std::byte*>(bytes.data() + at);
      if constexpr (how == How::updating_pages) place = again_.writable(at, size).value().data();
      for (std::size_t i = 0; i < size; ++i) {
        auto* const byte = static_cast<volatile std::byte*>(place + i);
        const std::byte same = *byte;
        *byte = same;
      }
    }
  }

  Channel channel_;
  strait::OutOfLineBytes again_;
};

template <class TransportT, How how = How::plain>
Case library_case(std::string_view name, std::string_view about) {
  using Plain = LibraryLink<TransportT, strait::NoObserver, how>;
  using Observed = LibraryLink<TransportT, strait::MessageSizeHistogram, how>;
  return {name, about,
          [](bool observed, const std::function<void(Invitation)>& invite) {
            return observed ? Observed::host(invite) : Plain::host(invite);
          },
          [](bool observed, Invitation invitation) {
            return observed ? Observed::join(invitation) : Plain::join(invitation);
          }};
}

}  // namespace bench

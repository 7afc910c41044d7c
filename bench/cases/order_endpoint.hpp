#pragma once

// Messages with parts, as `bench/run serializers` sends them: one end of a channel of orders.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "cases/cases.hpp"
#include "cases/library_link.hpp"
#include "harness/clock.hpp"
#include "strait/channel.hpp"

namespace bench {

/// What every order says, in whatever form it travels: two strings, a list, and an optional part.
struct OrderParts {
  std::string customer = "Analytical Engines and Difference Engines";
  std::string item = "a punched card of forty columns, used";
  std::vector<std::int32_t> lines;
  double discount = 0.125;

  /// So many lines that the order has about this size.
  void prepare(std::size_t bytes) {
    constexpr std::size_t others = 136;
    lines.resize(bytes > others + sizeof(lines[0]) ? (bytes - others) / sizeof(lines[0]) : 1);
    for (std::size_t i = 0; i != lines.size(); ++i) lines[i] = static_cast<std::int32_t>(7 * i);
  }

  /// Looks at each part of an order that has come, and at the ends of its list.
  template <class Lines>
  void check(std::uint64_t number, std::uint64_t expected, std::string_view its_customer,
             std::string_view its_item, const Lines& its_lines, double its_discount) const {
    const std::size_t count = its_lines.size();
    if (number != expected || its_customer != customer || its_item != item ||
        its_discount != discount || count != lines.size() || its_lines[0] != lines.front() ||
        its_lines[static_cast<unsigned>(count - 1)] != lines.back()) {
      throw std::runtime_error("an order is not what was sent");
    }
  }
};

/// Orders of a type whose parts are the receiver's own.
template <class SerializerT, class OrderT>
struct OwnedCodec : OrderParts {
  using Serializer = SerializerT;

  void prepare(std::size_t bytes) {
    OrderParts::prepare(bytes);
    order = {0, customer, item, lines, discount};
  }
  template <class Channel>
  strait::Result<void> send(Channel& channel, std::uint64_t number) {
    order.number = number;
    return channel.send(order);
  }
  void check(const OrderT& came, std::uint64_t number) const {
    OrderParts::check(came.number, number, came.customer, came.item, came.lines,
                      came.discount.value_or(0));
  }

  OrderT order;
};

/// `Wire`: `prepare(bytes)`, `send(number)`, `flush()`, and `receive(next)`, which waits for some
/// orders, checks them against the numbers from `next` on and returns how many there were.
template <class Wire>
class OrderEndpoint final : public Endpoint {
 public:
  explicit OrderEndpoint(Wire wire) : wire_(std::move(wire)) {}

  void ping(Work, std::size_t bytes, std::size_t warm_up,
            std::span<std::uint64_t> round_trip_ns) override {
    wire_.prepare(bytes);
    const auto round_trip = [&] {
      send();
      receive(1);
    };
    time_round_trips(warm_up, round_trip_ns, round_trip);
    round_trip();
  }
  void echo(Work, std::size_t bytes, std::size_t count) override {
    wire_.prepare(bytes);
    for (std::size_t i = 0; i <= count; ++i) {
      receive(1);
      send();
    }
    wire_.flush();
  }

  std::uint64_t stream_out(const Sizes& sizes) override {
    wire_.prepare(sizes.largest_bytes);
    const std::uint64_t start = now_ns();
    for (std::size_t i = 0; i < sizes.count; ++i) send();
    wire_.flush();
    send();
    wire_.flush();
    return start;
  }
  std::uint64_t stream_in(const Sizes& sizes, strait::MessageSizeHistogram*) override {
    wire_.prepare(sizes.largest_bytes);
    const std::uint64_t first = received_;
    while (received_ - first < sizes.count) received_ += wire_.receive(received_);
    const std::uint64_t end = now_ns();
    if (received_ - first == sizes.count) receive(1);
    return end;
  }

  void idle(std::chrono::milliseconds) override {
    throw std::logic_error("this case knows no end to its waiting");
  }

 private:
  void send() { wire_.send(sent_++); }
  void receive(std::uint64_t count) {
    const std::uint64_t first = received_;
    while (received_ - first < count) received_ += wire_.receive(received_);
    if (received_ - first != count) throw std::runtime_error("more orders than were sent");
  }

  Wire wire_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
};

/// A channel. `Codec`: `Serializer`, `prepare(bytes)`, `send(channel, number)`, which makes an order
/// and sends it, and `check(message, number)`.
template <class TransportT, class Codec>
class ChannelWire {
  using Channel = strait::Channel<TransportT, typename Codec::Serializer>;

  // As in `LibraryLink`.
  static constexpr std::size_t backlog_bytes = std::size_t{64} << 10;
  static constexpr std::chrono::seconds tick{1};

 public:
  static std::unique_ptr<Endpoint> host(bool, const std::function<void(Invitation)>& invite) {
    return std::make_unique<OrderEndpoint<ChannelWire>>(ChannelWire(host_channel<Channel>(invite)));
  }
  static std::unique_ptr<Endpoint> join(bool, Invitation invitation) {
    return std::make_unique<OrderEndpoint<ChannelWire>>(
        ChannelWire(join_channel<Channel>(invitation)));
  }

  void prepare(std::size_t bytes) { codec_.prepare(bytes); }

  void send(std::uint64_t number) {
    const strait::Result<void> sent = codec_.send(channel_, number);
    if (!sent) [[unlikely]]
      throw std::system_error(sent.error(), "send");
    if (channel_.queued_bytes() > backlog_bytes) [[unlikely]]
      flush();
  }

  void flush() {
    for (;;) {
      const strait::Result<void> flushed = channel_.flush(tick);
      if (flushed) return;
      if (flushed.error() != strait::Errc::timed_out) {
        throw std::system_error(flushed.error(), "flush");
      }
    }
  }

  std::size_t receive(std::uint64_t next) {
    const auto check = [&](const auto& message) { codec_.check(message, next++); };
    for (;;) {
      const auto handled = channel_.wait(check, tick);
      if (!handled) throw std::system_error(handled.error(), "wait");
      if (*handled != 0) return *handled;
    }
  }

 private:
  explicit ChannelWire(Channel channel) : channel_(std::move(channel)) {}

  Channel channel_;
  Codec codec_;
};

template <class Codec, class TransportT>
Case order_case(std::string_view name, std::string_view about,
                std::size_t largest_bytes = SIZE_MAX) {
  using Wire = ChannelWire<TransportT, Codec>;
  return {name, about, &Wire::host, &Wire::join, largest_bytes};
}

}  // namespace bench

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cases/order_endpoint.hpp"
#include "strait/serializers/raw.hpp"
#include "strait/serializers/struct.hpp"
#include "strait/serializers/trivial.hpp"
#include "strait/transports/mach.hpp"

namespace bench {

namespace {

struct Order {
  std::uint64_t number = 0;
  std::string_view customer;
  std::string_view item;
  std::span<const std::int32_t> lines;
  std::optional<double> discount;
};

struct StructCodec : OrderParts {
  using Serializer = strait::StructSerializer<Order>;

  template <class Channel>
  strait::Result<void> send(Channel& channel, std::uint64_t number) {
    return channel.send(Order{number, customer, item, lines, discount});
  }
  void check(const Order& order, std::uint64_t number) const {
    OrderParts::check(order.number, number, order.customer, order.item, order.lines,
                      order.discount.value_or(0));
  }
};

/// The same with parts of the receiver's own.
struct OwnedOrder {
  std::uint64_t number = 0;
  std::string customer;
  std::string item;
  std::vector<std::int32_t> lines;
  std::optional<double> discount;
};
using OwnedStructCodec = OwnedCodec<strait::StructSerializer<OwnedOrder>, OwnedOrder>;

/// As many bytes as `StructCodec` sends, with no structure but a number.
struct RawCodec {
  using Serializer = strait::RawSerializer;

  void prepare(std::size_t size) {
    OrderParts parts;
    parts.prepare(size);
    const Order order{0, parts.customer, parts.item, parts.lines, parts.discount};
    bytes.assign(StructCodec::Serializer::size(order), std::byte{7});
  }
  template <class Channel>
  strait::Result<void> send(Channel& channel, std::uint64_t number) {
    std::memcpy(bytes.data(), &number, sizeof number);
    return channel.send(std::span<const std::byte>(bytes));
  }
  void check(std::span<const std::byte> came, std::uint64_t expected) const {
    std::uint64_t number = 0;
    if (came.size() == bytes.size()) std::memcpy(&number, came.data(), sizeof number);
    if (number != expected || came.back() != bytes.back()) {
      throw std::runtime_error("bytes are not what was sent");
    }
  }

  std::vector<std::byte> bytes;
};

/// Of one size, and without anything that is somewhere else.
struct FixedOrder {
  std::uint64_t number = 0;
  double discount = 0.125;
  std::int32_t lines[46] = {1, 2, 3};
};
template <class SerializerT>
struct FixedCodec {
  using Serializer = SerializerT;

  void prepare(std::size_t) {}
  template <class Channel>
  strait::Result<void> send(Channel& channel, std::uint64_t number) {
    order.number = number;
    return channel.send(order);
  }
  void check(const FixedOrder& came, std::uint64_t number) const {
    if (came.number != number || came.lines[2] != order.lines[2]) {
      throw std::runtime_error("an order is not what was sent");
    }
  }

  FixedOrder order;
};

using Mach = strait::MachTransport<>;

}  // namespace

Case order_raw_case() {
  return order_case<RawCodec, Mach>("order-raw", "as many bytes, by RawSerializer");
}
Case order_struct_case() {
  return order_case<StructCodec, Mach>("order-struct", "StructSerializer, views");
}
Case order_owned_case() {
  return order_case<OwnedStructCodec, Mach>("order-owned",
                                            "StructSerializer, strings and a vector");
}
Case order_fixed_trivial_case() {
  return order_case<FixedCodec<strait::TrivialSerializer<FixedOrder>>, Mach>(
      "order-fixed-trivial", "200 fixed bytes, TrivialSerializer", sizeof(FixedOrder));
}
Case order_fixed_struct_case() {
  return order_case<FixedCodec<strait::StructSerializer<FixedOrder>>, Mach>(
      "order-fixed-struct", "the same, StructSerializer", sizeof(FixedOrder));
}

}  // namespace bench

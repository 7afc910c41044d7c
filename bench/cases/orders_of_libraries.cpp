#include <capnp/message.h>
#include <zmq.h>

#include <cereal/types/optional.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/vector.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cases/order_endpoint.hpp"
#include "cases/zmq_link.hpp"
#include "order.capnp.h"
#include "order.pb.h"
#include "order_generated.h"
#include "strait/serializers/capnproto.hpp"
#include "strait/serializers/cereal.hpp"
#include "strait/serializers/flatbuffers.hpp"
#include "strait/serializers/json.hpp"
#include "strait/serializers/msgpack.hpp"
#include "strait/serializers/protobuf.hpp"
#include "strait/transports/mach.hpp"

namespace bench {

namespace {

struct ProtobufCodec : OrderParts {
  using Message = order_protobuf::Order;
  using Serializer = strait::ProtobufSerializer<Message>;

  void prepare(std::size_t bytes) {
    OrderParts::prepare(bytes);
    order.Clear();
    order.set_customer(customer);
    order.set_item(item);
    order.mutable_lines()->Add(lines.begin(), lines.end());
    order.set_discount(discount);
  }
  const Message& made(std::uint64_t number) {
    order.set_number(number);
    return order;
  }
  template <class Channel>
  strait::Result<void> send(Channel& channel, std::uint64_t number) {
    return channel.send(made(number));
  }
  void check(const Message& came, std::uint64_t number) const {
    OrderParts::check(came.number(), number, came.customer(), came.item(),
                      std::span(came.lines().data(), static_cast<std::size_t>(came.lines_size())),
                      came.discount());
  }

  Message order;
};

/// Protobuf's bytes, written into a message of ZeroMQ's and parsed where that put them.
class ZmqWire {
 public:
  explicit ZmqWire(ZmqLink link) : link_(std::move(link)) {}

  void prepare(std::size_t bytes) { codec_.prepare(bytes); }
  void send(std::uint64_t number) {
    const auto& order = codec_.made(number);
    link_.send_built(order.ByteSizeLong(), [&](std::span<std::byte> room) {
      order.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(room.data()));
    });
  }
  void flush() {}
  std::size_t receive(std::uint64_t next) {
    return link_.receive(0, [&](std::span<const std::byte> bytes) {
      if (!came_.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
        throw std::runtime_error("an order can't be parsed");
      }
      codec_.check(came_, next++);
    });
  }

 private:
  ZmqLink link_;
  ProtobufCodec codec_;
  // Used again, so that its strings need no memory.
  ProtobufCodec::Message came_;
};

std::unique_ptr<Endpoint> make_zmq_endpoint(ZmqLink link) {
  return std::make_unique<OrderEndpoint<ZmqWire>>(ZmqWire(std::move(link)));
}

struct FlatBuffersCodec : OrderParts {
  using Serializer = strait::FlatBuffersSerializer<order_flatbuffers::Order>;

  template <class Channel>
  strait::Result<void> send(Channel& channel, std::uint64_t number) {
    order.clear();
    auto& builder = order.builder();
    order.finish(order_flatbuffers::CreateOrderDirect(builder, number, customer.c_str(),
                                                      item.c_str(), &lines, discount));
    return channel.send(order);
  }
  void check(const order_flatbuffers::Order& came, std::uint64_t number) const {
    OrderParts::check(came.number(), number, came.customer()->string_view(),
                      came.item()->string_view(), *came.lines(), came.discount().value_or(0));
  }

  strait::FlatBufferMessage<order_flatbuffers::Order> order;
};

/// A frame that is built in lent memory. Of its pixels the first and the last are written, as by the
/// cases that hand memory over.
struct FrameCodec {
  using Frame = order_flatbuffers::Frame;
  using Serializer = strait::FlatBuffersSerializer<Frame>;
  // For what a table has besides.
  static constexpr std::size_t more_bytes = 64;

  void prepare(std::size_t bytes) { pixels = bytes; }
  template <class Channel>
  strait::Result<void> send(Channel& channel, std::uint64_t number) {
    strait::FlatBufferInPlace<Frame> frame(channel.out_of_line_bytes(pixels + more_bytes).value());
    auto& builder = frame.builder();
    std::uint8_t* its_pixels = nullptr;
    const auto list = builder.CreateUninitializedVector(pixels, 1, &its_pixels);
    its_pixels[0] = its_pixels[pixels - 1] = static_cast<std::uint8_t>(number);
    const auto finished = frame.finish(order_flatbuffers::CreateFrame(builder, number, list));
    return finished ? channel.send(std::move(frame)) : finished;
  }
  void check(const Frame& came, std::uint64_t number) const {
    const auto& its_pixels = *came.pixels();
    const auto byte = static_cast<std::uint8_t>(number);
    if (came.number() != number || its_pixels.size() != pixels || its_pixels[0] != byte ||
        its_pixels[static_cast<unsigned>(pixels - 1)] != byte) {
      throw std::runtime_error("a frame is not what was sent");
    }
  }

  std::size_t pixels = 0;
};

struct CapnpCodec : OrderParts {
  using Serializer = strait::CapnpSerializer<order_capnproto::Order>;

  template <class Channel>
  strait::Result<void> send(Channel& channel, std::uint64_t number) {
    strait::CapnpMessage<order_capnproto::Order> message;
    auto order = message.root();
    order.setNumber(number);
    order.setCustomer(customer);
    order.setItem(item);
    order.setLines(kj::arrayPtr(lines.data(), lines.size()));
    order.setDiscount(discount);
    return channel.send(message);
  }
  void check(order_capnproto::Order::Reader came, std::uint64_t number) const {
    OrderParts::check(came.getNumber(), number, came.getCustomer().cStr(), came.getItem().cStr(),
                      came.getLines(), came.getDiscount());
  }
};

struct OwnedOrder {
  std::uint64_t number = 0;
  std::string customer;
  std::string item;
  std::vector<std::int32_t> lines;
  std::optional<double> discount;
  MSGPACK_DEFINE(number, customer, item, lines, discount)

  template <class Archive>
  void serialize(Archive& archive) {
    archive(number, customer, item, lines, discount);
  }
};

struct JsonCodec : OrderParts {
  using Serializer = strait::JsonSerializer;

  void prepare(std::size_t bytes) {
    OrderParts::prepare(bytes);
    order = {{"customer", customer}, {"item", item}, {"lines", lines}, {"discount", discount}};
  }
  template <class Channel>
  strait::Result<void> send(Channel& channel, std::uint64_t number) {
    order["number"] = number;
    return channel.send(order);
  }
  void check(const nlohmann::json& came, std::uint64_t number) const {
    OrderParts::check(came.at("number").get<std::uint64_t>(), number,
                      came.at("customer").get_ref<const std::string&>(),
                      came.at("item").get_ref<const std::string&>(), came.at("lines"),
                      came.at("discount").get<double>());
  }

  nlohmann::json order;
};

using Mach = strait::MachTransport<>;

}  // namespace

Case order_protobuf_case() { return order_case<ProtobufCodec, Mach>("order-protobuf", "protobuf"); }
Case order_protobuf_zmq_case() {
  return {"order-protobuf-zmq", "protobuf over ZeroMQ, a PAIR over ipc://",
          [](bool, const std::function<void(Invitation)>& invite) {
            return host_zmq(invite, make_zmq_endpoint);
          },
          [](bool, Invitation invitation) { return join_zmq(invitation, make_zmq_endpoint); }};
}
Case order_flatbuffers_case() {
  return order_case<FlatBuffersCodec, Mach>("order-flatbuffers", "FlatBuffers");
}
Case frame_flatbuffers_loan_case() {
  using Lending = strait::MachTransport<strait::OolThreshold<1, strait::Loan>>;
  return order_case<FrameCodec, Lending>("frame-flatbuffers-loan",
                                         "FlatBuffers, built in lent memory");
}
Case order_capnproto_case() {
  return order_case<CapnpCodec, Mach>("order-capnproto", "Cap'n Proto");
}
Case order_msgpack_case() {
  return order_case<OwnedCodec<strait::MsgpackSerializer<OwnedOrder>, OwnedOrder>, Mach>(
      "order-msgpack", "msgpack");
}
Case order_cereal_case() {
  return order_case<OwnedCodec<strait::CerealSerializer<OwnedOrder>, OwnedOrder>, Mach>(
      "order-cereal", "cereal");
}
Case order_json_case() {
  return order_case<JsonCodec, Mach>("order-json", "nlohmann's JSON, as CBOR");
}

}  // namespace bench

// What the components bring: the header that adapts a library, that library's own, and what of it
// has to be linked.
#include <google/protobuf/duration.pb.h>

#include <nlohmann/json.hpp>

#include <strait/serializers/json.hpp>
#include <strait/serializers/protobuf.hpp>
#include <strait/strait.hpp>
#include <strait/transports/loopback.hpp>

using google::protobuf::Duration;
using Link = strait::Channel<strait::LoopbackTransport, strait::ProtobufSerializer<Duration>>;

int main() {
  auto [left, right] = Link::pair().value();
  Duration sent;
  sent.set_seconds(42);
  left.send(sent).value();
  long received = 0;
  right.poll([&](const Duration& duration) { received = duration.seconds(); }).value();
  return nlohmann::json(received).dump() == "42" ? 0 : 1;
}

// Several observers as one.

#include "strait/observers/combined.hpp"

#include "conformance/channels.hpp"
#include "strait/message_size_histogram.hpp"
#include "strait/transports/loopback.hpp"
#include "support/events.hpp"

using namespace strait_test;
using strait::Observers;
namespace detail = strait::detail;

namespace {

struct HearsNothing {};
using Both = Observers<Events, HearsNothing, KeptBytes, strait::MessageSizeHistogram>;

// It hears what one of them hears, in the form in which that hears it, and nothing else.
static_assert(detail::HearsEnd<Both> && detail::HearsName<Both> && detail::HearsConnected<Both>);
static_assert(detail::HearsTypedSend<Both> && !detail::HearsSend<Both>);
static_assert(detail::HearsTypedReceive<Both> && detail::HearsReceive<Both>);
static_assert(detail::HearsSentBytes<Both> && detail::HearsReceivedBytes<Both>);
static_assert(!detail::HearsConflated<Both> && !detail::HearsMismatch<Both>);
static_assert(!detail::HearsEnd<Observers<>> && !detail::HearsTypedSend<Observers<HearsNothing>>);

struct HearsDropped {
  std::size_t messages = 0;
  void on_conflated(std::size_t more) { messages += more; }
  void on_client(strait::ClientId) {}
  void on_schema_mismatch(std::string_view, std::uint16_t tag) { messages += tag; }
};

}  // namespace

TEST_CASE("each of several observers hears what it has hooks for", "[observer]") {
  using Link = strait::Channel<strait::LoopbackTransport, strait::RawSerializer,
                               strait::ChannelOptions{}, Both>;
  const Events events;
  const KeptBytes bytes;
  const Both both(events, {}, bytes, {});
  const auto token = new_token();
  auto server = Link::listen("combined", token, both).value();
  auto client = Link::connect("combined", token).value();
  Inbox inbox;
  REQUIRE(pump_until(server, inbox, client, inbox,
                     [&] { return !server.waiting_connect() && !client.waiting_connect(); }));
  REQUIRE(client.send(pattern(100)));
  REQUIRE(server.send(pattern(5)));
  REQUIRE(poll_until(server, inbox, [&] { return !bytes.log->received.empty(); }));
  server.close();
  CHECK(events.log->events == std::vector<std::string>{"name combined", "connected", "send  0 5",
                                                       "receive  0 100", "ended"});
  CHECK(bytes.log->sent.size() == 1);
  CHECK(server.observer().get<strait::MessageSizeHistogram>().count() == 1);
}

TEST_CASE("a hook of any of several observers is called", "[observer]") {
  Observers<HearsNothing, HearsDropped> observers;
  detail::observe_conflated(observers, 3);
  detail::observe_schema_mismatch(observers, "Type", 4);
  detail::observe_client(observers, strait::ClientId{1});
  detail::observe_refused(observers, {}, {});
  CHECK(observers.get<HearsDropped>().messages == 7);
}

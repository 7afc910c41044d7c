// expect: strait: what is sent again goes over a channel with an Acknowledged serializer
// expect: strait: the second argument of Reconnecting is NoRedelivery or Redeliver<>.
// expect: strait: rights are not kept to be sent again
// expect: strait: what is acknowledged comes over a channel with an Acknowledged serializer
// expect: strait: the channel's serializer does not know this type of message.
// expect: strait: this listener takes none of the channel's message types.
// expect: strait: a reconnecting client's listener has on_up(Link&).
// expect: strait: a reconnecting client's listener has on_down(std::error_code).
// expect: strait: an acceptor's listener takes the client's channel before the message
// expect: strait: an acceptor's listener has on_closed(Link&, std::error_code)

#include <strait/acceptor.hpp>
#include <strait/acknowledging.hpp>
#include <strait/channel.hpp>
#include <strait/reconnecting.hpp>
#include <strait/rights/rights.hpp>
#include <strait/serializers/trivial.hpp>
#include <strait/transports/mach.hpp>

struct Entry {
  int number;
};
struct Other {
  int number;
};

struct Right {
  void on_up(auto&) {}
  void on_down(std::error_code) {}
  void operator()(const Entry&) {}
};
struct WrongUp : Right {
  void on_up() {}
};
struct WrongDown : Right {
  void on_down() {}
};

using Plain = strait::Channel<strait::MachTransport<>, strait::TrivialSerializer<Entry>>;
using Link = strait::Channel<strait::MachTransport<>,
                             strait::Acknowledged<strait::TrivialSerializer<Entry>>>;
using Client = strait::Reconnecting<Link, strait::Redeliver<>>;

struct WrongClosed {
  void operator()(Link&, const Entry&) {}
  void on_closed(std::error_code) {}
};

void use([[maybe_unused]] Client& client, [[maybe_unused]] Plain& plain,
         [[maybe_unused]] Link& link, [[maybe_unused]] strait::Sessions& sessions,
         [[maybe_unused]] strait::Acceptor<Link>& server) {
#if !defined(STRAIT_REJECT)
  static_cast<void>(sizeof(strait::Reconnecting<Plain>));
  static_cast<void>(client.send(Entry{}));
  static_cast<void>(client.poll([](const Entry&) {}));
  static_cast<void>(client.poll(Right()));
  static_cast<void>(link.poll(strait::acknowledging(link, sessions, [](const Entry&) {})));
  static_cast<void>(
      server.poll(strait::acknowledging(server, sessions, [](Link&, const Entry&) {})));
#elif STRAIT_REJECT == 1
  static_cast<void>(sizeof(strait::Reconnecting<Plain, strait::Redeliver<>>));
#elif STRAIT_REJECT == 2
  static_cast<void>(sizeof(strait::Reconnecting<Plain, int>));
#elif STRAIT_REJECT == 3
  static_cast<void>(client.send(Entry{}, strait::Rights()));
#elif STRAIT_REJECT == 4
  static_cast<void>(plain.poll(strait::acknowledging(plain, sessions, [](const Entry&) {})));
#elif STRAIT_REJECT == 5
  static_cast<void>(client.send(Other{}));
#elif STRAIT_REJECT == 6
  static_cast<void>(client.poll([](const Other&) {}));
#elif STRAIT_REJECT == 7
  static_cast<void>(client.poll(WrongUp()));
#elif STRAIT_REJECT == 8
  static_cast<void>(client.poll(WrongDown()));
#elif STRAIT_REJECT == 9
  static_cast<void>(server.poll(strait::acknowledging(server, sessions, [](const Entry&) {})));
#elif STRAIT_REJECT == 10
  static_cast<void>(server.poll(strait::acknowledging(server, sessions, WrongClosed())));
#endif
}

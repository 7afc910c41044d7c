// expect: strait: a Caller's channel has a Calls serializer, such as
// expect: strait: what is done with a call's reply takes a std::error_code, too
// expect: strait: what is done with a call's reply takes a Result of it.
// expect: strait: the channel's serializer does not know this type of message.
// expect: strait: the channel's serializer does not know this type of message.
// expect: strait: this listener takes none of the channel's message types.
// expect: strait: an acceptor's listener takes the client's channel before the message
// expect: strait: a reconnecting client's listener has on_up(Link&).
// expect: strait: a reconnecting client's listener has on_down(std::error_code).
// expect: strait: an acceptor's listener has on_closed(Link&, std::error_code)

#include <strait/acceptor.hpp>
#include <strait/answering.hpp>
#include <strait/caller.hpp>
#include <strait/channel.hpp>
#include <strait/overloaded.hpp>
#include <strait/reconnecting.hpp>
#include <strait/serializers/trivial.hpp>
#include <strait/transports/mach.hpp>

struct Add {
  int a, b;
};
struct Sum {
  int value;
};
struct Other {
  int number;
};

using Messages = strait::TrivialSerializer<Add, Sum>;
using Plain = strait::Channel<strait::MachTransport<>, Messages>;
using Link = strait::Channel<strait::MachTransport<>, strait::Calls<Messages>>;
using Server = strait::Acceptor<Link>;
using Client = strait::Reconnecting<Link>;

struct Hooks {
  void operator()(const Sum&) {}
  void on_up(Link&) {}
  void on_down(std::error_code) {}
};
struct WrongUp : Hooks {
  void on_up() {}
};
struct WrongDown : Hooks {
  void on_down() {}
};
struct WrongClosed {
  Sum operator()(Link&, const Add&) { return {}; }
  void on_closed(std::error_code) {}
};

void use([[maybe_unused]] strait::Caller<Link>& caller, [[maybe_unused]] Link& link,
         [[maybe_unused]] Server& server, [[maybe_unused]] strait::Caller<Client>& client) {
  [[maybe_unused]] constexpr std::chrono::seconds timeout{1};
#if !defined(STRAIT_REJECT)
  const auto handler = strait::overloaded{[](const Sum&) {}, [](std::error_code) {}};
  static_cast<void>(caller.call(Add{}, timeout, handler));
  static_cast<void>(caller.call<Sum>(Add{}, timeout, [](strait::Result<Sum>) {}));
  static_cast<void>(link.poll(strait::answering(link, [](const Add&) { return Sum(); })));
  static_cast<void>(
      server.poll(strait::answering(server, [](Link&, const Add&) { return Sum(); })));
  static_cast<void>(client.poll(Hooks()));
#elif STRAIT_REJECT == 1
  static_cast<void>(sizeof(strait::Caller<Plain>));
#elif STRAIT_REJECT == 2
  static_cast<void>(caller.call(Add{}, timeout, [](const Sum&) {}));
#elif STRAIT_REJECT == 3
  static_cast<void>(caller.call<Sum>(Add{}, timeout, [](const Other&) {}));
#elif STRAIT_REJECT == 4
  static_cast<void>(caller.call<Sum>(Other{}, timeout, [](strait::Result<Sum>) {}));
#elif STRAIT_REJECT == 5
  static_cast<void>(link.poll(strait::answering(link, [](const Add&) { return Other(); })));
#elif STRAIT_REJECT == 6
  static_cast<void>(link.poll(strait::answering(link, [](const Other&) { return Sum(); })));
#elif STRAIT_REJECT == 7
  static_cast<void>(server.poll(strait::answering(server, [](const Add&) { return Sum(); })));
#elif STRAIT_REJECT == 8
  static_cast<void>(client.poll(WrongUp()));
#elif STRAIT_REJECT == 9
  static_cast<void>(client.poll(WrongDown()));
#elif STRAIT_REJECT == 10
  static_cast<void>(server.poll(strait::answering(server, WrongClosed())));
#endif
}

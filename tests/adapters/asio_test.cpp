#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "adapters/either_asio.hpp"
#include "adapters/links.hpp"
#include "support/catch.hpp"

using namespace strait_test;
using strait::AsioChannel;
using strait::AsioServer;
using strait::ChannelServer;

namespace {

using Timer = net::basic_waitable_timer<std::chrono::steady_clock>;
using Asynchronous = AsioChannel<SocketLink>;

template <class LinkT>
std::pair<AsioChannel<LinkT>, AsioChannel<LinkT>> asio_pair(net::io_context& context) {
  auto [first, second] = link_pair<LinkT>();
  return {AsioChannel<LinkT>(context, std::move(first)),
          AsioChannel<LinkT>(context, std::move(second))};
}

template <class LinkT>
net::awaitable<std::uint64_t> echo(AsioChannel<LinkT>& link) {
  std::uint64_t echoed = 0;
  const auto answer = [&](const Number& number) {
    ++echoed;
    static_cast<void>(link->send(number));
  };
  try {
    for (;;) co_await link.async_receive(answer, net::use_awaitable);
  } catch (const std::exception&) {
  }
  co_return echoed;
}

template <class LinkT>
net::awaitable<bool> call(AsioChannel<LinkT>& link, std::uint64_t times) {
  std::uint64_t answered = 0;
  bool right = true;
  for (std::uint64_t i = 0; i != times; ++i) {
    link->send(Number{i}).value();
    const auto check = [&](const Number& number) { right = right && number.value == answered++; };
    co_await link.async_receive(check, net::use_awaitable);
  }
  link->close();
  co_return right&& answered == times;
}

/// Receives again and again by callbacks until an error, of which it keeps all.
struct Chain {
  Asynchronous& link;
  std::uint64_t next = 0;
  bool in_order = true;
  std::vector<std::error_code> errors = {};

  void start() {
    link.async_receive(
        [this](const Number& number) { in_order = in_order && number.value == next++; },
        [this](ErrorCode error, std::size_t) {
          if (error) return errors.push_back(error);
          start();
        });
  }
};

}  // namespace

TEMPLATE_TEST_CASE("coroutines talk to each other in one context", "[asio]", MachLink, SocketLink) {
  net::io_context context;
  auto [first, second] = asio_pair<TestType>(context);
  auto echoed = net::co_spawn(context, echo(first), net::use_future);
  auto called = net::co_spawn(context, call(second, 1000), net::use_future);
  context.run();
  CHECK(called.get());
  CHECK(echoed.get() == 1000);
}

TEST_CASE("several channels and timers share a context", "[asio]") {
  net::io_context context;
  std::vector<std::pair<Asynchronous, Asynchronous>> links;
  std::vector<std::future<bool>> called;
  for (int i = 0; i != 5; ++i) links.push_back(asio_pair<SocketLink>(context));
  for (auto& [first, second] : links) {
    net::co_spawn(context, echo(first), net::detached);
    called.push_back(net::co_spawn(context, call(second, 100), net::use_future));
  }
  Timer timer(context);
  int ticks = 0;
  std::function<void()> tick = [&] {
    timer.expires_after(2ms);
    timer.async_wait([&](ErrorCode) {
      if (++ticks != 5) tick();
    });
  };
  tick();
  context.run();
  CHECK(ticks == 5);
  for (auto& one : called) CHECK(one.get());
}

TEST_CASE("a callback hears of messages and, once, of the end", "[asio]") {
  net::io_context context;
  auto ends = asio_pair<SocketLink>(context);
  auto& sender = ends.first;
  auto& receiver = ends.second;
  Chain chain{receiver};
  chain.start();
  context.poll();
  CHECK(chain.next == 0);
  for (std::uint64_t i = 0; i != 100; ++i) sender->send(Number{i}).value();
  context.poll();
  CHECK(chain.next == 100);
  sender->close();
  context.restart();
  context.run();
  REQUIRE(chain.errors.size() == 1);
  CHECK(chain.errors[0] == Errc::peer_closed);
  CHECK(chain.in_order);

  // The channel keeps its error.
  chain.start();
  context.restart();
  context.run();
  REQUIRE(chain.errors.size() == 2);
  CHECK(chain.errors[1] == Errc::peer_closed);
}

TEST_CASE("no handler is called before its operation has begun", "[asio]") {
  net::io_context context;
  auto ends = asio_pair<SocketLink>(context);
  auto& sender = ends.first;
  auto& receiver = ends.second;
  sender->send(Number{1}).value();
  int received = 0;
  bool completed = false;
  receiver.async_receive([&](const Number&) { ++received; },
                         [&](ErrorCode, std::size_t count) { completed = count == 1; });
  CHECK(received == 1);
  CHECK_FALSE(completed);
  context.run();
  CHECK(completed);
}

TEST_CASE("futures hold counts and errors", "[asio]") {
  net::io_context context;
  auto work = net::make_work_guard(context);
  auto ends = asio_pair<SocketLink>(context);
  auto& sender = ends.first;
  auto& receiver = ends.second;
  std::thread thread([&] { context.run(); });
  sender->send(Number{1}).value();
  CHECK(receiver.async_receive([](const Number&) {}, net::use_future).get() == 1);
  sender.async_flush(net::use_future).get();
  sender->close();
  auto end = receiver.async_receive([](const Number&) {}, net::use_future);
  try {
    end.get();
    FAIL("The channel has ended.");
  } catch (const SystemError& error) {
    CHECK(error.code() == Errc::peer_closed);
  }
  work.reset();
  thread.join();
}

namespace {

/// A thousand receives, each begun by `receive(channel, listener, handler)` and ended by
/// `cancel(channel)`, with messages between the two, before and behind them.
template <class Receive, class Cancel>
void check_cancelled_receives(Receive receive, Cancel cancel) {
  net::io_context context;
  auto ends = asio_pair<SocketLink>(context);
  auto& sender = ends.first;
  auto& receiver = ends.second;
  std::uint64_t next = 0;
  std::uint64_t sent = 0;
  int aborted = 0;
  int completed = 0;
  bool in_order = true;
  const auto listener = [&](const Number& number) {
    in_order = in_order && number.value == next++;
  };
  for (int i = 0; i != 1000; ++i) {
    receive(receiver, listener, [&](ErrorCode error, std::size_t count) {
      ++completed;
      aborted += error == net::error::operation_aborted && count == 0;
    });
    for (int j = 0; j != i % 4; ++j) sender->send(Number{sent++}).value();
    if (i % 2 == 0) context.poll_one();
    cancel(receiver);
    context.restart();
    context.run();
    CHECK(completed == i + 1);
  }
  receiver->poll(listener).value();
  CHECK(in_order);
  CHECK(next == sent);
  CHECK(aborted > 250);
}

}  // namespace

TEST_CASE("cancel aborts the wait and loses nothing", "[asio]") {
  check_cancelled_receives(
      [](auto& channel, auto listener, auto handler) { channel.async_receive(listener, handler); },
      [](auto& channel) { channel.cancel(); });
}

#if defined(STRAIT_TEST_CANCELS)

TEST_CASE("a total cancellation loses nothing", "[asio]") {
  const auto type = GENERATE(net::cancellation_type::total, net::cancellation_type::partial,
                             net::cancellation_type::terminal);
  std::optional<net::cancellation_signal> signal;
  check_cancelled_receives(
      [&](auto& channel, auto listener, auto handler) {
        signal.emplace();
        channel.async_receive(listener, net::bind_cancellation_slot(signal->slot(), handler));
      },
      [&](auto&) { signal->emit(type); });
}

TEST_CASE("a flush and an accept are cancelled, too", "[asio]") {
  net::io_context context;
  auto ends = asio_pair<BlockLink>(context);
  auto& sender = ends.first;
  fill(sender.channel());
  const Place place;
  AsioServer<SocketLink> server(context,
                                ChannelServer<SocketLink>::listen(place.name, place.token).value());
  net::cancellation_signal flush;
  net::cancellation_signal accept;
  net::cancellation_signal connect;
  int aborted = 0;
  sender.async_flush(net::bind_cancellation_slot(
      flush.slot(), [&](ErrorCode error) { aborted += error == net::error::operation_aborted; }));
  server.async_accept(
      net::bind_cancellation_slot(accept.slot(), [&](ErrorCode error, Asynchronous link) {
        aborted += error == net::error::operation_aborted && !link;
      }));
  strait::async_connect<SocketLink>(
      net::any_io_executor(context.get_executor()), unique_name(), place.token, long_enough,
      net::bind_cancellation_slot(connect.slot(), [&](ErrorCode error, Asynchronous link) {
        aborted += error == net::error::operation_aborted && !link;
      }));
  context.poll();
  CHECK(aborted == 0);
  flush.emit(net::cancellation_type::total);
  accept.emit(net::cancellation_type::total);
  connect.emit(net::cancellation_type::total);
  context.restart();
  context.run();
  CHECK(aborted == 3);
}

#endif

TEST_CASE("a channel that is destroyed aborts what waits", "[asio]") {
  net::io_context context;
  std::optional<std::pair<Asynchronous, Asynchronous>> links(asio_pair<SocketLink>(context));
  std::vector<ErrorCode> heard;
  const auto keep = [&](ErrorCode error, std::size_t) { heard.push_back(error); };
  const auto ignore = [](const Number&) {};

  SECTION("as it waits") {
    links->second.async_receive(ignore, keep);
    context.poll();
    links.reset();
  }
  SECTION("as it has just become ready") {
    links->second.async_receive(ignore, keep);
    context.poll();
    links->first->send(Number{1}).value();
    links.reset();
  }
  SECTION("inside its listener") {
    links->second.async_receive([&](const Number&) { links.reset(); },
                                [&](ErrorCode error, std::size_t count) {
                                  CHECK(count == 1);
                                  CHECK_FALSE(error);
                                  heard.push_back(net::error::operation_aborted);
                                });
    links->first->send(Number{1}).value();
  }
  context.restart();
  context.run();
  REQUIRE(heard.size() == 1);
  CHECK(heard[0] == net::error::operation_aborted);
}

TEST_CASE("operations may be left to a context that is destroyed", "[asio]") {
  std::optional<net::io_context> context(std::in_place);
  {
    auto links =
        std::make_shared<std::pair<Asynchronous, Asynchronous>>(asio_pair<SocketLink>(*context));
    auto& receiver = links->second;
    receiver.async_receive([](const Number&) {}, [links](ErrorCode, std::size_t) {});
  }
  context->poll();
  context.reset();
}

TEST_CASE("a channel is given away and goes on elsewhere", "[asio]") {
  net::io_context context;
  auto ends = asio_pair<SocketLink>(context);
  auto& sender = ends.first;
  auto& receiver = ends.second;
  bool aborted = false;
  receiver.async_receive(
      [](const Number&) {},
      [&](ErrorCode error, std::size_t) { aborted = error == net::error::operation_aborted; });
  context.poll();
  SocketLink link = receiver.release();
  context.restart();
  context.run();
  CHECK(aborted);
  CHECK_FALSE(receiver);
  sender->send(Number{1}).value();
  CHECK(link.wait([](const Number&) {}, long_enough).value() == 1);
}

TEST_CASE("a flush waits until the peer has made room", "[asio]") {
  net::io_context context;
  auto ends = asio_pair<BlockLink>(context);
  auto& sender = ends.first;
  auto& receiver = ends.second;
  const int sent = fill(sender.channel());
  receiver->send(Block{}).value();  // which the sender never receives
  bool flushed = false;
  sender.async_flush([&](ErrorCode error) { flushed = !error; });
  context.poll();
  CHECK_FALSE(flushed);
  int received = 0;
  std::function<void()> receive = [&] {
    receiver.async_receive([&](const Block&) { ++received; },
                           [&](ErrorCode error, std::size_t) {
                             if (!error && received != sent) receive();
                           });
  };
  receive();
  context.restart();
  context.run();
  CHECK(flushed);
  CHECK(received == sent);
}

TEST_CASE("a handshake that takes too long wakes the context", "[asio]") {
  const Place place;
  auto silent = ImpatientLink::listen(place.name, place.token).value();  // and never polled
  net::io_context context;
  std::error_code heard;

  SECTION("of a channel that waits to be connected") {
    AsioChannel<ImpatientLink> link(context,
                                    ImpatientLink::connect(place.name, place.token).value());
    link.async_receive([](const Number&) {}, [&](ErrorCode error, std::size_t) { heard = error; });
    context.run();
  }
  SECTION("of async_connect") {
    strait::async_connect<ImpatientLink>(net::any_io_executor(context.get_executor()), place.name,
                                         place.token, 0ms,
                                         [&](ErrorCode error, AsioChannel<ImpatientLink> link) {
                                           CHECK_FALSE(link);
                                           heard = error;
                                         });
    context.run();
  }
  CHECK(heard == Errc::handshake_timeout);
}

TEST_CASE("connect tells why it is refused", "[asio]") {
  const Place place;
  net::io_context context;
  AsioServer<SocketLink> server(context,
                                ChannelServer<SocketLink>::listen(place.name, place.token).value());
  server.async_accept([](ErrorCode, Asynchronous) {});
  std::error_code heard;
  strait::async_connect<SocketLink>(net::any_io_executor(context.get_executor()), place.name,
                                    strait::Token::generate().value(), 0ms,
                                    [&](ErrorCode error, Asynchronous) {
                                      heard = error;
                                      server.cancel();
                                    });
  context.run();
  CHECK(heard == Errc::bad_token);
}

TEST_CASE("an acceptor is received from as a channel is", "[asio]") {
  const Place place;
  net::io_context context;
  AsioChannel<strait::Acceptor<SocketLink>> acceptor(
      context, strait::Acceptor<SocketLink>::listen(place.name, place.token).value());
  const auto answer = [](SocketLink& link, const Number& number) { link.send(number).value(); };
  std::function<void()> serve = [&] {
    acceptor.async_receive(answer, [&](ErrorCode error, std::size_t) {
      if (!error) serve();
    });
  };
  serve();
  Asynchronous client(context, SocketLink::connect(place.name, place.token).value());
  auto called = net::co_spawn(context, call(client, 10), net::use_future);
  while (called.wait_for(0s) != std::future_status::ready) context.run_one();
  CHECK(called.get());
}

namespace {

net::awaitable<std::uint64_t> serve_clients(const Place& place, int clients) {
  const net::any_io_executor executor = co_await net::this_coro::executor;
  AsioServer<SocketLink> server(executor,
                                ChannelServer<SocketLink>::listen(place.name, place.token).value());
  for (int i = 0; i != clients; ++i) {
    // Each client in a strand of its own.
    const net::any_io_executor strand = net::make_strand(executor);
    auto link = co_await server.async_accept(strand, net::use_awaitable);
    net::co_spawn(
        strand,
        [](Asynchronous owned) -> net::awaitable<void> { co_await echo(owned); }(std::move(link)),
        net::detached);
  }
  co_return 0;
}

net::awaitable<bool> connect_and_call(const Place& place) {
  const net::any_io_executor executor = co_await net::this_coro::executor;
  auto link = co_await strait::async_connect<SocketLink>(executor, place.name, place.token,
                                                         long_enough, net::use_awaitable);
  co_return co_await call(link, 200);
}

}  // namespace

TEST_CASE("several threads run a context, with a strand for each channel", "[asio]") {
  const Place place;
  constexpr int clients = 6;
  net::io_context context;
  net::co_spawn(net::make_strand(context), serve_clients(place, clients), net::detached);
  std::vector<std::future<bool>> called;
  for (int i = 0; i != clients; ++i) {
    called.push_back(
        net::co_spawn(net::make_strand(context), connect_and_call(place), net::use_future));
  }
  std::vector<std::thread> threads;
  for (int i = 0; i != 4; ++i) threads.emplace_back([&] { context.run(); });
  for (auto& one : called) CHECK(one.get());
  for (auto& thread : threads) thread.join();
}

TEST_CASE("handlers run where they are bound", "[asio]") {
  net::io_context context;
  net::io_context other;
  auto ends = asio_pair<SocketLink>(context);
  auto& sender = ends.first;
  auto& receiver = ends.second;
  auto work = net::make_work_guard(other);
  std::thread thread([&] { other.run(); });
  std::promise<std::thread::id> listened;
  std::promise<std::thread::id> completed;
  receiver.async_receive([&](const Number&) { listened.set_value(std::this_thread::get_id()); },
                         net::bind_executor(other.get_executor(), [&](ErrorCode, std::size_t) {
                           completed.set_value(std::this_thread::get_id());
                         }));
  sender->send(Number{1}).value();
  context.run();
  const auto expected = thread.get_id();
  CHECK(listened.get_future().get() == expected);
  CHECK(completed.get_future().get() == expected);
  work.reset();
  thread.join();
}

namespace {

template <class T>
struct CountingAllocator {
  using value_type = T;
  explicit CountingAllocator(int& counter) : count(&counter) {}
  template <class U>
  CountingAllocator(const CountingAllocator<U>& from) : count(from.count) {}
  T* allocate(std::size_t n) {
    ++*count;
    return std::allocator<T>().allocate(n);
  }
  void deallocate(T* at, std::size_t n) { std::allocator<T>().deallocate(at, n); }
  friend bool operator==(const CountingAllocator&, const CountingAllocator&) = default;

  int* count;
};

/// A handler with an allocator of its own.
struct Allocating {
  using allocator_type = CountingAllocator<std::byte>;
  allocator_type get_allocator() const { return allocator_type(*count); }
  void operator()(ErrorCode, std::size_t) const {}
  int* count;
};

}  // namespace

TEST_CASE("what an operation allocates comes from its handler's allocator", "[asio]") {
  net::io_context context;
  auto ends = asio_pair<SocketLink>(context);
  auto& sender = ends.first;
  auto& receiver = ends.second;
  int allocations = 0;
  receiver.async_receive([](const Number&) {}, Allocating{&allocations});
  context.poll();
  sender->send(Number{1}).value();
  context.restart();
  context.run();
  CHECK(allocations > 0);
}

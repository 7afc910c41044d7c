// Acceptors on several threads, which hand clients over to each other.

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

#include "conformance/channels.hpp"
#include "conformance/rights.hpp"
#include "conformance/transports.hpp"
#include "strait/acceptor.hpp"
#include "strait/channel_proxy.hpp"

using namespace strait_test;

namespace {

/// An acceptor on a thread of its own, that sends back what it gets, and gives each client away
/// after so many messages.
template <class T>
class Desk {
 public:
  using Link = RawLink<T>;
  static constexpr int patience = 7;

  explicit Desk(strait::Acceptor<Link> acceptor) : acceptor_(std::move(acceptor)) {}

  void start(Desk& other) {
    other_ = &other;
    thread_ = std::thread([this] { work(); });
  }
  void end() {
    done_ = true;
    acceptor_.stop();
    thread_.join();
  }
  /// For other threads.
  void take(Link client) {
    {
      const std::lock_guard lock(mutex_);
      arrived_.push_back(std::move(client));
    }
    acceptor_.stop();
  }
  bool went_wrong() const { return wrong_; }
  int handed_over() const { return handed_over_; }

 private:
  struct Listener {
    Desk& desk;

    void operator()(Link& client, View bytes) {
      if (!client.send(bytes)) desk.wrong_ = true;
      if (++desk.served_ % patience != 0) return;
      desk.leaving_.push_back(desk.acceptor_.id(client));
      desk.acceptor_.stop();
    }
  };

  void work() {
    while (!done_) {
      if (!acceptor_.run(Listener{*this})) wrong_ = true;
      for (const auto id : leaving_) {
        auto client = acceptor_.release(id);
        // It may stand there twice.
        if (!client) continue;
        ++handed_over_;
        if (acceptor_.find(id) != nullptr) wrong_ = true;
        other_->take(std::move(*client));
      }
      leaving_.clear();
      const std::lock_guard lock(mutex_);
      for (Link& client : arrived_) {
        if (!acceptor_.adopt(std::move(client))) wrong_ = true;
      }
      arrived_.clear();
    }
  }

  strait::Acceptor<Link> acceptor_;
  Desk* other_ = nullptr;
  std::atomic<bool> done_ = false;
  std::atomic<bool> wrong_ = false;
  std::atomic<int> handed_over_ = 0;
  int served_ = 0;
  std::vector<strait::ClientId> leaving_;
  std::mutex mutex_;
  std::vector<Link> arrived_;
  std::thread thread_;
};

}  // namespace

TEMPLATE_TEST_CASE("clients go to and fro between the acceptors of two threads, and lose nothing",
                   "[acceptor][threads]", STRAIT_TEST_TRANSPORTS) {
  using Link = RawLink<TestType>;
  const auto name = unique_name("desks");
  const auto token = new_token();
  Desk<TestType> first(strait::Acceptor<Link>::listen(name, token).value());
  Desk<TestType> second(strait::Acceptor<Link>::create().value());
  first.start(second);
  second.start(first);
  std::vector<std::unique_ptr<Link>> clients;
  std::vector<StreamCheck> heard;
  for (std::uint64_t i = 0; i != 5; ++i) {
    clients.push_back(std::make_unique<Link>(Link::connect(name, token, long_enough).value()));
    heard.emplace_back(1000 * i);
  }
  // Many on their way at once, and then one by one until both threads have done their part.
  constexpr std::uint64_t at_once = 200;
  const auto enough = [&] { return first.handed_over() > 10 && second.handed_over() > 10; };
  std::uint64_t sent = 0;
  for (const auto end = Clock::now() + long_enough;
       sent < at_once || (!enough() && Clock::now() < end); ++sent) {
    for (std::size_t i = 0; i != clients.size(); ++i) {
      REQUIRE(clients[i]->send(StreamCheck::message(sent, 1000 * i)));
      REQUIRE(clients[i]->poll(heard[i]));
      if (sent < at_once) continue;
      REQUIRE(poll_until(*clients[i], heard[i], [&] { return heard[i].count() == sent + 1; }));
    }
  }
  for (std::size_t i = 0; i != clients.size(); ++i) {
    REQUIRE(poll_until(*clients[i], heard[i], [&] { return heard[i].count() == sent; }));
    CHECK(heard[i].wrong() == std::nullopt);
  }
  first.end();
  second.end();
  CHECK_FALSE(first.went_wrong());
  CHECK_FALSE(second.went_wrong());
  CHECK(enough());
}

TEMPLATE_TEST_CASE("a client is handed to a proxy, with what it had said", "[acceptor][threads]",
                   STRAIT_TEST_TRANSPORTS) {
  using Link = RawLink<TestType>;
  const auto name = unique_name("to-proxy");
  const auto token = new_token();
  auto server = strait::Acceptor<Link>::listen(name, token).value();
  auto client = Link::connect(name, token).value();
  REQUIRE(client.send(pattern(100, 0)));
  // The first message is for the proxy already.
  struct Reception {
    strait::Acceptor<Link>& server;
    std::vector<strait::ClientId> newcomers{};
    int heard = 0;
    void on_connected(Link& newcomer) {
      newcomers.push_back(server.id(newcomer));
      newcomer.stop();
    }
    void operator()(Link&, View) { ++heard; }
  } reception{server};
  Inbox inbox;
  REQUIRE(pump_until(server, reception, client, inbox,
                     [&] { return reception.newcomers.size() == 1; }));
  CHECK(reception.heard == 0);
  auto released = server.release(reception.newcomers[0]);
  REQUIRE(released);
  CHECK(server.size() == 0);
  std::atomic<int> heard = 0;
  auto proxy = strait::ChannelProxy<Link>::start(std::move(*released), [&](View) { ++heard; });
  REQUIRE(proxy);
  REQUIRE(proxy->send(pattern(50, 1)));
  REQUIRE(client.send(pattern(100, 2)));
  REQUIRE(poll_until(client, inbox, [&] { return heard == 2 && inbox.messages.size() == 1; }));
  CHECK(same_bytes(inbox.messages[0], pattern(50, 1)));
  server.close();
  REQUIRE(client.send(pattern(100, 3)));
  REQUIRE(poll_until(client, inbox, [&] { return heard == 3; }));
}

TEST_CASE("an acceptor without a name has the clients that it adopts, and is closed in the end",
          "[acceptor]") {
  using Link = RawLink<Socket>;
  auto acceptor = strait::Acceptor<Link>::create().value();
  const auto deaf = [](Link&, View) {};
  CHECK(acceptor.poll(deaf).value() == 0);
  CHECK(acceptor.wait(deaf, 1ms).value() == 0);
  auto ends = Ends<Link>::make();
  const auto id = acceptor.adopt(std::move(ends.far)).value();
  REQUIRE(ends.near.send(pattern(10)));
  CHECK(acceptor.wait(deaf, long_enough).value() == 1);
  CHECK(acceptor.find(id) != nullptr);
  auto moved = std::move(acceptor);
  CHECK(acceptor.poll(deaf).error() == Errc::closed);
  CHECK(moved.size() == 1);
  moved.close();
  CHECK(moved.poll(deaf).error() == Errc::closed);
  CHECK(moved.run(deaf));
  const auto none = [](View) {};
  CHECK(poll_until_error(ends.near, none) == Errc::peer_closed);
}

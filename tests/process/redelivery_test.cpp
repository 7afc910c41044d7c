// A server that is killed and started again while a client goes on sending. What each instance has
// handled is in a file, which outlives it.

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <random>

#include "process/peers.hpp"
#include "strait/acceptor.hpp"
#include "strait/acknowledging.hpp"
#include "strait/reconnecting.hpp"
#include "strait/serializers/trivial.hpp"

using namespace strait_test;

namespace {

struct Record {
  std::uint32_t instance;
  std::uint32_t number;
};
struct Order {
  std::uint32_t number;
};
template <class T>
using OrderLink = strait::Channel<T, strait::Acknowledged<strait::TrivialSerializer<Order>>>;
template <class T>
using OrderClient =
    strait::Reconnecting<OrderLink<T>, strait::Redeliver<>,
                         strait::ReconnectOptions{.shortest_pause_ms = 1, .longest_pause_ms = 3}>;

/// Handles orders until it is killed or told. Now and then it throws
/// a client out.
const ChildRole order_server_role("redelivery.server", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      [&]<class T>() {
        using Link = OrderLink<T>;
        const auto rendezvous = Rendezvous::take_over();
        const auto path = child::read_line();
        const auto instance = child::read_line();
        child::require(path && instance, "where to write, and as whom");
        const int file = ::open(path->c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
        child::require(file >= 0, "the file");
        std::minstd_rand random(static_cast<unsigned>(::getpid()));
        const auto record = [&](Link& client, const Order& order) {
          const Record line{static_cast<std::uint32_t>(std::stoul(*instance)), order.number};
          child::require(::write(file, &line, sizeof line) == sizeof line, "written");
          if (random() % 200 == 0) client.close();
        };
        auto sessions = strait::Sessions::create();
        child::require(sessions.has_value(), "an instance");
        auto server = strait::Acceptor<Link>::listen(rendezvous.name, rendezvous.token);
        child::require(server.has_value(), "listening");
        child::write_line("listening");
        auto listener = strait::acknowledging(*server, *sessions, record);
        while (!child::read_line(milliseconds{0})) {
          child::require(server->wait(listener, 5ms).has_value(), "served");
        }
        ::close(file);
        return 0;
      },
      Crossing());
});

std::vector<Record> records_in(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<Record> records;
  for (Record record; file.read(reinterpret_cast<char*>(&record), sizeof record);) {
    records.push_back(record);
  }
  return records;
}

}  // namespace

TEMPLATE_TEST_CASE("a server killed at random moments leaves no order undone, and doubles none",
                   "[process][reconnecting][redelivery][slow]", STRAIT_TEST_CROSSING) {
  constexpr std::uint32_t instances = 25;
  const Rendezvous rendezvous;
  const auto path = unique_path("orders");
  std::ofstream(path).close();
  auto client = OrderClient<TestType>::connect(rendezvous.name, rendezvous.token).value();
  const auto deaf = [](const Order&) {};
  std::mt19937 random(20'261'128);
  std::uint32_t next = 0;
  const auto send_and_wait = [&] {
    for (int i = 0; i != 20; ++i) REQUIRE(client.send(Order{next++}));
    REQUIRE(client.wait(deaf, 1ms));
  };
  for (std::uint32_t instance = 0; instance != instances; ++instance) {
    auto server = spawn_peer<TestType>("redelivery.server", rendezvous);
    REQUIRE(server.write_line(path));
    REQUIRE(server.write_line(std::to_string(instance)));
    REQUIRE(server.read_line() == "listening");
    // Every other one gets to handle something, whatever else the machine does.
    if (instance % 2 == 0) {
      REQUIRE(client.send(Order{next++}));
      const auto is_active = [&] {
        const auto records = records_in(path);
        return !records.empty() && records.back().instance == instance;
      };
      for (const auto end = Clock::now() + long_enough; !is_active() && Clock::now() < end;) {
        REQUIRE(client.wait(deaf, 1ms));
      }
    }
    const auto moment = Clock::now() + std::chrono::microseconds(random() % 15'000);
    while (Clock::now() < moment) send_and_wait();
    if (instance + 1 != instances) {
      server.kill(SIGKILL);
      REQUIRE(server.wait().killed_by(SIGKILL));
      continue;
    }
    for (const auto end = Clock::now() + long_enough;
         client.unacknowledged() != 0 && Clock::now() < end;) {
      REQUIRE(client.wait(deaf, 100ms));
    }
    CHECK(client.unacknowledged() == 0);
    REQUIRE(server.write_line("enough"));
    CHECK(server.wait().success());
  }

  const auto records = records_in(path);
  REQUIRE(::unlink(path.c_str()) == 0);
  REQUIRE_FALSE(records.empty());
  std::uint32_t done = 0;  // by all instances so far
  std::size_t repeated = 0;
  std::size_t active = 0;
  for (std::size_t i = 0; i != records.size(); ++i) {
    const bool new_instance = i == 0 || records[i].instance != records[i - 1].instance;
    CAPTURE(i, records[i].instance, records[i].number);
    // An instance goes on where it is; a new one may begin with what was not acknowledged.
    if (new_instance) {
      REQUIRE(records[i].number <= done);
    } else {
      REQUIRE(records[i].number == records[i - 1].number + 1);
    }
    active += new_instance;
    repeated += records[i].number < done;
    done = std::max(done, records[i].number + 1);
  }
  CHECK(active >= instances / 2);
  CHECK(done == next);
  CHECK(records.size() == next + repeated);
}

// Calls between processes: many under way, of which some are cancelled, some never answered, and
// the peer is killed in the middle of the rest. Each ends once.

#include <signal.h>

#include <cstdint>
#include <system_error>
#include <utility>
#include <vector>

#include "process/peers.hpp"
#include "strait/answering.hpp"
#include "strait/caller.hpp"
#include "strait/overloaded.hpp"
#include "strait/serializers/trivial.hpp"

using namespace strait_test;

namespace {

struct Question {
  std::uint64_t number;
};
struct Answer {
  std::uint64_t number;
  std::uint64_t square;
};

template <class T>
using CallLink = strait::Channel<T, strait::Calls<strait::TrivialSerializer<Question, Answer>>>;

constexpr std::uint64_t all_calls = 10'000;
/// Up to this one the server answers; what comes then lies there when it is killed.
constexpr std::uint64_t answered_calls = all_calls / 2;
constexpr bool is_ignored(std::uint64_t number) { return number % 100 == 1; }
constexpr bool is_cancelled(std::uint64_t number) { return number % 100 == 2; }

/// Answers questions, some never, and others later than those that come after them.
const ChildRole answering_role("peer.answering", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      []<class T>() {
        using Link = CallLink<T>;
        const auto rendezvous = Rendezvous::take_over();
        auto link = Link::connect(rendezvous.name, rendezvous.token, long_enough);
        child::require(link.has_value(), "connected");
        using Reply = strait::Reply<Link>;
        std::vector<Reply> never;
        std::vector<std::pair<Answer, Reply>> later;
        std::uint64_t asked = 0;
        auto answers = strait::answering(*link, [&](const Question& question, Reply reply) {
          ++asked;
          if (question.number >= answered_calls || is_ignored(question.number)) {
            return never.push_back(std::move(reply));
          }
          later.emplace_back(Answer{question.number, question.number * question.number},
                             std::move(reply));
          if (later.size() < 7) return;
          while (!later.empty()) {
            child::require(later.back().second.send(later.back().first).has_value(), "sent");
            later.pop_back();
          }
        });
        for (;;) {
          const auto handled = link->wait(answers, 10ms);
          child::require(handled.has_value(), "a caller");
          if (*handled != 0) continue;
          while (!later.empty()) {
            child::require(later.back().second.send(later.back().first).has_value(), "sent");
            later.pop_back();
          }
          if (asked == all_calls) {
            child::require(link->flush(long_enough).has_value(), "all answered");
            child::write_line("all asked");
            asked = 0;
          }
        }
        return 0;
      },
      Crossing());
});

}  // namespace

TEMPLATE_TEST_CASE("ten thousand calls end once each, whatever becomes of them and of the peer",
                   "[process][calls]", STRAIT_TEST_CROSSING) {
  using Link = CallLink<TestType>;
  const Rendezvous rendezvous;
  auto link = Link::listen(rendezvous.name, rendezvous.token).value();
  auto child = spawn_peer<TestType>("peer.answering", rendezvous);
  while (link.waiting_connect()) REQUIRE(link.wait([](const auto&) {}, 10ms).has_value());

  strait::Caller caller(std::move(link));
  struct Outcome {
    int ended = 0;
    std::uint64_t square = 0;
    std::error_code why;
  };
  std::vector<Outcome> outcomes(all_calls);
  std::vector<strait::CallId> ids(all_calls);
  for (std::uint64_t number = 0; number != all_calls; ++number) {
    Outcome& outcome = outcomes[number];
    const auto handler = strait::overloaded{[&outcome](const Answer& answer) {
                                              ++outcome.ended;
                                              outcome.square = answer.square;
                                            },
                                            [&outcome](std::error_code why) {
                                              ++outcome.ended;
                                              outcome.why = why;
                                            }};
    const auto timeout = is_ignored(number) ? std::chrono::milliseconds(50) : 1h;
    ids[number] = caller.call(Question{number}, timeout, handler).value();
    if (number % 50 == 0) REQUIRE(caller.poll().has_value());
  }
  std::uint64_t cancelled = 0;
  for (std::uint64_t number = 0; number != all_calls; ++number) {
    if (is_cancelled(number)) cancelled += caller.cancel(ids[number]) ? 1 : 0;
  }
  CHECK(cancelled >= (all_calls - answered_calls) / 100);

  // Those that are answered or whose time is up; then the peer, which has the others.
  const std::uint64_t kept = 98 * (all_calls - answered_calls) / 100;
  while (caller.calls_under_way() > kept) REQUIRE(caller.wait(long_enough).value() != 0);
  // A peer that is slow has not had room for all of them yet.
  REQUIRE(caller.channel().flush(long_enough));
  REQUIRE(child.read_line() == "all asked");
  child.kill(SIGKILL);
  strait::Result<std::size_t> heard = 0;
  while (heard) heard = caller.wait(long_enough);
  CHECK(heard.error() == Errc::peer_closed);
  CHECK(caller.calls_under_way() == 0);
  CHECK(child.wait().killed_by(SIGKILL));

  std::uint64_t wrong = 0;
  for (std::uint64_t number = 0; number != all_calls; ++number) {
    const Outcome& outcome = outcomes[number];
    const bool was_cancelled = outcome.why == std::errc::operation_canceled;
    bool right = outcome.ended == 1;
    if (is_ignored(number)) {
      right = right && outcome.why == Errc::timed_out;
    } else if (is_cancelled(number) && was_cancelled) {
    } else if (number < answered_calls) {
      right = right && !outcome.why && outcome.square == number * number;
    } else {
      right = right && outcome.why == Errc::peer_closed;
    }
    wrong += right ? 0 : 1;
  }
  CHECK(wrong == 0);
}

TEMPLATE_TEST_CASE("an acceptor's listener answers each client, also later", "[process][calls]",
                   strait::SocketTransport, strait::MachTransport<>) {
  using Link = CallLink<TestType>;
  using Server = strait::Acceptor<Link>;
  const auto name = unique_name("calls");
  const auto token = new_token();
  auto server = Server::listen(name, token).value();
  using Reply = strait::Reply<Server>;
  std::vector<std::pair<Question, Reply>> later;
  auto answers =
      strait::answering(server, [&](Link& client, const Question& question, Reply reply) {
        CHECK(server.find(server.id(client)) == &client);
        later.emplace_back(question, std::move(reply));
      });

  std::vector<strait::Caller<Link>> callers;
  for (int i = 0; i != 3; ++i) {
    callers.emplace_back(Link::connect(name, token).value());
    while (callers.back().channel().waiting_connect()) {
      static_cast<void>(server.poll(answers).value());
      REQUIRE(callers.back().poll().has_value());
    }
  }
  std::vector<std::uint64_t> squares(3);
  std::vector<std::error_code> errors;
  for (std::uint64_t i = 0; i != 3; ++i) {
    callers[i]
        .call(Question{i + 1}, long_enough,
              strait::overloaded{[&, i](const Answer& answer) { squares[i] = answer.square; },
                                 [&](std::error_code why) { errors.push_back(why); }})
        .value();
  }
  while (later.size() != 3) REQUIRE(server.wait(answers, long_enough).value() != 0);

  // One client goes before it is answered.
  callers[1].close();
  CHECK(errors == std::vector{make_error_code(Errc::closed)});
  while (server.size() != 2) REQUIRE(server.wait(answers, long_enough).value() != 0);
  int gone = 0;
  for (auto& [question, reply] : later) {
    const auto sent = reply.send(Answer{question.number, question.number * question.number});
    if (!sent) CHECK(sent.error() == Errc::peer_closed);
    gone += sent ? 0 : 1;
  }
  CHECK(gone == 1);
  for (const std::size_t i : {0U, 2U}) {
    while (callers[i].calls_under_way() != 0) REQUIRE(callers[i].wait(long_enough).has_value());
  }
  CHECK(squares == std::vector<std::uint64_t>{1, 0, 9});
  CHECK(errors.size() == 1);
}

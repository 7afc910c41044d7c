// A call and its reply, beside the same messages as a bare round trip.

#include <cstdint>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "cases/order_endpoint.hpp"
#include "strait/answering.hpp"
#include "strait/caller.hpp"
#include "strait/overloaded.hpp"
#include "strait/serializers/trivial.hpp"
#include "strait/transports/mach.hpp"

namespace bench {

namespace {

struct Question {
  std::uint64_t number = 0;
  std::uint64_t parts[7] = {1, 2, 3};
};
struct Answer {
  std::uint64_t number = 0;
  std::uint64_t parts[7] = {1, 2, 3};
};
using Messages = strait::TrivialSerializer<Question, Answer>;
using Link = strait::Channel<strait::MachTransport<>, strait::Calls<Messages>>;

[[noreturn]] void complain() { throw std::runtime_error("an answer is not to what was asked"); }

struct AnswerCodec {
  using Serializer = strait::TrivialSerializer<Answer>;

  void prepare(std::size_t) {}
  template <class Channel>
  strait::Result<void> send(Channel& channel, std::uint64_t number) {
    return channel.send(Answer{number});
  }
  void check(const Answer& answer, std::uint64_t number) const {
    if (answer.number != number) complain();
  }
};

class CallEndpoint final : public Endpoint {
 public:
  explicit CallEndpoint(Link link) : caller_(std::move(link)) {}

  void ping(Work, std::size_t, std::size_t warm_up,
            std::span<std::uint64_t> round_trip_ns) override {
    time_round_trips(warm_up, round_trip_ns, [&] { call(); });
    call();
  }
  void echo(Work, std::size_t, std::size_t count) override {
    std::size_t answered = 0;
    auto answers = strait::answering(caller_.channel(), [&](const Question& question) {
      ++answered;
      return Answer{question.number};
    });
    while (answered <= count) check(caller_.channel().wait(answers, tick));
    check(caller_.channel().flush(tick));
  }

  std::uint64_t stream_out(const Sizes&) override { throw std::logic_error(only_round_trips); }
  std::uint64_t stream_in(const Sizes&, strait::MessageSizeHistogram*) override {
    throw std::logic_error(only_round_trips);
  }
  void idle(std::chrono::milliseconds) override { throw std::logic_error(only_round_trips); }

 private:
  static constexpr std::chrono::seconds tick{1};
  static constexpr const char* only_round_trips = "calls are measured by round trips alone";

  template <class T>
  static void check(const strait::Result<T>& result) {
    if (!result) [[unlikely]]
      throw std::system_error(result.error(), "call");
  }

  void call() {
    bool answered = false;
    const std::uint64_t number = asked_++;
    check(caller_.call(
        Question{number}, std::chrono::seconds{10},
        strait::overloaded{[&](const Answer& answer) {
                             if (answer.number != number) complain();
                             answered = true;
                           },
                           [](std::error_code why) { throw std::system_error(why, "reply"); }}));
    while (!answered) check(caller_.wait(tick));
  }

  strait::Caller<Link> caller_;
  std::uint64_t asked_ = 0;
};

}  // namespace

Case call_case() {
  return {"call",
          "64 bytes, a call and its reply",
          [](bool, const std::function<void(Invitation)>& invite) -> std::unique_ptr<Endpoint> {
            return std::make_unique<CallEndpoint>(host_channel<Link>(invite));
          },
          [](bool, Invitation invitation) -> std::unique_ptr<Endpoint> {
            return std::make_unique<CallEndpoint>(join_channel<Link>(invitation));
          },
          sizeof(Question),
          false};
}
Case call_bare_case() {
  return order_case<AnswerCodec, strait::MachTransport<>>(
      "call-bare", "the same messages, a bare round trip", sizeof(Answer));
}

}  // namespace bench

// I ask, and wait for the answer to that: calls, which the library numbers, times and answers.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <system_error>
#include <variant>

#include <strait/answering.hpp>
#include <strait/caller.hpp>
#include <strait/strait.hpp>

using namespace std::chrono_literals;

struct Add {
  std::int32_t a, b;
};
struct Sum {
  std::int32_t value;
};
/// An error of one's own is a reply like another.
struct TooLarge {
  std::int64_t value;
};
using Messages = strait::TrivialSerializer<Add, Sum, TooLarge>;
using Link = strait::Channel<strait::SocketTransport, strait::Calls<Messages>>;

/// What is returned is the reply.
std::variant<Sum, TooLarge> add(const Add& asked) {
  const std::int64_t sum = std::int64_t{asked.a} + asked.b;
  if (sum > std::numeric_limits<std::int32_t>::max()) return TooLarge{sum};
  return Sum{static_cast<std::int32_t>(sum)};
}

int main() {
  auto [left, right] = Link::pair().value();
  strait::Caller caller(std::move(left));
  auto server = strait::answering(right, add);

  int answers = 0;
  const auto print = strait::overloaded{
      [&](const Sum& sum) { answers += std::printf("the sum is %d\n", sum.value) > 0; },
      [&](const TooLarge& why) {
        answers += std::printf("%lld is too large\n", static_cast<long long>(why.value)) > 0;
      },
      [](std::error_code why) { std::printf("no answer: %s\n", why.message().c_str()); }};
  // Any number may be under way; each is answered once, or its time is up.
  caller.call(Add{1, 2}, 200ms, print).value();
  caller.call(Add{2'000'000'000, 2'000'000'000}, 200ms, print).value();
  right.wait(server, 5s).value();
  while (caller.calls_under_way() != 0) caller.wait(5s).value();
  return answers == 2 ? 0 : 1;
}

#include <strait/error.hpp>

#include <set>
#include <string>
#include <system_error>

#include "support/catch.hpp"

using strait::Errc;

namespace {

constexpr int first = static_cast<int>(Errc::not_found);
constexpr int last = static_cast<int>(Errc::unsupported);
const std::string unknown = "unknown strait error";

std::string message_of(int value) { return strait::error_category().message(value); }

}  // namespace

TEST_CASE("every error has a message of its own", "[error]") {
  std::set<std::string> messages;
  for (int value = first; value <= last; ++value) {
    const std::string message = message_of(value);
    CAPTURE(value, message);
    CHECK(message != unknown);
    CHECK_FALSE(message.empty());
    CHECK(messages.insert(message).second);
  }
  CHECK(messages.size() == 23);
}

TEST_CASE("numbers that are no errors have a message, too", "[error]") {
  for (const int value : {0, -1, last + 1, 1 << 30}) CHECK(message_of(value) == unknown);
}

TEST_CASE("an enumerator is an error code of the strait category", "[error]") {
  const std::error_code code = Errc::peer_closed;
  CHECK(code);
  CHECK(code == Errc::peer_closed);
  CHECK(code != Errc::closed);
  CHECK(std::string(code.category().name()) == "strait");
  CHECK(&code.category() == &strait::error_category());
  CHECK(code.message() == message_of(static_cast<int>(Errc::peer_closed)));
}

TEST_CASE("no error is mistaken for one of the system with the same number", "[error]") {
  for (int value = first; value <= last; ++value) {
    const std::error_code system(value, std::system_category());
    CHECK(system != static_cast<Errc>(value));
  }
}

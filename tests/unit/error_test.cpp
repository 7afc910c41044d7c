#include <strait/error.hpp>

#include <set>
#include <string>
#include <system_error>

#include "support/catch.hpp"

using strait::Errc;

namespace {

constexpr int first = static_cast<int>(Errc::not_found);
constexpr int last = static_cast<int>(Errc::garbled_token_file);
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
  CHECK(messages.size() == 32);
}

TEST_CASE("every error's message says what has happened and then what to do", "[error]") {
  // What a user can do begins with a verb.
  const std::set<std::string> verbs{
      "add",  "build", "chmod",  "choose", "close", "do",  "flush", "give", "hand", "let", "look",
      "make", "raise", "remove", "run",    "send",  "set", "start", "take", "try",  "use", "wait"};
  for (int value = first; value <= last; ++value) {
    const std::string message = message_of(value);
    CAPTURE(value, message);
    const auto colon = message.find(": ");
    REQUIRE(colon != message.npos);
    CHECK(colon >= 16);
    const auto begin = colon + 2;
    CHECK(verbs.count(message.substr(begin, message.find_first_of(" ,;", begin) - begin)) == 1);
    // It stands at the end of a line of a log.
    CHECK(message.find('\n') == message.npos);
    CHECK(message.find("  ") == message.npos);
    CHECK(message.back() != '.');
    CHECK(message.size() <= 160);
  }
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

namespace {
/// As a copy of the library in another shared object has one: see tests/plugin.
class OtherCategory : public std::error_category {
 public:
  explicit OtherCategory(const char* name) : name_(name) {}
  const char* name() const noexcept override { return name_; }
  std::string message(int) const override { return name_; }

 private:
  const char* name_;
};
}  // namespace

TEST_CASE("an error is known by the name of its category, not by the object", "[error]") {
  const OtherCategory copy("strait");
  const std::error_code code(static_cast<int>(Errc::busy), copy);
  CHECK(code == Errc::busy);
  CHECK(Errc::busy == code);
  CHECK(code != Errc::closed);
  CHECK(strait::errc(code) == Errc::busy);
  CHECK(code == make_error_code(Errc::busy).default_error_condition());
  const OtherCategory other("strait of another kind");
  CHECK(std::error_code(static_cast<int>(Errc::busy), other) != Errc::busy);
  CHECK(strait::errc(std::error_code(static_cast<int>(Errc::busy), other)) == Errc{});
  CHECK(strait::errc(std::error_code()) == Errc{});
}

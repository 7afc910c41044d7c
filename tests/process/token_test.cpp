// Programs that make one token in a file, all at once.

#include "strait/token.hpp"

#include <filesystem>
#include <random>
#include <thread>
#include <vector>

#include "process/peers.hpp"

using namespace strait_test;

namespace {

/// Says the token of each file that it is told.
const ChildRole token_role("token.load", [](const ChildArguments&) {
  while (const auto path = child::read_line()) {
    const auto token = strait::Token::load_or_create(*path);
    child::write_line(token ? token->to_hex() : token.error().message());
  }
  return 0;
});

}  // namespace

TEST_CASE("processes that come at the same moment get the same token", "[process][token]") {
  const auto directory = runtime_dir() + '/' + unique_name("tokens");
  REQUIRE(std::filesystem::create_directory(directory));
  std::vector<Child> children;
  for (int i = 0; i != 6; ++i) children.push_back(Child::spawn("token.load"));
  for (int round = 0; round != 40; ++round) {
    const auto path = directory + "/" + std::to_string(round);
    for (Child& child : children) REQUIRE(child.write_line(path));
    std::vector<std::string> tokens;
    for (Child& child : children) tokens.push_back(child.read_line().value_or("nothing"));
    CAPTURE(round);
    for (const std::string& token : tokens) CHECK(token == tokens[0]);
    CHECK(strait::Token::from_hex(tokens[0]));
  }
  for (Child& child : children) {
    child.close_stdin();
    CHECK(child.wait().success());
  }
  // Nothing else is left there.
  CHECK(std::filesystem::remove_all(directory) == 41);
}

TEST_CASE("a process killed while it makes a token leaves a whole one or none",
          "[process][token]") {
  const auto directory = runtime_dir() + '/' + unique_name("tokens");
  REQUIRE(std::filesystem::create_directory(directory));
  std::mt19937 random(20'261'128);
  for (int round = 0; round != 30; ++round) {
    const auto path = directory + "/" + std::to_string(round);
    auto child = Child::spawn("token.load");
    REQUIRE(child.write_line(path));
    // From before it reads the line to after it has answered.
    const auto moment = Clock::now() + std::chrono::microseconds(random() % 6000);
    while (Clock::now() < moment) std::this_thread::yield();
    child.kill(SIGKILL);
    const auto said = child.read_line();
    REQUIRE(child.wait().killed_by(SIGKILL));
    CAPTURE(round);
    const auto token = strait::Token::load_or_create(path);
    REQUIRE(token);
    if (said) CHECK(*said == token->to_hex());
  }
  std::filesystem::remove_all(directory);
}

// What holds of tokens in files on every system.

#include <array>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "strait/token.hpp"
#include "support/catch.hpp"
#include "support/runtime_dir.hpp"

using strait::Errc;
using strait::Token;

namespace {

/// A directory that is this test's own.
struct TokenDirectory {
  TokenDirectory() { std::filesystem::create_directory(path); }
  ~TokenDirectory() { std::filesystem::remove_all(path); }
  TokenDirectory(const TokenDirectory&) = delete;
  TokenDirectory& operator=(const TokenDirectory&) = delete;

  std::ptrdiff_t files() const {
    return std::distance(std::filesystem::directory_iterator(path), {});
  }

  const std::string path = strait_test::runtime_dir() + '/' + strait_test::unique_name("tokens");
};

}  // namespace

TEST_CASE("threads that come at the same moment get the same token", "[token]") {
  const TokenDirectory directory;
  for (int round = 0; round != 20; ++round) {
    const std::string path = directory.path + '/' + std::to_string(round);
    std::array<std::optional<Token>, 4> tokens;
    std::vector<std::thread> threads;
    for (auto& token : tokens) {
      threads.emplace_back([&token, &path] {
        if (auto loaded = Token::load_or_create(path)) token = *loaded;
      });
    }
    for (auto& thread : threads) thread.join();
    for (const auto& token : tokens) {
      REQUIRE(token);
      CHECK(*token == *tokens[0]);
    }
  }
  CHECK(directory.files() == 20);
}

TEST_CASE("a private file that holds no token is left as it is", "[token]") {
  const TokenDirectory directory;
  const std::string path = directory.path + "/token";
  const std::string hex = Token::load_or_create(path).value().to_hex();
  const std::string text = GENERATE_COPY(std::string(), hex, hex.substr(1) + "\n", hex + "0\n",
                                         hex.substr(0, 63) + "F\n", std::string(65, '\0'));
  std::ofstream(path, std::ios::binary) << text;
  CHECK(Token::load_or_create(path).error() == Errc::garbled_token_file);
  std::ifstream file(path, std::ios::binary);
  CHECK(std::string(std::istreambuf_iterator<char>(file), {}) == text);
}

#include <strait/token.hpp>

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <system_error>
#include <type_traits>

#include "support/catch.hpp"

using strait::Errc;
using strait::Token;

namespace {

const std::string counting = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff";

static_assert(!std::is_default_constructible_v<Token>, "an all-zero token is nobody's secret");
static_assert(std::is_trivially_copyable_v<Token>);

}  // namespace

TEST_CASE("a token comes back from its hexadecimal form", "[token]") {
  const Token token = Token::generate().value();
  const std::string hex = token.to_hex();
  CHECK(hex.size() == 64);
  CHECK(hex.find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(Token::from_hex(hex).value() == token);
}

TEST_CASE("hexadecimal digits stand for the bytes in order", "[token]") {
  const Token token = Token::from_hex(counting).value();
  CHECK(token.bytes()[0] == std::byte{0});
  CHECK(token.bytes()[1] == std::byte{1});
  CHECK(token.bytes()[16] == std::byte{16});
  CHECK(token.bytes()[31] == std::byte{255});
  CHECK(token.to_hex() == counting);
  CHECK(Token::from_bytes(token.bytes()) == token);
}

TEST_CASE("anything but 64 lower-case digits is an invalid argument, which accuses no peer",
          "[token]") {
  const auto invalid = [](const std::string& hex) {
    return Token::from_hex(hex).error() == std::errc::invalid_argument;
  };
  CHECK(invalid(""));
  CHECK(invalid(counting.substr(1)));
  CHECK(invalid(counting + "0"));
  CHECK(invalid(counting + counting));
  CHECK(invalid(counting.substr(0, 62) + "FF"));
  for (const char wrong : {'g', '/', ':', '`', '@', 'A', ' ', '\n', '\0', '\xff', '-'}) {
    for (const std::size_t at : {std::size_t{0}, std::size_t{31}, std::size_t{63}}) {
      std::string hex = counting;
      hex[at] = wrong;
      CAPTURE(hex, at);
      CHECK(invalid(hex));
    }
  }
}

TEST_CASE("tokens that differ in any single bit are not equal", "[token]") {
  const Token token = Token::from_hex(counting).value();
  for (std::size_t bit = 0; bit != 8 * Token::size_bytes; ++bit) {
    std::array<std::byte, Token::size_bytes> bytes;
    for (std::size_t i = 0; i != bytes.size(); ++i) bytes[i] = token.bytes()[i];
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    CAPTURE(bit);
    CHECK_FALSE(Token::from_bytes(bytes) == token);
    CHECK(Token::from_bytes(bytes) != token);
  }
  CHECK(Token::from_hex(counting).value() == token);
}

TEST_CASE("no two generated tokens are the same", "[token]") {
  std::set<std::string> seen;
  for (int i = 0; i != 1000; ++i) seen.insert(Token::generate().value().to_hex());
  CHECK(seen.size() == 1000);
}

// --- in a file -----------------------------------------------------------------------------------

namespace {

/// A directory that is this test's own.
class Directory {
 public:
  Directory() { REQUIRE(::mkdtemp(path_.data()) != nullptr); }
  ~Directory() { std::filesystem::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  std::string operator/(const char* name) const { return path_ + "/" + name; }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
  }

 private:
  std::string path_ = (std::filesystem::temp_directory_path() / "token-XXXXXX").string();
};

void write_file(const std::string& path, const std::string& text, mode_t mode = 0600) {
  std::ofstream(path) << text;
  REQUIRE(::chmod(path.c_str(), mode) == 0);
}

mode_t mode_of(const std::string& path) {
  struct stat status;
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

}  // namespace

TEST_CASE("a token in a file is made once, for this user alone, and is the same from then on",
          "[token]") {
  const Directory directory;
  const std::string path = directory / "token";
  const mode_t usual = GENERATE(mode_t{0022}, mode_t{0}, mode_t{0777});
  const mode_t before = ::umask(usual);
  const auto made = Token::load_or_create(path);
  ::umask(before);
  REQUIRE(made);
  CHECK(mode_of(path) == 0600);
  CHECK(directory.files() == 1);
  CHECK(Token::load_or_create(path).value() == *made);
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  CHECK(line == made->to_hex());
}

TEST_CASE("a token is not taken from a file that others may have written, read or put there",
          "[token]") {
  const Directory directory;
  const std::string path = directory / "token";
  const auto refused = [&] {
    return Token::load_or_create(path).error() == Errc::unsafe_token_file;
  };
  SECTION("readable by others") {
    write_file(path, counting + "\n",
               GENERATE(mode_t{0640}, mode_t{0604}, mode_t{0660}, mode_t{0620}, mode_t{0602}));
    CHECK(refused());
  }
  SECTION("a link to one that would do") {
    write_file(directory / "other", counting + "\n");
    REQUIRE(::symlink("other", path.c_str()) == 0);
    CHECK(refused());
  }
  SECTION("a link to nothing") {
    REQUIRE(::symlink("nothing", path.c_str()) == 0);
    CHECK(refused());
    CHECK(directory.files() == 1);
  }
  SECTION("a directory") {
    REQUIRE(::mkdir(path.c_str(), 0700) == 0);
    CHECK(refused());
  }
  SECTION("a FIFO, whose writer never comes") {
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    CHECK(refused());
  }
  SECTION("another user's") {
    write_file(path, counting + "\n");
    // Only root may give a file away.
    if (::geteuid() == 0) {
      REQUIRE(::chown(path.c_str(), 65533, 0) == 0);
      CHECK(refused());
    }
  }
}

TEST_CASE("a token for a directory that is not there is an error", "[token]") {
  const Directory directory;
  CHECK(Token::load_or_create(directory / "none/token").error() ==
        std::errc::no_such_file_or_directory);
  CHECK(directory.files() == 0);
}

TEST_CASE("no signal comes where files may not grow", "[token]") {
  const Directory directory;
  rlimit before;
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit small{10, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const auto token = Token::load_or_create(directory / "token");
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  CHECK(token.error() == std::errc::file_too_large);
  CHECK(directory.files() == 0);
}

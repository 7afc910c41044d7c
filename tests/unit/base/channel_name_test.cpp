#include <strait/base/channel_name.hpp>

#include <string>
#include <string_view>

#include "support/catch.hpp"

using strait::Errc;
using strait::detail::check_name;
using namespace std::string_view_literals;

namespace {

bool invalid(std::string_view name) { return check_name(name).error() == Errc::invalid_name; }

}  // namespace

TEST_CASE("plain words are names", "[name]") {
  for (const auto name : {"a"sv, "renderer"sv, "Renderer-7"sv, "a.b_c-d"sv, "0"sv, "-"sv}) {
    CAPTURE(name);
    CHECK(check_name(name));
  }
  CHECK(check_name(std::string(64, 'x')));
  CHECK(invalid(std::string(65, 'x')));
}

TEST_CASE("absolute paths are names", "[name]") {
  CHECK(check_name("/a"));
  CHECK(check_name("/run/user/1000/a b"));
  CHECK(check_name("/" + std::string(99, 'x')));
  CHECK(invalid("/" + std::string(100, 'x')));
  CHECK(invalid("/"));
  CHECK(invalid("/a/"));
  CHECK(check_name("/a/..b"));
  CHECK(check_name("/a/../b"));
  CHECK(invalid("/a/."));
  CHECK(invalid("/a/.."));
  CHECK(invalid("/.."));
  CHECK(invalid("/a\0b"sv));
}

TEST_CASE("nothing else is a name", "[name]") {
  CHECK(invalid(""));
  CHECK(invalid("."));
  CHECK(invalid(".."));
  CHECK(invalid(".hidden"));
  CHECK(invalid("a/b"));
  CHECK(invalid("a\0b"sv));
  CHECK(invalid("\0"sv));
  for (int c = 1; c != 256; ++c) {
    const char character = static_cast<char>(c);
    if ("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"sv.find(character) !=
        std::string_view::npos) {
      continue;
    }
    CAPTURE(c);
    CHECK(invalid(std::string("a") + character));
  }
}

// Messages as programs have them: strings, lists, maps, parts that may be missing.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <strait/serializers/struct.hpp>
#include <strait/strait.hpp>

using namespace std::chrono_literals;

struct Range {
  std::int32_t first = 0, last = 0;
};
struct Search {
  std::string_view path;            // ends with the listener's call
  std::span<const Range> ranges;    // so does this
  std::optional<std::string> user;  // this is the receiver's own
  std::variant<std::monostate, std::int64_t, std::string> filter;
  std::chrono::milliseconds timeout = 1s;
};
struct Found {
  std::map<std::string, std::vector<std::int32_t>> lines;
};
using Link = strait::Channel<strait::LoopbackTransport, strait::StructSerializer<Search, Found>>;

int main() {
  const auto token = strait::Token::generate().value();
  auto server = Link::listen("search", token).value();
  auto client = Link::connect("search", token).value();

  const Range ranges[] = {{1, 20}, {40, 60}};
  client.send(Search{"src/main.cpp", ranges, "ada", "TODO"}).value();

  const auto search = [&](const Search& message) {
    std::printf("%s searches %zu ranges of %.*s\n", message.user.value_or("a guest").c_str(),
                message.ranges.size(), static_cast<int>(message.path.size()), message.path.data());
    server.send(Found{{{std::string(message.path), {12, 47}}}}).value();
  };
  bool found = false;
  const auto show = [&](const Found& message) {
    for (const auto& [path, lines] : message.lines) {
      std::printf("%s: lines %d and %d\n", path.c_str(), lines.at(0), lines.at(1));
      found = true;
    }
  };
  for (int turn = 0; turn != 10 && !found; ++turn) {
    server.poll(search).value();
    client.poll(show).value();
  }
  return found ? 0 : 1;
}

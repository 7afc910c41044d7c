// A peer that sends what it likes to a StructSerializer. Whatever arrives is a value or malformed;
// a value is written back and read again as what it was, and what it shows lies in the message.

#include <strait/overloaded.hpp>
#include <strait/serializers/struct.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "fuzz/input.hpp"

namespace {

using namespace strait_fuzz;
using strait::Errc;

enum class Colour : std::uint8_t { red, green, blue };

struct Plain {
  std::uint32_t number = 0;
  Colour colour{};
  bool flags[3] = {};
};
struct Tree {
  std::string name;
  std::unique_ptr<Tree> next;
  std::vector<Tree> children;
  std::map<std::uint8_t, Tree> map;
};
struct Lists {
  std::vector<std::string> texts;
  std::vector<std::vector<std::uint16_t>> numbers;
  std::vector<bool> bits;
  std::deque<Colour> colours;
  std::vector<std::monostate> empties;
  std::map<std::string, std::optional<double>> map;
  std::unordered_map<std::uint64_t, std::string> hashed;
  std::map<float, std::monostate> numbered;
};
struct Views {
  std::uint8_t before = 0;
  std::string_view text;
  std::span<const std::uint64_t> words;
  std::vector<std::span<const Plain>> plains;
  std::u16string_view wide;
  std::span<const bool> flags;
};
struct Parts {
  std::variant<std::monostate, bool, std::string, std::vector<Plain>> variant;
  std::optional<std::pair<std::string, Colour>> pair;
  std::tuple<std::array<std::string, 2>, std::chrono::milliseconds> tuple;
  std::chrono::sys_time<std::chrono::nanoseconds> time{};
  long double wide = 0;
};
struct Grown {
  std::uint16_t id = 0;
  std::string text = "at first";
  std::optional<Plain> plain;
  static constexpr std::size_t schema_base_members = 1;
};

using Fixed = strait::StructSerializer<Plain, Tree, Lists, Views, Parts>;
using Growing = strait::StructSerializer<strait::Evolving<Plain, Grown>, Lists>;

template <class Serializer, class T>
std::vector<std::byte> written(const T& message) {
  const std::size_t size = Serializer::size(message);
  require(size < (std::size_t{1} << 30), "what was read can be sent");
  std::vector<std::byte> out(size + 1);
  Serializer::write(message, out.data());
  require(out.back() == std::byte{0}, "the size is what is written");
  out.resize(size);
  return out;
}

template <class T>
void check_views(const T&, Bytes) {}
void check_views(const Views& views, Bytes bytes) {
  // What was copied to align it ends with the message, too.
  const auto check = [&](const auto& view) {
    require(view.size() * sizeof(view[0]) <= bytes.size(), "a view is of what came");
    for (const auto& element : view) {
      std::array<std::byte, sizeof element> copy;
      std::memcpy(copy.data(), &element, sizeof element);
      require(reinterpret_cast<std::uintptr_t>(&element) % alignof(decltype(view[0])) == 0,
              "a view is aligned");
    }
  };
  check(views.text);
  check(views.words);
  for (const auto& plains : views.plains) check(plains);
  check(views.wide);
  check(views.flags);
}

template <class Serializer>
void attack(std::uint16_t tag, Bytes bytes) {
  const auto again = [&](const auto& message) {
    check_views(message, bytes);
    const auto out = written<Serializer>(message);
    require(out.size() <= bytes.size() + 1024, "nothing grows but by what was not sent");
    bool heard = false;
    auto listener = [&](const auto& second) {
      heard = true;
      // A table may be in another order the second time.
      require(written<Serializer>(second).size() == out.size(), "it is what it was");
    };
    require(Serializer::read(tag, out, listener).has_value() && heard, "it can be read again");
  };
  auto listener = [&](const auto& message) { again(message); };
  const auto read = Serializer::read(tag, bytes, listener);
  require(read || read.error() == Errc::malformed || read.error() == Errc::unexpected_message,
          "a value or malformed");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(std::as_bytes(std::span(data, size)));
  const auto choice = input.take();
  const std::size_t shift = choice / 16;
  const Bytes rest = input.take_bytes(size);
  // In memory of its own, so that what is read behind the end is seen.
  const std::unique_ptr<std::byte[]> exact(new std::byte[shift + rest.size()]);
  if (!rest.empty()) std::memcpy(exact.get() + shift, rest.data(), rest.size());
  const Bytes bytes(exact.get() + shift, rest.size());
  const auto tag = static_cast<std::uint16_t>(choice % 16 / 2);
  if (choice % 2 == 0) {
    attack<Fixed>(tag, bytes);
  } else {
    attack<Growing>(tag, bytes);
  }
  return 0;
}

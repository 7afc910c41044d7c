#include "strait/redelivery/kept_messages.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <random>
#include <vector>

#include "support/catch.hpp"

using strait::detail::KeptMessages;

namespace {

/// The same, in the plainest way.
struct KeptModel {
  std::deque<std::vector<std::byte>> messages;
  std::uint64_t first = 1;
  std::uint64_t next = 1;

  std::uint64_t end() const { return first + messages.size(); }
};

std::vector<std::byte> kept_bytes(std::uint64_t number, std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i != size; ++i) bytes[i] = static_cast<std::byte>(number * 31 + i);
  return bytes;
}

}  // namespace

TEST_CASE("messages are kept until they are dropped, and come again from any of them",
          "[redelivery]") {
  KeptMessages kept;
  KeptModel model;
  std::mt19937 random(20'261'128);
  for (int step = 0; step != 20'000; ++step) {
    switch (random() % 8) {
      case 0:
      case 1:
      case 2: {
        const auto bytes = kept_bytes(model.end(), random() % 50 == 0 ? 5000 : random() % 40);
        std::byte* const out = kept.push(static_cast<std::uint16_t>(model.end()), bytes.size());
        REQUIRE(out != nullptr);
        std::copy(bytes.begin(), bytes.end(), out);
        model.messages.push_back(bytes);
        break;
      }
      case 3:
      case 4:
      case 5:
        REQUIRE(kept.has_next() == (model.next != model.end()));
        if (kept.has_next()) {
          const auto frame = kept.next();
          CHECK(frame.tag == static_cast<std::uint16_t>(model.next));
          const auto& expected = model.messages[static_cast<std::size_t>(model.next - model.first)];
          CHECK(
              std::equal(frame.bytes.begin(), frame.bytes.end(), expected.begin(), expected.end()));
          kept.skip();
          ++model.next;
        }
        break;
      case 6: {
        const std::uint64_t through = model.first - 1 + random() % (model.messages.size() + 1);
        kept.drop_through(through);
        for (; model.first <= through; ++model.first) model.messages.pop_front();
        model.next = std::max(model.next, model.first);
        break;
      }
      default:
        if (random() % 10 == 0) {
          model.next = model.first + random() % (model.messages.size() + 1);
          kept.rewind(model.next);
        }
    }
    REQUIRE(kept.first_number() == model.first);
    REQUIRE(kept.end_number() == model.end());
    REQUIRE(kept.next_number() == model.next);
    REQUIRE(kept.empty() == model.messages.empty());
  }
}

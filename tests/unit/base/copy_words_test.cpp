#include <strait/base/copy_words.hpp>

#include <array>
#include <cstddef>
#include <cstring>
#include <vector>

#include "support/catch.hpp"

using strait::detail::copy_words;
using strait::detail::max_copy_words_bytes;

TEST_CASE("words are copied whole, and none more", "[copy_words]") {
  for (std::size_t bytes = 0; bytes <= max_copy_words_bytes; ++bytes) {
    CAPTURE(bytes);
    const std::size_t rounded = (bytes + 7) / 8 * 8;
    // Of just this size, so that a sanitizer sees a read behind the end.
    std::vector<std::byte> from(rounded);
    for (std::size_t i = 0; i != rounded; ++i) from[i] = static_cast<std::byte>(i + 1);
    std::array<std::byte, max_copy_words_bytes + 8> to{};
    copy_words(to.data(), from.data(), bytes);
    CHECK((rounded == 0 || std::memcmp(to.data(), from.data(), rounded) == 0));
    for (std::size_t i = rounded; i != to.size(); ++i) REQUIRE(to[i] == std::byte{0});
  }
}

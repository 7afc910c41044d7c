#include <strait/framing/frame_reader.hpp>

#include <cstring>
#include <vector>

#include "support/catch.hpp"

using strait::Errc;
using strait::Result;
using strait::detail::FrameHeader;
using strait::detail::FrameReader;

namespace {

/// A peer that always has more: `size` at a time, of a message of `message_bytes` without an end.
struct Endless {
  std::size_t size;
  std::uint32_t message_bytes;
  int reads = 0;
  std::size_t bytes = 0;

  Result<std::size_t> operator()(std::span<std::byte> room) {
    ++reads;
    const std::size_t got = std::min(size, room.size());
    std::memset(room.data(), 0, got);
    if (bytes == 0) {
      const FrameHeader header{message_bytes, 0};
      std::memcpy(room.data(), &header, sizeof header);
    }
    bytes += got;
    return got;
  }
};

const auto deaf = [](const FrameHeader&, std::span<const std::byte>) { return true; };

}  // namespace

TEST_CASE("a peer that sends without an end does not keep a reader", "[frame_reader][hostile]") {
  for (const std::size_t size : {std::size_t{16}, std::size_t{4096}, std::size_t{1} << 30}) {
    CAPTURE(size);
    FrameReader reader;
    Endless peer{size, 1 << 30};
    // Success: there may be more, but this turn is over.
    REQUIRE(reader.receive(peer, deaf, std::size_t{1} << 30, 1024));
    CHECK(peer.reads <= strait::detail::fair_share_reads);
    CHECK(peer.bytes <= 2 * strait::detail::fair_share_bytes);
    const std::size_t before = peer.bytes;
    REQUIRE(reader.receive(peer, deaf, std::size_t{1} << 30, 1024));
    CHECK(peer.bytes > before);
  }
}

TEST_CASE("empty messages without an end are a fair share, too", "[frame_reader][hostile]") {
  FrameReader reader;
  Endless peer{std::size_t{1} << 20, 0};
  int given = 0;
  const auto count = [&](const FrameHeader&, std::span<const std::byte>) {
    ++given;
    return true;
  };
  REQUIRE(reader.receive(peer, count, 100, 1024));
  CHECK(given == 1024);
}

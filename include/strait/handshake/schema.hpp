#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "strait/serializer.hpp"

namespace strait::detail {

/// Short hashes of a serializer's message types, of the first ones if there are many, by which two
/// sides whose schemas differ find out where.
struct TypeDigests {
  static constexpr std::size_t capacity = 23;

  std::uint16_t count = 0;
  std::uint16_t of_type[capacity] = {};
};

/// The place in the list of the first type that two sides have differently, if it is seen. The
/// peer's digests may be anything.
constexpr std::optional<std::uint16_t> first_difference(const TypeDigests& own,
                                                        const TypeDigests& peers) {
  for (std::uint16_t place = 0; place != TypeDigests::capacity; ++place) {
    const bool is_own = place < own.count;
    const bool is_peers = place < peers.count;
    if (is_own != is_peers) return place;
    if (!is_own) return std::nullopt;
    if (own.of_type[place] != peers.of_type[place]) return place;
  }
  return std::nullopt;
}

/// What a side knows of its serializer when it meets a peer.
struct Schema {
  std::uint64_t hash = 0;
  TypeDigests digests;
  std::string_view (*name)(std::uint16_t tag) = nullptr;
};

template <class SerializerT>
constexpr Schema schema_of() {
  Schema schema{SerializerT::schema_hash, {}, &message_name<SerializerT>};
  if constexpr (requires { SerializerT::type_hashes; }) {
    for (const std::uint64_t hash : SerializerT::type_hashes) {
      if (schema.digests.count == TypeDigests::capacity) break;
      const auto half = static_cast<std::uint32_t>(hash ^ hash >> 32);
      schema.digests.of_type[schema.digests.count++] =
          static_cast<std::uint16_t>(half ^ half >> 16);
    }
  }
  return schema;
}

}  // namespace strait::detail

#pragma once

#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

#include "strait/base/hex.hpp"
#include "strait/error.hpp"
#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/owner_process.hpp"
#include "strait/os/posix/random.hpp"
#include "strait/result.hpp"

namespace strait::detail {

/// The names of a client's two FIFOs: chosen at random by the client, told to the server, and gone
/// as soon as both have them open.
class FifoPair {
 public:
  static constexpr std::size_t stem_bytes = 32;

  FifoPair() = default;
  FifoPair(FifoPair&& other) noexcept
      : directory_(std::move(other.directory_)), stem_(other.stem_), owner_(other.owner_) {}
  FifoPair& operator=(FifoPair&& other) noexcept {
    std::swap(directory_, other.directory_);
    const auto own = stem_;
    stem_ = other.stem_;
    other.stem_ = own;
    std::swap(owner_, other.owner_);
    return *this;
  }
  ~FifoPair() {
    if (owner_.is_this()) remove();
  }

  /// A new name, not yet made.
  static Result<FifoPair> choose(os::Descriptor directory) {
    std::array<std::byte, stem_bytes / 2> random;
    if (auto filled = os::fill_random(random); !filled) return filled.error();
    FifoPair pair;
    write_hex(random, pair.stem_.data());
    pair.directory_ = std::move(directory);
    return pair;
  }

  /// A name that a client sent, in no directory yet. Errors: `malformed`.
  static Result<FifoPair> parse(std::string_view stem) {
    if (stem.size() != stem_bytes) return Errc::malformed;
    if (stem.find_first_not_of(hex_digits) != stem.npos) return Errc::malformed;
    FifoPair pair;
    std::memcpy(pair.stem_.data(), stem.data(), stem_bytes);
    return pair;
  }

  std::string_view stem() const { return {stem_.data(), stem_bytes}; }
  int directory() const { return directory_.get(); }
  void set_directory(os::Descriptor directory) { directory_ = std::move(directory); }
  /// Client to server.
  std::array<char, stem_bytes + 4> up() const { return file(".up"); }
  /// Server to client.
  std::array<char, stem_bytes + 4> down() const { return file(".dn"); }

  /// Leaves the names where they are.
  void keep() { directory_.reset(); }

  void remove() {
    if (!directory_) return;
    ::unlinkat(directory_.get(), up().data(), 0);
    ::unlinkat(directory_.get(), down().data(), 0);
    directory_.reset();
  }

 private:
  std::array<char, stem_bytes + 4> file(const char (&suffix)[4]) const {
    std::array<char, stem_bytes + 4> name;
    std::memcpy(name.data(), stem_.data(), stem_bytes);
    std::memcpy(name.data() + stem_bytes, suffix, sizeof suffix);
    return name;
  }

  os::Descriptor directory_;
  std::array<char, stem_bytes> stem_{};
  os::OwnerProcess owner_;
};

}  // namespace strait::detail

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include "strait/base/aggregate.hpp"
#include "strait/error.hpp"
#include "strait/result.hpp"
#include "strait/serializers/struct/kinds.hpp"

// Values to bytes and back. A size pass, a writer that trusts it, and a reader that trusts nothing.

namespace strait::detail::structs {

constexpr std::size_t bytes_to_alignment(std::size_t at, std::size_t alignment) {
  return (alignment - at % alignment) % alignment;
}

/// Calls `use` with the alternative that a variant holds.
template <class Variant, class Use, std::size_t... indices>
void with_alternative(const Variant& variant, Use&& use, std::index_sequence<indices...>) {
  const std::size_t index = variant.index();
  static_cast<void>(((index == indices && (use(*get_if<indices>(&variant)), true)) || ...));
}

template <class T>
concept Contiguous = requires(const T& list) {
  list.data();
};

// --- write ---------------------------------------------------------------------------------------

/// Writes values to `out`, or just counts how many bytes that would be.
template <bool writing>
class Encoder {
 public:
  explicit Encoder(std::byte* out = nullptr) : out_(out) {}

  /// Of what was added; `SIZE_MAX`, which no channel takes, if some of it has no encoding.
  std::size_t size() const {
    const auto size = static_cast<std::size_t>(size_);
    return refused_ || size != size_ ? SIZE_MAX : size;
  }

  template <class T>
  void add(const T& value) {
    constexpr Kind of = kind<T>;
    if constexpr (!writing && extent<T>.fixed) {
      size_ += extent<T>.min;
    } else if constexpr (flat<T> || of == Kind::scalar) {
      put(&value, extent<T>.min);
    } else if constexpr (of == Kind::array) {
      for (const auto& element : value) add(element);
    } else if constexpr (of == Kind::aggregate) {
      with_members<count_members<T>()>(value, *this);
    } else if constexpr (of == Kind::tuple) {
      add_tuple(value, std::make_index_sequence<std::tuple_size_v<T>>());
    } else if constexpr (of == Kind::optional || of == Kind::owner) {
      const bool present = static_cast<bool>(value);
      put(&present, 1);
      if (!present || (of == Kind::owner && !descend())) return;
      add(*value);
      if (of == Kind::owner) --depth_;
    } else if constexpr (of == Kind::variant) {
      const auto index = static_cast<std::uint8_t>(value.index());
      put(&index, 1);
      refused_ = refused_ || value.valueless_by_exception();
      with_alternative(value, *this, std::make_index_sequence<AlternativesOf<T>::count>());
    } else if constexpr (of == Kind::duration) {
      add(value.count());
    } else if constexpr (of == Kind::time_point) {
      add(value.time_since_epoch());
    } else if constexpr (of == Kind::represented) {
      const RepresentationOf<T>& representation = StructTraits<T>::represent(value);
      if (!extent<T>.fixed && !descend()) return;
      add(representation);
      if (!extent<T>.fixed) --depth_;
    } else if constexpr (of != Kind::empty) {
      add_list(value);
    }
  }

  template <class... Ts>
  void operator()(const Ts&... values) {
    (..., add(values));
  }

 private:
  bool descend() {
    if (depth_ == max_depth) return refused_ = true, false;
    ++depth_;
    return true;
  }

  void put(const void* from, std::size_t size) {
    if constexpr (writing) std::memcpy(out_ + size_, from, size);
    size_ += size;
  }
  void zeros(std::size_t count) {
    if constexpr (writing) std::memset(out_ + size_, 0, count);
    size_ += count;
  }

  template <class T, std::size_t... indices>
  void add_tuple(const T& value, std::index_sequence<indices...>) {
    using std::get;
    (..., add(get<indices>(value)));
  }

  template <class T>
  void add_list(const T& value) {
    const auto count = static_cast<std::uint32_t>(value.size());
    refused_ = refused_ || count != value.size();
    put(&count, sizeof count);
    if (count == 0) return;
    if constexpr (kind<T> == Kind::map) {
      constexpr Extent entry = extent<typename T::key_type> + extent<typename T::mapped_type>;
      add_elements<entry>(value, [this](const auto& both) { (*this)(both.first, both.second); });
    } else {
      using Element = typename T::value_type;
      zeros(bytes_to_alignment(static_cast<std::size_t>(size_), list_alignment<Element>));
      if constexpr (flat<Element> && Contiguous<T>) {
        put(value.data(), count * sizeof(Element));
      } else {
        add_elements<extent<Element>>(value, [this](const Element& element) { add(element); });
      }
    }
  }

  template <Extent each, class T, class Add>
  void add_elements(const T& value, Add&& add_one) {
    if constexpr (!writing && each.fixed) {
      size_ += std::uint64_t{value.size()} * (each.min == 0 ? 1 : each.min);
    } else {
      if (!each.fixed && !descend()) return;
      for (const auto& element : value) {
        add_one(element);
        if constexpr (each.min == 0) zeros(1);
      }
      if (!each.fixed) --depth_;
    }
  }

  std::byte* out_;
  /// Of 64 bits: views of the same bytes can be more than 32 bits count, where addresses have 32.
  std::uint64_t size_ = 0;
  std::uint32_t depth_ = 0;
  bool refused_ = false;
};

using Sizer = Encoder<false>;
using Writer = Encoder<true>;

// --- read ----------------------------------------------------------------------------------------

/// Keys that a peer has chosen so that they all meet in one bucket would cost a search through all
/// of them each.
inline constexpr std::size_t max_bucket_size = 128;

class Reader {
 public:
  /// The bytes are aligned as their views need it.
  explicit Reader(std::span<const std::byte> bytes)
      : begin_(bytes.data()), at_(begin_), end_(begin_ + bytes.size()) {}

  bool at_end() const { return at_ == end_; }
  /// What came of it. Errors: `malformed`, `not_enough_memory`.
  Result<void> result(bool read, bool more_may_follow) const {
    if (!read && out_of_memory_) return no_memory();
    if (!read || (!more_may_follow && !at_end())) return Errc::malformed;
    return {};
  }

  /// Reads into an object that may hold something already.
  template <class T>
  bool read(T& value) {
    constexpr Kind of = kind<T>;
    if constexpr (flat<T> || of == Kind::scalar) {
      if constexpr (is_checked<T>()) {
        if (left() >= extent<T>.min && !holds_flat<T>(at_)) return false;
      }
      return take(&value, extent<T>.min);
    } else if constexpr (of == Kind::empty) {
      return true;
    } else if constexpr (of == Kind::array) {
      for (auto& element : value) {
        if (!read(element)) return false;
      }
      return true;
    } else if constexpr (of == Kind::aggregate) {
      return with_members<count_members<T>()>(value, *this);
    } else if constexpr (of == Kind::tuple) {
      return read_tuple(value, std::make_index_sequence<std::tuple_size_v<T>>());
    } else if constexpr (of == Kind::optional || of == Kind::owner) {
      bool present = false;
      if (!read(present)) return false;
      value.reset();
      if (!present) return true;
      if constexpr (of == Kind::optional) {
        return read(value.emplace());
      } else {
        return read_owned(value);
      }
    } else if constexpr (of == Kind::variant) {
      std::uint8_t index = 0;
      return read(index) &&
             read_alternative(value, index, std::make_index_sequence<AlternativesOf<T>::count>());
    } else if constexpr (of == Kind::duration || of == Kind::time_point) {
      typename T::rep count{};
      if (!read(count)) return false;
      if constexpr (of == Kind::duration) {
        value = T(count);
      } else {
        value = T(typename T::duration(count));
      }
      return true;
    } else if constexpr (of == Kind::represented) {
      RepresentationOf<T> representation{};
      if (!descend<T>() || !read(representation)) return false;
      ascend<T>();
      return StructTraits<T>::assign(std::move(representation), value);
    } else if constexpr (of == Kind::view) {
      return read_view(value);
    } else if constexpr (of == Kind::map) {
      return read_map(value);
    } else {
      return read_list(value);
    }
  }

  template <class... Ts>
  bool operator()(Ts&... values) {
    return (read(values) && ...);
  }

 private:
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

  bool take(void* to, std::size_t size) {
    if (left() < size) return false;
    std::memcpy(to, at_, size);
    at_ += size;
    return true;
  }

  /// What takes the same bytes whatever its value is has no depth to speak of.
  template <class... Parts>
  bool descend() {
    return (extent<Parts>.fixed && ...) || ++depth_ <= max_depth;
  }
  template <class... Parts>
  void ascend() {
    if (!(extent<Parts>.fixed && ...)) --depth_;
  }

  bool skip_zeros(std::size_t count) {
    if (left() < count) return false;
    for (; count != 0; --count) {
      if (*at_++ != std::byte{0}) return false;
    }
    return true;
  }

  /// Reads a count of things of which each takes so many bytes at least.
  bool read_count(std::uint32_t& count, std::size_t min_bytes) {
    return read(count) && count <= left() / min_bytes;
  }

  template <class T, std::size_t... indices>
  bool read_tuple(T& value, std::index_sequence<indices...>) {
    using std::get;
    return (read(get<indices>(value)) && ...);
  }

  template <class T, std::size_t... indices>
  bool read_alternative(T& value, std::size_t index, std::index_sequence<indices...>) {
    bool done = false;
    static_cast<void>(
        ((index == indices && (done = read(value.template emplace<indices>()), true)) || ...));
    return done;
  }

  template <class T>
  bool read_owned(T& value) {
    using Owned = std::remove_cv_t<typename T::element_type>;
    auto* made = new (std::nothrow) Owned{};
    value.reset(made);
    if (made == nullptr) return out_of_memory_ = true, false;
    if (++depth_ > max_depth || !read(*made)) return false;
    --depth_;
    return true;
  }

  /// Reads up to the elements of a list, all of which are there if they are flat.
  template <class Element>
  bool begin_list(std::uint32_t& count) {
    if (!read_count(count, min_element_bytes<Element>)) return false;
    if (count != 0) {
      const auto at = static_cast<std::size_t>(at_ - begin_);
      if (!skip_zeros(bytes_to_alignment(at, list_alignment<Element>))) return false;
    }
    if constexpr (flat<Element>) {
      if (count > left() / sizeof(Element)) return false;
      if constexpr (is_checked<Element>()) {
        for (std::uint32_t i = 0; i != count; ++i) {
          if (!holds_flat<Element>(at_ + i * sizeof(Element))) return false;
        }
      }
    }
    return true;
  }

  template <class T>
  bool read_view(T& value) {
    using Element = typename T::value_type;
    std::uint32_t count = 0;
    if (!begin_list<Element>(count)) return false;
    // The buffer was filled by memcpy or by the kernel, which makes the elements there.
    value = count == 0 ? T()
                       : T(std::launder(reinterpret_cast<const Element*>(at_)), std::size_t{count});
    at_ += count * sizeof(Element);
    return true;
  }

  template <class T>
  bool read_list(T& value) {
    using Element = typename T::value_type;
    std::uint32_t count = 0;
    if (!begin_list<Element>(count)) return false;
    if (count > value.max_size()) return out_of_memory_ = true, false;
    if constexpr (flat<Element> && Contiguous<T>) {
      value.resize(count);
      if (count != 0) std::memcpy(value.data(), at_, count * sizeof(Element));
      at_ += count * sizeof(Element);
    } else {
      value.resize(count);
      if (count == 0) return true;
      if (!descend<Element>()) return false;
      for (auto&& place : value) {
        if constexpr (std::is_same_v<Element, bool>) {
          bool element = false;  // of which some lists keep just the bit
          if (!read(element)) return false;
          place = element;
        } else {
          if (!read(place)) return false;
        }
        if constexpr (extent<Element>.min == 0) {
          if (!skip_zeros(1)) return false;
        }
      }
      ascend<Element>();
    }
    return true;
  }

  template <class T>
  bool read_map(T& value) {
    using Key = typename T::key_type;
    using Mapped = typename T::mapped_type;
    constexpr Extent entry = extent<Key> + extent<Mapped>;
    std::uint32_t count = 0;
    if (!read_count(count, entry.min == 0 ? 1 : entry.min)) return false;
    value.clear();
    if (count == 0) return true;
    if (!descend<Key, Mapped>()) return false;
    if (count > value.max_size()) return out_of_memory_ = true, false;
    // An odd number, because a power of two would have some libraries look at the low bits alone.
    if constexpr (requires { value.reserve(count); }) value.reserve(count | 1U);
    for (std::uint32_t i = 0; i != count; ++i) {
      Key key{};
      if (!read(key)) return false;
      if constexpr (std::is_floating_point_v<Key>) {
        if (key != key) return false;  // it has no place in an order
      }
      const auto placed = value.try_emplace(std::move(key));
      if (!placed.second || !read(placed.first->second)) return false;
      if constexpr (entry.min == 0) {
        if (!skip_zeros(1)) return false;
      }
      if constexpr (requires { value.bucket_size(value.bucket(placed.first->first)); }) {
        if (value.bucket_size(value.bucket(placed.first->first)) > max_bucket_size) return false;
      }
    }
    ascend<Key, Mapped>();
    return true;
  }

  const std::byte* begin_;
  const std::byte* at_;
  const std::byte* end_;
  std::uint32_t depth_ = 0;
  bool out_of_memory_ = false;
};

}  // namespace strait::detail::structs

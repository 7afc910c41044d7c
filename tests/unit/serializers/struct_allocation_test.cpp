#include <strait/serializers/struct.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <variant>
#include <vector>

#include "support/catch.hpp"
#include "support/struct_messages.hpp"

using strait::Errc;
using strait::StructSerializer;
using namespace strait_test;

namespace {

/// What this thread has asked of the heap, and after how many times there is no more.
struct Heap {
  std::size_t allocations = 0;
  std::size_t largest = 0;
  std::size_t left = SIZE_MAX;
};
thread_local Heap heap;

void* allocate(std::size_t size) noexcept {
  if (heap.left == 0) return nullptr;
  if (heap.left != SIZE_MAX) --heap.left;
  ++heap.allocations;
  if (size > heap.largest) heap.largest = size;
  return std::malloc(size == 0 ? 1 : size);
}

}  // namespace

// None is inlined, or g++ takes the `new` and the `delete` of one object for no pair.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (void* memory = allocate(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new[](std::size_t size) { return operator new(size); }
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return allocate(size);
}
[[gnu::noinline]] void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return allocate(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace struct_allocation_test {

struct Sent {
  std::string text;
  std::vector<std::string> texts;
  std::map<std::string, std::vector<int>> map;
  std::optional<std::string> optional;
  std::variant<int, std::string> variant;
  std::unique_ptr<std::string> owned;
  std::chrono::seconds time{};
};
struct Seen {
  std::uint8_t odd = 0;
  std::string_view text;
  std::span<const std::uint64_t> words;
  std::optional<std::string_view> optional;
  std::array<std::span<const float>, 2> floats;
  std::variant<int, std::string_view> variant;
};
struct Huge {
  std::optional<int> first;
  std::array<int, 10'000> rest{};
};

/// Reads with a heap that ends after 0, 1, 2, ... allocations, until one succeeds; how many failed.
template <class T>
std::size_t failing_reads(std::span<const std::byte> bytes) {
  for (std::size_t failed = 0;; ++failed) {
    std::size_t heard = 0;
    auto listener = [&](const T&) { ++heard; };
    heap.left = failed;
    const std::error_code why = StructSerializer<T>::read(0, bytes, listener).error();
    heap.left = SIZE_MAX;
    if (!why) return heard == 1 ? failed : SIZE_MAX;
    if (why != std::errc::not_enough_memory || heard != 0) return SIZE_MAX;
  }
}

}  // namespace struct_allocation_test

using namespace struct_allocation_test;

TEST_CASE("nothing is allocated to send a struct", "[struct]") {
  using Serializer = StructSerializer<Sent>;
  const std::string text(100, 'x');
  Sent sent{text, {text, text}, {{text, {1, 2}}}, text, text, std::make_unique<std::string>(text),
            {}};
  std::array<std::byte, 4096> out;
  const std::size_t before = heap.allocations;
  const std::size_t size = Serializer::size(sent);
  Serializer::write(sent, out.data());
  CHECK(heap.allocations == before);
  CHECK(size > 700);
}

TEST_CASE("nothing is allocated to receive a struct of views", "[struct]") {
  using Serializer = StructSerializer<Seen>;
  const std::string text(100, 'x');
  const std::vector<std::uint64_t> words(50, 1);
  const float floats[] = {1, 2};
  const auto bytes = encoded<Serializer>(Seen{1, text, words, text, {floats, floats}, text});
  for (std::size_t shift = 0; shift != 8; ++shift) {
    const Placed placed(bytes, shift);
    std::size_t heard = 0;
    auto listener = [&](const Seen& seen) { heard += seen.words.size(); };
    const std::size_t before = heap.allocations;
    const auto read = Serializer::read(0, placed.bytes(), listener);
    CHECK(heap.allocations == before);
    CHECK(read);
    CHECK(heard == 50);
  }
}

TEST_CASE("no allocation is larger than what is there can hold", "[struct]") {
  using T = std::vector<std::vector<std::string>>;
  std::vector<std::byte> bytes(4000, std::byte{0});
  const std::uint32_t count = 900;
  std::memcpy(bytes.data(), &count, sizeof count);
  auto listener = [](const T&) {};
  heap.largest = 0;
  for (std::uint32_t inner = 0; inner < 100'000; inner += 97) {
    std::memcpy(bytes.data() + 4, &inner, sizeof inner);
    static_cast<void>(StructSerializer<T>::read(0, bytes, listener));
  }
  // An empty string or list takes four bytes.
  CHECK(heap.largest <= bytes.size() / 4 * sizeof(std::string));
}

TEST_CASE("a heap that is exhausted is an error, and nothing leaks", "[struct]") {
  const std::string text(100, 'x');
  const Sent sent{
      text, {text, text}, {{text, {1, 2}}}, text, text, std::make_unique<std::string>(text), {}};
  const std::size_t failed = failing_reads<Sent>(encoded<StructSerializer<Sent>>(sent));
  CHECK(failed >= 8);
  CHECK(failed < 100);
  CHECK(failing_reads<Huge>(encoded<StructSerializer<Huge>>(Huge())) == 1);
}

TEST_CASE("what a listener throws is not taken for the reader's", "[struct]") {
  const auto bytes = encoded<StructSerializer<std::string>>(std::string("text"));
  auto listener = [](const std::string&) { throw std::bad_alloc(); };
  CHECK_THROWS_AS(StructSerializer<std::string>::read(0, bytes, listener), std::bad_alloc);
}

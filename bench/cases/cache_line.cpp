#include <atomic>
#include <cstdint>

#include "cases/cases.hpp"
#include "cases/pause.hpp"
#include "cases/word.hpp"
#include "harness/native.hpp"

// What nothing between two cores can beat: a word each way, on a cache line of its own. The word is
// the message, another one each time.

namespace bench {

namespace {

// Two lines each: processors fetch them in pairs.
struct Words {
  alignas(128) std::atomic<std::uint64_t> there;
  alignas(128) std::atomic<std::uint64_t> back;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

class CacheLineLink {
 public:
  CacheLineLink(DescriptorNumber file, bool first) {
    words_ = static_cast<Words*>(map_shared(file, sizeof(Words)));
    in_ = first ? &words_->back : &words_->there;
    out_ = first ? &words_->there : &words_->back;
  }
  CacheLineLink(CacheLineLink&& other) noexcept
      : words_(std::exchange(other.words_, nullptr)), in_(other.in_), out_(other.out_) {}
  CacheLineLink& operator=(CacheLineLink&&) = delete;
  ~CacheLineLink() {
    if (words_ != nullptr) unmap(words_, sizeof(Words));
  }

  void send(std::span<const std::byte> message) noexcept {
    // The word itself is all that is passed on, so it needs no order.
    out_->store(to_word(message), std::memory_order_relaxed);
  }

  void flush() noexcept {}

  template <class Handle>
  std::size_t receive(std::size_t bytes, const Handle& handle) {
    std::uint64_t word;
    spin_until([&] {
      word = in_->load(std::memory_order_relaxed);
      return word != last_;
    });
    last_ = word;
    from_word(word, bytes, handle);
    return 1;
  }

 private:
  Words* words_;
  std::atomic<std::uint64_t>* in_;
  std::atomic<std::uint64_t>* out_;
  std::uint64_t last_ = 0;
};

std::unique_ptr<Endpoint> host(bool, const std::function<void(Invitation)>& invite) {
  Descriptor file = shared_memory(sizeof(Words));
  CacheLineLink link(file.get(), true);
  invite({"", std::move(file)});
  return make_endpoint(std::move(link));
}

std::unique_ptr<Endpoint> join(bool, Invitation invitation) {
  return make_endpoint(CacheLineLink(invitation.descriptor.get(), false));
}

}  // namespace

Case cache_line_case() {
  return {"cache-line",
          "a word each way on a line of its own, spinning",
          host,
          join,
          sizeof(std::uint64_t),
          false};
}

}  // namespace bench

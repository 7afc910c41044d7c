#include <atomic>
#include <cstdint>
#include <cstring>
#include <utility>

#include "cases/cases.hpp"
#include "cases/pause.hpp"
#include "harness/native.hpp"

// The floor for large messages: the sender makes a message where the receiver reads it, and says so
// in a word at which the receiver spins. Each process writes to a buffer of its own.

namespace bench {

namespace {

constexpr std::size_t largest_bytes = std::size_t{64} << 20;

struct Direction {
  alignas(128) std::atomic<std::uint64_t> sent;
  alignas(4096) std::byte bytes[largest_bytes];
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

struct Both {
  Direction there;
  Direction back;
};

class SharedBufferLink {
 public:
  SharedBufferLink(DescriptorNumber file, bool first) {
    both_ = static_cast<Both*>(map_shared(file, sizeof(Both)));
    in_ = first ? &both_->back : &both_->there;
    out_ = first ? &both_->there : &both_->back;
  }
  SharedBufferLink(SharedBufferLink&& other) noexcept
      : both_(std::exchange(other.both_, nullptr)), in_(other.in_), out_(other.out_) {}
  SharedBufferLink& operator=(SharedBufferLink&&) = delete;
  ~SharedBufferLink() {
    if (both_ != nullptr) unmap(both_, sizeof(Both));
  }

  template <class Make>
  void send_made(std::size_t bytes, const Make& make) {
    make(std::span(out_->bytes, bytes));
    // Pairs with the receiver's acquire: the bytes are there before the number is.
    out_->sent.store(++sent_, std::memory_order_release);
  }
  void send(std::span<const std::byte> message) {
    send_made(message.size(), [&](std::span<std::byte> room) {
      std::memcpy(room.data(), message.data(), message.size());
    });
  }
  void flush() noexcept {}

  template <class Handle>
  std::size_t receive(std::size_t bytes, const Handle& handle) {
    ++received_;
    spin_until([&] { return in_->sent.load(std::memory_order_acquire) == received_; });
    handle(std::span<const std::byte>(in_->bytes, bytes));
    return 1;
  }

 private:
  Both* both_;
  Direction* in_;
  Direction* out_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
};

std::unique_ptr<Endpoint> host(bool, const std::function<void(Invitation)>& invite) {
  Descriptor file = shared_memory(sizeof(Both));
  SharedBufferLink link(file.get(), true);
  invite({"", std::move(file)});
  return make_endpoint(std::move(link));
}

std::unique_ptr<Endpoint> join(bool, Invitation invitation) {
  return make_endpoint(SharedBufferLink(invitation.descriptor.get(), false));
}

}  // namespace

Case shared_buffer_case() {
  return {"shared-buffer",
          "made and read in one shared buffer, spinning: the floor for large messages",
          host,
          join,
          largest_bytes,
          false};
}

}  // namespace bench

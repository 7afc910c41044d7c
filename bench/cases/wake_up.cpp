#include <fcntl.h>
#include <linux/futex.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>

#include "cases/byte_stream.hpp"
#include "cases/cases.hpp"
#include "cases/word.hpp"

// What it costs at the least to wake another process, by each means the system has for it. One
// message at a time: none of these but the socket and the pipe has room for a second.

namespace bench {

namespace {

/// One direction of shared memory for one message: a word that says which message it is, alone on
/// its line, and the message on the next.
struct Slot {
  alignas(64) std::atomic<std::uint32_t> number;
  alignas(64) std::array<std::byte, 64> message;
};
static_assert(std::atomic<std::uint32_t>::is_always_lock_free && sizeof(Slot) == 128);

class SlotPair {
 public:
  explicit SlotPair(int file) {
    void* const memory = ::mmap(nullptr, 2 * sizeof(Slot), PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_POPULATE, file, 0);
    if (memory == MAP_FAILED) throw_errno("mmap");
    slots_ = static_cast<Slot*>(memory);
  }
  SlotPair(SlotPair&& other) noexcept : slots_(std::exchange(other.slots_, nullptr)) {}
  SlotPair& operator=(SlotPair&&) = delete;
  ~SlotPair() {
    if (slots_ != nullptr) ::munmap(slots_, 2 * sizeof(Slot));
  }

  Slot& operator[](std::size_t i) const noexcept { return slots_[i]; }

 private:
  Slot* slots_;
};

/// Sleeps at once, and wakes the other always: nothing tells whether it sleeps.
class FutexLink {
 public:
  FutexLink(SlotPair slots, std::size_t in)
      : slots_(std::move(slots)), in_(&slots_[in]), out_(&slots_[1 - in]) {}

  void send(std::span<const std::byte> message) {
    std::memcpy(out_->message.data(), message.data(),
                std::min(message.size(), out_->message.size()));
    // Pairs with the receiver's acquire: the message comes first.
    out_->number.store(++sent_, std::memory_order_release);
    if (futex(*out_, FUTEX_WAKE, 1) < 0) throw_errno("futex");
  }

  void flush() noexcept {}

  template <class Handle>
  std::size_t receive(std::size_t bytes, const Handle& handle) {
    while (in_->number.load(std::memory_order_acquire) == received_) {
      if (futex(*in_, FUTEX_WAIT, received_) < 0 && errno != EAGAIN && errno != EINTR) {
        throw_errno("futex");
      }
    }
    ++received_;
    std::array<std::byte, sizeof in_->message> landing;
    const std::size_t size = std::min(bytes, landing.size());
    std::memcpy(landing.data(), in_->message.data(), size);
    handle(std::span<const std::byte>(landing.data(), size));
    return 1;
  }

 private:
  static long futex(Slot& slot, int operation, std::uint32_t value) noexcept {
    return ::syscall(SYS_futex, &slot.number, operation, value, nullptr, nullptr, 0);
  }

  SlotPair slots_;
  Slot* in_;
  Slot* out_;
  std::uint32_t sent_ = 0;
  std::uint32_t received_ = 0;
};

std::unique_ptr<Endpoint> host_futex(bool, const std::function<void(Invitation)>& invite) {
  Descriptor file(::memfd_create("strait_bench futex", MFD_CLOEXEC));
  if (!file) throw_errno("memfd_create");
  if (::ftruncate(file.get(), 2 * sizeof(Slot)) != 0) throw_errno("ftruncate");
  SlotPair slots(file.get());
  invite({"", std::move(file)});
  return make_endpoint(FutexLink(std::move(slots), 0));
}

std::unique_ptr<Endpoint> join_futex(bool, Invitation invitation) {
  return make_endpoint(FutexLink(SlotPair(invitation.descriptor.get()), 1));
}

/// The message is the counter's value; zero would wake nobody.
class EventLink {
 public:
  EventLink(Descriptor in, Descriptor out) : in_(std::move(in)), out_(std::move(out)) {}

  void send(std::span<const std::byte> message) {
    const std::uint64_t value = to_word(message);
    while (::write(out_.get(), &value, sizeof value) < 0) {
      if (errno != EINTR) throw_errno("eventfd");
    }
  }

  void flush() noexcept {}

  template <class Handle>
  std::size_t receive(std::size_t bytes, const Handle& handle) {
    std::uint64_t value;
    while (::read(in_.get(), &value, sizeof value) < 0) {
      if (errno != EINTR) throw_errno("eventfd");
    }
    from_word(value, bytes, handle);
    return 1;
  }

 private:
  Descriptor in_;
  Descriptor out_;
};

std::unique_ptr<Endpoint> host_event(bool, const std::function<void(Invitation)>& invite) {
  Descriptor there(::eventfd(0, EFD_CLOEXEC));
  Descriptor back(::eventfd(0, EFD_CLOEXEC));
  if (!there || !back) throw_errno("eventfd");
  // Both sides need both.
  Descriptor my_there(::fcntl(there.get(), F_DUPFD_CLOEXEC, 0));
  Descriptor my_back(::fcntl(back.get(), F_DUPFD_CLOEXEC, 0));
  if (!my_there || !my_back) throw_errno("fcntl");
  invite({"", std::move(there), std::move(back)});
  return make_endpoint(EventLink(std::move(my_back), std::move(my_there)));
}

std::unique_ptr<Endpoint> join_event(bool, Invitation invitation) {
  return make_endpoint(
      EventLink(std::move(invitation.descriptor), std::move(invitation.second_descriptor)));
}

struct Pipe {
  Descriptor in;
  Descriptor out;
};

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("pipe2");
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

std::unique_ptr<Endpoint> host_pipe(bool, const std::function<void(Invitation)>& invite) {
  Pipe there = make_pipe();
  Pipe back = make_pipe();
  invite({"", std::move(there.in), std::move(back.out)});
  return make_endpoint(ByteStreamLink(std::move(back.in), std::move(there.out)));
}

std::unique_ptr<Endpoint> join_pipe(bool, Invitation invitation) {
  return make_endpoint(
      ByteStreamLink(std::move(invitation.descriptor), std::move(invitation.second_descriptor)));
}

// Small messages arrive in one read, so the byte stream's reads and writes do for packets as well.
std::unique_ptr<Endpoint> host_packets(bool, const std::function<void(Invitation)>& invite) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) throw_errno("socketpair");
  Descriptor mine(ends[0]);
  invite({"", Descriptor(ends[1])});
  return make_endpoint(ByteStreamLink(std::move(mine)));
}

std::unique_ptr<Endpoint> join_packets(bool, Invitation invitation) {
  return make_endpoint(ByteStreamLink(std::move(invitation.descriptor)));
}

}  // namespace

Case futex_case() {
  return {"futex",
          "a futex in shared memory, sleeping at once",
          host_futex,
          join_futex,
          sizeof(Slot::message),
          false};
}

Case eventfd_case() {
  return {"eventfd",
          "an eventfd each way, the message is its value",
          host_event,
          join_event,
          sizeof(std::uint64_t),
          false};
}

Case bare_pipe_case() {
  return {"bare-pipe", "two anonymous pipes, bare blocking read and write", host_pipe, join_pipe};
}

Case unix_seqpacket_case() {
  return {"unix-seqpacket", "a Unix packet socket, bare blocking read and write", host_packets,
          join_packets, 64 * 1024};
}

}  // namespace bench

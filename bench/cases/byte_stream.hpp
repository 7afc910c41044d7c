#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <utility>

#include "cases/landing.hpp"
#include "harness/descriptor.hpp"
#include "harness/system_error.hpp"

namespace bench {

/// Blocking reads and writes on descriptors, with no framing: both sides know each message's size.
class ByteStreamLink {
 public:
  ByteStreamLink(Descriptor in, Descriptor out) : in_(std::move(in)), out_(std::move(out)) {}
  explicit ByteStreamLink(Descriptor both) : in_(std::move(both)) {}

  void send(std::span<const std::byte> message) {
    const int descriptor = out_ ? out_.get() : in_.get();
    while (!message.empty()) {
      const ssize_t written = ::write(descriptor, message.data(), message.size());
      if (written < 0) {
        if (errno == EINTR) continue;
        throw_errno("write");
      }
      message = message.subspan(static_cast<std::size_t>(written));
    }
  }

  void flush() noexcept {}

  template <class Handle>
  std::size_t receive(std::size_t bytes, const Handle& handle) {
    std::byte* const data = landing_.room_for(bytes);
    for (std::size_t done = 0; done < bytes;) {
      const ssize_t got = ::read(in_.get(), data + done, bytes - done);
      if (got < 0) {
        if (errno == EINTR) continue;
        throw_errno("read");
      }
      if (got == 0) throw std::runtime_error("the other process has closed its end");
      done += static_cast<std::size_t>(got);
    }
    handle(std::span<const std::byte>(data, bytes));
    return 1;
  }

 private:
  Descriptor in_;
  Descriptor out_;
  Landing landing_;
};

}  // namespace bench

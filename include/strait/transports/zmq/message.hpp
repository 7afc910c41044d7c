#pragma once

#include <zmq.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "strait/os/posix/error.hpp"
#include "strait/os/posix/owner_process.hpp"
#include "strait/result.hpp"

namespace strait::detail {

/// What the last call of libzmq failed with. `would_block` is `EAGAIN`.
inline std::error_code zmq_failure() {
  const int code = ::zmq_errno();
  if (code == EAGAIN) return make_error_code(Errc::would_block);
  return {code, std::system_category()};
}

/// A message of libzmq's.
class ZmqMessage {
 public:
  ZmqMessage() { ::zmq_msg_init(&message_); }
  /// Of so many bytes, to be written; `data()` is null when there is no memory.
  explicit ZmqMessage(std::size_t bytes) {
    if (::zmq_msg_init_size(&message_, bytes) != 0) ::zmq_msg_init(&message_);
  }
  ZmqMessage(ZmqMessage&& other) noexcept : ZmqMessage() {
    ::zmq_msg_move(&message_, &other.message_);
  }
  ZmqMessage& operator=(ZmqMessage&& other) noexcept {
    ::zmq_msg_move(&message_, &other.message_);
    return *this;
  }
  ~ZmqMessage() { ::zmq_msg_close(&message_); }

  zmq_msg_t* get() { return &message_; }
  std::byte* data() { return static_cast<std::byte*>(::zmq_msg_data(&message_)); }
  std::size_t size() const { return ::zmq_msg_size(&message_); }
  std::span<const std::byte> bytes() { return {data(), size()}; }
  std::string_view text() { return {reinterpret_cast<const char*>(data()), size()}; }
  bool more() const { return ::zmq_msg_more(&message_) != 0; }

 private:
  zmq_msg_t message_;
};

/// One of libzmq's sockets, which is closed in the process that made it alone: a forked process has
/// none of the threads that would do it.
class ZmqSocket {
 public:
  ZmqSocket() = default;
  static Result<ZmqSocket> create(void* context, int type) {
    ZmqSocket socket;
    socket.handle_ = ::zmq_socket(context, type);
    if (socket.handle_ == nullptr) return zmq_failure();
    return socket;
  }
  ZmqSocket(ZmqSocket&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)), owner_(other.owner_) {}
  ZmqSocket& operator=(ZmqSocket&& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(owner_, other.owner_);
    return *this;
  }
  ~ZmqSocket() { close(); }

  void close() {
    if (handle_ != nullptr && owner_.is_this()) ::zmq_close(handle_);
    handle_ = nullptr;
  }

  explicit operator bool() const { return handle_ != nullptr; }
  void* get() const { return handle_; }

  Result<void> set(int option, const void* value, std::size_t bytes) {
    if (::zmq_setsockopt(handle_, option, value, bytes) != 0) return zmq_failure();
    return {};
  }
  Result<void> set(int option, int value) { return set(option, &value, sizeof value); }

  /// Readable when `events` may have changed: an edge, not a level. Every call that sends, receives
  /// or asks for events may take it back, so `events` has to be asked before each wait.
  int descriptor() const {
    int fd = -1;
    std::size_t size = sizeof fd;
    ::zmq_getsockopt(handle_, ZMQ_FD, &fd, &size);
    return fd;
  }
  int events() const {
    int events = 0;
    std::size_t size = sizeof events;
    while (::zmq_getsockopt(handle_, ZMQ_EVENTS, &events, &size) != 0) {
      if (::zmq_errno() != EINTR) return 0;
    }
    return events;
  }

  /// Where it listens, with the port that the system chose, or connects to.
  std::string endpoint() const {
    std::string text(256, '\0');
    std::size_t size = text.size();
    if (::zmq_getsockopt(handle_, ZMQ_LAST_ENDPOINT, text.data(), &size) != 0) return {};
    text.resize(size == 0 ? 0 : size - 1);
    return text;
  }

  /// Errors: `would_block`, that of the system.
  Result<void> receive(ZmqMessage& message) {
    while (::zmq_msg_recv(message.get(), handle_, ZMQ_DONTWAIT) < 0) {
      if (::zmq_errno() != EINTR) return zmq_failure();
    }
    return {};
  }
  /// Ownership: the message's bytes are gone exactly when this succeeds.
  Result<void> send(ZmqMessage& message, int flags = 0) {
    while (::zmq_msg_send(message.get(), handle_, flags | ZMQ_DONTWAIT) < 0) {
      if (::zmq_errno() != EINTR) return zmq_failure();
    }
    return {};
  }
  Result<void> send(std::string_view bytes, int flags) {
    while (::zmq_send(handle_, bytes.data(), bytes.size(), flags | ZMQ_DONTWAIT) < 0) {
      if (::zmq_errno() != EINTR) return zmq_failure();
    }
    return {};
  }

 private:
  void* handle_ = nullptr;
  os::OwnerProcess owner_;
};

}  // namespace strait::detail

#include "harness/control.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "harness/native.hpp"
#include "harness/system_error.hpp"

namespace bench {

namespace {

union ControlBuffer {
  cmsghdr header;
  char bytes[CMSG_SPACE(2 * sizeof(int))];
};

}  // namespace

void send_message(int socket, const void* head, std::size_t head_bytes, const std::string& text,
                  const TwoDescriptors& descriptors) {
  if (text.size() > max_text_bytes) throw std::length_error("control message");
  iovec pieces[2] = {{const_cast<void*>(head), head_bytes},
                     {const_cast<char*>(text.data()), text.size()}};
  msghdr message = {};
  message.msg_iov = pieces;
  message.msg_iovlen = 2;
  ControlBuffer control = {};
  int numbers[2];
  std::size_t count = 0;
  for (const Descriptor& one : descriptors) {
    if (one) numbers[count++] = one.get();
  }
  if (count > 0) {
    const std::size_t bytes = count * sizeof numbers[0];
    message.msg_control = &control;
    // Another type on every system.
    message.msg_controllen = static_cast<decltype(message.msg_controllen)>(CMSG_SPACE(bytes));
    cmsghdr* const rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = static_cast<decltype(rights->cmsg_len)>(CMSG_LEN(bytes));
    std::memcpy(CMSG_DATA(rights), numbers, bytes);
  }
  ssize_t sent;
  do {
    sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) throw_errno("control socket");
}

bool receive_message(int socket, void* head, std::size_t head_bytes, std::string& text,
                     TwoDescriptors& descriptors) {
  text.resize(max_text_bytes);
  iovec pieces[2] = {{head, head_bytes}, {text.data(), text.size()}};
  msghdr message = {};
  message.msg_iov = pieces;
  message.msg_iovlen = 2;
  ControlBuffer control = {};
  message.msg_control = &control;
  message.msg_controllen = sizeof control.bytes;
  ssize_t received;
  do {
    received = receive_message(socket, message);
  } while (received < 0 && errno == EINTR);
  if (received < 0 && errno != ECONNRESET) throw_errno("control socket");
  if (received <= 0) return false;
  if (static_cast<std::size_t>(received) < head_bytes) {
    throw std::runtime_error("control socket: a cut message");
  }
  text.resize(static_cast<std::size_t>(received) - head_bytes);
  const cmsghdr* const rights = CMSG_FIRSTHDR(&message);
  if (rights != nullptr && rights->cmsg_type == SCM_RIGHTS) {
    const std::size_t count = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count && i < descriptors.size(); ++i) {
      int number;
      std::memcpy(&number, CMSG_DATA(rights) + i * sizeof number, sizeof number);
      descriptors[i] = Descriptor(number);
    }
  }
  return true;
}

}  // namespace bench

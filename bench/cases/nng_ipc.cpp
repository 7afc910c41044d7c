#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>

#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "cases/cases.hpp"
#include "harness/guard.hpp"

namespace bench {

namespace {

void check(int error, const char* what) {
  if (error != 0) throw std::runtime_error(std::string(what) + ": " + nng_strerror(error));
}

class NngLink {
 public:
  NngLink() {
    check(nng_pair0_open(&socket_), "nng_pair0_open");
    open_ = true;
    // No limit, which would be 1 MiB.
    check(nng_socket_set_size(socket_, NNG_OPT_RECVMAXSZ, 0), NNG_OPT_RECVMAXSZ);
    // Messages that each side queues, so that a sender can run ahead.
    constexpr int queued_messages = 128;
    check(nng_socket_set_int(socket_, NNG_OPT_SENDBUF, queued_messages), NNG_OPT_SENDBUF);
    check(nng_socket_set_int(socket_, NNG_OPT_RECVBUF, queued_messages), NNG_OPT_RECVBUF);
  }
  NngLink(NngLink&& other) noexcept
      : socket_(other.socket_), open_(std::exchange(other.open_, false)) {}
  NngLink& operator=(NngLink&&) = delete;
  ~NngLink() {
    if (open_) nng_close(socket_);
  }

  void listen(const std::string& url) {
    check(nng_listen(socket_, url.c_str(), nullptr, 0), "nng_listen");
  }
  void dial(const std::string& url) {
    check(nng_dial(socket_, url.c_str(), nullptr, 0), "nng_dial");
  }

  /// For the first message alone: later ones are the guard's.
  void receive_within(nng_duration milliseconds) {
    check(nng_socket_set_ms(socket_, NNG_OPT_RECVTIMEO, milliseconds), NNG_OPT_RECVTIMEO);
    receive(1, [](std::span<const std::byte>) {});
    check(nng_socket_set_ms(socket_, NNG_OPT_RECVTIMEO, NNG_DURATION_INFINITE), NNG_OPT_RECVTIMEO);
  }

  // One copy, into a message of the library's. `nng_send` makes one of these, too, and with
  // NNG_FLAG_ALLOC copies once more into it.
  void send(std::span<const std::byte> bytes) {
    nng_msg* message = nullptr;
    check(nng_msg_alloc(&message, bytes.size()), "nng_msg_alloc");
    std::memcpy(nng_msg_body(message), bytes.data(), bytes.size());
    if (const int error = nng_sendmsg(socket_, message, 0); error != 0) {
      nng_msg_free(message);
      check(error, "nng_sendmsg");
    }
  }

  void flush() noexcept {}

  // Looked at where the library put it.
  template <class Handle>
  std::size_t receive(std::size_t, const Handle& handle) {
    nng_msg* received = nullptr;
    check(nng_recvmsg(socket_, &received, 0), "nng_recvmsg");
    const std::unique_ptr<nng_msg, FreeMessage> message(received);
    handle(std::span<const std::byte>(static_cast<const std::byte*>(nng_msg_body(received)),
                                      nng_msg_len(received)));
    return 1;
  }

 private:
  struct FreeMessage {
    void operator()(nng_msg* message) const noexcept { nng_msg_free(message); }
  };

  nng_socket socket_ = NNG_SOCKET_INITIALIZER;
  bool open_ = false;
};

std::unique_ptr<Endpoint> host(bool, const std::function<void(Invitation)>& invite) {
  guard::PrivateDirectory directory;
  const std::string url = "ipc://" + directory.path_for("nng");
  NngLink link;
  link.listen(url);
  invite({url, {}});
  link.receive_within(10'000);
  return make_endpoint(std::move(link));
}

std::unique_ptr<Endpoint> join(bool, Invitation invitation) {
  NngLink link;
  link.dial(invitation.text);
  constexpr std::byte joined[1] = {};
  link.send(joined);
  return make_endpoint(std::move(link));
}

}  // namespace

Case nng_ipc_case() { return {"nng-ipc", "nng, a pair0 over ipc://", host, join}; }

}  // namespace bench

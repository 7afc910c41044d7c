#pragma once

// A peer over ZeroMQ that has the keys and breaks the rules, and what it costs this process.

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>

#include "adapters/zmq_links.hpp"
#include "support/catch.hpp"

namespace strait_test {

/// Sanitizers keep what was freed for a while.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool counts_memory = false;
#elif defined(__has_feature)
inline constexpr bool counts_memory =
    !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
inline constexpr bool counts_memory = true;
#endif

inline std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t pages = 0;
  statm >> pages >> pages;
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// A client that speaks ZeroMQ as it likes, with the keys of a token.
class RawClient {
 public:
  RawClient(const std::string& endpoint, const strait::Token& token)
      : context_(strait::detail::ZmqContext::get().value()),
        socket_(strait::detail::ZmqSocket::create(context_->get_raw(), ZMQ_DEALER).value()) {
    const auto pair = strait::KeyPair::from_token(token).value();
    const auto key = strait::detail::key_text(pair.public_key().bytes.data());
    const auto secret = pair.secret_text();
    REQUIRE(socket_.set(ZMQ_CURVE_SERVERKEY, key.data(), key.size()));
    REQUIRE(socket_.set(ZMQ_CURVE_PUBLICKEY, key.data(), key.size()));
    REQUIRE(socket_.set(ZMQ_CURVE_SECRETKEY, secret.data(), secret.size()));
    REQUIRE(socket_.set(ZMQ_LINGER, 0));
    REQUIRE(socket_.set(ZMQ_SNDHWM, 0));
    REQUIRE(::zmq_connect(socket_.get(), endpoint.c_str()) == 0);
  }

  void send(std::string_view bytes, int flags = 0) { REQUIRE(socket_.send(bytes, flags)); }

  void send(strait::detail::ZmqKind kind, std::string_view bytes, std::uint32_t credit = 0) {
    const strait::detail::ZmqHeader header{kind, credit, next_++};
    std::string message(reinterpret_cast<const char*>(&header), sizeof header);
    send(message.append(bytes));
  }
  /// A Hello as it should be for this type of channel.
  template <class Link = ZmqCountLink>
  void hello(const strait::Token& token) {
    const auto terms = Link::terms(token);
    const auto hello = strait::detail::encode_hello(terms.schema.hash, terms.token, terms.options,
                                                    terms.schema.digests);
    send(strait::detail::ZmqKind::hello,
         {reinterpret_cast<const char*>(hello.bytes().data()), hello.bytes().size()});
  }
  /// Says that it is still there if the server has asked.
  void answer_if_asked() {
    constexpr std::string_view asked("\x07\0hz", 4);
    if (receive().starts_with(asked)) send(strait::detail::ZmqKind::answer, {});
  }
  void skip_a_number() { ++next_; }

  /// The next message that has come; empty when there is none.
  std::string receive() {
    strait::detail::ZmqMessage message;
    return socket_.receive(message) ? std::string(message.text()) : std::string();
  }

 private:
  std::shared_ptr<strait::detail::ZmqContext> context_;
  strait::detail::ZmqSocket socket_;
  std::uint64_t next_ = 0;
};

}  // namespace strait_test

// How do I send types that no serializer of strait's knows? By one of your own: here a struct with
// strings becomes two lengths and the characters.
#include <strait/strait.hpp>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
struct Request {
  std::string path;
  std::string user;
};
/// What the listener gets: views into the message, which end with the call.
struct RequestView {
  std::string_view path;
  std::string_view user;
};
struct RequestSerializer {
  // Any number, as long as another one stands for another format.
  static constexpr std::uint64_t schema_hash = 0x5265'7175'6573'7401;
  template <class Message>
  static constexpr bool accepts = std::same_as<Message, Request>;

  static std::uint16_t tag(const Request&) { return 0; }
  static std::size_t size(const Request& request) {
    return sizeof(std::uint32_t) + request.path.size() + request.user.size();
  }
  static void write(const Request& request, std::byte* out) {
    const auto path_bytes = static_cast<std::uint32_t>(request.path.size());
    std::memcpy(out, &path_bytes, sizeof path_bytes);
    std::memcpy(out + sizeof path_bytes, request.path.data(), path_bytes);
    std::memcpy(out + sizeof path_bytes + path_bytes, request.user.data(), request.user.size());
  }
  /// The bytes may be anything that a hostile peer makes up.
  template <class Listener>
  static strait::Result<void> read(std::uint16_t tag, std::span<const std::byte> bytes,
                                   Listener& listener) {
    std::uint32_t path_bytes;
    if (tag != 0 || bytes.size() < sizeof path_bytes) return strait::Errc::malformed;
    std::memcpy(&path_bytes, bytes.data(), sizeof path_bytes);
    const auto* text = reinterpret_cast<const char*>(bytes.data()) + sizeof path_bytes;
    const std::string_view all(text, bytes.size() - sizeof path_bytes);
    if (path_bytes > all.size()) return strait::Errc::malformed;
    listener(RequestView{all.substr(0, path_bytes), all.substr(path_bytes)});
    return {};
  }
};

int main() {
  using Link = strait::Channel<strait::SocketTransport, RequestSerializer>;
  auto [client, server] = Link::pair().value();
  client.send(Request{"/etc/motd", "ada"}).value();
  const auto print = [](const RequestView& request) {
    std::printf("%.*s asks for %.*s\n", static_cast<int>(request.user.size()), request.user.data(),
                static_cast<int>(request.path.size()), request.path.data());
  };
  return server.wait(print, std::chrono::seconds{5}).value() == 1 ? 0 : 1;
}

// A broker introduces two clients to each other: each gets one end of a new channel, and from then
// on they talk without the broker.

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <optional>
#include <span>
#include <strait/strait.hpp>
#include <string>

using namespace std::chrono_literals;
using Bytes = std::span<const std::byte>;
using Link = strait::Channel<strait::SocketTransport, strait::RawSerializer>;

Bytes bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

int client(const std::string& name, const strait::Token& token) {
  auto broker = Link::connect(name, token, 5s).value();
  std::optional<Link> other;
  const auto introduce = [&](Bytes, strait::Rights rights) { other = rights.take<Link>().value(); };
  broker.wait(introduce, 5s).value();
  broker.close();

  if (!other || !other->send(bytes_of("hello from " + name))) return 1;
  const auto heard = other->wait(
      [&](Bytes bytes) {
        std::printf("%s hears: %.*s\n", name.c_str(), static_cast<int>(bytes.size()),
                    reinterpret_cast<const char*>(bytes.data()));
      },
      5s);
  return heard.value_or(0) == 1 ? 0 : 1;
}

int main() {
  const std::string names[] = {"anna-" + std::to_string(::getpid()),
                               "bert-" + std::to_string(::getpid())};
  const auto token = strait::Token::generate().value();
  for (const auto& name : names) {
    if (::fork() == 0) return client(name, token);
  }

  auto [left, right] = Link::pair().value();
  for (int i = 0; i != 2; ++i) {
    auto link = Link::listen(names[i], token).value();
    strait::Rights rights;
    rights.add(std::move(i == 0 ? left : right)).value();
    link.send(bytes_of("meet each other"), std::move(rights)).value();
    link.flush(5s).value();
  }

  int failed = 0;
  for (int status = 0; ::wait(&status) > 0;) failed += status != 0 ? 1 : 0;
  return failed;
}

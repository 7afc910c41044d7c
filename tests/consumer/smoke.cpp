// One conversation over each transport, for compilers, modes and processors for which the suites
// would take too long.
//
//   smoke                    with a child made by fork()
//   smoke PROGRAM [ARGS]     with another build of this program, started as PROGRAM [ARGS] client ..
//   smoke refused PROGRAM    one of another word size, of which structures that are laid out in
//                            another way have to be refused

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bit>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <strait/caller.hpp>
#include <strait/serializers/struct.hpp>
#include <strait/strait.hpp>

namespace {

using namespace std::chrono_literals;

// Its layout is the same for each word size.
struct Fixed {
  std::uint64_t id;
  std::uint32_t low;
  std::int32_t high;
};
// As long as a word.
struct Unlike {
  long number;
};
struct Varying {
  std::string name;
  std::vector<std::uint64_t> numbers;
  double ratio;
};

template <class TransportT>
using Link = strait::Channel<TransportT, strait::TrivialSerializer<Fixed>>;
using UnlikeLink = strait::Channel<strait::MachTransport<>, strait::TrivialSerializer<Unlike>>;
template <class TransportT>
using StructLink = strait::Channel<TransportT, strait::StructSerializer<Varying>>;

// The last ones of those that vary travel out of line, where large messages do.
template <class Message>
Message make(std::uint64_t id);
template <>
Fixed make(std::uint64_t id) {
  return {id << 33 | id, static_cast<std::uint32_t>(id), -static_cast<std::int32_t>(id)};
}
template <>
Varying make(std::uint64_t id) {
  return {"number " + std::to_string(id),
          std::vector<std::uint64_t>(static_cast<std::size_t>(id) * 1000, id << 40), 0.5};
}

bool is_same(const Fixed& a, const Fixed& b) {
  return a.id == b.id && a.low == b.low && a.high == b.high;
}
bool is_same(const Varying& a, const Varying& b) {
  return a.name == b.name && a.numbers == b.numbers &&
         std::bit_cast<std::uint64_t>(a.ratio) == std::bit_cast<std::uint64_t>(b.ratio);
}

[[noreturn]] void fail(const char* kind, const std::string& what) {
  std::fprintf(stderr, "%s, %zu-bit: %s\n", kind, 8 * sizeof(void*), what.c_str());
  std::_Exit(1);
}

template <class ChannelT, class Message>
void serve(const char* kind, const std::string& name, const strait::Token& token) {
  auto link = ChannelT::listen(name, token);
  if (!link) fail(kind, "the server: " + link.error().message());
  const auto end = link->run([&](const Message& message) { link->send(message).value(); });
  if (end.error() != strait::Errc::peer_closed) {
    fail(kind, "the server: " + end.error().message());
  }
}

template <class ChannelT, class Message>
void ask(const char* kind, const std::string& name, const strait::Token& token) {
  auto link = ChannelT::connect(name, token, 20s);
  if (!link) fail(kind, "the client: " + link.error().message());
  for (std::uint64_t id = 0; id != 20; ++id) {
    if (auto sent = link->send(make<Message>(id)); !sent) {
      fail(kind, "the client: " + sent.error().message());
    }
    bool answered = false;
    while (!answered) {
      const auto got = link->wait(
          [&](const Message& message) {
            if (!is_same(message, make<Message>(id)))
              fail(kind, "message " + std::to_string(id) + " has changed");
            answered = true;
          },
          20s);
      if (!got) fail(kind, "the client: " + got.error().message());
    }
  }
}

struct Kind {
  const char* name;
  void (*serve)(const char*, const std::string&, const strait::Token&);
  void (*ask)(const char*, const std::string&, const strait::Token&);
};

template <class TransportT>
constexpr Kind fixed(const char* name) {
  return {name, &serve<Link<TransportT>, Fixed>, &ask<Link<TransportT>, Fixed>};
}
template <class TransportT>
constexpr Kind varying(const char* name) {
  return {name, &serve<StructLink<TransportT>, Varying>, &ask<StructLink<TransportT>, Varying>};
}

constexpr Kind kinds[] = {
    fixed<strait::MachTransport<>>("mach"),
    varying<strait::MachTransport<strait::OolThreshold<65536>>>("mach, copy-on-write"),
    varying<strait::MachTransport<strait::OolThreshold<65536, strait::Loan>>>("mach, loans"),
    varying<strait::SocketTransport>("socket"),
    fixed<strait::PipeTransport>("pipe"),
};

int run_client(const char* kind, const char* name, const char* hex) {
  const auto token = strait::Token::from_hex(hex).value();
  if (std::strcmp(kind, "unlike") == 0) {
    const auto link = UnlikeLink::connect(name, token, 20s);
    if (link.error() == strait::Errc::schema_mismatch) return 3;
    fail(kind, "the client: " + (link ? "it was let in" : link.error().message()));
  }
  for (const Kind& known : kinds) {
    if (std::strcmp(known.name, kind) == 0) {
      known.ask(kind, name, token);
      return 0;
    }
  }
  fail(kind, "no such kind");
}

// Starts a client: the other program, or without one a copy of this process.
pid_t start_client(char** program, const char* kind, const std::string& name,
                   const strait::Token& token) {
  const std::string hex = token.to_hex();
  const pid_t child = ::fork();
  if (child != 0) return child;
  if (*program == nullptr) std::_Exit(run_client(kind, name.c_str(), hex.c_str()));
  std::vector<const char*> command;
  while (*program != nullptr) command.push_back(*program++);
  for (const char* argument : {"client", kind, name.c_str(), hex.c_str()}) {
    command.push_back(argument);
  }
  command.push_back(nullptr);
  ::execvp(command[0], const_cast<char* const*>(command.data()));
  fail(kind, "could not start the other program");
}

int status_of(pid_t child) {
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

// The server goes on waiting for another client.
int check_refusal(char** program, const std::string& name, const strait::Token& token) {
  const pid_t server = ::fork();
  if (server == 0) {
    auto link = UnlikeLink::listen(name, token).value();
    static_cast<void>(link.run([](const Unlike&) {}));
    std::_Exit(1);
  }
  const int status = status_of(start_client(program, "unlike", name, token));
  ::kill(server, SIGKILL);
  ::waitpid(server, nullptr, 0);
  if (status != 3) fail("unlike", "structures of another layout were not refused");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  ::alarm(120);
  if (argc > 4 && std::strcmp(argv[argc - 4], "client") == 0) {
    return run_client(argv[argc - 3], argv[argc - 2], argv[argc - 1]);
  }
  const auto token = strait::Token::generate().value();
  const std::string name = "smoke-" + std::to_string(::getpid()) + "-";
  if (argc > 2 && std::strcmp(argv[1], "refused") == 0) return check_refusal(argv + 2, name, token);
  for (const Kind& kind : kinds) {
    const std::string own_name = name + std::to_string(&kind - kinds);
    const pid_t child = start_client(argv + 1, kind.name, own_name, token);
    kind.serve(kind.name, own_name, token);
    if (status_of(child) != 0) fail(kind.name, "the client failed");
  }
  std::printf("%zu-bit: %zu transports\n", 8 * sizeof(void*), std::size(kinds));
}

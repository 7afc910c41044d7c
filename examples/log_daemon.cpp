// A logging daemon, complete. Programs find it by a path and share a token in a file with it. It
// writes what they log to a file, and begins a new one when that has its size. A program that logs
// faster than the daemon writes loses entries, which the log tells, and never waits.

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <strait/serializers/struct.hpp>
#include <strait/strait.hpp>
#include <string>
#include <system_error>
#include <utility>

using namespace std::chrono_literals;
struct Entry {
  std::uint8_t severity;
  std::uint32_t lost;  // entries before this one
  std::string text;
};
struct Sync {};  // and back, when all before it is written
using Link = strait::Channel<strait::SocketTransport, strait::StructSerializer<Entry, Sync>,
                             strait::ChannelOptions{.max_queued_bytes = 16 << 10}>;
using Server = strait::Acceptor<Link, strait::AcceptorOptions{.max_clients = 100}>;
constexpr int programs = 3, entries = 2000;

/// What a program logs with.
class Log {
 public:
  explicit Log(const std::string& home)
      : link_(Link::connect(home + "/log.socket",
                            strait::Token::load_or_create(home + "/token").value(), 5s)
                  .value()) {}

  void write(std::uint8_t severity, std::string text) {
    const auto sent = link_.send(Entry{severity, lost_, std::move(text)});
    lost_ = sent ? 0 : lost_ + 1;
  }
  /// The last entry; waits until all is written.
  bool finish(std::string text) {
    bool synced = false;
    link_.flush(10s).value();
    write(6, std::move(text));
    link_.send(Sync{}).value();
    static_cast<void>(link_.wait([&](const Sync&) { synced = true; }, 10s));
    return synced;
  }

 private:
  Link link_;
  std::uint32_t lost_ = 0;
};

class Daemon {
 public:
  Daemon(Server& server, std::string path) : server_(server), path_(std::move(path)) {}
  ~Daemon() { std::fclose(file_); }

  void operator()(Link& client, const Entry& entry) {
    const auto pid = static_cast<int>(client.peer().credentials.pid);
    written_ += std::fprintf(file_, "[%d] <%d> (%u lost) %s\n", pid, entry.severity, entry.lost,
                             entry.text.c_str());
    seen += 1 + entry.lost;
    lost += entry.lost;
    if (written_ > 64 << 10) rotate();
  }
  void operator()(Link& client, const Sync& sync) {
    std::fflush(file_);
    static_cast<void>(client.send(sync));
  }
  void on_closed(Link&, std::error_code) {
    if (++left == programs) server_.stop();  // a real one stays
  }

  std::uint32_t seen = 0, lost = 0;
  int rotations = 0, left = 0;

 private:
  std::FILE* open() { return std::fopen(path_.c_str(), "w"); }
  void rotate() {
    std::fclose(file_);
    std::rename(path_.c_str(), (path_ + ".1").c_str());
    file_ = open();
    written_ = 0;
    ++rotations;
  }

  Server& server_;
  std::string path_;
  std::FILE* file_ = open();
  int written_ = 0;
};

int program(const std::string& home) {
  Log log(home);
  for (int i = 0; i != entries; ++i) log.write(6, "the cat has sat on mat " + std::to_string(i));
  return log.finish("and is gone") ? 0 : 1;
}

int main() {
  std::string home = std::string(::getenv("TMPDIR") ? ::getenv("TMPDIR") : "/tmp") + "/logs-XXXXXX";
  if (::mkdtemp(home.data()) == nullptr) return 1;
  const auto token = strait::Token::load_or_create(home + "/token").value();
  auto server = Server::listen(home + "/log.socket", token).value();
  for (int i = 0; i != programs; ++i) {
    if (::fork() == 0) ::_exit(program(home));
  }
  Daemon daemon(server, home + "/log");
  server.run(daemon).value();
  int failed = 0;
  for (int status = 0; ::wait(&status) > 0;) failed += status != 0;
  server.close();
  std::printf("%u entries, %u lost, %d files\n", daemon.seen, daemon.lost, daemon.rotations + 1);
  for (const char* name : {"/token", "/log", "/log.1"}) ::unlink((home + name).c_str());
  return ::rmdir(home.c_str()) == 0 && failed == 0 && daemon.seen == programs * (entries + 1) ? 0
                                                                                              : 1;
}

// Two programs that do not know each other but by name, such as a daemon and its command line: the
// token is in a file that this user alone can read, and whoever comes first makes it.

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

#include <strait/strait.hpp>

using namespace std::chrono_literals;

struct Line {
  char text[60];
};
using Link = strait::Channel<strait::SocketTransport, strait::TrivialSerializer<Line>>;

// The two know the same path and the same name; nothing is handed from one to the other.
int serve(const std::string& home) {
  const auto token = strait::Token::load_or_create(home + "/token").value();
  auto link = Link::listen(home + "/socket", token).value();
  const auto end = link.run([](const Line& line) { std::printf("daemon: %.60s\n", line.text); });
  return end.error() == strait::Errc::peer_closed ? 0 : 1;
}

int say(const std::string& home) {
  const auto token = strait::Token::load_or_create(home + "/token").value();
  auto link = Link::connect(home + "/socket", token, 5s).value();
  link.send(Line{"hello from the command line"}).value();
  link.flush(1s).value();
  return 0;
}

int main() {
  // In a real program: a directory of this user's, such as ~/.config/NAME.
  std::string home = std::string(::getenv("TMPDIR") ? ::getenv("TMPDIR") : "/tmp") + "/home-XXXXXX";
  if (::mkdtemp(home.data()) == nullptr) return 1;
  if (::fork() == 0) return say(home);
  const int failed = serve(home);
  int status = 0;
  ::wait(&status);
  ::unlink((home + "/token").c_str());
  ::rmdir(home.c_str());
  return failed + (status != 0);
}

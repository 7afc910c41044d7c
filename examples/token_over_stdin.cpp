// How a parent hands name and token to a child it starts: over the child's standard input, where no
// other process can read them.

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <span>
#include <strait/strait.hpp>
#include <string>

extern char** environ;
using namespace std::chrono_literals;
using Link = strait::Channel<strait::PipeTransport, strait::RawSerializer>;

int child() {
  std::string name, token;
  std::cin >> name >> token;
  auto link = Link::connect(name, strait::Token::from_hex(token).value(), 5s).value();
  link.send(std::as_bytes(std::span("ready"))).value();
  return link.flush(5s) ? 0 : 1;
}

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "child") == 0) return child();

  const auto name = "stdin-" + std::to_string(::getpid());
  const auto token = strait::Token::generate().value();
  auto link = Link::listen(name, token).value();

  int stdin_pipe[2];
  if (::pipe(stdin_pipe) != 0) return 1;
  for (const int end : stdin_pipe) ::fcntl(end, F_SETFD, FD_CLOEXEC);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, stdin_pipe[0], STDIN_FILENO);
  char role[] = "child", *arguments[] = {argv[0], role, nullptr};
  pid_t pid = 0;
  const int failed = ::posix_spawn(&pid, argv[0], &actions, nullptr, arguments, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return 1;
  const std::string secret = name + '\n' + token.to_hex() + '\n';
  const bool told = ::write(stdin_pipe[1], secret.data(), secret.size()) > 0;
  ::close(stdin_pipe[0]);
  ::close(stdin_pipe[1]);

  const auto heard = link.wait(
      [](std::span<const std::byte> bytes) {
        std::printf("the child says: %s\n", reinterpret_cast<const char*>(bytes.data()));
      },
      5s);
  int status = 0;
  return told && heard.value_or(0) == 1 && ::waitpid(pid, &status, 0) == pid ? status : 1;
}

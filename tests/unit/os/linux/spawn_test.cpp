#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <strait/os/spawn.hpp>

#include <string>

#include "strait/os/descriptors.hpp"
#include "support/catch.hpp"

using strait::os::Descriptor;

TEST_CASE("a system that can't close all from a number on closes those that are open", "[spawn]") {
  const Descriptor open_to_all(::open("/dev/null", O_RDONLY));
  const Descriptor high(::fcntl(open_to_all.get(), F_DUPFD, 700));
  REQUIRE(high.get() >= 700);
  auto output = strait::os::pipe_pair().value();
  posix_spawn_file_actions_t actions;
  REQUIRE(::posix_spawn_file_actions_init(&actions) == 0);
  REQUIRE(::posix_spawn_file_actions_adddup2(&actions, output[1].get(), STDOUT_FILENO) == 0);
  REQUIRE(strait::os::close_those_listed(actions) == 0);
  char program[] = "/bin/sh";
  char flag[] = "-c";
  // The list itself is read through one more.
  char command[] = "for fd in /proc/self/fd/*; do [ ${fd##*/} -gt 3 ] && echo $fd; done; exit 7";
  char* const arguments[] = {program, flag, command, nullptr};
  pid_t pid = 0;
  REQUIRE(::posix_spawn(&pid, program, &actions, nullptr, arguments, environ) == 0);
  ::posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  CHECK(WEXITSTATUS(status) == 7);
  output[1].reset();
  char line[200];
  const ssize_t got = ::read(output[0].get(), line, sizeof line);
  CHECK(std::string(line, got > 0 ? static_cast<std::size_t>(got) : 0) == "");
}

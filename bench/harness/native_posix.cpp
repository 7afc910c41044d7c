#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <system_error>

#include "harness/native.hpp"
#include "harness/system_error.hpp"

extern char** environ;

namespace bench {

std::string system_name() {
  utsname system;
  if (::uname(&system) != 0) throw_errno("uname");
  return std::string(system.sysname) + ' ' + system.release;
}

pid_t start_second_process(const Descriptor& socket, const std::vector<std::string>& arguments) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  // The copy is what the child keeps: it is not closed on exec.
  posix_spawn_file_actions_adddup2(&actions, socket.get(), STDIN_FILENO);
  const std::string program = own_program();
  char name[] = "strait_bench";
  std::vector<char*> words{name};
  for (const std::string& argument : arguments)
    words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  pid_t child = 0;
  const int error =
      ::posix_spawn(&child, program.c_str(), &actions, nullptr, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::system_error(error, std::system_category(), "posix_spawn");
  return child;
}

void kill_second_process(pid_t process) {
  ::kill(process, SIGKILL);
  ::waitpid(process, nullptr, 0);
}

bool second_process_succeeded(pid_t process) {
  int status = 0;
  if (::waitpid(process, &status, 0) != process) throw_errno("waitpid");
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

DescriptorNumber be_second_process() {
  // Nothing is left to end this process when the first one is killed.
  die_with_parent();
  ::signal(SIGPIPE, SIG_IGN);
  return STDIN_FILENO;
}

void unmap(void* memory, std::size_t bytes) noexcept { ::munmap(memory, bytes); }

std::byte* map_twice(int file, std::size_t offset, std::size_t once, std::size_t twice) {
  void* const space =
      ::mmap(nullptr, once + 2 * twice, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (space == MAP_FAILED) throw_errno("mmap");
  auto* const memory = static_cast<std::byte*>(space);
  map_shared(file, once + twice, offset, memory);
  map_shared(file, twice, offset + once, memory + once + twice);
  return memory;
}

void unmap_twice(std::byte* memory, std::size_t once, std::size_t twice) noexcept {
  ::munmap(memory, once + 2 * twice);
}

}  // namespace bench

#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <fstream>
#include <sstream>

#include "support/native.hpp"

namespace strait_test {

std::string target_of_descriptor(int fd) {
  char target[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = ::readlink(link.c_str(), target, sizeof target);
  return length < 0 ? "?" : std::string(target, static_cast<std::size_t>(length));
}

// The name alone would not do (the checkout itself is called strait).
std::multiset<std::string> shared_mappings() {
  std::multiset<std::string> found;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::istringstream fields(line);
    std::string range, permissions, offset, device, inode, name;
    fields >> range >> permissions >> offset >> device >> inode >> std::ws;
    std::getline(fields, name);
    const bool shared = permissions.size() == 4 && permissions[3] == 's';
    if (shared || name.starts_with("/memfd:") || name.starts_with("/dev/shm/"))
      found.insert(name + " at " + range + " " + permissions);
  }
  return found;
}

std::string own_program() { return "/proc/self/exe"; }

void die_with_parent() { ::prctl(PR_SET_PDEATHSIG, SIGKILL); }

int open_process(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }

}  // namespace strait_test

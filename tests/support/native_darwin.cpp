#include <fcntl.h>
#include <mach-o/dyld.h>
#include <sys/event.h>
#include <sys/param.h>
#include <unistd.h>

#include <cstdint>
#include <thread>

#include "support/native.hpp"

namespace strait_test {

std::string target_of_descriptor(int fd) {
  char path[MAXPATHLEN];  // what F_GETPATH wants
  return ::fcntl(fd, F_GETPATH, path) == 0 ? path : "?";
}

std::multiset<std::string> shared_mappings() { return {}; }

std::string own_program() {
  char path[MAXPATHLEN];
  std::uint32_t size = sizeof path;
  return ::_NSGetExecutablePath(path, &size) == 0 ? path : "";
}

// There is no signal for it; an orphan becomes a child of launchd, which is number 1.
void die_with_parent() {
  std::thread([] {
    while (::getppid() != 1) ::sleep(1);
    ::_exit(1);
  }).detach();
}

int open_process(pid_t pid) {
  const int fd = ::kqueue();
  if (fd < 0) return -1;
  struct kevent event {};
  event.ident = static_cast<std::uintptr_t>(pid);
  event.filter = EVFILT_PROC;
  event.flags = EV_ADD;
  event.fflags = NOTE_EXIT;
  // Of a zombie it says ESRCH: then there is nothing to wait for, and the caller looks for itself.
  if (::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && ::kevent(fd, &event, 1, nullptr, 0, nullptr) == 0) {
    return fd;
  }
  ::close(fd);
  return -1;
}

}  // namespace strait_test

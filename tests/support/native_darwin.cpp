#include <fcntl.h>
#include <mach-o/dyld.h>
#include <sys/event.h>
#include <sys/param.h>
#include <unistd.h>
#include <strait/os/posix/descriptor.hpp>

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
  strait::os::Descriptor queue(::kqueue());
  if (!queue) return -1;
  struct kevent event {};
  event.ident = static_cast<std::uintptr_t>(pid);
  event.filter = EVFILT_PROC;
  event.flags = EV_ADD;
  event.fflags = NOTE_EXIT;
  if (::fcntl(queue.get(), F_SETFD, FD_CLOEXEC) != 0) return -1;
  if (::kevent(queue.get(), &event, 1, nullptr, 0, nullptr) != 0) return -1;
  return queue.release();
}

}  // namespace strait_test

#include <fcntl.h>
#include <mach-o/dyld.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/sysctl.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "harness/native.hpp"
#include "harness/system_error.hpp"

namespace bench {

namespace {

Descriptor close_on_exec(int fd) {
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  return Descriptor(fd);
}

std::array<Descriptor, 2> sockets(int type) {
  int ends[2];
  if (::socketpair(AF_UNIX, type, 0, ends) != 0) throw_errno("socketpair");
  return {close_on_exec(ends[0]), close_on_exec(ends[1])};
}

}  // namespace

std::vector<int> allowed_cores() {
  std::vector<int> cores;
  const long count = ::sysconf(_SC_NPROCESSORS_ONLN);
  for (int core = 0; core < count; ++core) cores.push_back(core);
  return cores;
}

// There are affinity tags for threads of one process, and none on Apple's own processors.
bool can_pin() noexcept { return false; }
void pin_to_core(int) {}

std::string processor_name() {
  char name[256] = "";
  std::size_t size = sizeof name;
  if (::sysctlbyname("machdep.cpu.brand_string", name, &size, nullptr, 0) != 0) {
    return "unknown processor";
  }
  return name;
}

std::string frequency_governor(int) { return "no frequency governor"; }

std::string own_program() {
  char path[MAXPATHLEN];
  std::uint32_t size = sizeof path;
  if (::_NSGetExecutablePath(path, &size) != 0) throw std::length_error("path of this program");
  return path;
}

// There is no signal for it; an orphan becomes a child of launchd, which is number 1.
void die_with_parent() {
  std::thread([] {
    while (::getppid() != 1) ::sleep(1);
    ::_exit(1);
  }).detach();
}

void enter_private_place() { throw std::logic_error("no case of this system asks for it"); }

std::array<Descriptor, 2> stream_sockets() { return sockets(SOCK_STREAM); }

// Unix sockets have no SOCK_SEQPACKET here; the guard tells who has died, not the socket.
std::array<Descriptor, 2> message_sockets() {
  auto pair = sockets(SOCK_DGRAM);
  // By default a datagram has at most 2 KiB (net.local.dgram.maxdgram).
  const int bytes = 64 * 1024;
  for (const Descriptor& end : pair) {
    for (const int option : {SO_SNDBUF, SO_RCVBUF}) {
      if (::setsockopt(end.get(), SOL_SOCKET, option, &bytes, sizeof bytes) != 0) {
        throw_errno("setsockopt");
      }
    }
  }
  return pair;
}

ssize_t receive_message(int socket, msghdr& message) noexcept {
  const ssize_t received = ::recvmsg(socket, &message, 0);
  if (received < 0) return received;
  for (cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one)) {
    if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_RIGHTS) continue;
    for (std::size_t at = CMSG_LEN(0); at + sizeof(int) <= one->cmsg_len; at += sizeof(int)) {
      int fd;
      std::memcpy(&fd, reinterpret_cast<const char*>(one) + at, sizeof fd);
      ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
  }
  return received;
}

Descriptor shared_memory(std::size_t bytes) {
  const std::string name = "/strait_bench." + std::to_string(::getpid());
  Descriptor file(::shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600));
  if (!file) throw_errno("shm_open");
  ::shm_unlink(name.c_str());
  ::fcntl(file.get(), F_SETFD, FD_CLOEXEC);
  if (::ftruncate(file.get(), static_cast<off_t>(bytes)) != 0) throw_errno("ftruncate");
  return file;
}

void* map_shared(int file, std::size_t bytes, std::size_t offset, void* where) {
  const int flags = MAP_SHARED | (where != nullptr ? MAP_FIXED : 0);
  void* const memory =
      ::mmap(where, bytes, PROT_READ | PROT_WRITE, flags, file, static_cast<off_t>(offset));
  if (memory == MAP_FAILED) throw_errno("mmap");
  return memory;
}

}  // namespace bench

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <fstream>

#include "harness/native.hpp"
#include "harness/system_error.hpp"

namespace bench {

namespace {

std::array<Descriptor, 2> sockets(int type) {
  int ends[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0) throw_errno("socketpair");
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

}  // namespace

std::vector<int> allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) throw_errno("sched_getaffinity");
  std::vector<int> cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(static_cast<std::size_t>(core), &set)) cores.push_back(core);
  }
  return cores;
}

bool can_pin() noexcept { return true; }

void pin_to_core(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(core), &set);
  if (::sched_setaffinity(0, sizeof set, &set) != 0) {
    throw_errno("core " + std::to_string(core));
  }
}

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (!line.starts_with("model name")) continue;
    const std::size_t colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown processor";
}

std::string frequency_governor(int core) {
  std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(core) +
                     "/cpufreq/scaling_governor");
  std::string name;
  return file >> name ? "governor " + name : "no frequency governor";
}

std::string own_program() { return "/proc/self/exe"; }

void enter_private_place() {
  const std::string user = std::to_string(::geteuid());
  const std::string group = std::to_string(::getegid());
  if (::unshare(CLONE_NEWNS) != 0) {
    // Who may not do that may in a namespace of users, in which it stays the user that it is.
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) throw_errno("a private /tmp and /dev/shm");
    std::ofstream("/proc/self/setgroups") << "deny";
    std::ofstream("/proc/self/uid_map") << user << ' ' << user << " 1";
    std::ofstream("/proc/self/gid_map") << group << ' ' << group << " 1";
  }
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) throw_errno("mount");
  for (const char* place : {"/tmp", "/dev/shm"}) {
    if (::mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") != 0) {
      throw_errno(place);
    }
  }
}

void die_with_parent() { ::prctl(PR_SET_PDEATHSIG, SIGKILL); }

std::array<Descriptor, 2> stream_sockets() { return sockets(SOCK_STREAM); }

std::array<Descriptor, 2> message_sockets() { return sockets(SOCK_SEQPACKET); }

ssize_t receive_message(int socket, msghdr& message) noexcept {
  return ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
}

Descriptor shared_memory(std::size_t bytes) {
  Descriptor file(::memfd_create("strait_bench", MFD_CLOEXEC));
  if (!file) throw_errno("memfd_create");
  if (::ftruncate(file.get(), static_cast<off_t>(bytes)) != 0) throw_errno("ftruncate");
  return file;
}

void* map_shared(int file, std::size_t bytes, std::size_t offset, void* where) {
  const int flags = MAP_SHARED | MAP_POPULATE | (where != nullptr ? MAP_FIXED : 0);
  void* const memory =
      ::mmap(where, bytes, PROT_READ | PROT_WRITE, flags, file, static_cast<off_t>(offset));
  if (memory == MAP_FAILED) throw_errno("mmap");
  return memory;
}

}  // namespace bench

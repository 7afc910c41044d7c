#include "harness/cores.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <sys/utsname.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "harness/system_error.hpp"

namespace bench {

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

Cores parse_cores(const std::string& text) {
  if (text.empty()) {
    const std::vector<int> allowed = allowed_cores();
    return {allowed.front(), allowed.size() > 1 ? allowed[1] : allowed.front()};
  }
  const std::size_t comma = text.find(',');
  const auto number = [&](const std::string& part) {
    if (part.empty() || part.size() > 4 ||
        part.find_first_not_of("0123456789") != std::string::npos) {
      throw std::invalid_argument("--cores wants two numbers, like 0,1");
    }
    return std::atoi(part.c_str());
  };
  if (comma == std::string::npos)
    throw std::invalid_argument("--cores wants two numbers, like 0,1");
  return {number(text.substr(0, comma)), number(text.substr(comma + 1))};
}

void pin_to_core(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(core), &set);
  if (::sched_setaffinity(0, sizeof set, &set) != 0) {
    throw_errno("core " + std::to_string(core));
  }
}

std::string machine_line(const Cores& cores) {
  std::string processor = "unknown processor";
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (!line.starts_with("model name")) continue;
    const std::size_t colon = line.find(": ");
    if (colon != std::string::npos) processor = line.substr(colon + 2);
    break;
  }
  utsname system;
  if (::uname(&system) != 0) throw_errno("uname");
  return fmt::format("{}, {} {}, {} cores allowed, pinned to {}", processor, system.sysname,
                     system.release, allowed_cores().size(),
                     cores.shared() ? fmt::format("core {}, both processes", cores.first)
                                    : fmt::format("cores {} and {}", cores.first, cores.second));
}

}  // namespace bench

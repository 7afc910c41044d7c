#pragma once

// What the long tests share: what is asked of them, and what they print.

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <map>
#include <ostream>
#include <random>
#include <sstream>
#include <string>
#include <utility>

#include "strait/config.hpp"

#if !STRAIT_HAS_WINDOWS
#include <unistd.h>
#endif

namespace strait_test::soak {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STRAIT_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define STRAIT_TEST_SANITIZED 1
#endif
#endif

#if defined(STRAIT_TEST_SANITIZED)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

/// Whether times and memory say something about the library: a sanitizer takes its time and keeps
/// what was freed.
#if defined(__OPTIMIZE__)
inline constexpr bool times_count = !sanitized;
#else
inline constexpr bool times_count = false;
#endif

/// As much as there is time for in this build.
constexpr std::uint64_t scaled(std::uint64_t count) { return sanitized ? count / 5 : count; }

/// What the environment says, or else `otherwise`.
inline std::uint64_t number(const char* name, std::uint64_t otherwise) {
  const char* text = ::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::stoull(text);
}

inline std::uint64_t seed() {
  return number("STRAIT_SOAK_SEED", std::random_device()() % 1'000'000);
}

/// What `malloc` may keep of large buffers that are free again.
inline constexpr std::size_t kept_by_malloc = std::size_t{128} << 20;

#if !STRAIT_HAS_WINDOWS
/// 0 where the system does not say.
inline std::size_t resident_bytes(const std::string& process = "self") {
  std::ifstream file("/proc/" + process + "/statm");
  std::size_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}
#endif

/// A distribution of times, in steps of 3 %.
class Times {
 public:
  void add(std::chrono::nanoseconds time) {
    const auto ns = static_cast<std::uint64_t>(std::max(time, std::chrono::nanoseconds{1}).count());
    ++steps_[step_of(ns)];
    ++count_;
    worst_ = std::max(worst_, ns);
  }
  std::size_t count() const { return count_; }
  /// What this share of them stayed below.
  std::chrono::nanoseconds at(double share) const {
    const auto wanted = static_cast<std::size_t>(share * static_cast<double>(count_));
    std::size_t seen = 0;
    for (const auto& [step, count] : steps_) {
      seen += count;
      if (seen > wanted) return std::chrono::nanoseconds(std::min(end_of(step), worst_));
    }
    return std::chrono::nanoseconds(worst_);
  }

  /// To be added to another process's.
  std::string to_text() const {
    std::ostringstream out;
    out << worst_;
    for (const auto& [step, count] : steps_) out << ' ' << step << ' ' << count;
    return out.str();
  }
  void add(const std::string& text) {
    std::istringstream in(text);
    std::uint64_t worst = 0;
    in >> worst;
    worst_ = std::max(worst_, worst);
    for (std::size_t step, count; in >> step >> count;) {
      steps_[step] += count;
      count_ += count;
    }
  }

  friend std::ostream& operator<<(std::ostream& out, const Times& times) {
    const auto flags = out.flags();
    out << std::fixed << std::setprecision(2);
    for (const auto& [name, share] :
         {std::pair("p50", .5), std::pair("p90", .9), std::pair("p99", .99),
          std::pair("p99.9", .999), std::pair("worst", 1.)}) {
      const std::chrono::duration<double, std::milli> time = times.at(share);
      out << (share == .5 ? "" : ", ") << name << ' ' << time.count() << " ms";
    }
    out.flags(flags);
    return out;
  }

 private:
  static constexpr int fine_bits = 5;

  static std::size_t step_of(std::uint64_t ns) {
    const int shift = std::max(0, static_cast<int>(std::bit_width(ns)) - fine_bits - 1);
    return (static_cast<std::size_t>(shift) << fine_bits) + static_cast<std::size_t>(ns >> shift);
  }
  static std::uint64_t end_of(std::size_t step) {
    const std::size_t shift = step < (2U << fine_bits) ? 0 : (step >> fine_bits) - 1;
    return (step - (shift << fine_bits) + 1) << shift;
  }

  std::map<std::size_t, std::size_t> steps_;
  std::size_t count_ = 0;
  std::uint64_t worst_ = 0;
};

}  // namespace strait_test::soak

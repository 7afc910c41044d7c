#include "support/runtime_dir.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <system_error>

namespace strait_test {

RuntimeDir::RuntimeDir() {
  const char* parent = ::getenv("TMPDIR");
  path_ =
      std::string(parent != nullptr && *parent != '\0' ? parent : "/tmp") + "/strait-test-XXXXXX";
  if (::mkdtemp(path_.data()) == nullptr) {
    std::perror(("mkdtemp " + path_).c_str());
    std::abort();
  }
  ::setenv("XDG_RUNTIME_DIR", path_.c_str(), 1);
}

RuntimeDir::~RuntimeDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string runtime_dir() {
  const char* path = ::getenv("XDG_RUNTIME_DIR");
  return path != nullptr ? path : "";
}

std::string unique_name(std::string_view stem) {
  static std::atomic<unsigned> counter = 0;
  return std::string(stem) + "-" + std::to_string(::getpid()) + "-" + std::to_string(++counter);
}

std::string unique_path(std::string_view stem) { return runtime_dir() + "/" + unique_name(stem); }

}  // namespace strait_test

#include "support/runtime_dir.hpp"

#include <stdlib.h>
#include <strait/os/windows/api.hpp>

#include <atomic>
#include <filesystem>
#include <system_error>

namespace strait_test {

RuntimeDir::RuntimeDir() {
  path_ = (std::filesystem::temp_directory_path() /
           ("strait-test-" + std::to_string(::GetCurrentProcessId())))
              .string();
  std::filesystem::create_directory(path_);
  ::_putenv_s("STRAIT_TEST_DIR", path_.c_str());
}

RuntimeDir::~RuntimeDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string runtime_dir() {
  const char* path = ::getenv("STRAIT_TEST_DIR");
  return path != nullptr ? path : "";
}

std::string unique_name(std::string_view stem) {
  static std::atomic<unsigned> counter = 0;
  return std::string(stem) + "-" + std::to_string(::GetCurrentProcessId()) + "-" +
         std::to_string(++counter);
}

std::string unique_path(std::string_view stem) { return "/strait-test/" + unique_name(stem); }

}  // namespace strait_test

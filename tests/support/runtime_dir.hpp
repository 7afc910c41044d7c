#pragma once

#include <string>
#include <string_view>

namespace strait_test {

/// A private XDG_RUNTIME_DIR for this test process and its children: made with mode 0700 under
/// TMPDIR, put into the environment, removed with all it holds. The main program owns the one.
class RuntimeDir {
 public:
  RuntimeDir();
  ~RuntimeDir();
  RuntimeDir(const RuntimeDir&) = delete;
  RuntimeDir& operator=(const RuntimeDir&) = delete;

 private:
  std::string path_;
};

/// The private directory (in a child: its parent's).
std::string runtime_dir();

/// A channel name that no other test, running at the same time or earlier, has used.
std::string unique_name(std::string_view stem = "test");

/// The same as an absolute path inside the private directory.
std::string unique_path(std::string_view stem = "test");

}  // namespace strait_test

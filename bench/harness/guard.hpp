#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace bench::guard {

/// Makes sure that no run hangs or leaves something behind: from here on the death of the second
/// process, an overdue batch, or a signal to stop ends this one with an error, from whatever system
/// call or spinning loop it is in, after removing what was registered.
void watch(pid_t child);

/// The second process has been told to go: its end is no longer an error.
void expect_end();

/// Starts the time that the next batch may take, and says what it is about if it does not end.
void start_batch(const std::string& what);

/// Files that are needed until both processes have them open, and gone with this object or with the
/// process, however it ends (but by SIGKILL). One such object at a time.
class Leftovers {
 public:
  Leftovers();
  Leftovers(const Leftovers&) = delete;
  Leftovers& operator=(const Leftovers&) = delete;
  ~Leftovers();

  /// To be called before the file is made. It does no harm if it never is.
  void add(const std::string& path);
};

/// A directory for such files.
class PrivateDirectory {
 public:
  PrivateDirectory();

  /// The path for a file that will be made there.
  std::string path_for(std::string_view name);
  /// Makes a FIFO in it and returns its path.
  std::string make_fifo(std::string_view name);

 private:
  Leftovers leftovers_;
};

}  // namespace bench::guard

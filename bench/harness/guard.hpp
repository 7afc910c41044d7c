#pragma once

#include <sys/types.h>

#include <string>

namespace bench::guard {

/// Makes sure that no run hangs or leaves something behind: from here on the death of the second
/// process, an overdue batch, or a signal to stop ends this one with an error, from whatever system
/// call or spinning loop it is in, after removing what was registered.
void watch(pid_t child);

/// The second process has been told to go: its end is no longer an error.
void expect_end();

/// Starts the time that the next batch may take, and says what it is about if it does not end.
void start_batch(const std::string& what);

/// A directory of FIFOs, gone with this object or with the process, however it ends.
class PrivateDirectory {
 public:
  PrivateDirectory();
  PrivateDirectory(const PrivateDirectory&) = delete;
  PrivateDirectory& operator=(const PrivateDirectory&) = delete;
  ~PrivateDirectory();

  /// Makes a FIFO in it and returns its path. At most two.
  std::string make_fifo(const char* name);
};

}  // namespace bench::guard

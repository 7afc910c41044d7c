#pragma once

#include <sys/types.h>

#include <chrono>
#include <set>
#include <string>

// What the test support needs of the system and POSIX does not have: native_linux.cpp and
// native_darwin.cpp.

namespace strait_test {

/// What a descriptor of this process stands for, "?" if the system does not say.
std::string target_of_descriptor(int fd);

/// The mappings that only a channel makes: shared ones, and private ones of shared memory. Empty
/// where the system does not say.
std::multiset<std::string> shared_mappings();

/// This very program, to be started anew.
std::string own_program();

/// Has this process killed when its parent dies.
void die_with_parent();

/// A descriptor that is readable once the process is dead. Else -1 and `errno`, which may be ESRCH
/// for a child that is dead and not reaped.
int open_process(pid_t pid);

}  // namespace strait_test

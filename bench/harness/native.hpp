#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "harness/descriptor.hpp"

namespace bench {

// What the harness and the floors need of the system and POSIX does not have: native_linux.cpp and
// native_darwin.cpp. Errors are thrown.

/// The cores this process may run on.
std::vector<int> allowed_cores();
/// False where the system decides on its own who runs where.
bool can_pin() noexcept;
void pin_to_core(int core);
std::string processor_name();
/// What decides on the core's frequency, or that nothing does that the system shows.
std::string frequency_governor(int core);

/// This very program, to be started anew.
std::string own_program();
/// Has this process killed when its parent dies.
void die_with_parent();

/// Gives this process, and those that it starts from now on, a /tmp and a /dev/shm of their own,
/// which are gone with them, however they end. For a process of one thread.
void enter_private_place();

/// Two connected Unix sockets, closed on exec: `SOCK_STREAM`, or messages that stay whole.
std::array<Descriptor, 2> stream_sockets();
std::array<Descriptor, 2> message_sockets();
/// `recvmsg`, with descriptors that come closed on exec.
ssize_t receive_message(int socket, msghdr& message) noexcept;

/// Memory with no name, to be mapped shared.
Descriptor shared_memory(std::size_t bytes);
/// Maps all of it, at `where` if that is not null, with its pages present from the start where the
/// system can do so.
void* map_shared(int file, std::size_t bytes, off_t offset = 0, void* where = nullptr);

}  // namespace bench

#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "harness/descriptor.hpp"

#if !STRAIT_HAS_WINDOWS
#include <sys/socket.h>
#endif

namespace bench {

// What the harness and the floors need of the system and POSIX does not have: native_linux.cpp,
// native_darwin.cpp and native_windows.cpp; and what POSIX has and Windows has not: native_posix.cpp.
// Errors are thrown.

/// The cores this process may run on.
std::vector<int> allowed_cores();
/// False where the system decides on its own who runs where.
bool can_pin() noexcept;
void pin_to_core(int core);
std::string processor_name();
/// Its name and its release.
std::string system_name();
/// What decides on the core's frequency, or that nothing does that the system shows.
std::string frequency_governor(int core);

/// This very program, to be started anew.
std::string own_program();
/// Has this process killed when its parent dies.
void die_with_parent();

/// Starts this very program anew, with the second one of `message_sockets` for its standard input,
/// and kills it, or waits until it has ended and says whether that was in good order. One at a time.
pid_t start_second_process(const Descriptor& socket, const std::vector<std::string>& arguments);
void kill_second_process(pid_t process);
bool second_process_succeeded(pid_t process);
/// What it has to do first, and its end of the sockets.
DescriptorNumber be_second_process();

/// Two connected ends for messages that stay whole, of this process alone.
std::array<Descriptor, 2> message_sockets();

/// Gives this process, and those that it starts from now on, a /tmp and a /dev/shm of their own,
/// which are gone with them, however they end. For a process of one thread.
void enter_private_place();
#if !STRAIT_HAS_WINDOWS
/// Two connected Unix sockets, closed on exec: `SOCK_STREAM`.
std::array<Descriptor, 2> stream_sockets();
/// `recvmsg`, with descriptors that come closed on exec.
ssize_t receive_message(int socket, msghdr& message) noexcept;
#endif

/// Memory with no name, to be mapped shared.
Descriptor shared_memory(std::size_t bytes);
/// Maps all of it, at `where` if that is not null, with its pages present from the start where the
/// system can do so.
void* map_shared(DescriptorNumber file, std::size_t bytes, std::size_t offset = 0,
                 void* where = nullptr);
void unmap(void* memory, std::size_t bytes) noexcept;
/// Maps some bytes, and behind them some more, these twice in a row. What is mapped begins in the
/// file, and these in it, at a multiple of `largest_page_bytes`.
std::byte* map_twice(DescriptorNumber file, std::size_t offset, std::size_t once,
                     std::size_t twice);
void unmap_twice(std::byte* memory, std::size_t once, std::size_t twice) noexcept;

/// The largest of the systems that this runs on.
inline constexpr std::size_t largest_page_bytes =
    (STRAIT_HAS_WINDOWS ? 64 : 16) * std::size_t{1024};

}  // namespace bench

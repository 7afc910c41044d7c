#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "harness/case.hpp"
#include "harness/options.hpp"

namespace bench {

// Each returns the program's exit status and throws on what it can't go on after.

/// The reference's two tables anew, and a table of every case.
int run_table(const Options& options);
/// The reference's hour of browsing over each case.
int run_replay(const Options& options);
/// Messages of one size, one way, as fast as they go.
int run_stream(const Options& options);

/// What others offer for the same work, beside the library.
int run_peers(const Options& options);
/// The library past one machine, beside what it stands on.
int run_machines(const Options& options);
/// What the system can do at the most, and how near the library comes.
int run_limits(const Options& options);
/// The library direct and behind the reference's bridge.
int run_bridge(const Options& options);
/// Large messages: handed over, and written and read as a whole.
int run_ool(const Options& options);
/// One message to many receivers: inline, and out of line in one region.
int run_fan_out(const Options& options);
/// What a channel costs over which nothing comes.
int run_idle(const Options& options);
/// What serializers, strait's own and those of other libraries, make of messages with parts.
int run_serializers(const Options& options);
/// A channel in event loops, beside its own wait and a bare epoll.
int run_loops(const Options& options);
/// A call and its reply beside a bare round trip.
int run_calls(const Options& options);
/// How often sending and receiving goes to the heap.
int run_allocations(const Options& options);

/// What table, replay and stream measure unless told otherwise.
inline constexpr std::array<std::string_view, 12> standard_cases = {"fifo",
                                                                    "unix-stream",
                                                                    "pipe",
                                                                    "socket",
                                                                    "mach-inline",
                                                                    "mach-inline-block",
                                                                    "mach-inline-spin",
                                                                    "mach-cow-fresh",
                                                                    "mach-cow-fresh-block",
                                                                    "mach-cow-fresh-spin",
                                                                    "mach-loan",
                                                                    "ring"};

/// The cases asked for, or else these, as far as this build has them.
std::vector<const Case*> chosen_cases(const Options& options,
                                      std::span<const std::string_view> otherwise);

/// Throws unless each of these can send such messages one after the other.
void require_streams(std::span<const Case* const> cases, std::span<const std::size_t> sizes);

/// What stands above every table.
void print_heading(std::string_view title, const Options& options);

}  // namespace bench

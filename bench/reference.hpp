#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bench {

/// A line of the tables in "Mach based IPC Design" (Chromium, 2008): one way, microseconds, 98th
/// percentile of 2,000 messages, +/- 10 us.
struct PublishedRow {
  std::size_t bytes;
  int mach_us;
  int mach_ool_us;
  int fifo_us;
  int percent;
};

/// The page does not say which of its tables is the desktop and which the laptop.
inline constexpr std::array<PublishedRow, 15> published_first = {{
    {100, 29, 35, 112, 386},
    {200, 10, 37, 121, 1210},
    {500, 11, 36, 124, 1127},
    {1024, 9, 36, 115, 1277},
    {2048, 28, 37, 131, 467},
    {3072, 11, 39, 129, 1172},
    {4096, 11, 29, 128, 1163},
    {5120, 13, 31, 127, 976},
    {6144, 51, 30, 134, 446},
    {7168, 46, 30, 133, 443},
    {8192, 51, 32, 215, 671},
    {9216, 57, 30, 218, 726},
    {1048576, 1477, 29, 2873, 9906},
    {5242880, 11079, 39, 10924, 28010},
    {7340032, 15144, 38, 14184, 37326},
}};

inline constexpr std::array<PublishedRow, 15> published_second = {{
    {100, 10, 26, 29, 290},
    {200, 11, 26, 30, 272},
    {500, 12, 29, 30, 250},
    {1024, 11, 34, 30, 272},
    {2048, 15, 36, 31, 206},
    {3072, 16, 39, 32, 200},
    {4096, 14, 29, 36, 257},
    {5120, 19, 25, 37, 194},
    {6144, 66, 27, 34, 125},
    {7168, 53, 26, 38, 146},
    {8192, 70, 26, 59, 226},
    {9216, 81, 25, 66, 264},
    {1048576, 1822, 33, 2623, 7948},
    {5242880, 11536, 37, 13125, 35472},
    {7340032, 15693, 41, 17960, 43804},
}};

/// A bar of the page's last figure: so many messages of [low, next_low) bytes in an hour of
/// browsing.
struct PublishedBucket {
  std::uint32_t low_bytes;
  std::uint32_t next_low_bytes;
  std::uint32_t count;
};

inline constexpr std::array<PublishedBucket, 21> published_buckets = {{
    {12, 16, 4387},     {16, 21, 990},    {21, 28, 9307},  {28, 37, 10},    {37, 49, 8},
    {49, 65, 19123},    {65, 86, 614},    {86, 113, 38},   {113, 149, 113}, {149, 196, 34},
    {196, 258, 110},    {258, 340, 663},  {340, 448, 783}, {448, 590, 653}, {590, 777, 443},
    {777, 1023, 198},   {1023, 1347, 72}, {1347, 1774, 6}, {1774, 2336, 5}, {2336, 3077, 1},
    {12196, 16063, 15},
}};

}  // namespace bench

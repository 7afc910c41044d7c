// A program that has included <windows.h> as many do, with all the macros that this brings, and
// then the library.

// The compiler's own headers do not bear them all.
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cinttypes>
#include <climits>
#include <cmath>
#include <concepts>
#include <condition_variable>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <exception>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <ostream>
#include <ratio>
#include <span>
#include <streambuf>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#undef NOMINMAX
#undef WIN32_LEAN_AND_MEAN
#include <windows.h>

// Microsoft's header has them, unless it is told not to; that of mingw only for C.
#ifndef min
#define min(a, b) (((a) < (b)) ? (a) : (b))
#define max(a, b) (((a) > (b)) ? (a) : (b))
#endif

#if !defined(interface) || !defined(ERROR) || !defined(near)
#error "this test is about macros that are not there"
#endif

#include "strait/caller.hpp"
#include "strait/channel_proxy.hpp"
#include "strait/loops/coroutine.hpp"
#include "strait/message_size_histogram.hpp"
#include "strait/observers/combined.hpp"
#include "strait/observers/log.hpp"
#include "strait/observers/recorder.hpp"
#include "strait/observers/recording.hpp"
#include "strait/observers/trace.hpp"
#include "strait/serializers/struct.hpp"
#include "strait/strait.hpp"
#include "strait/task_queue.hpp"
#include "strait/transports/loopback.hpp"

#if !defined(min) || !defined(max)
#error "the program's macros are its own"
#endif

namespace {

struct Ping {
  int id;
};

}  // namespace

int main() {
  using Link = strait::Channel<strait::PipeTransport, strait::TrivialSerializer<Ping>>;
  const auto token = strait::Token::generate().value();
  auto server = Link::listen("macros", token).value();
  auto client = Link::connect("macros", token).value();
  if (!client.send(Ping{max(1, 7)})) return 1;
  int id = 0;
  const auto listener = [&](const Ping& ping) { id = ping.id; };
  for (int i = 0; i != 100'000 && id == 0; ++i) {
    static_cast<void>(server.poll(listener));
    static_cast<void>(client.poll(listener));
  }
  return id == 7 ? 0 : 2;
}

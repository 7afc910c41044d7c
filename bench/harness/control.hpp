#pragma once

#include <cstdint>
#include <string>

#include "harness/descriptor.hpp"

namespace bench {

/// What the first process asks of the second. One datagram each way, so there is nothing to frame.
struct Request {
  enum class Op : std::uint32_t { open, echo, stream, quit };

  Op op = Op::quit;
  std::uint32_t case_index = 0;
  /// open: keep a histogram. stream: report it.
  bool observed = false;
  /// stream: the sizes are the hour of browsing.
  bool browsing = false;
  std::uint64_t bytes = 0;
  std::uint64_t count = 0;
};

struct Reply {
  std::uint64_t finished_ns = 0;
};

/// A request or reply with the text and descriptor that came along.
template <class Head>
struct Parcel {
  Head head = {};
  std::string text = {};
  Descriptor descriptor = {};
};

/// Errors: throws on any. `receive` returns false when the other process has closed.
void send_parcel(int socket, const void* head, std::size_t head_bytes, const std::string& text,
                 int descriptor);
bool receive_parcel(int socket, void* head, std::size_t head_bytes, std::string& text,
                    Descriptor& descriptor);

template <class Head>
void send_parcel(int socket, const Parcel<Head>& parcel) {
  send_parcel(socket, &parcel.head, sizeof parcel.head, parcel.text, parcel.descriptor.get());
}

template <class Head>
bool receive_parcel(int socket, Parcel<Head>& parcel) {
  return receive_parcel(socket, &parcel.head, sizeof parcel.head, parcel.text, parcel.descriptor);
}

}  // namespace bench

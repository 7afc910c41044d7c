#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "harness/descriptor.hpp"
#include "harness/payload.hpp"

namespace bench {

/// What the first process asks of the second. One datagram each way, so there is nothing to frame.
struct Request {
  enum class Op : std::uint32_t { open, echo, stream, idle, quit };

  Op op = Op::quit;
  std::uint32_t case_index = 0;
  /// open: keep a histogram. stream: report it.
  bool observed = false;
  /// stream: the sizes are the hour of browsing.
  bool browsing = false;
  /// echo, stream: report how much was taken from the heap.
  bool counted = false;
  Work work = Work::hand_off;
  std::uint64_t bytes = 0;
  /// Messages; of idle: milliseconds.
  std::uint64_t count = 0;
};

struct Reply {
  std::uint64_t finished_ns = 0;
  /// Taken from the heap during the batch.
  std::uint64_t allocations = 0;
  /// idle: the time that the process ran.
  std::uint64_t cpu_ns = 0;
};

/// Bytes that a message may have beside its head.
inline constexpr std::size_t max_text_bytes = 16 * 1024;

using TwoDescriptors = std::array<Descriptor, 2>;

/// A request or reply with the text and descriptors that came along.
template <class Head>
struct ControlMessage {
  Head head = {};
  std::string text = {};
  TwoDescriptors descriptors = {};
};

/// Errors: throws on any. `receive` returns false when the other process has closed.
void send_message(DescriptorNumber socket, const void* head, std::size_t head_bytes,
                  const std::string& text, const TwoDescriptors& descriptors);
bool receive_message(DescriptorNumber socket, void* head, std::size_t head_bytes, std::string& text,
                     TwoDescriptors& descriptors);

template <class Head>
void send_message(DescriptorNumber socket, const ControlMessage<Head>& message) {
  send_message(socket, &message.head, sizeof message.head, message.text, message.descriptors);
}

template <class Head>
bool receive_message(DescriptorNumber socket, ControlMessage<Head>& message) {
  return receive_message(socket, &message.head, sizeof message.head, message.text,
                         message.descriptors);
}

}  // namespace bench

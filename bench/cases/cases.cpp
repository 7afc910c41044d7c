#include "cases/cases.hpp"

#include <stdexcept>
#include <string>
#include <vector>

#include "strait/config.hpp"

namespace bench {

std::span<const Case> all_cases() {
  static const std::vector<Case> cases = {
    pipe_case(),
    mach_inline_case(),
    mach_inline_block_case(),
    mach_inline_spin_case(),
    ring_case(),
    mach_case(),
    mach_block_case(),
    padded_ring_case(),
    batched_ring_case(),
    shared_buffer_case(),
    cache_line_case(),
    order_raw_case(),
    order_struct_case(),
    order_owned_case(),
    order_fixed_trivial_case(),
    order_fixed_struct_case(),
    call_case(),
    call_bare_case(),
#if !STRAIT_HAS_WINDOWS
    fifo_case(),
    unix_stream_case(),
    socket_case(),
    mach_cow_fresh_case(),
    mach_cow_again_case(),
    mach_ool_case(),
    mach_ool_pages_case(),
    mach_ool_kernel_case(),
    mach_loan_case(),
    mach_loan_send_case(),
    mach_loan_spin_case(),
    mach_cow_fresh_block_case(),
    mach_cow_fresh_spin_case(),
    mach_bridged_case(),
    pipe_bridged_case(),
#endif
#ifdef STRAIT_BENCH_HAS_WAKE_UPS
    futex_case(),
    eventfd_case(),
    bare_pipe_case(),
    unix_seqpacket_case(),
#endif
#ifdef STRAIT_BENCH_HAS_LOOPS
    loop_wait_case(),
    loop_epoll_case(),
    loop_coroutine_case(),
    loop_asio_case(),
#endif
#ifdef STRAIT_BENCH_HAS_BOOST
    boost_mq_case(),
#endif
#ifdef STRAIT_BENCH_HAS_ZMQ
    zmq_ipc_case(),
    machines_case(),
    zmq_curve_case(),
#endif
#ifdef STRAIT_BENCH_HAS_NNG
    nng_ipc_case(),
#endif
#ifdef STRAIT_BENCH_HAS_ICEORYX
    iceoryx_poll_case(),
    iceoryx_wait_case(),
#endif
#ifdef STRAIT_BENCH_HAS_SERIALIZERS
    order_protobuf_case(),
    order_protobuf_zmq_case(),
    order_flatbuffers_case(),
    frame_flatbuffers_loan_case(),
    order_capnproto_case(),
    order_msgpack_case(),
    order_cereal_case(),
    order_json_case(),
#endif
  };
  return cases;
}

const Case* find_case(std::string_view name) {
  for (const Case& one : all_cases()) {
    if (one.name == name) return &one;
  }
  return nullptr;
}

const Case& case_named(std::string_view name) {
  const Case* const found = find_case(name);
  if (found == nullptr) throw std::invalid_argument("no case is called " + std::string(name));
  return *found;
}

}  // namespace bench

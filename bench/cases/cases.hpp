#pragma once

#include "harness/case.hpp"

namespace bench {

// One translation unit a family of cases.
Case fifo_case();
Case unix_stream_case();
Case ring_case();
Case padded_ring_case();
Case batched_ring_case();
Case shared_buffer_case();
Case pipe_case();
Case socket_case();
Case mach_inline_case();
Case mach_inline_block_case();
Case mach_inline_spin_case();
Case mach_cow_fresh_case();
Case mach_cow_again_case();
Case mach_ool_case();
Case mach_ool_pages_case();
Case mach_ool_kernel_case();
Case mach_loan_case();
Case mach_loan_send_case();
Case mach_loan_spin_case();
Case mach_cow_fresh_block_case();
Case mach_cow_fresh_spin_case();
Case mach_case();
Case mach_block_case();
// The library with its receiving on another thread.
Case mach_bridged_case();
Case pipe_bridged_case();
// A channel in event loops, where the build has found Asio.
Case loop_wait_case();
Case loop_epoll_case();
Case loop_coroutine_case();
Case loop_asio_case();
// Messages with parts, and calls.
Case order_raw_case();
Case order_struct_case();
Case order_owned_case();
Case order_fixed_trivial_case();
Case order_fixed_struct_case();
Case call_case();
Case call_bare_case();
// What the system itself can do.
Case cache_line_case();
Case futex_case();
Case eventfd_case();
Case bare_pipe_case();
Case unix_seqpacket_case();
// What others offer, where the build has found them.
Case boost_mq_case();
Case zmq_ipc_case();
Case nng_ipc_case();
Case iceoryx_poll_case();
Case iceoryx_wait_case();
// Past one machine, with and without the library, where the build has found libzmq.
Case machines_case();
Case zmq_curve_case();
// Messages with parts; those of other libraries where the build has these.
Case order_protobuf_case();
Case order_protobuf_zmq_case();
Case order_flatbuffers_case();
Case frame_flatbuffers_loan_case();
Case order_capnproto_case();
Case order_msgpack_case();
Case order_cereal_case();
Case order_json_case();

}  // namespace bench

#include "harness/session.hpp"

#include <fmt/format.h>

#include <chrono>
#include <exception>
#include <stdexcept>
#include <thread>
#include <utility>

#include "browsing.hpp"
#include "harness/allocations.hpp"
#include "harness/clock.hpp"
#include "harness/guard.hpp"
#include "harness/native.hpp"

namespace bench {

Session::Session(const Cores& cores, std::span<const Case* const> cases, bool observed)
    : cases_(cases.begin(), cases.end()) {
  for (const Case* one : cases_) {
    if (!one->private_place) continue;
    enter_private_place();
    break;
  }
  start_child(cores);
  try {
    pin_to_core(cores.first);
    for (const Case* one : cases_) {
      open(static_cast<std::uint32_t>(one - all_cases().data()), observed);
    }
  } catch (...) {
    guard::expect_end();
    kill_second_process(child_);
    throw;
  }
}

Session::~Session() {
  if (child_ == 0) return;
  guard::expect_end();
  kill_second_process(child_);
}

void Session::start_child(const Cores& cores) {
  auto [mine, for_child] = message_sockets();
  socket_ = std::move(mine);
  child_ = start_second_process(for_child, {"serve", std::to_string(cores.second)});
  guard::watch(child_);
}

void Session::open(std::uint32_t index, bool observed) {
  const Case& one = all_cases()[index];
  guard::start_batch(fmt::format("opening {}", one.name));
  ends_.push_back(one.host(observed, [&](Invitation invitation) {
    ControlMessage<Request> message;
    message.head.op = Request::Op::open;
    message.head.case_index = index;
    message.head.observed = observed;
    message.text = std::move(invitation.text);
    message.descriptors = {std::move(invitation.descriptor),
                           std::move(invitation.second_descriptor)};
    send_message(socket_.get(), message);
  }));
  answer();
}

void Session::ask(const Request& request) {
  ControlMessage<Request> message;
  message.head = request;
  send_message(socket_.get(), message);
}

ControlMessage<Reply> Session::answer() {
  ControlMessage<Reply> message;
  if (!receive_message(socket_.get(), message)) {
    // The second process is about to be found dead by the guard; give that a moment to say why.
    std::this_thread::sleep_for(std::chrono::seconds{2});
    throw std::runtime_error("the second process has closed its control socket");
  }
  return message;
}

void Session::ping(std::size_t case_index, std::size_t bytes, std::size_t warm_up,
                   std::span<std::uint64_t> round_trip_ns, Work work) {
  guard::start_batch(fmt::format("{}, {} bytes", cases_[case_index]->name, bytes));
  Request request;
  request.op = Request::Op::echo;
  request.case_index = static_cast<std::uint32_t>(case_index);
  request.work = work;
  request.bytes = bytes;
  request.count = warm_up + round_trip_ns.size();
  request.counted = counts_allocations_;
  ask(request);
  const AllocationCount count(counts_allocations_);
  ends_[case_index]->ping(work, bytes, warm_up, round_trip_ns);
  allocations_ = count.so_far();
  allocations_ += answer().head.allocations;
}

Session::StreamResult Session::stream(std::size_t case_index, const Sizes& sizes, bool browsing) {
  guard::start_batch(
      fmt::format("{}, stream of {} messages", cases_[case_index]->name, sizes.count));
  Request request;
  request.op = Request::Op::stream;
  request.case_index = static_cast<std::uint32_t>(case_index);
  request.browsing = browsing;
  request.observed = browsing;
  request.bytes = sizes.all_bytes;
  request.count = sizes.count;
  request.counted = counts_allocations_;
  ask(request);
  // The receiver says when it is ready, so that its wake-up is not part of the time.
  answer();
  const AllocationCount count(counts_allocations_);
  const std::uint64_t start = ends_[case_index]->stream_out(sizes);
  allocations_ = count.so_far();
  ControlMessage<Reply> reply = answer();
  allocations_ += reply.head.allocations;
  const double seconds = static_cast<double>(reply.head.finished_ns - start) / 1e9;
  return {static_cast<double>(sizes.count) / seconds, std::move(reply.text)};
}

std::uint64_t Session::idle(std::size_t case_index, std::chrono::milliseconds duration) {
  guard::start_batch(fmt::format("{}, idle", cases_[case_index]->name));
  Request request;
  request.op = Request::Op::idle;
  request.case_index = static_cast<std::uint32_t>(case_index);
  request.count = static_cast<std::uint64_t>(duration.count());
  ask(request);
  return answer().head.cpu_ns;
}

void Session::finish() {
  guard::expect_end();
  ask(Request{});
  if (!second_process_succeeded(std::exchange(child_, 0))) {
    throw std::runtime_error("the second process ended with an error");
  }
}

namespace {

void serve_requests(DescriptorNumber socket) {
  std::vector<std::unique_ptr<Endpoint>> ends;
  for (ControlMessage<Request> request; receive_message(socket, request);) {
    const Request& head = request.head;
    ControlMessage<Reply> reply;
    switch (head.op) {
      case Request::Op::open: {
        const Case& one = all_cases()[head.case_index];
        ends.push_back(
            one.join(head.observed,
                     Invitation{std::move(request.text), std::exchange(request.descriptors[0], {}),
                                std::exchange(request.descriptors[1], {})}));
        break;
      }
      case Request::Op::echo: {
        Endpoint& end = *ends.at(head.case_index);
        const AllocationCount count(head.counted);
        end.echo(head.work, head.bytes, head.count);
        reply.head.allocations = count.so_far();
        break;
      }
      case Request::Op::stream: {
        const Sizes sizes = head.browsing ? browsing_hour(head.count)
                                          : Sizes{.count = head.count, .all_bytes = head.bytes};
        strait::MessageSizeHistogram seen;
        Endpoint& end = *ends.at(head.case_index);
        send_message(socket, ControlMessage<Reply>{});
        const AllocationCount count(head.counted);
        reply.head.finished_ns = end.stream_in(sizes, head.observed ? &seen : nullptr);
        reply.head.allocations = count.so_far();
        if (head.observed) reply.text = seen.to_string();
        break;
      }
      case Request::Op::idle: {
        Endpoint& end = *ends.at(head.case_index);
        const std::uint64_t before = cpu_ns();
        end.idle(std::chrono::milliseconds{static_cast<std::int64_t>(head.count)});
        reply.head.cpu_ns = cpu_ns() - before;
        break;
      }
      case Request::Op::quit: return;
    }
    send_message(socket, reply);
  }
}

}  // namespace

int serve(int core) {
  const DescriptorNumber socket = be_second_process();
  try {
    pin_to_core(core);
    serve_requests(socket);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "\nstrait_bench: second process: {}\n", error.what());
    return 1;
  }
}

}  // namespace bench

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

#include "strait/base/moved_from.hpp"
#include "strait/fwd.hpp"
#include "strait/handshake/hello.hpp"
#include "strait/mach/kernel.hpp"
#include "strait/mach/link_receiver.hpp"
#include "strait/mach/link_sender.hpp"
#include "strait/mach/native_kernel.hpp"
#include "strait/mach/ool_method.hpp"
#include "strait/mach/shared_segment.hpp"
#include "strait/memory/message_memory.hpp"
#include "strait/os/activated_socket.hpp"
#include "strait/os/descriptor.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/memory_file.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/os/poll.hpp"
#include "strait/rights/right_list.hpp"
#include "strait/send_policy.hpp"
#include "strait/transport.hpp"
#include "strait/wait_policy.hpp"

namespace strait {

/// Messages between Mach ports, or what stands for them: small ones inline, large ones in
/// fragments, or out of line from the policy's threshold up. The same code over every `MachKernel`.
///
/// A link is two ports: each side receives on its own and has the send right to the other's. The
/// client sends its Hello to the server's name; with the answer it gets its ports.
template <class KernelT, class SendPolicy, class WaitPolicy, std::size_t queue_bytes>
class BasicMachTransport : detail::LinkSender<KernelT, SendPolicy, queue_bytes>,
                           detail::LinkReceiver<KernelT, SendPolicy, queue_bytes> {
  using Sender = detail::LinkSender<KernelT, SendPolicy, queue_bytes>;
  using Receiver = detail::LinkReceiver<KernelT, SendPolicy, queue_bytes>;
  using SendRight = typename KernelT::SendRight;
  using ReceiveRight = typename KernelT::ReceiveRight;
  using OolMethod = typename Sender::OolMethod;

  static constexpr bool carries_descriptors = MachKernelWithDescriptors<KernelT>;
  static constexpr bool packs_endpoints = MachKernelWithPackedEndpoints<KernelT>;

  static_assert((queue_bytes & (queue_bytes - 1)) == 0 && queue_bytes >= (std::size_t{16} << 10),
                "strait: a port's queue is a power of two of at least 16 KiB.");
  static constexpr bool copies_on_write = std::is_same_v<typename SendPolicy::method, CopyOnWrite>;
  static constexpr bool lacks_seals = requires { requires !KernelT::seals_memory; };
  static_assert(!copies_on_write || !lacks_seals,
                "strait: Windows has no seals, so no region is safe from its sender, and nothing "
                "goes out of line by copy-on-write; use InlineOnly or, between peers that "
                "cooperate, OolThreshold<N, Loan>.");
  static_assert(SendPolicy::threshold_bytes == SIZE_MAX || OolMethod::exists ||
                    (copies_on_write && lacks_seals),
                "strait: this kernel has no out-of-line memory; use InlineOnly.");
  static_assert(SendPolicy::threshold_bytes > 0,
                "strait: an out-of-line region has at least one byte.");

 public:
  using kernel = KernelT;
  using send_policy = SendPolicy;
  using wait_policy = WaitPolicy;
  static constexpr detail::WireOptions wire_options{
      detail::loan_bytes_of<typename SendPolicy::method>, queue_bytes};
  static constexpr std::size_t fragment_bytes = Sender::fragment_bytes;

  class Request {
   public:
    explicit Request(typename KernelT::Request request)
        : credentials(request.credentials),
          failure(request.failure),
          request_(std::move(request)) {}

    PeerCredentials credentials;
    std::error_code failure;

    std::span<const std::byte> hello() const { return request_.body.bytes(); }

    Result<BasicMachTransport> welcome(std::span<const std::byte> bytes) && {
      auto ports = KernelT::welcome(std::move(request_), queue_bytes, bytes);
      if (!ports) return ports.error();
      return BasicMachTransport(std::move(ports->in), std::move(ports->out));
    }

    void refuse(std::span<const std::byte> bytes) && {
      KernelT::refuse(std::move(request_), bytes);
    }

   private:
    typename KernelT::Request request_;
  };

  class Server {
   public:
    explicit Server(typename KernelT::ServicePort port) : port_(std::move(port)) {}

    Result<Request> accept() {
      auto request = port_.receive();
      if (!request) return request.error();
      return Request(std::move(*request));
    }
    void withdraw() requires requires(typename KernelT::ServicePort port) { port.withdraw(); }
    { port_.withdraw(); }
    Interest interest() const { return port_.interest(); }
    detail::Deadline deadline() const { return port_.deadline(); }

   private:
    typename KernelT::ServicePort port_;
  };

  class Connector {
   public:
    explicit Connector(typename KernelT::ServiceRight right) : right_(std::move(right)) {}

    PeerCredentials credentials()
        const requires detail::TellsCredentials<typename KernelT::ServiceRight> {
      return right_.credentials();
    }

    Result<BasicMachTransport> hello(std::span<const std::byte> bytes) && {
      auto greeting = KernelT::greet(std::move(right_), queue_bytes, bytes);
      if (!greeting) return greeting.error();
      BasicMachTransport link{ReceiveRight(), SendRight()};
      link.greeting_.emplace(std::move(*greeting));
      return link;
    }

   private:
    typename KernelT::ServiceRight right_;
  };

  static Result<Server> listen(std::string_view name, detail::AcceptLimits limits) {
    auto port = KernelT::check_in(name, limits);
    if (!port) return port.error();
    return Server(std::move(*port));
  }

  static Result<Server> listen(ActivatedSocket socket,
                               detail::AcceptLimits limits) requires requires {
    KernelT::check_in(std::move(socket), limits);
  }
  {
    auto port = KernelT::check_in(std::move(socket), limits);
    if (!port) return port.error();
    return Server(std::move(*port));
  }

  static Result<Connector> look_up(std::string_view name) {
    auto right = KernelT::look_up(name);
    if (!right) return right.error();
    return Connector(std::move(*right));
  }

  static Result<std::array<os::Descriptor, 2>> connected_pair() requires
      MachKernelWithInheritance<KernelT> {
    return KernelT::connected_pair();
  }

  static Result<Server> listen(os::Descriptor client, const PeerCredentials& credentials,
                               detail::AcceptLimits limits) requires
      MachKernelWithInheritance<KernelT> {
    auto port = KernelT::check_in(std::move(client), credentials, limits);
    if (!port) return port.error();
    return Server(std::move(*port));
  }

  static Result<Connector> look_up(os::Descriptor&& server) requires
      MachKernelWithInheritance<KernelT> {
    auto right = KernelT::look_up(std::move(server));
    if (!right) return right.error();
    return Connector(std::move(*right));
  }

  Result<detail::HandshakeBytes> welcome() {
    auto answer = greeting_->answer();
    if (!answer) return answer.error();
    if (answer->ports) {
      Sender::operator=(Sender(std::move(answer->ports->out)));
      Receiver::operator=(Receiver(std::move(answer->ports->in)));
      greeting_.reset();
    } else if (detail::check_welcome(answer->body.bytes())) {
      return Errc::malformed;  // all is well, and there is no link
    }
    return answer->body;
  }

  /// The sender of the welcome, where the name did not tell.
  PeerCredentials server_credentials() const
      requires(!detail::TellsCredentials<typename KernelT::ServiceRight>) {
    return greeting_ ? greeting_->sender() : this->in().sender();
  }

  using Sender::allocate;
  using Sender::bytes_under_way;
  using Sender::fits_under_way;
  using Sender::limit_under_way;
  static constexpr std::size_t out_of_line_from = SendPolicy::threshold_bytes;

  /// Memory that is lent to the receivers of many such links at once, and how much to each; 0 where
  /// there is none that they can't write.
  using shared_pool = detail::SharedPool;
  static constexpr std::size_t max_shared_bytes =
      OolMethod::lends && os::has_seals_of_writers
          ? detail::loan_bytes_of<typename SendPolicy::method>
          : 0;

  using Sender::send;
  static bool carries(const detail::Right& right) requires carries_descriptors {
    if constexpr (requires { KernelT::carries(NativeHandle()); }) {
      return right.descriptor && KernelT::carries(right.descriptor.get());
    } else {
      return static_cast<bool>(right.descriptor);
    }
  }

  using Receiver::receive;
  using Receiver::unfinished;
  using Sender::flush;
  using Sender::retries;

  bool readable() const { return greeting_ ? greeting_->readable() : Receiver::readable(); }

  Armed arm(const detail::FrameQueue& queue) {
    if (greeting_) [[unlikely]] {
      const bool answered = greeting_->arm();
      return {{greeting_->interest(), {}}, answered};
    }
    // Both, always: a flush waits for room though there are messages. The receiving half first: it
    // may take in what was to wake the sending one, which then looks again.
    bool ready = Receiver::arm();
    Sender::evict_unused();
    if (queue.empty()) return {{Receiver::interest(), {}}, ready};
    ready = Sender::arm(queue) || ready;
    return {{Receiver::interest(), Sender::interest()}, ready};
  }
  bool disarm() { return greeting_ ? greeting_->disarm() : Receiver::disarm(); }
  Result<void> wait(detail::Deadline deadline) {
    if (greeting_) [[unlikely]]
      return os::wait_for({greeting_->interest()}, deadline);
    return Receiver::wait(deadline);
  }
  void take_doorbells() {
    if (greeting_) [[unlikely]]
      return greeting_->take_doorbells();
    Receiver::take_doorbells();
    Sender::take_doorbells();
  }

  static Result<std::pair<BasicMachTransport, BasicMachTransport>> pair() requires packs_endpoints {
    auto ports = KernelT::pair(queue_bytes);
    if (!ports) return ports.error();
    auto& [first, second] = *ports;
    return std::pair(BasicMachTransport(std::move(first.in), std::move(first.out)),
                     BasicMachTransport(std::move(second.in), std::move(second.out)));
  }

  /// Keeps no more descriptors than it takes to send and receive.
  void stay() requires packs_endpoints {
    Sender::stay();
    Receiver::stay();
  }

  /// A packed endpoint with both ports and what has come of an unfinished message.
  ///
  /// Errors: also `unsupported` while either side holds memory that the other lends or names, and
  /// after `stay`.
  Result<detail::Right> detach() requires packs_endpoints {
    if (Receiver::holds_memory() || Sender::lends_memory()) return Errc::unsupported;
    auto packed = Receiver::pack(this->out());
    if (!packed) return packed.error();
    return detail::Right{std::move(*packed)};
  }

  static Result<BasicMachTransport> attach(detail::Right& right) requires packs_endpoints {
    auto ports = KernelT::unpack(right.descriptor, fragment_bytes);
    if (!ports) return ports.error();
    BasicMachTransport link(std::move(ports->in), std::move(ports->out));
    link.resume_with(std::move(ports->begun), std::move(ports->rights));
    right = {};
    return link;
  }

 private:
  BasicMachTransport(ReceiveRight in, SendRight out)
      : Sender(std::move(out)), Receiver(std::move(in)) {}

  /// Until the server has answered.
  detail::ResetOnMove<typename KernelT::Greeting> greeting_;
};

}  // namespace strait

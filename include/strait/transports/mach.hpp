#pragma once

#include <sys/mman.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include "strait/base/min_max.hpp"
#include "strait/base/moved_from.hpp"
#include "strait/fwd.hpp"
#include "strait/handshake/hello.hpp"
#include "strait/mach/kernel.hpp"
#include "strait/mach/message_header.hpp"
#include "strait/mach/native_kernel.hpp"
#include "strait/mach/ool_method.hpp"
#include "strait/memory/byte_buffer.hpp"
#include "strait/os/memory_file.hpp"
#include "strait/os/poll.hpp"
#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/mapping.hpp"
#include "strait/os/spin_after_batch.hpp"
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
class BasicMachTransport {
  using SendRight = typename KernelT::SendRight;
  using ReceiveRight = typename KernelT::ReceiveRight;

  static constexpr bool carries_descriptors = MachKernelWithDescriptors<KernelT>;
  using OolMethod = detail::OolMethod<KernelT, typename SendPolicy::method>;
  static constexpr bool packs_endpoints = MachKernelWithPackedEndpoints<KernelT>;

 public:
  using kernel = KernelT;
  using send_policy = SendPolicy;
  using wait_policy = WaitPolicy;
  static constexpr detail::WireOptions wire_options{
      detail::loan_bytes_of<typename SendPolicy::method>, queue_bytes};

  /// A message larger than this travels in fragments, so that the receiver copies out while the
  /// sender copies in.
  static constexpr std::size_t fragment_bytes = detail::min(queue_bytes / 8, std::size_t{32} << 10);

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
    pollfd interest() const { return port_.interest(); }
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

  static Result<Connector> look_up(std::string_view name) {
    auto right = KernelT::look_up(name);
    if (!right) return right.error();
    return Connector(std::move(*right));
  }

  static Result<std::array<posix::Descriptor, 2>> connected_pair() requires
      MachKernelWithInheritance<KernelT> {
    return KernelT::connected_pair();
  }

  static Result<Server> listen(posix::Descriptor client, const PeerCredentials& who,
                               detail::AcceptLimits limits) requires
      MachKernelWithInheritance<KernelT> {
    auto port = KernelT::check_in(std::move(client), who, limits);
    if (!port) return port.error();
    return Server(std::move(*port));
  }

  static Result<Connector> look_up(posix::Descriptor&& server) requires
      MachKernelWithInheritance<KernelT> {
    auto right = KernelT::look_up(std::move(server));
    if (!right) return right.error();
    return Connector(std::move(*right));
  }

  Result<detail::HandshakeBytes> welcome() {
    auto answer = greeting_->answer();
    if (!answer) return answer.error();
    if (answer->ports) {
      in_ = std::move(answer->ports->in);
      out_ = std::move(answer->ports->out);
      greeting_.reset();
    } else if (detail::check_welcome(answer->body.bytes())) {
      return Errc::malformed;  // all is well, and there is no link
    }
    return answer->body;
  }

  /// Whom the welcome was from, where the name did not tell.
  PeerCredentials server_credentials() const
      requires(!detail::TellsCredentials<typename KernelT::ServiceRight>) {
    return greeting_ ? greeting_->sender() : in_.sender();
  }

  /// Memory for a message that will be sent here.
  ///
  /// Errors: those of the system, and then any other memory will do.
  Result<detail::Lease> allocate(std::size_t bytes) requires(OolMethod::exists) {
    if (bytes < SendPolicy::threshold_bytes) return detail::PrivateMemory::create(bytes);
    return ool_method_.allocate(bytes);
  }

  /// From which size on messages go out of line, and what of them is under way.
  static constexpr std::size_t out_of_line_from = SendPolicy::threshold_bytes;
  std::size_t bytes_under_way() const requires(OolMethod::exists) {
    if constexpr (OolMethod::lends) {
      return ool_method_.bytes_out();
    } else if constexpr (requires { out_.bytes_under_way(); }) {
      return out_.bytes_under_way();
    } else {
      return 0;  // this kernel counts messages: see its queue's limit
    }
  }
  /// Whether so many bytes more stay within a bound; the first message always does.
  bool fits_under_way(std::size_t bytes, std::size_t bound) const requires(OolMethod::exists) {
    if constexpr (OolMethod::lends) {
      if (ool_method_.pool_bytes() <= bound) return true;
    }
    const std::size_t under_way = bytes_under_way();
    return under_way == 0 || (bytes <= bound && under_way <= bound - bytes);
  }

  template <class Payload>
  Result<void> send(const Payload& payload, detail::FrameQueue& queue) {
    if constexpr (OolMethod::exists && requires { payload.lease(); }) {
      // It lies in the right memory already, if that is this way's own.
      const auto sent = ool_method_.send(out_, header(out_of_line_kind, payload.tag()),
                                         payload.lease(), payload.size(), payload.moved());
      if (sent || sent.error() == Errc::peer_closed) return sent;
    }
    // What is known from the type is decided here, and the other ways are not compiled at all.
    using Size = decltype(payload.size());
    constexpr std::size_t fixed = detail::static_size<Size>;
    if constexpr (fixed != SIZE_MAX) {
      if constexpr (fixed >= SendPolicy::threshold_bytes) {
        return send_out_of_line(payload, queue);
      } else if constexpr (fixed > fragment_bytes) {
        return send_fragments(payload, queue);
      } else {
        return send_inline(payload, queue);
      }
    } else {
      const std::size_t size = payload.size();
      if (size <= detail::min(fragment_bytes, SendPolicy::threshold_bytes - 1)) [[likely]] {
        return send_inline(payload, queue);
      }
      if constexpr (OolMethod::exists) {
        if (size >= SendPolicy::threshold_bytes) return send_out_of_line(payload, queue);
      }
      return send_fragments(payload, queue);
    }
  }

  /// Rights travel as descriptors beside the first part of the message.
  template <class Payload>
  Result<void> send(const Payload& payload, detail::FrameQueue& queue,
                    detail::RightList& rights) requires carries_descriptors {
    return detail::send_queued(payload, queue, rights, [&] { return flush(queue); });
  }
  static bool carries(const detail::Right& right) requires carries_descriptors {
    if constexpr (requires { KernelT::carries(0); }) {
      return right.descriptor && KernelT::carries(right.descriptor.get());
    } else {
      return static_cast<bool>(right.descriptor);
    }
  }

  Result<void> flush(detail::FrameQueue& queue) {
    std::size_t staged_bytes = 0;
    while (!queue.empty()) {
      const auto frame = queue.front();
      const std::span payload(frame.payload, frame.header.bytes);
      if constexpr (OolMethod::exists) {
        if (payload.size() >= SendPolicy::threshold_bytes && !frame.header.continued &&
            frame.header.rights == 0) {
          out_.publish();
          staged_bytes = 0;
          if (auto room = out_.reserve(sizeof(detail::OolReference)); !room)
            return unless_full(room.error());
          const auto sent = ool_method_.send_copy(out_, header(out_of_line_kind, frame.header.tag),
                                                  Queued{payload});
          if (sent) {
            queue.pop();
            continue;
          }
          if (sent.error() == Errc::peer_closed) return sent;
          // No memory for it, or no room beside the ring: the bytes travel by themselves.
        }
      }
      const std::size_t size = detail::min(payload.size(), fragment_bytes);
      const bool last = size == payload.size();
      const Kind kind = !last                    ? Kind::fragment
                        : frame.header.continued ? Kind::last_fragment
                                                 : Kind::whole;
      if constexpr (carries_descriptors) {
        if (frame.header.rights != 0) [[unlikely]] {
          out_.publish();
          staged_bytes = 0;
          const auto sent = send_rights(header(kind, frame.header.tag), payload.first(size), queue);
          if (!sent) return unless_full(sent.error());
          last ? queue.pop() : queue.advance(size);
          continue;
        }
      }
      const auto piece = copy_of(payload.first(size));
      if (auto sent = put(out_, header(kind, frame.header.tag, size), piece); !sent) {
        out_.publish();
        return unless_full(sent.error());
      }
      last ? queue.pop() : queue.advance(size);
      // Small messages are shown together; with large ones the receiver keeps step.
      staged_bytes += size;
      if (staged_bytes >= publish_bytes) {
        out_.publish();
        staged_bytes = 0;
      }
    }
    out_.publish();
    return {};
  }

  template <class Sink>
  Result<void> receive(Sink&& sink, const ReceiveLimits& limits) {
    const std::size_t max_message_bytes = limits.max_message_bytes;
    if (assembling_ && begun_) [[unlikely]] {
      if (auto resumed = resume(max_message_bytes); !resumed) return resumed;
    }
    if constexpr (requires { in_.set_max_descriptors(limits.max_rights); }) {
      in_.set_max_descriptors(limits.max_rights);
    }
    std::size_t left = detail::fair_share_bytes;
    for (int i = 0; i != detail::fair_share && left != 0; ++i) {
      auto received = in_.peek();
      if (!received) {
        if (i < 2 || received.error() != Errc::empty) return received.error();
        detail::spin_after_batch(i);
        received = in_.peek();
        if (!received) return received.error();
      }
      const MessageHeader& message = *received;
      switch (static_cast<Kind>(message.kind)) {
        case Kind::whole:
        case Kind::fragment:
        case Kind::last_fragment: {
          const auto kind = static_cast<Kind>(message.kind);
          if (kind == Kind::whole && assembling_) return Errc::malformed;
          if (message.descriptors != 0 && (assembling_ || !carries_descriptors)) {
            return Errc::malformed;
          }
          // An honest sender cuts what is larger.
          if (message.bytes > fragment_bytes) return Errc::malformed;
          left -= detail::min(left, std::size_t{message.bytes});
          if (!assembling_) incoming_.clear();
          if (message.bytes > max_message_bytes - incoming_.size()) return Errc::message_too_large;
          std::byte* copy = incoming_.extend(message.bytes);
          if (copy == nullptr) return detail::no_memory();
          std::memcpy(copy, in_.body(), message.bytes);
          in_.pop(message);
          if constexpr (carries_descriptors) {
            if (message.descriptors != 0) [[unlikely]] {
              left -= detail::min(left, posix::page_size());
              if (auto taken = take_rights(message.descriptors); !taken) return taken;
            }
          }
          assembling_ = kind == Kind::fragment;
          if (!assembling_ && !deliver(sink, message.tag)) return {};
          break;
        }
        case Kind::region:
        case Kind::loan:
        case Kind::forget: {
          // Mapping it costs more than its few bytes.
          left -= detail::min(left, posix::page_size());
          const MessageHeader announced = message;
          detail::OolReference note;
          auto lease = take_out_of_line(announced, note, max_message_bytes);
          if (!lease) return lease.error();
          if (*lease) {
            const std::span<const std::byte> bytes((*lease)->data(), note.bytes);
            const bool more = sink(Incoming{announced.tag, bytes, nullptr, &*lease});
            lease->reset();  // before `done`, which has the memory serve the next message
            if constexpr (MachKernelWithRegions<KernelT>) regions_.done();
            if (!more) return {};
          }
          break;
        }
        case Kind::welcome:
        case Kind::refusal:
        default: return Errc::malformed;
      }
    }
    return {};
  }

  bool readable() const { return greeting_ ? greeting_->readable() : in_.readable(); }

  bool arm(const detail::FrameQueue& queue) {
    if (greeting_) [[unlikely]]
      return greeting_->arm();
    // Both, always: a flush waits for room though there are messages.
    const bool message = in_.arm();
    if constexpr (OolMethod::exists) ool_method_.evict_unused(out_, header(Kind::forget));
    if (queue.empty()) return message;
    return out_.arm(detail::min(queue.front().header.bytes, fragment_bytes)) || message;
  }

  posix::Interest interest(const detail::FrameQueue& queue) const {
    if (greeting_) [[unlikely]]
      return {greeting_->interest(), {-1, 0, 0}};
    return {in_.interest(), queue.empty() ? pollfd{-1, 0, 0} : out_.interest()};
  }

  /// Only time tells when what waits can be sent.
  bool retries() const {
    if constexpr (requires { out_.retries(); }) {
      return out_.retries();
    } else {
      return false;
    }
  }

  std::uint64_t unfinished() const {
    std::uint64_t bytes = 0;
    if constexpr (requires { in_.has_early_descriptors(); }) {
      if (in_.has_early_descriptors()) bytes = 1;
    }
    return assembling_ && !rights_.empty() ? 1 + incoming_.size() : bytes;
  }

  bool disarm() { return greeting_ ? greeting_->disarm() : in_.disarm(); }
  Result<void> wait(detail::Deadline deadline) {
    if (greeting_) [[unlikely]]
      return posix::wait_for({greeting_->interest(), {-1, 0, 0}}, deadline);
    return in_.wait(deadline);
  }

  void take_doorbells() {
    if (greeting_) [[unlikely]]
      return greeting_->take_doorbells();
    in_.take_doorbells();
    out_.take_doorbells();
  }

  static Result<std::pair<BasicMachTransport, BasicMachTransport>> pair() requires packs_endpoints {
    auto ports = KernelT::pair(queue_bytes);
    if (!ports) return ports.error();
    auto& [first, second] = *ports;
    return std::pair(BasicMachTransport(std::move(first.in), std::move(first.out)),
                     BasicMachTransport(std::move(second.in), std::move(second.out)));
  }

  /// A packed endpoint with both ports and what has come of an unfinished message.
  ///
  /// Errors: also `unsupported` while either side holds memory that the other lends or names.
  Result<detail::Right> detach() requires packs_endpoints {
    if (holds_memory()) return Errc::unsupported;
    posix::Descriptor file;
    if (assembling_ && !begun_) {
      auto made = posix::memory_file_of(incoming_.bytes());
      if (!made) return made.error();
      file = std::move(*made);
    }
    auto packed = KernelT::pack(in_, out_, begun_ ? begun_ : file, rights_);
    if (!packed) return packed.error();
    return detail::Right{std::move(*packed)};
  }

  static Result<BasicMachTransport> attach(detail::Right& right) requires packs_endpoints {
    auto ports = KernelT::unpack(right.descriptor, fragment_bytes);
    if (!ports) return ports.error();
    BasicMachTransport link(std::move(ports->in), std::move(ports->out));
    link.assembling_ = static_cast<bool>(ports->begun);
    link.begun_ = std::move(ports->begun);
    link.rights_ = std::move(ports->rights);
    right = {};
    return link;
  }

 private:
  using Kind = detail::MessageKind;
  static constexpr Kind out_of_line_kind = OolMethod::lends ? Kind::loan : Kind::region;

  /// A queued message, as a payload.
  struct Queued {
    static constexpr bool contiguous = true;
    std::span<const std::byte> payload;

    std::size_t size() const { return payload.size(); }
    std::span<const std::byte> bytes() const { return payload; }
    void write_to(std::byte* out) const { copy_of(payload)(out); }
  };

  static constexpr std::size_t publish_bytes = std::size_t{4} << 10;
  static constexpr std::size_t copied_in_a_ns = 4;

  static_assert((queue_bytes & (queue_bytes - 1)) == 0 && queue_bytes >= (std::size_t{16} << 10),
                "strait: a port's queue is a power of two of at least 16 KiB.");
  static_assert(SendPolicy::threshold_bytes == SIZE_MAX || OolMethod::exists,
                "strait: this kernel has no out-of-line memory; use InlineOnly.");
  static_assert(SendPolicy::threshold_bytes > 0,
                "strait: an out-of-line region has at least one byte.");

  /// Takes over what the former owner of this end had of the message that is coming in: only here
  /// it is known how large that may be.
  Result<void> resume(std::size_t max_message_bytes) {
    const auto size = posix::sealed_size(begun_.get(), posix::seals_of_content);
    if (!size) return size.error();
    if (*size > max_message_bytes) return Errc::message_too_large;
    const auto bytes = posix::Mapping::map_received(*size, PROT_READ, MAP_PRIVATE, begun_.get());
    if (!bytes) return bytes.error();
    std::byte* copy = incoming_.extend(*size);
    if (copy == nullptr) return detail::no_memory();
    if (*size != 0) std::memcpy(copy, bytes->data(), *size);
    begun_.reset();
    return {};
  }

  /// Sends the first part of the oldest message with the message's rights.
  Result<void> send_rights(const MessageHeader& header, std::span<const std::byte> part,
                           detail::FrameQueue& queue) {
    std::array<int, detail::max_rights> descriptors;
    std::size_t count = 0;
    queue.rights().for_each(
        [&](const detail::Right& right) { descriptors[count++] = right.descriptor.get(); },
        queue.front().header.rights);
    auto sent = out_.send(header, part, std::span<const int>(descriptors).first(count));
    if (sent) queue.take_rights(count);  // the receiver has its own by now
    return sent;
  }

  Result<void> take_rights(std::size_t count) {
    if (count > detail::max_rights) return Errc::malformed;
    std::array<posix::UnseenDescriptor, detail::max_rights> taken;
    if (auto found = in_.take_descriptors(std::span(taken).first(count)); !found) return found;
    for (posix::UnseenDescriptor& descriptor : std::span(taken).first(count)) {
      if (!rights_.push(detail::Right::from_peer(std::move(descriptor)))) {
        return detail::no_memory();
      }
    }
    return {};
  }

  template <class Sink>
  bool deliver(Sink& sink, std::uint16_t tag) {
    if constexpr (carries_descriptors) {
      if (!rights_.empty()) [[unlikely]] {
        detail::RightList rights = std::move(rights_);
        return sink(Incoming{tag, incoming_.bytes(), &rights});
      }
    }
    return sink(Incoming{tag, incoming_.bytes()});
  }

  bool holds_memory() const {
    bool holds = false;
    if constexpr (MachKernelWithRegions<KernelT>) holds = holds || !regions_.empty();
    if constexpr (OolMethod::lends) holds = holds || !loans_.empty() || !ool_method_.empty();
    return holds;
  }

  BasicMachTransport(ReceiveRight in, SendRight out) : in_(std::move(in)), out_(std::move(out)) {}

  static MessageHeader header(Kind kind, std::uint16_t tag = 0, std::size_t bytes = 0) {
    return {static_cast<std::uint32_t>(bytes), tag, static_cast<std::uint8_t>(kind), 0};
  }

  /// Stages one inline message that `write(std::byte*)` writes.
  template <class Write>
  static Result<void> put(SendRight& out, const MessageHeader& header, const Write& write) {
    const auto room = out.reserve(header.bytes);
    if (!room) [[unlikely]]
      return room.error();
    write(*room);
    return out.stage(header);
  }
  static auto copy_of(std::span<const std::byte> bytes) {
    return [bytes](std::byte* out) {
      if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
    };
  }

  static Result<void> unless_full(std::error_code error) {
    return error == Errc::would_block ? Result<void>() : error;
  }

  template <class Payload>
  Result<void> send_inline(const Payload& payload, detail::FrameQueue& queue) {
    const auto sent = put(out_, header(Kind::whole, payload.tag(), payload.size()),
                          [&](std::byte* out) { payload.write_to(out); });
    if (!sent) [[unlikely]]
      return sent.error() == Errc::would_block ? detail::enqueue(queue, payload) : sent;
    out_.publish();
    return {};
  }

  template <class Payload>
  Result<void> send_fragments(const Payload& payload, detail::FrameQueue& queue) {
    std::span<const std::byte> rest;
    if constexpr (Payload::contiguous) {
      rest = payload.bytes();
      // From where it lies as far as it goes; only what finds no room is copied to the queue.
      SpinBudget budget(rest.size());
      while (rest.size() > fragment_bytes) {
        await_room(fragment_bytes, budget);
        const auto piece = copy_of(rest.first(fragment_bytes));
        if (auto sent = put(out_, header(Kind::fragment, payload.tag(), fragment_bytes), piece);
            !sent) {
          if (sent.error() == Errc::would_block) break;
          return sent;
        }
        out_.publish();
        rest = rest.subspan(fragment_bytes);
      }
      std::byte* out = queue.push(payload.tag(), rest.size(), rest.size() != payload.size());
      if (out == nullptr) {
        out_ = SendRight();  // the peer would wait for the rest: let it see the end instead
        return detail::no_memory();
      }
      std::memcpy(out, rest.data(), rest.size());
    } else if (auto queued = detail::enqueue(queue, payload); !queued) {
      return queued;
    }
    return flush(queue);
  }

  /// How long one `send` waits for room, in all: about as long as it would take to copy the message
  /// to the queue, from where it would be copied once more.
  class SpinBudget {
   public:
    explicit SpinBudget(std::size_t bytes) : left_(bytes / copied_in_a_ns) {
      if (left_ > longest) left_ = longest;
    }
    /// Calls `ready` until it says so, or the budget is spent.
    template <class Ready>
    void spin(Ready&& ready) {
      if (left_.count() <= 0) return;
      const auto start = detail::Deadline::Clock::now();
      auto now = start;
      do {
        for (int i = 0; i != 64; ++i) {
          if (ready()) break;
          posix::pause_processor();
        }
        now = detail::Deadline::Clock::now();
      } while (!ready() && now - start < left_);
      left_ -= now - start;
    }

   private:
    static constexpr std::chrono::nanoseconds longest = std::chrono::microseconds{5000};

    std::chrono::nanoseconds left_;
  };

  /// Waits for a receiver that is reading now.
  void await_room(std::size_t bytes, SpinBudget& budget) {
    const auto ready = [&] { return out_.reserve(bytes).error() != Errc::would_block; };
    if (ready() || posix::single_processor()) return;
    budget.spin(ready);
  }

  template <class Payload>
  Result<void> send_out_of_line(const Payload& payload, detail::FrameQueue& queue) {
    const auto sent = ool_method_.send_copy(out_, header(out_of_line_kind, payload.tag()), payload);
    if (sent || sent.error() == Errc::peer_closed) return sent;
    // No room, or no descriptor or memory for it: the bytes travel by themselves.
    return send_fragments(payload, queue);
  }

  /// Takes what came out of line with the next message; nothing if that only said what is not
  /// needed any more.
  Result<detail::Lease> take_out_of_line(const MessageHeader& message, detail::OolReference& note,
                                         std::size_t max_bytes) {
    if (message.bytes != sizeof note || assembling_) return Errc::malformed;
    std::memcpy(&note, in_.body(), sizeof note);
    in_.pop(message);
    if (note.bytes > max_bytes) return Errc::message_too_large;
    if constexpr (OolMethod::lends) {
      if (message.kind == static_cast<std::uint8_t>(Kind::loan)) {
        return loans_.take(in_, message, note);
      }
    }
    if constexpr (MachKernelWithRegions<KernelT>) {
      if (message.kind == static_cast<std::uint8_t>(Kind::region)) {
        return regions_.take(in_, message, note);
      }
      if (message.kind == static_cast<std::uint8_t>(Kind::forget)) {
        if (auto forgotten = regions_.forget(message, note); !forgotten) return forgotten.error();
        return detail::Lease();
      }
    }
    return Errc::malformed;
  }

  ReceiveRight in_;
  SendRight out_;
  /// Until the server has answered.
  detail::ResetOnMove<typename KernelT::Greeting> greeting_;
  [[no_unique_address]] OolMethod ool_method_;
  [[no_unique_address]] detail::RegionReceiverOf<KernelT> regions_;
  [[no_unique_address]] detail::LoanReceiverOf<KernelT, typename SendPolicy::method> loans_;
  detail::ByteBuffer incoming_;
  /// Of the message that is coming in.
  detail::RightList rights_;
  bool assembling_ = false;
  /// What the former owner of this end had of that message, until it is looked at.
  posix::Descriptor begun_;
};

}  // namespace strait

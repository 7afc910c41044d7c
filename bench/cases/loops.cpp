// A channel in event loops: by its handle in a bare epoll, in a coroutine, and in Asio.

#include <sys/epoll.h>
#include <strait/loops/asio.hpp>
#include <strait/loops/coroutine.hpp>
#include <strait/loops/poll_loop.hpp>

#include <array>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <asio.hpp>

#include "cases/library_link.hpp"
#include "harness/descriptor.hpp"
#include "strait/channel.hpp"
#include "strait/serializers/trivial.hpp"
#include "strait/transports/mach.hpp"

namespace bench {

namespace {

using View = std::span<const std::byte>;

/// A struct, as a program would send it.
struct Message {
  std::array<std::byte, 64> bytes;
};

// A loop looks once and sleeps then, so there is no spinning.
using LoopChannel = strait::Channel<strait::MachTransport<strait::InlineOnly, strait::Block>,
                                    strait::TrivialSerializer<Message>>;

template <class T>
void check(const strait::Result<T>& result, const char* what) {
  if (!result) [[unlikely]]
    throw std::system_error(result.error(), what);
}

/// Hands on what comes for as long as one `receive` lasts, and counts it.
class Delivery {
 public:
  template <class Handle>
  void begin(const Handle& handle) {
    handle_ = &handle;
    call_ = [](const void* to, View message) { (*static_cast<const Handle*>(to))(message); };
    handled_ = 0;
  }
  void operator()(const Message& message) {
    call_(handle_, message.bytes);
    ++handled_;
  }
  std::size_t handled() const { return handled_; }

 private:
  const void* handle_ = nullptr;
  void (*call_)(const void*, View) = nullptr;
  std::size_t handled_ = 0;
};

/// What the others are compared with.
class WaitLoop {
 public:
  explicit WaitLoop(LoopChannel made) : channel(std::move(made)) {}

  void await(Delivery& delivery) {
    check(channel.wait(delivery, std::chrono::seconds{10}), "wait");
  }

  LoopChannel channel;
};

/// The handle of a channel in epoll.
class EpollLoop {
 public:
  explicit EpollLoop(LoopChannel made)
      : channel(std::move(made)), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    epoll_event event{};
    event.events = EPOLLIN;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, channel.native_handle().value(), &event);
  }

  void await(Delivery& delivery) {
    for (;;) {
      const auto handled = channel.poll(delivery);
      check(handled, "poll");
      if (*handled != 0) return;
      epoll_event event;
      ::epoll_wait(epoll_.get(), &event, 1, -1);
    }
  }

  LoopChannel channel;

 private:
  Descriptor epoll_;
};

/// `co_await receiver.next()` for each message, over the library's own loop.
class CoroutineLoop {
 public:
  explicit CoroutineLoop(LoopChannel made) : channel(std::move(made)), receiver_(loop_, channel) {}

  void await(Delivery& delivery) {
    delivery_ = &delivery;
    if (!task_) task_.emplace(take_all());
    check(loop_.run_while([&] { return delivery.handled() == 0; }), "loop");
    if (task_->done()) task_->result();
  }

  LoopChannel channel;

 private:
  strait::Task<> take_all() {
    for (;;) {
      const auto message = co_await receiver_.next();
      check(message, "next");
      (*delivery_)(*message);
    }
  }

  strait::PollLoop loop_;
  Delivery* delivery_ = nullptr;
  strait::Receiver<strait::PollLoop, LoopChannel> receiver_;
  std::optional<strait::Task<>> task_;
};

/// `async_receive` again and again.
class AsioLoop {
 public:
  explicit AsioLoop(LoopChannel made)
      : link_(context_, std::move(made)), channel(link_.channel()) {}

  void await(Delivery& delivery) {
    delivery_ = &delivery;
    while (delivery.handled() == 0) {
      if (!waits_) receive();
      context_.run_one();
    }
  }

 private:
  void receive() {
    waits_ = true;
    link_.async_receive([this](const Message& message) { (*delivery_)(message); },
                        [this](const std::error_code& error, std::size_t) {
                          if (error) throw std::system_error(error, "async_receive");
                          waits_ = false;
                        });
  }

  asio::io_context context_;
  asio::executor_work_guard<asio::io_context::executor_type> work_ =
      asio::make_work_guard(context_);
  strait::AsioChannel<LoopChannel> link_;
  Delivery* delivery_ = nullptr;
  bool waits_ = false;

 public:
  LoopChannel& channel;
};

template <class Loop>
class LoopLink {
 public:
  explicit LoopLink(LoopChannel channel) : loop_(std::make_unique<Loop>(std::move(channel))) {}

  void send(View bytes) {
    Message message;
    if (bytes.size() != sizeof message) throw std::length_error("loops are measured with 64 bytes");
    std::memcpy(&message, bytes.data(), sizeof message);
    check(loop_->channel.send(message), "send");
    if (loop_->channel.queued_bytes() > backlog_bytes) [[unlikely]]
      flush();
  }
  void flush() { check(loop_->channel.flush(std::chrono::seconds{10}), "flush"); }

  template <class Handle>
  std::size_t receive(std::size_t, const Handle& handle) {
    Delivery& delivery = *delivery_;
    delivery.begin(handle);
    loop_->await(delivery);
    return delivery.handled();
  }

 private:
  static constexpr std::size_t backlog_bytes = std::size_t{64} << 10;

  std::unique_ptr<Loop> loop_;
  std::unique_ptr<Delivery> delivery_ = std::make_unique<Delivery>();
};

template <class Loop>
Case loop_case(std::string_view name, std::string_view about) {
  return {name, about,
          [](bool, const std::function<void(Invitation)>& invite) {
            return make_endpoint(LoopLink<Loop>(host_channel<LoopChannel>(invite)));
          },
          [](bool, Invitation invitation) {
            return make_endpoint(LoopLink<Loop>(join_channel<LoopChannel>(invitation)));
          },
          sizeof(Message)};
}

}  // namespace

Case loop_wait_case() { return loop_case<WaitLoop>("loop-wait", "wait() in a loop"); }
Case loop_epoll_case() {
  return loop_case<EpollLoop>("loop-epoll", "native_handle() in a bare epoll");
}
Case loop_coroutine_case() {
  return loop_case<CoroutineLoop>("loop-coroutine", "co_await next(), over PollLoop");
}
Case loop_asio_case() { return loop_case<AsioLoop>("loop-asio", "async_receive in an io_context"); }

}  // namespace bench

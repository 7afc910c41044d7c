#pragma once

#include <cstdint>
#include <span>
#include <system_error>
#include <utility>

#include "strait/base/shared.hpp"
#include "strait/channel/delivery.hpp"
#include "strait/channel/proxy_core.hpp"
#include "strait/os/wait_set.hpp"
#include "strait/peer.hpp"
#include "strait/proxy_options.hpp"
#include "strait/result.hpp"
#include "strait/rights/rights.hpp"
#include "strait/transport.hpp"

namespace strait::detail {

template <class ChannelT, ProxyOptions options>
class ProxyTask {
 public:
  explicit ProxyTask(Shared<ProxyCore<ChannelT, options>> core) : core_(std::move(core)) {}
  void operator()() const { core_->dispatch(); }

 private:
  Shared<ProxyCore<ChannelT, options>> core_;
};

/// With the user's types.
template <class ChannelT, ProxyOptions options, class Listener, class Executor>
class ProxyCoreFor final : public ProxyCore<ChannelT, options> {
 public:
  ProxyCoreFor(ChannelT channel, os::WaitSet wakeup, Listener listener, Executor executor)
      : ProxyCore<ChannelT, options>(std::move(channel), std::move(wakeup)),
        listener_(std::move(listener)),
        executor_(std::move(executor)) {}

  /// Before the thread starts: of what this is, also for a listener that wants to know for what it
  /// hears.
  void attach(const Shared<ProxyCore<ChannelT, options>>& self) {
    self_ = self;
    if constexpr (requires { listener_.attach(self); }) listener_.attach(self);
  }

 private:
  void post() override { executor_(ProxyTask<ChannelT, options>(self_.lock())); }
  void on_connected(const Peer& peer) override {
    if constexpr (requires { listener_.on_connected(peer); }) listener_.on_connected(peer);
  }
  Result<void> on_message(std::uint16_t tag, std::span<const std::byte> bytes,
                          Rights rights) override {
    RightList* const list = rights.empty() ? nullptr : &rights.list();
    return deliver<typename ChannelT::serializer, CarriesRights<typename ChannelT::transport>>(
        listener_, Incoming{tag, bytes, list});
  }
  void on_due() override {
    if constexpr (requires { listener_.on_due(); }) listener_.on_due();
  }
  void on_closed(std::error_code why) override {
    if constexpr (requires { listener_.on_closed(why); }) listener_.on_closed(why);
  }

  Weak<ProxyCore<ChannelT, options>> self_;
  Listener listener_;
  Executor executor_;
};

}  // namespace strait::detail

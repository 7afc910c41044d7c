// expect: strait: this transport can't listen at a socket that was handed over
// expect: strait: this transport can't listen at a socket that was handed over
// expect: strait: this transport can't listen at a socket that was handed over

#include <strait/acceptor.hpp>
#include <strait/channel.hpp>
#include <strait/loops/steps.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/transports/pipe.hpp>
#include <strait/transports/socket.hpp>

using OverSocket = strait::Channel<strait::SocketTransport, strait::RawSerializer>;
using OverPipe = strait::Channel<strait::PipeTransport, strait::RawSerializer>;

void listen([[maybe_unused]] strait::ActivatedSocket socket,
            [[maybe_unused]] const strait::Token& token) {
#if !defined(STRAIT_REJECT)
  static_cast<void>(OverSocket::listen(std::move(socket), token));
  static_cast<void>(strait::Acceptor<OverSocket>::listen(std::move(socket), token));
  static_cast<void>(strait::ChannelServer<OverSocket>::listen(std::move(socket), token));
#elif STRAIT_REJECT == 1
  static_cast<void>(OverPipe::listen(std::move(socket), token));
#elif STRAIT_REJECT == 2
  static_cast<void>(strait::Acceptor<OverPipe>::listen(std::move(socket), token));
#elif STRAIT_REJECT == 3
  static_cast<void>(strait::ChannelServer<OverPipe>::listen(std::move(socket), token));
#endif
}

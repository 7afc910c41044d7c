// expect: strait: the first argument of Channel is a transport, such as MachTransport<>.
// expect: strait: the second argument of Channel is a serializer, such as RawSerializer.
// expect: strait: max_message_bytes is 1 GiB at the most.

#include <strait/channel.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/transports/mach.hpp>

struct Ping {};

#if !defined(STRAIT_REJECT)
using Link = strait::Channel<strait::MachTransport<>, strait::RawSerializer>;
#elif STRAIT_REJECT == 1
using Link = strait::Channel<strait::RawSerializer, strait::RawSerializer>;
#elif STRAIT_REJECT == 2
using Link = strait::Channel<strait::MachTransport<>, Ping>;
#elif STRAIT_REJECT == 3
using Link = strait::Channel<strait::MachTransport<>, strait::RawSerializer,
                             strait::ChannelOptions{.max_message_bytes = std::size_t{1} << 31}>;
#endif

std::size_t look(Link& link) { return link.queued_bytes(); }

#pragma once

// Everything but what needs another library, and what programs of its own kind need: calls and
// reconnecting clients, the observers in observers/, message_size_histogram.hpp, and
// serializers/struct.hpp, which takes a compiler as long as half of the rest. A program that minds
// its compile time includes what it uses instead.

#include "strait/acceptor.hpp"
#include "strait/channel.hpp"
#include "strait/channel_proxy.hpp"
#include "strait/config.hpp"
#include "strait/launch.hpp"
#include "strait/overloaded.hpp"
#include "strait/rights/rights.hpp"
#include "strait/rights/semaphore.hpp"
#include "strait/rights/shared_memory.hpp"
#include "strait/rights/table.hpp"
#include "strait/serializers/raw.hpp"
#include "strait/serializers/trivial.hpp"
#include "strait/task_queue.hpp"
#include "strait/transports/loopback.hpp"
#include "strait/transports/mach.hpp"
#include "strait/transports/pipe.hpp"
#include "strait/version.hpp"

#if !STRAIT_HAS_WINDOWS
#include "strait/transports/bridged.hpp"
#include "strait/transports/socket.hpp"
#endif

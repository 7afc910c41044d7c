#pragma once

// What most programs use. What programs of one kind need has to be included by name, since every
// program would pay a compiler for it: channel_proxy.hpp and task_queue.hpp, for threads;
// serializers/struct.hpp; transports/loopback.hpp, for tests; transports/bridged.hpp; the observers
// in observers/; message_size_histogram.hpp; and what adapts another library. A program that minds
// its compile time even more includes just what it uses.

#include "strait/acceptor.hpp"
#include "strait/channel.hpp"
#include "strait/config.hpp"
#include "strait/launch.hpp"
#include "strait/overloaded.hpp"
#include "strait/rights/rights.hpp"
#include "strait/rights/semaphore.hpp"
#include "strait/rights/shared_memory.hpp"
#include "strait/rights/table.hpp"
#include "strait/serializers/raw.hpp"
#include "strait/serializers/trivial.hpp"
#include "strait/transports/mach.hpp"
#include "strait/transports/pipe.hpp"
#include "strait/version.hpp"

#if !STRAIT_HAS_WINDOWS
#include "strait/transports/socket.hpp"
#endif

#pragma once

// Everything. A program that minds its compile time includes what it uses instead.

#include "strait/acceptor.hpp"
#include "strait/bridged_transport.hpp"
#include "strait/channel.hpp"
#include "strait/channel_proxy.hpp"
#include "strait/launch.hpp"
#include "strait/loopback_transport.hpp"
#include "strait/mach_transport.hpp"
#include "strait/message_size_histogram.hpp"
#include "strait/overloaded.hpp"
#include "strait/pipe_transport.hpp"
#include "strait/rights.hpp"
#include "strait/rights_table.hpp"
#include "strait/semaphore.hpp"
#include "strait/serializers/raw.hpp"
#include "strait/serializers/trivial.hpp"
#include "strait/shared_memory.hpp"
#include "strait/socket_transport.hpp"
#include "strait/task_queue.hpp"
#include "strait/version.hpp"

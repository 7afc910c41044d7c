#pragma once

// The transports that the conformance suite runs over, each by the name that its tests carry. A new
// one is an alias and a word in a list.

#include "strait/loopback_transport.hpp"
#include "strait/mach_transport.hpp"
#include "strait/pipe_transport.hpp"

namespace strait_test {

using Mach = strait::MachTransport<>;
using MachInline = strait::MachTransport<strait::InlineOnly>;
using MachCow = strait::MachTransport<strait::OolThreshold<4096>>;
using MachBlock = strait::MachTransport<strait::DefaultSendPolicy, strait::Block>;
using MachSpin = strait::MachTransport<strait::DefaultSendPolicy, strait::Spin>;
using Pipe = strait::PipeTransport;
using Loopback = strait::LoopbackTransport;

// Every way to send with every way to wait: for what depends on the waiting.
using MachInlineBlock = strait::MachTransport<strait::InlineOnly, strait::Block>;
using MachInlineSpin = strait::MachTransport<strait::InlineOnly, strait::Spin>;
using MachCowBlock = strait::MachTransport<strait::OolThreshold<4096>, strait::Block>;
using MachCowSpin = strait::MachTransport<strait::OolThreshold<4096>, strait::Spin>;

}  // namespace strait_test

/// The ones that reach another process.
#define STRAIT_TEST_CROSSING Mach, MachInline, MachCow, MachBlock, MachSpin, Pipe
/// All of them.
#define STRAIT_TEST_TRANSPORTS STRAIT_TEST_CROSSING, Loopback
/// The rest of the combinations of policies.
#define STRAIT_TEST_WAITING \
  STRAIT_TEST_TRANSPORTS, MachInlineBlock, MachInlineSpin, MachCowBlock, MachCowSpin

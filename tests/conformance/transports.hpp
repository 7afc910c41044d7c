#pragma once

// The transports that the conformance suite runs over, each by the name that its tests carry. A new
// one is an alias and a word in a list.

#include <type_traits>

#include "strait/config.hpp"
#include "strait/transports/loopback.hpp"
#include "strait/transports/mach.hpp"
#include "strait/transports/pipe.hpp"
#if !STRAIT_HAS_WINDOWS
#include "strait/transports/bridged.hpp"
#include "strait/transports/faulty.hpp"
#include "strait/transports/socket.hpp"
#include "support/scripted_mach.hpp"
#endif

#if STRAIT_HAS_WINDOWS

namespace strait_test {

using Pipe = strait::PipeTransport;
using Loopback = strait::LoopbackTransport;
using Mach = strait::MachTransport<>;
using MachLoan = strait::MachTransport<strait::OolThreshold<4096, strait::Loan>>;
using MachBlock = strait::MachTransport<strait::DefaultSendPolicy, strait::Block>;
using MachSpin = strait::MachTransport<strait::DefaultSendPolicy, strait::Spin>;

// What a test shows over a socket, it shows there over the other stream of bytes.
using Socket = Pipe;

}  // namespace strait_test

#if STRAIT_TEST_BREADTH >= 2
#define STRAIT_TEST_MACH Mach, MachLoan, MachBlock, MachSpin
#else
#define STRAIT_TEST_MACH Mach, MachLoan
#endif
#define STRAIT_TEST_OUT_OF_LINE MachLoan
#define STRAIT_TEST_CROSSING STRAIT_TEST_MACH, Pipe
#define STRAIT_TEST_TRANSPORTS STRAIT_TEST_CROSSING, Loopback
#define STRAIT_TEST_UNREAD STRAIT_TEST_TRANSPORTS
#define STRAIT_TEST_WAITING STRAIT_TEST_TRANSPORTS
#define STRAIT_TEST_RIGHTS_CROSSING STRAIT_TEST_CROSSING
#define STRAIT_TEST_RIGHTS STRAIT_TEST_CROSSING, Loopback

#else

namespace strait_test {

using Pipe = strait::PipeTransport;
using Socket = strait::SocketTransport;
using BridgedPipe = strait::BridgedTransport<Pipe>;
using Loopback = strait::LoopbackTransport;

using Mach = strait::MachTransport<>;
using MachCow = strait::MachTransport<strait::OolThreshold<4096>>;
using MachLoan = strait::MachTransport<strait::OolThreshold<4096, strait::Loan>>;
using MachBlock = strait::MachTransport<strait::DefaultSendPolicy, strait::Block>;
using MachSpin = strait::MachTransport<strait::DefaultSendPolicy, strait::Spin>;
static_assert(std::is_same_v<strait::DefaultSendPolicy, strait::InlineOnly>,
              "InlineOnly is tested as the default; now it has to be named, too.");

// Every way to send with every way to wait: for what depends on the waiting.
using MachCowBlock = strait::MachTransport<strait::OolThreshold<4096>, strait::Block>;
using MachCowSpin = strait::MachTransport<strait::OolThreshold<4096>, strait::Spin>;

using BridgedMach = strait::BridgedTransport<Mach>;

// Without a script it is as the transport in it, though a message at a time goes through.
using Faulty = strait::FaultyTransport<Socket>;

// The code that speaks to macOS's own kernel, over one that is played in this process.
using Darwin = strait::BasicMachTransport<ScriptedDarwin>;
using DarwinCow =
    strait::BasicMachTransport<ScriptedDarwin, strait::OolThreshold<4096>, strait::Block>;

}  // namespace strait_test

/// The ones that send messages out of line.
#define STRAIT_TEST_OUT_OF_LINE MachCow, MachLoan

#if defined(STRAIT_CONFORMANCE_HEADER)  // see strait_conformance.cmake
#include STRAIT_CONFORMANCE_HEADER
namespace strait_test {
using Own = STRAIT_CONFORMANCE_TRANSPORT;
}
#define STRAIT_TEST_MACH Own
#define STRAIT_TEST_CROSSING Own
#define STRAIT_TEST_TRANSPORTS Own
#define STRAIT_TEST_UNREAD Own
#define STRAIT_TEST_WAITING Own
#define STRAIT_TEST_RIGHTS Socket  // what needs rights shows nothing of a transport without them
#else

// How many of them there are is most of what compilers take their time for (STRAIT_TEST_BREADTH).
#if STRAIT_TEST_BREADTH >= 2  // every transport with every policy
#define STRAIT_TEST_MACH Mach, MachCow, MachLoan, MachBlock, MachSpin
#define STRAIT_TEST_CROSSING STRAIT_TEST_MACH, Pipe, Socket, BridgedMach, BridgedPipe, Faulty
#define STRAIT_TEST_IN_PROCESS Loopback, Darwin, DarwinCow
#define STRAIT_TEST_WAITING STRAIT_TEST_TRANSPORTS, MachCowBlock, MachCowSpin
#define STRAIT_TEST_SOCKETS Socket, Faulty
#elif STRAIT_TEST_BREADTH == 1  // every transport
#define STRAIT_TEST_MACH Mach, MachCow, MachLoan
#define STRAIT_TEST_CROSSING STRAIT_TEST_MACH, Pipe, Socket, BridgedMach
#define STRAIT_TEST_IN_PROCESS Loopback, Darwin
#define STRAIT_TEST_WAITING STRAIT_TEST_TRANSPORTS
#else  // those that reach another process without another's help
#define STRAIT_TEST_MACH Mach, MachCow, MachLoan
#define STRAIT_TEST_CROSSING STRAIT_TEST_MACH, Pipe, Socket
#define STRAIT_TEST_IN_PROCESS Loopback
#define STRAIT_TEST_WAITING STRAIT_TEST_TRANSPORTS
#endif
#ifndef STRAIT_TEST_SOCKETS
#define STRAIT_TEST_SOCKETS Socket
#endif

// STRAIT_TEST_CROSSING: all that reach another process. STRAIT_TEST_IN_PROCESS: those that exist
// once, also in a child process; what needs a second one can't run over them.
// STRAIT_TEST_WAITING: for what depends on the waiting.

/// All of them.
#define STRAIT_TEST_TRANSPORTS STRAIT_TEST_CROSSING, STRAIT_TEST_IN_PROCESS
/// All that leave a message with the sender's side until its receiver looks; a bridge reads ahead.
#define STRAIT_TEST_UNREAD STRAIT_TEST_MACH, Pipe, Socket, STRAIT_TEST_IN_PROCESS
/// The ones that carry rights; to other processes, and all of them.
#define STRAIT_TEST_RIGHTS_CROSSING STRAIT_TEST_SOCKETS, Mach, MachCow, MachLoan
#define STRAIT_TEST_RIGHTS STRAIT_TEST_RIGHTS_CROSSING, STRAIT_TEST_IN_PROCESS
/// The ones whose ends are rights themselves, whatever is in them; to other processes, and all.
#if STRAIT_HAS_LINUX
#define STRAIT_TEST_ENDS_CROSSING STRAIT_TEST_SOCKETS, Mach, MachCow
#else
#define STRAIT_TEST_ENDS_CROSSING STRAIT_TEST_SOCKETS
#endif
#define STRAIT_TEST_ENDS STRAIT_TEST_ENDS_CROSSING, Loopback

#endif

#endif

#pragma once

#include <cstddef>
#include <cstdint>

#include "strait/acceptor_options.hpp"
#include "strait/channel_options.hpp"
#include "strait/config.hpp"
#include "strait/proxy_options.hpp"

/// All names of the library with all default arguments.
namespace strait {

struct InlineOnly;
struct CopyOnWrite;
template <std::size_t MaxBytes>
struct LoanUpTo;
using Loan = LoanUpTo<(std::size_t{256} << 20)>;
template <std::size_t Bytes, class How = CopyOnWrite>
struct OolThreshold;

struct Block;
struct Spin;
template <std::uint32_t Microseconds = 50>
struct SpinThenBlock;

struct LinuxKernel;
struct DarwinKernel;
#if STRAIT_HAS_LINUX
/// The kernel that `MachTransport` stands on here.
using NativeMachKernel = LinuxKernel;
#elif STRAIT_HAS_DARWIN
using NativeMachKernel = DarwinKernel;
#elif STRAIT_HAS_WINDOWS
struct WindowsKernel;
using NativeMachKernel = WindowsKernel;
#endif

/// A message sent once costs less inline at any size than a region made for it (bench/README.md).
using DefaultSendPolicy = InlineOnly;

template <class KernelT, class SendPolicy = DefaultSendPolicy, class WaitPolicy = SpinThenBlock<>,
          std::size_t queue_bytes = (std::size_t{1} << 20)>
class BasicMachTransport;

/// Messages over Mach ports: on Linux a ring in shared memory for each direction and a socket pair,
/// on Windows rings and a named pipe, on macOS the system's own. The fastest transport, and the one
/// for peers that are not trusted; it carries rights. Costs up to `queue_bytes` of memory each way,
/// as far as it is used, and one descriptor, or three if its end may be passed on: see
/// `BasicMachTransport` and `ChannelOptions::passable`.
template <class SendPolicy = DefaultSendPolicy, class WaitPolicy = SpinThenBlock<>,
          std::size_t queue_bytes = (std::size_t{1} << 20)>
using MachTransport = BasicMachTransport<NativeMachKernel, SendPolicy, WaitPolicy, queue_bytes>;

template <class WaitPolicy = Block>
class BasicPipeTransport;
using PipeTransport = BasicPipeTransport<>;

template <class WaitPolicy = Block>
class BasicSocketTransport;
using SocketTransport = BasicSocketTransport<>;

class LoopbackTransport;

template <class T>
class BridgedTransport;
template <class T>
class FaultyTransport;

struct Curve;
struct Plaintext;
template <class SecurityT = Curve>
class BasicZmqTransport;
/// Past one machine: `transports/zmq.hpp`, which needs libzmq.
using ZmqTransport = BasicZmqTransport<>;

class OutOfLineBytes;
template <class T>
class OutOfLine;

class Rights;
class RightsTable;
struct RightId;
class SharedMemory;
class Semaphore;

template <class... Ts>
class TrivialSerializer;
template <class... Ts>
class StructSerializer;
template <class... Ts>
struct Evolving;
struct RawSerializer;

struct NoObserver;
class MessageSizeHistogram;

template <class TransportT, class SerializerT, ChannelOptions options = ChannelOptions{},
          class ObserverT = NoObserver>
class Channel;

template <class ChannelT, AcceptorOptions options = AcceptorOptions{}>
class Acceptor;

template <class ChannelT, ProxyOptions options = ProxyOptions{}>
class ChannelProxy;

}  // namespace strait

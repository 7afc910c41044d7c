// The library as a module: all that needs no other library, but for the macros of version.hpp and
// config.hpp. A program may use the module in some files and the headers in others.

module;

#include "strait/acknowledging.hpp"
#include "strait/answering.hpp"
#include "strait/caller.hpp"
#include "strait/channel_proxy.hpp"
#include "strait/loops/coroutine.hpp"
#include "strait/loops/coroutine/calls.hpp"
#include "strait/loops/poll_loop.hpp"
#include "strait/message_size_histogram.hpp"
#include "strait/observers/combined.hpp"
#include "strait/observers/log.hpp"
#include "strait/observers/recorder.hpp"
#include "strait/observers/recording.hpp"
#include "strait/observers/trace.hpp"
#include "strait/observers/usdt.hpp"
#include "strait/proxy_calls.hpp"
#include "strait/reconnecting.hpp"
#include "strait/serializers/acknowledged.hpp"
#include "strait/serializers/struct.hpp"
#include "strait/strait.hpp"
#include "strait/task_queue.hpp"
#include "strait/transports/faulty.hpp"
#include "strait/transports/loopback.hpp"

#if !STRAIT_HAS_WINDOWS
#include "strait/transports/bridged.hpp"
#endif

export module strait;

export namespace strait {

// Channels, and what is around them.
using strait::Acceptor;
using strait::AcceptorOptions;
using strait::Activatable;
using strait::ActivatedSocket;
using strait::Channel;
using strait::ChannelOptions;
using strait::ChannelProxy;
using strait::ClientId;
using strait::MessageSizeHistogram;
using strait::NoObserver;
using strait::OnOwnThread;
using strait::overloaded;
using strait::Peer;
using strait::PeerCredentials;
using strait::PeerPolicy;
using strait::ProxyOptions;
using strait::PublicKey;
using strait::TaskQueue;
using strait::Token;
using strait::UserId;

// Calls.
using strait::answering;
using strait::Caller;
using strait::CallId;
using strait::Calls;
using strait::ProxyCaller;
using strait::Reply;

// Servers that go and come again.
using strait::Acknowledged;
using strait::acknowledging;
using strait::NoRedelivery;
using strait::Reconnecting;
using strait::ReconnectOptions;
using strait::Redeliver;
using strait::Sessions;

// What happens.
using strait::ChannelEnd;
using strait::Direction;
using strait::EndedBy;
using strait::LogLevel;
using strait::LogObserver;
using strait::Observers;
using strait::RecordedMessage;
using strait::Recording;
using strait::RecordingErrc;
using strait::RecordingObserver;
using strait::replay;
using strait::ReplayOptions;
using strait::TraceObserver;
using strait::UsdtObserver;

// Errors.
using strait::Errc;
using strait::errc;
using strait::error_category;
using strait::is_strait_error;
using strait::make_error_code;
using strait::operator==;
using strait::Result;

// Children.
using strait::ByName;
using strait::ChildProcess;
using strait::connect_to_parent;
using strait::exit_status;
using strait::ExitStatus;
using strait::Inherited;
using strait::launch;
using strait::Launched;
using strait::LaunchOptions;

// Transports and their policies.
using strait::BasicMachTransport;
using strait::BasicPipeTransport;
using strait::BasicSocketTransport;
using strait::Block;
using strait::BridgedTransport;
using strait::Conflate;
using strait::CopyOnWrite;
using strait::DarwinKernel;
using strait::DefaultSendPolicy;
using strait::FaultScript;
using strait::FaultyTransport;
using strait::InlineOnly;
using strait::KeepAll;
using strait::KeepLast;
using strait::LinuxKernel;
using strait::Loan;
using strait::LoanUpTo;
using strait::LoopbackTransport;
using strait::MachTransport;
using strait::NativeMachKernel;
using strait::OolThreshold;
using strait::PipeTransport;
using strait::QueuePolicy;
using strait::SocketTransport;
using strait::Spin;
using strait::SpinThenBlock;

// That of transports/zmq.hpp, which is to be included beside the module.
using strait::BasicZmqTransport;
using strait::Curve;
using strait::Plaintext;
using strait::ZmqTransport;

// Serializers.
using strait::Evolving;
using strait::no_padding;
using strait::RawSerializer;
using strait::schema_version;
using strait::StructSerializer;
using strait::StructTraits;
using strait::TrivialSerializer;

// What travels beside bytes.
using strait::Mapped;
using strait::OutOfLine;
using strait::OutOfLineBytes;
using strait::RightId;
using strait::Rights;
using strait::RightsTable;
using strait::Semaphore;
using strait::SharedMemory;

// Event loops.
using strait::accept;
using strait::ChannelServer;
using strait::connect;
using strait::EventLoop;
using strait::flush;
using strait::HandleResult;
using strait::LoopCallback;
using strait::LoopCaller;
using strait::LoopOperation;
using strait::PollLoop;
using strait::Receiver;
using strait::sleep_for;
using strait::Task;

// For transports and serializers of one's own.
using strait::AcceptLimits;
using strait::Armed;
using strait::CarriesRights;
using strait::Deadline;
using strait::Descriptor;
using strait::EncodeBuffer;
using strait::FrameQueue;
using strait::HandshakeBytes;
using strait::Incoming;
using strait::Inheritable;
using strait::Interest;
using strait::Interests;
using strait::Lease;
using strait::MachKernel;
using strait::MachKernelWithDescriptors;
using strait::MachKernelWithInheritance;
using strait::MachKernelWithPackedEndpoints;
using strait::MachKernelWithRegions;
using strait::MessageHeader;
using strait::NativeHandle;
using strait::no_handle;
using strait::PassesEnds;
using strait::Readiness;
using strait::ReceiveLimits;
using strait::Right;
using strait::RightList;
using strait::Serializer;
using strait::SerializerOf;
using strait::Transport;
using strait::WireOptions;

}  // namespace strait

export namespace strait::faults {

using strait::faults::Close;
using strait::faults::Delay;
using strait::faults::Fail;
using strait::faults::NoRoom;
using strait::faults::Split;

}  // namespace strait::faults

// The library as a module: all that needs no other library, but for the macros of version.hpp and
// config.hpp. A program may use the module in some files and the headers in others.

module;

#include "strait/answering.hpp"
#include "strait/caller.hpp"
#include "strait/loops/coroutine.hpp"
#include "strait/loops/poll_loop.hpp"
#include "strait/serializers/struct.hpp"
#include "strait/strait.hpp"

export module strait;

export namespace strait {

// Channels, and what is around them.
using strait::Acceptor;
using strait::AcceptorOptions;
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
using strait::TaskQueue;
using strait::Token;

// Calls.
using strait::answering;
using strait::Caller;
using strait::CallId;
using strait::Calls;
using strait::Reply;

// Errors.
using strait::Errc;
using strait::error_category;
using strait::is_strait_error;
using strait::make_error_code;
using strait::Result;

// Children.
using strait::ByName;
using strait::ChildProcess;
using strait::connect_to_parent;
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
using strait::CopyOnWrite;
using strait::DefaultSendPolicy;
using strait::InlineOnly;
using strait::Loan;
using strait::LoanUpTo;
using strait::LoopbackTransport;
using strait::MachTransport;
using strait::NativeMachKernel;
using strait::OolThreshold;
using strait::PipeTransport;
using strait::SocketTransport;
using strait::Spin;
using strait::SpinThenBlock;

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
using strait::LoopOperation;
using strait::PollLoop;
using strait::Receiver;
using strait::sleep_for;
using strait::Task;

// For transports and serializers of one's own.
using strait::Armed;
using strait::CarriesRights;
using strait::EncodeBuffer;
using strait::Incoming;
using strait::Inheritable;
using strait::Interest;
using strait::Interests;
using strait::MachKernel;
using strait::MachKernelWithDescriptors;
using strait::MachKernelWithInheritance;
using strait::MachKernelWithPackedEndpoints;
using strait::MachKernelWithRegions;
using strait::MessageHeader;
using strait::PassesEnds;
using strait::Readiness;
using strait::ReceiveLimits;
using strait::Serializer;
using strait::SerializerOf;
using strait::Transport;

}  // namespace strait

#pragma once

#include <concepts>
#include <string>
#include <system_error>

// The one place that asks which Asio this is. Each of the two has a namespace of its own here, as
// files of one program may use different ones. Of posix/ and windows/ one has nothing in it.
#if defined(STRAIT_BOOST_ASIO)
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/windows/basic_object_handle.hpp>
#if __has_include(<boost/asio/cancellation_state.hpp>)
#include <boost/asio/cancellation_state.hpp>
#define STRAIT_ASIO_CANCELS 1
#endif
#define STRAIT_ASIO_NAMESPACE boost_asio
#else
#include <asio/any_io_executor.hpp>
#include <asio/associated_allocator.hpp>
#include <asio/async_result.hpp>
#include <asio/basic_waitable_timer.hpp>
#include <asio/compose.hpp>
#include <asio/error.hpp>
#include <asio/execution_context.hpp>
#include <asio/posix/basic_stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/windows/basic_object_handle.hpp>
#if __has_include(<asio/cancellation_state.hpp>)
#include <asio/cancellation_state.hpp>
#define STRAIT_ASIO_CANCELS 1
#endif
#define STRAIT_ASIO_NAMESPACE standalone_asio
#endif

#include "strait/base/chrono.hpp"
#include "strait/error.hpp"

namespace strait {
inline namespace STRAIT_ASIO_NAMESPACE {

namespace asio_detail {

#if defined(STRAIT_BOOST_ASIO)
namespace net = ::boost::asio;
using ErrorCode = boost::system::error_code;

/// This library's errors for a Boost that has no room for those of others (before 1.76).
class BoostCategory final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return strait::error_category().name(); }
  std::string message(int value) const override { return strait::error_category().message(value); }
};
inline const BoostCategory boost_category;

template <class Code = ErrorCode>
Code to_asio(const std::error_code& error) {
  if (!error) return {};
  if (error.category() == std::system_category()) {
    return {error.value(), boost::system::system_category()};
  }
  if (error.category() == std::generic_category()) {
    return {error.value(), boost::system::generic_category()};
  }
  if constexpr (std::constructible_from<Code, const std::error_code&>) {
    return Code(error);
  } else {
    return {error.value(), boost_category};
  }
}
#else
namespace net = ::asio;
using ErrorCode = std::error_code;
inline ErrorCode to_asio(const std::error_code& error) { return error; }
#endif

template <class Executor>
using Timer = net::basic_waitable_timer<std::chrono::steady_clock,
                                        net::wait_traits<std::chrono::steady_clock>, Executor>;

/// Has a composed operation be cancelled by every type of cancellation.
template <class Self>
void allow_cancellation([[maybe_unused]] Self& self) {
#if defined(STRAIT_ASIO_CANCELS)
  self.reset_cancellation_state(net::enable_total_cancellation());
#endif
}
/// Whether it was, also since its wait had ended.
template <class Self>
bool is_cancelled([[maybe_unused]] Self& self) {
#if defined(STRAIT_ASIO_CANCELS)
  return self.get_cancellation_state().cancelled() != net::cancellation_type::none;
#else
  return false;
#endif
}

}  // namespace asio_detail

}  // namespace STRAIT_ASIO_NAMESPACE
}  // namespace strait

#undef STRAIT_ASIO_CANCELS

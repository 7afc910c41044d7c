#pragma once

#include <concepts>
#include <string>
#include <system_error>

#if defined(STRAIT_BOOST_ASIO)
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/error.hpp>
#else
#include <asio/basic_waitable_timer.hpp>
#include <asio/error.hpp>
#endif

#include "strait/base/chrono.hpp"
#include "strait/error.hpp"

namespace strait {
#if defined(STRAIT_BOOST_ASIO)
inline namespace boost_asio {
#else
inline namespace standalone_asio {
#endif

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

}  // namespace asio_detail

}  // inline namespace
}  // namespace strait

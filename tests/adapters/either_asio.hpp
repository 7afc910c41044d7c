#pragma once

// Boost.Asio with STRAIT_BOOST_ASIO, without it standalone Asio: tests of either are compiled twice.

#include <strait/loops/asio.hpp>

#if defined(STRAIT_BOOST_ASIO)
#include <boost/asio.hpp>
#include <boost/system/system_error.hpp>

namespace net = boost::asio;
using SystemError = boost::system::system_error;
#if BOOST_ASIO_VERSION >= 101900
#define STRAIT_TEST_CANCELS 1
#endif
#else
#include <asio.hpp>
#include <system_error>

namespace net = asio;
using SystemError = std::system_error;
#define STRAIT_TEST_CANCELS 1
#endif

namespace strait_test {

using ErrorCode = strait::asio_detail::ErrorCode;

}  // namespace strait_test
